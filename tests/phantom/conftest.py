"""Phantoms that several tests look at; each is made once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import pytest

from oncoforge.phantom import Phantom, make_phantom

Maker = Callable[..., Phantom]


@lru_cache(maxsize=12)
def _coarse(seed: int, phase: str, noise_hu: float) -> Phantom:
    return make_phantom(seed, (3.0, 3.0, 3.0), phase=phase, noise_hu=noise_hu)


@pytest.fixture
def coarse() -> Maker:
    """Make (or reuse) a phantom with voxels of 3 mm."""

    def maker(seed: int = 0, phase: str = "portal", noise_hu: float = 12.0) -> Phantom:
        return _coarse(seed, phase, noise_hu)

    return maker
