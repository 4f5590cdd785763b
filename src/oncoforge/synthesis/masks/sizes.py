"""Size classes of the published hand-crafted generator, and any diameter between them.

Hu et al., "Label-Free Liver Tumor Segmentation", CVPR 2023: radii, deformation and counts of the
released generator, where one voxel is 1 mm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from oncoforge.errors import UnknownNameError


@dataclass(frozen=True)
class SizeClass:
    """Distributions of one size class.

    Parameters
    ----------
    radius_mm
        Nominal radius R; each semi-axis is a whole number of mm drawn from
        ``[int(0.75 R), int(1.25 R)]``, both ends included.
    sigma_mm
        Range of the elastic deformation's sigma.
    whole_sigma
        Whether sigma is a whole number of mm.
    count
        Fewest and most lesions in a scan.
    count_in_mix
        The same when the class is part of a mix.
    """

    radius_mm: int
    sigma_mm: tuple[float, float]
    whole_sigma: bool
    count: tuple[int, int]
    count_in_mix: tuple[int, int]

    def draw_radii(self, rng: np.random.Generator) -> list[float]:
        """Draw three semi-axes, mm."""
        low, high = int(0.75 * self.radius_mm), int(1.25 * self.radius_mm)
        return [float(r) for r in rng.integers(low, high, size=3, endpoint=True)]

    def draw_sigma(self, rng: np.random.Generator) -> float:
        """Draw the sigma of the elastic deformation, mm."""
        low, high = self.sigma_mm
        if self.whole_sigma:
            return float(rng.integers(int(low), int(high), endpoint=True))
        return float(rng.uniform(low, high))


SIZES: Mapping[str, SizeClass] = MappingProxyType(
    {
        "tiny": SizeClass(4, (0.5, 1.0), False, (3, 10), (3, 10)),
        "small": SizeClass(8, (1, 2), True, (3, 10), (5, 10)),
        "medium": SizeClass(16, (3, 6), True, (2, 5), (2, 5)),
        "large": SizeClass(32, (5, 10), True, (1, 3), (1, 3)),
    }
)
"""The four classes, smallest first."""

MIX = "mix"
"""Every class in one scan."""

RANDOM = "random"
"""One of the four classes or the mix, with equal probability: what the original trained with."""

SIZE_NAMES = (*SIZES, MIX, RANDOM)

_SIGMA_PER_RADIUS = 0.22
"""Deformation of a lesion of any diameter: the mean ratio of the four classes."""


def check_size(name: str) -> str:
    """Return a size name, or raise `UnknownNameError` with the nearest one."""
    if name not in SIZE_NAMES:
        raise UnknownNameError("size", name, SIZE_NAMES)
    return name


def nearest_size(radius_mm: float) -> str:
    """Return the class whose nominal radius is nearest, on a scale of ratios."""
    return min(SIZES, key=lambda name: abs(math.log(SIZES[name].radius_mm / radius_mm)))


def sigma_for(radius_mm: float) -> float:
    """Return the elastic sigma (mm) that suits a lesion of any radius (mm)."""
    return _SIGMA_PER_RADIUS * radius_mm
