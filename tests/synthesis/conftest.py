"""Scans that the synthesis tests share: small, noisy, and read-only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from oncoforge.synthesis.masks.prior.places import Mixture
from oncoforge.synthesis.masks.prior.prior import (
    Counts,
    Exophytic,
    Normal,
    OrganPrior,
    Shape,
    Weibull,
)


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


def _diagonal(value: float):
    return ((value, 0.0, 0.0), (0.0, value, 0.0), (0.0, 0.0, value))


@pytest.fixture(scope="session")
def organ_prior() -> OrganPrior:
    """A prior of kidney tumours: one or three, of 6 to 30 mm, many of which bulge out."""
    return OrganPrior(
        organ="kidney",
        cases=10,
        lesions=14,
        count=Counts((1, 3), (0.75, 0.25)),
        diameter_mm=Weibull(2.0, 16.0, 6.0, 30.0),
        shape=Shape((-0.2, -0.4), ((0.02, 0.01), (0.01, 0.03))),
        location=Mixture(
            (0.4, 0.6), ((0.3, 0.5, 0.25), (0.6, 0.5, 0.75)), (_diagonal(0.004), _diagonal(0.006))
        ),
        right=0.7,
        exophytic=Exophytic(0.6, 2.0, 3.0, 12.0, 0.3),
        contrast_hu=Normal(-50.0, 10.0, -75.0, -25.0),
    )
