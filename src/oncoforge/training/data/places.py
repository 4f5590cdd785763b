"""Where patches are cut: around organ and tumour, or anywhere else in the body."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from oncoforge.errors import InputError
from oncoforge.store import StoredCase
from oncoforge.training.settings import SamplingSettings

Triple = tuple[int, int, int]

_TRIES_PER_BALL = 5
_SMALLER_MM = 5.0
_LEAST_BALL_MM = 5.0
"""The ball shrinks by 5 mm with every fifth try, down to 5 mm (Pixel2Cancer, MICCAI 2024); there
the tries have no end."""


@dataclass(frozen=True, eq=False)
class Region:
    """A part of a volume, and what it lacks of a patch.

    Parameters
    ----------
    start, size
        First voxel, and voxels along each axis: all of them in the volume.
    missing
        Voxels before and after, along each axis, that the volume does not have.
    """

    start: Triple
    size: Triple
    missing: tuple[tuple[int, int], ...]

    def wider(self, by: Triple, shape: Triple) -> tuple[Region, tuple[slice, ...]]:
        """Return the region with so many voxels around it, as far as there are, and it in that."""
        low = [max(a - n, 0) for a, n in zip(self.start, by, strict=True)]
        high = [
            min(a + n + more, whole)
            for a, n, more, whole in zip(self.start, self.size, by, shape, strict=True)
        ]
        core = tuple(
            slice(a - b, a - b + n) for a, b, n in zip(self.start, low, self.size, strict=True)
        )
        size = [b - a for a, b in zip(low, high, strict=True)]
        return Region(_triple(low), _triple(size), ()), core


def region_at(start: Triple, patch: Triple, shape: Triple) -> Region:
    """Return the part of a volume that a patch covers; what is beyond is missing on both sides."""
    low = [max(a, 0) for a in start]
    high = [min(a + n, whole) for a, n, whole in zip(start, patch, shape, strict=True)]
    missing = tuple((b - a, a + n - c) for a, n, b, c in zip(start, patch, low, high, strict=True))
    return Region(_triple(low), _triple(b - a for a, b in zip(low, high, strict=True)), missing)


@dataclass(frozen=True, eq=False)
class Places:
    """Draws where patches are cut.

    Parameters
    ----------
    settings
        See `SamplingSettings`.
    patch
        Voxels of a patch.
    foreground
        bool (256,): labels that are organ or tumour, see `foreground_of`.
    tumors
        Labels of tumours that are classes.

    Raises
    ------
    InputError
        If a setting makes no sense.
    """

    settings: SamplingSettings
    patch: Triple
    foreground: npt.NDArray[np.bool_]
    tumors: tuple[int, ...]
    _odds: npt.NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        given = self.settings
        odds = np.array([given.foreground, given.tumor, given.background], float)
        if not np.isfinite(odds).all() or odds.min() < 0 or odds.sum() == 0:
            raise InputError(
                "sampling.foreground, tumor and background are odds: none is negative, and one is "
                f"above 0; found {odds[0]:g}, {odds[1]:g} and {odds[2]:g}."
            )
        if not 0 <= given.jitter <= 1:
            raise InputError(
                f"sampling.jitter is a part of a patch, from 0 to 1, not {given.jitter:g}."
            )
        radius = given.least_foreground_mm
        if given.tries < 1 or (radius is not None and not 0 < radius < math.inf):
            raise InputError(
                f"sampling.tries ({given.tries}) is a number from 1, and least_foreground_mm "
                f"({radius}) a radius above 0, or null."
            )
        object.__setattr__(self, "_odds", odds / odds.sum())

    def draw(self, case: StoredCase, rng: np.random.Generator) -> Region:
        """Draw a patch of a case, in the volume if it can be.

        Parameters
        ----------
        case
            Where it is cut.
        rng
            Source of randomness.
        """
        radius = self.settings.least_foreground_mm
        if radius is None or self._holds_tumor(case):
            return self._propose(case, rng)
        best, most = self._propose(case, rng), -1
        for number in range(self.settings.tries):
            region = self._propose(case, rng) if number else best
            held = int(np.count_nonzero(self.foreground[case.labels(region.start, region.size)]))
            if held > most:
                best, most = region, held
            smaller = radius - _SMALLER_MM * (number // _TRIES_PER_BALL)
            ball = 4 / 3 * math.pi * max(smaller, min(radius, _LEAST_BALL_MM)) ** 3
            if held * math.prod(case.spacing_mm) > ball:
                return region
        return best

    def _holds_tumor(self, case: StoredCase) -> bool:
        return any(case.voxels.get(label, 0) for label in self.tumors)

    def _propose(self, case: StoredCase, rng: np.random.Generator) -> Region:
        centre = self._centre(case, rng)
        moved = rng.uniform(-0.5, 0.5, 3) * self.settings.jitter
        start = []
        for at, shift, n, whole in zip(centre, moved, self.patch, case.shape, strict=True):
            wanted = int(at) - n // 2 + round(shift * n)
            start.append(min(max(wanted, 0), whole - n) if whole >= n else -((n - whole) // 2))
        return region_at(_triple(start), self.patch, case.shape)

    def _centre(self, case: StoredCase, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """Draw the voxel in the middle: of what was drawn, or of the next best that there is."""
        kind = int(rng.choice(3, p=self._odds))
        inside = {n: count for n, count in case.voxels.items() if count and self.foreground[n]}
        tumors = {n: inside[n] for n in self.tumors if n in inside}
        wanted = (inside, tumors or inside, {})[kind]
        if wanted:
            return _voxel(case, wanted, False, rng)
        around = {n: count for n, count in case.bright.items() if count and not self.foreground[n]}
        if around:
            return _voxel(case, around, True, rng)
        return rng.integers(0, case.shape)


def _voxel(
    case: StoredCase, counts: Mapping[int, int], bright: bool, rng: np.random.Generator
) -> npt.NDArray[Any]:
    """Draw one of the voxels of some labels, each as likely as any other."""
    total = sum(counts.values())
    labels = sorted(counts)
    label = labels[int(rng.choice(len(labels), p=[counts[n] / total for n in labels]))]
    places = case.locations(label, bright)
    return places[int(rng.integers(len(places)))]


def _triple(numbers: Any) -> Triple:
    x, y, z = (int(n) for n in numbers)
    return x, y, z
