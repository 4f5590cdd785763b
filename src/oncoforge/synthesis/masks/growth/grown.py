"""Tumours as they have grown, and who has which points where several meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from oncoforge.synthesis.masks.growth.lattice import Lattice
from oncoforge.synthesis.masks.growth.rules import Colony, Window
from oncoforge.synthesis.scene import bounding_box


@dataclass(frozen=True)
class Grown:
    """A tumour on its lattice.

    Parameters
    ----------
    lattice
        Of the scan that it grew in.
    low
        Lattice index of the first point of the arrays, which hold the tumour and no more.
    population
        uint8 (x, y, z), 0 to 10, in the organ alone.
    born
        uint16 (x, y, z): step after which a point was occupied first.
    steps
        Number of its last step.
    dead
        bool (x, y, z); None if nothing has died.
    """

    lattice: Lattice
    low: NDArray[np.int64]
    population: NDArray[np.uint8]
    born: NDArray[np.uint16]
    steps: int
    dead: NDArray[np.bool_] | None

    @property
    def volumes(self) -> NDArray[np.int64]:
        """Its points after each step, int64 (steps + 1,)."""
        return np.bincount(self.born[self.population > 0], minlength=self.steps + 1).cumsum()


def cut_out(
    lattice: Lattice, place: Window, colony: Colony, dead: NDArray[np.bool_] | None
) -> Grown:
    """Keep of a window what a tumour takes in the organ."""
    population = np.where(place.organ, colony.population, np.uint8(0))
    here = bounding_box(population > 0) or (slice(0, 0),) * 3
    return Grown(
        lattice,
        np.array(place.low) + [s.start for s in here],
        population[here].copy(),
        colony.born[here].copy(),
        colony.volumes.size - 1,
        None if dead is None else dead[here] & (population[here] > 0),
    )


def settle(tumours: Sequence[Grown | None]) -> list[Grown | None]:
    """Give each point to the tumour that came first; in the same step, to the first in the list.

    So a lesion never loses a point that it once had, at any step of its growth.
    """
    lost = [None if t is None else np.zeros(t.population.shape, np.bool_) for t in tumours]
    for n, one in enumerate(tumours):
        for m, other in enumerate(tumours[:n]):
            if one is None or other is None or one.lattice.pitch_mm != other.lattice.pitch_mm:
                continue
            low = np.maximum(one.low, other.low)
            high = np.minimum(one.low + one.population.shape, other.low + other.population.shape)
            if (low >= high).any():
                continue
            here, there = (
                tuple(slice(a, b) for a, b in zip(low - t.low, high - t.low, strict=True))
                for t in (one, other)
            )
            both = (one.population[here] > 0) & (other.population[there] > 0)
            later = both & (one.born[here] >= other.born[there])
            lost[n][here] |= later  # type: ignore[index]
            lost[m][there] |= both & ~later  # type: ignore[index]
    return [None if t is None else _without(t, gone) for t, gone in zip(tumours, lost, strict=True)]


def _without(tumour: Grown, gone: NDArray[np.bool_] | None) -> Grown:
    if gone is None or not gone.any():
        return tumour
    dead = None if tumour.dead is None else tumour.dead & ~gone
    return replace(tumour, population=np.where(gone, np.uint8(0), tumour.population), dead=dead)
