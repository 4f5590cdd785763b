"""The surfaces of two masks: how far each piece of one is from the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oncoforge.evaluation.masks import Part
from oncoforge.evaluation.nearest import SIDE, Points, distances, points_of
from oncoforge.evaluation.surfels import surfel_areas

Spacing = tuple[float, float, float]
Floats = NDArray[np.float64]

_DOUBT = 1e-9
"""A share of a surface that is as near as this to a percentile may be on either side of it."""

_SLICES = 1000
"""Of how many slices of the distances one is sorted to find a percentile."""


@dataclass(frozen=True)
class Surface:
    """How far the pieces of one surface are from the other surface.

    Parameters
    ----------
    distances_mm
        (n,) of each piece to the nearest piece of the other surface.
    weights
        (n,) what each piece counts: its area in mm², or 1.
    """

    distances_mm: Floats
    weights: Floats

    @property
    def total(self) -> float:
        """What all pieces count."""
        return float(self.weights.sum())

    @property
    def mean_mm(self) -> float:
        """The mean distance."""
        return float((self.distances_mm * self.weights).sum()) / self.total

    @property
    def largest_mm(self) -> float:
        """The largest distance."""
        return float(self.distances_mm.max())

    def within(self, tolerance_mm: float) -> float:
        """Return what the pieces count that are no farther than this."""
        return float(self.weights[self.distances_mm <= tolerance_mm].sum())

    def percentile_mm(self, percent: float) -> float:
        """Return the least distance within which this part of the surface lies.

        Where the part ends exactly between two distances, rounding decides; it does so as in
        DeepMind's surface-distance, which adds up the pieces by distance, then by area.
        """
        goal, doubt = percent / 100 * self.total, _DOUBT * self.total
        found = self._near_percentile(goal)
        below = float(self.weights[self.distances_mm < found].sum())
        if below + doubt < goal < self.within(found) - doubt:
            return found
        order = np.lexsort((self.weights, self.distances_mm))
        weights = self.weights[order]
        reached = np.cumsum(weights) / weights.sum()
        index = min(int(np.searchsorted(reached, percent / 100)), len(order) - 1)
        return float(self.distances_mm[order[index]])

    def _near_percentile(self, goal: float) -> float:
        """Return where the weights add up to this, by sorting no more than a slice of them."""
        if self.within(0.0) >= goal:
            return 0.0
        slices = (self.distances_mm * (_SLICES / self.largest_mm)).astype(np.intp)
        reached = np.cumsum(np.bincount(slices, self.weights))
        number = min(int(np.searchsorted(reached, goal)), len(reached) - 1)
        among = np.flatnonzero(slices == number)
        among = among[np.argsort(self.distances_mm[among])]
        before = reached[number - 1] if number else 0.0
        index = int(np.searchsorted(before + np.cumsum(self.weights[among]), goal))
        return float(self.distances_mm[among[min(index, len(among) - 1)]])


def surfels(one: Part, other: Part, spacing: Spacing) -> tuple[Surface, Surface]:
    """Return the surfaces of two masks in surfels, each weighing its area; see `surfel_areas`."""
    areas = surfel_areas(spacing)
    a, b = (_corners(part) for part in (one, other))
    return (
        Surface(distances(a, b, spacing), areas[a.values]),
        Surface(distances(b, a, spacing), areas[b.values]),
    )


def voxels(one: Part, other: Part, spacing: Spacing) -> tuple[Surface, Surface]:
    """Return the surfaces of two masks in voxels: those with one of six neighbours outside."""
    a, b = (_edges(part) for part in (one, other))
    return (
        Surface(distances(a, b, spacing), np.ones(len(a.places))),
        Surface(distances(b, a, spacing), np.ones(len(b.places))),
    )


def _corners(part: Part) -> Points:
    """Return the corners of voxels that the surface passes, marked with their code."""
    marks, corner = _room_for(part)
    # Two voxels along one axis, then two of those pairs along the next.
    for axis, bits in ((2, 1), (1, 2), (0, 4)):
        one, two = _along(marks, axis, slice(None, -1)), _along(marks, axis, slice(1, None))
        marks = one | two << np.uint8(bits)
    marks[marks == 255] = 0
    return points_of(marks, corner)


def _edges(part: Part) -> Points:
    """Return the voxels of the surface."""
    room, corner = _room_for(part)
    inside = room[1:, 1:, 1:]
    deep = inside.copy()
    for axis in range(3):
        before = [slice(1, None)] * 3
        before[axis] = slice(None, -1)
        deep &= room[tuple(before)]
        _along(deep, axis, slice(None, -1))[...] &= _along(inside, axis, slice(1, None))
    return points_of(inside ^ deep, corner)


def _room_for(part: Part) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return a mask in a room of whole blocks, with one more voxel before them."""
    origin = np.array(part.origin)
    corner = origin // SIDE
    blocks = (origin + part.array.shape) // SIDE + 1 - corner
    room = np.zeros(SIDE * blocks + 1, np.uint8)
    low = origin - SIDE * corner + 1
    room[tuple(map(slice, low, low + part.array.shape))] = part.array
    return room, corner


def _along(array: NDArray[np.uint8], axis: int, part: slice) -> NDArray[np.uint8]:
    """Return this part of one axis and all of the others."""
    return array[(slice(None),) * axis + (part,)]
