"""Size classes of the published hand-crafted generator, and any diameter between them.

Hu et al., "Label-Free Liver Tumor Segmentation", CVPR 2023: radii, deformation and counts of the
released generator, where one voxel is 1 mm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from oncoforge.errors import InputError, UnknownNameError

T = TypeVar("T")

LARGEST_MM = 500.0
"""No lesion is wider."""

_MOST = 1000


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


def draw_kinds(
    size: str,
    count: int | None,
    diameter_mm: float | None,
    share: float,
    rng: np.random.Generator,
) -> list[str]:
    """Draw the size class of every lesion of one scan.

    Parameters
    ----------
    size
        One of `SIZE_NAMES`.
    count
        Number of lesions; None draws it from the class.
    diameter_mm
        Diameter that all have, whatever `size` says; None if they differ.
    share
        Part of the organ that is in view: it holds that part of the lesions that were drawn, but at
        least one.
    rng
        Source of randomness.
    """
    if diameter_mm is not None:
        size = nearest_size(diameter_mm / 2)
    elif size == RANDOM:
        size = str(rng.choice([*SIZES, MIX]))
    if count is None and size == MIX:
        ranges = {name: c.count_in_mix for name, c in SIZES.items()}
    elif size == MIX:
        return [str(k) for k in rng.choice(list(SIZES), count)]
    else:
        ranges = {size: (count, count) if count else SIZES[size].count}
    kinds = [kind for kind, (a, b) in ranges.items() for _ in range(rng.integers(a, b + 1))]
    return kinds if count else share_of(kinds, share, rng)


def share_of(lesions: list[T], share: float, rng: np.random.Generator) -> list[T]:
    """Keep each lesion with a probability, and at least one of them."""
    if share >= 1.0:
        return lesions
    kept = [lesion for lesion in lesions if rng.random() < share]
    return kept or [lesions[int(rng.integers(len(lesions)))]]


def largest_first(kinds: Sequence[str]) -> list[str]:
    """Sort size classes: small lesions still find a place between large ones, not the reverse."""
    return sorted(kinds, key=list(SIZES).index, reverse=True)


def check_lesions(count: int | None, diameter_mm: float | None, positions: int) -> None:
    """Raise `InputError` if number, diameter and positions of the lesions make no sense."""
    if count is not None and not 1 <= count <= _MOST:
        raise InputError(f"count is {count}; ask for 1 to {_MOST} lesions.")
    if diameter_mm is not None and not 0 < diameter_mm < LARGEST_MM:
        raise InputError(
            f"diameter is {diameter_mm:g} mm; give one between 0 and {LARGEST_MM:g} mm."
        )
    if count is not None and count < positions:
        raise InputError(
            f"count is {count} but {positions} positions were given; leave count out or raise it."
        )


def sigma_for(radius_mm: float) -> float:
    """Return the elastic sigma (mm) that suits a lesion of any radius (mm)."""
    return _SIGMA_PER_RADIUS * radius_mm
