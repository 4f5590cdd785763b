"""Scans that the synthesis tests share: small, noisy, and read-only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest


class Scan(NamedTuple):
    """A CT, the mask of one organ in it, and its spacing in mm."""

    image: np.ndarray
    organ: np.ndarray
    spacing: tuple[float, float, float]


def _scan(shape, radii_mm, spacing, seed=0):
    """A lumpless organ of 100 HU with noise, in fat, with air around it."""
    rng = np.random.default_rng(seed)
    axes = [
        ((np.arange(n) - (n - 1) / 2) * s / r) ** 2
        for n, s, r in zip(shape, spacing, radii_mm, strict=True)
    ]
    away = sum(np.ix_(*axes))
    organ = away < 1
    image = np.where(organ, 100.0, np.where(away < 1.5, -100.0, -1000.0))
    image = (image + rng.normal(0, 15, shape)).astype(np.float32)
    image.setflags(write=False)
    organ.setflags(write=False)
    return Scan(image, organ, spacing)


@pytest.fixture(scope="session")
def scan() -> Scan:
    """An organ of 90 x 80 x 76 mm at 1 mm."""
    return _scan((100, 90, 84), (45, 40, 38), (1.0, 1.0, 1.0))


@pytest.fixture(scope="session")
def thick_scan() -> Scan:
    """The same organ in thick slices."""
    return _scan((122, 110, 36), (45, 40, 38), (0.8, 0.8, 2.5))


@pytest.fixture(scope="session")
def small_scan() -> Scan:
    """An organ of 40 mm, for what only draws."""
    return _scan((44, 44, 44), (20, 20, 20), (1.0, 1.0, 1.0))
