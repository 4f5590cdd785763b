"""From the lattice back to the scan: which voxels a tumour takes, and how far it fills them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import scipy
from numpy.typing import NDArray

from oncoforge.synthesis.base import Density, Growth, LesionMask
from oncoforge.synthesis.masks.growth.grown import Grown
from oncoforge.synthesis.masks.growth.lattice import Lattice
from oncoforge.synthesis.masks.growth.rules import MATURE
from oncoforge.synthesis.scene import Box, Scene, bounding_box

_TIE = np.float32(1e-3)

_BLUR = np.array([0.25, 0.5, 0.25], np.float32)
"""Filter of a tumour's density along each axis: the published one, there in two axes only."""


def fill(scene: Scene, grown: Grown) -> LesionMask | None:
    """Return the voxels of a tumour, in the organ and clear of earlier lesions.

    Parameters
    ----------
    scene
        Where it lies, with the lesions placed so far.
    grown
        The tumour.

    Returns
    -------
    Its mask, with density and growth; None if nothing is left of it.
    """
    lattice = grown.lattice
    shape = np.array(grown.population.shape)
    population = grown.population * lattice.free(grown.low, grown.low + shape)
    taken = int(np.count_nonzero(population))
    if taken == 0:
        return None
    volumes = replace(grown, population=population).volumes
    # One point more on each side, for what the filter spreads.
    occupied = np.pad(population, 1).astype(np.float32)
    start = grown.low - 1
    box = lattice.box_of(start, start + occupied.shape)
    if box is None:
        return None
    filled = lattice.to_grid(_blur(occupied / np.float32(MATURE)), start, box)
    np.minimum(occupied, 1.0, out=occupied)
    inside = _largest(
        lattice.to_grid(occupied, start, box),
        filled,
        scene.room[box] & (scene.instances[box] == 0),
        max(lattice.voxels(taken), 1),
    )
    tight = bounding_box(inside)
    if tight is None:
        return None
    filled *= _near(inside, lattice, scene)
    fraction, necrosis = 0.0, None
    if grown.dead is not None:
        fraction = float(np.count_nonzero(grown.dead & (population > 0)) / taken)
        dead = np.pad(grown.dead & (population > 0), 1).astype(np.float32)
        necrosis = np.minimum(lattice.to_grid(_blur(dead), start, box), filled)
    return LesionMask(
        box=_within(box, tight),
        inside=np.ascontiguousarray(inside[tight]),
        density=Density(box, filled, necrosis),
        growth=Growth(tuple((volumes * lattice.pitch_mm**3).tolist()), fraction),
    )


def _blur(field: NDArray[np.float32]) -> NDArray[np.float32]:
    for axis in range(3):
        field = scipy.ndimage.convolve1d(field, _BLUR, axis=axis, mode="constant")
    return field


def _largest(
    occupied: NDArray[np.float32],
    filled: NDArray[np.float32],
    free: NDArray[np.bool_],
    number: int,
) -> NDArray[np.bool_]:
    """Return the free voxels that are occupied most, of a number given: the tumour's volume."""
    candidates = np.flatnonzero((occupied > 0) & free)
    inside = np.zeros(occupied.shape, np.bool_)
    if candidates.size > number:
        # Interpolation leaves many voxels equally occupied; the denser ones come first, or all of
        # one side would.
        rank = occupied.reshape(-1)[candidates] + _TIE * filled.reshape(-1)[candidates]
        order = np.argsort(-rank, kind="stable")
        candidates = candidates[order[:number]]
    inside.reshape(-1)[candidates] = True
    return inside


def _near(
    inside: NDArray[np.bool_], lattice: Lattice, scene: Scene
) -> NDArray[np.bool_] | np.float32:
    """Tell which voxels lie within one point, or one voxel where these are larger, of a tumour."""
    if lattice.is_grid:
        return np.float32(1)  # nothing lies farther
    reach = [max(1, math.ceil(lattice.pitch_mm / s - 1e-6)) for s in scene.spacing]
    return scipy.ndimage.maximum_filter(inside, [2 * n + 1 for n in reach], mode="constant")


def _within(box: Box, part: Box) -> Box:
    """Return a part of a box as slices of what the box is cut from."""
    x, y, z = (slice(b.start + p.start, b.start + p.stop) for b, p in zip(box, part, strict=True))
    return x, y, z
