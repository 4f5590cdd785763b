"""Where a tumour can start: in the organ, not in a wall, and by a seed that grows evenly."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from oncoforge.synthesis.masks.growth import automaton
from oncoforge.synthesis.masks.growth.lattice import Lattice
from oncoforge.synthesis.masks.growth.rules import BEYOND, BORDER, Rules, Window
from oncoforge.synthesis.masks.growth.window import admissible, admits
from oncoforge.synthesis.masks.location import Places
from oncoforge.synthesis.scene import Vector
from oncoforge.synthesis.tissue import Tissue

_TRIES = 64
"""Places drawn before all points of the organ are listed."""

_NUCLEUS_STEPS, _NUCLEUS = 20, 14
_EVEN = 0.2
_SEEDS = 32
"""A seed is drawn again, up to 32 times, if the centroid of its first 20 steps in uniform tissue
lies more than 0.2 points from the focus: most of the drift of a large tumour is made there."""


class Ground:
    """The organ of a scene as ground for tumours.

    Parameters
    ----------
    places
        Draws places in the organ.
    tissue
        Where its levels begin.
    lattice
        What tumours grow on.
    """

    def __init__(self, places: Places, tissue: Tissue, lattice: Lattice) -> None:
        self.places = places
        self.tissue = tissue
        self.lattice = lattice

    def nearest(self, place_mm: Vector, radius_mm: float) -> NDArray[np.int64]:
        """Return the point nearest to a place, mm from the scan's first voxel, and keep it."""
        point = self.lattice.nearest(place_mm)
        self.places.take(point * self.lattice.pitch_mm, radius_mm)
        return point

    def find(
        self, kind: str, radius_mm: float, rng: np.random.Generator
    ) -> NDArray[np.int64] | str:
        """Draw a focus and keep its place, or say in a sentence why there is none.

        Parameters
        ----------
        kind, radius_mm
            The lesion's.
        rng
            Source of randomness.
        """
        pitch = self.lattice.pitch_mm
        for _ in range(_TRIES):
            centre = self.places.draw(radius_mm, rng)
            if centre is None:
                return self.places.too_close(kind, radius_mm)
            point = self.lattice.nearest(centre)
            # The nearest point lies a little off the place.
            clear = self.places.is_clear(point * pitch, radius_mm)
            if clear and admits(self.tissue, self.lattice, point):
                self.places.take(point * pitch, radius_mm)
                return point
        if len(self._points) == 0:
            return (
                f"No tissue of the organ is below {self.tissue.levels_hu[2]:.0f} HU, where walls "
                "begin, so no tumour can start; use the preset adaptive, or set levels_hu."
            )
        for _ in range(_TRIES):
            point = self._points[rng.integers(len(self._points))]
            if self.places.is_clear(point * pitch, radius_mm):
                self.places.take(point * pitch, radius_mm)
                return point
        return self.places.too_close(kind, radius_mm)

    @cached_property
    def _points(self) -> NDArray[np.int64]:
        """Every point (n, 3) where a tumour can start."""
        return admissible(self.tissue, self.lattice)


def draw_seed(focus: NDArray[np.int64], rules: Rules, rng: np.random.Generator) -> int:
    """Draw the seed of a tumour's random numbers.

    Parameters
    ----------
    focus
        Its lattice index.
    rules
        By which it grows; the released ones drift whatever the seed.
    rng
        Source of randomness.
    """
    seed = int(rng.integers(2**31))
    if not rules.mirrors:
        return seed
    shape = (2 * _NUCLEUS + 1,) * 3
    tissue = np.full(shape, BEYOND, np.uint8)
    tissue[(slice(BORDER, -BORDER),) * 3] = 0
    x, y, z = (int(n) - _NUCLEUS for n in focus)
    place = Window(tissue, np.ones(shape, np.bool_), (x, y, z))
    core = np.full((1, 3), _NUCLEUS)
    even = Rules()
    for _ in range(_SEEDS):
        colony = automaton.grow(place, core, _NUCLEUS_STEPS, seed, even)
        if np.linalg.norm(np.argwhere(colony.population).mean(axis=0) - _NUCLEUS) <= _EVEN:
            break
        seed = int(rng.integers(2**31))
    return seed
