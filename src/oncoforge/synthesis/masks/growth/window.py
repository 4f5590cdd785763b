"""Windows of the lattice: the tissue about a tumour, as the automaton takes it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oncoforge.compiled import compiled
from oncoforge.errors import InputError
from oncoforge.synthesis.masks.growth.lattice import Lattice
from oncoforge.synthesis.masks.growth.rules import BEYOND, BORDER, CUT, WALL, Window
from oncoforge.synthesis.tissue import Tissue

_MOST_POINTS = 3e8
_SLAB = 16
"""Points are listed so many planes at a time, to spare memory."""


def window(
    tissue: Tissue, lattice: Lattice, low: NDArray[np.int64], high: NDArray[np.int64]
) -> Window:
    """Return the tissue of a half-open range of points, with its border.

    Parameters
    ----------
    tissue
        Where its levels begin.
    lattice
        On which scan.
    low, high
        The range; what lies beyond the organ's box is cut off.
    """
    first, last = lattice.limits()
    low, high = np.maximum(low, first), np.minimum(high, last)
    hu = np.ascontiguousarray(lattice.hu(low, high, tissue.smooth_mm))
    organ = lattice.organ(low, high)
    shape = [n + 2 * BORDER for n in organ.shape]
    codes = np.full(shape, BEYOND, np.uint8)
    for axis in range(3):
        ends: list[slice] = [slice(None)] * 3
        for end, cut in (
            (slice(0, BORDER), low[axis] > first[axis]),
            (slice(-BORDER, None), high[axis] < last[axis]),
        ):
            if cut:
                ends[axis] = end
                codes[tuple(ends)] = CUT
    inner = (slice(BORDER, -BORDER),) * 3
    inside = np.zeros(shape, np.bool_)
    inside[inner] = organ
    _classify(hu, organ, np.array(tissue.levels_hu, np.float32), codes[inner])
    x, y, z = (int(n) - BORDER for n in low)
    return Window(codes, inside, (x, y, z))


def check_room(shape: NDArray[np.int64]) -> None:
    """Raise `InputError` if a range of points would not fit into memory."""
    if np.prod(shape, dtype=np.float64) > _MOST_POINTS:
        words = " x ".join(str(int(n)) for n in shape)
        raise InputError(f"Growth would take {words} points, which is too many; raise pitch_mm.")


def admits(tissue: Tissue, lattice: Lattice, point: NDArray[np.int64]) -> bool:
    """Tell whether a tumour can start at a point: in the organ, and not in a wall."""
    low, high = lattice.limits()
    if (point < low).any() or (point >= high).any():
        return False
    found = window(tissue, lattice, point, point + 1)
    return bool(found.tissue[(BORDER,) * 3] < WALL)


def admissible(tissue: Tissue, lattice: Lattice) -> NDArray[np.int64]:
    """Return all points (n, 3) where a tumour can start."""
    low, high = lattice.limits()
    check_room(high - low)
    parts = []
    for start in range(int(low[0]), int(high[0]), _SLAB):
        slab = np.array([start, *low[1:]]), np.array([start + _SLAB, *high[1:]])
        found = window(tissue, lattice, *slab)
        parts.append(np.argwhere(found.tissue < WALL) + found.low)
    return np.concatenate(parts)


@compiled
def _classify(hu, organ, levels, codes):  # type: ignore[no-untyped-def]
    """Write each point's code."""
    nx, ny, nz = hu.shape
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                value = hu[i, j, k]
                if not organ[i, j, k] or value >= levels[2]:
                    codes[i, j, k] = WALL
                elif value >= levels[1]:
                    codes[i, j, k] = 2
                elif value >= levels[0]:
                    codes[i, j, k] = 1
                else:
                    codes[i, j, k] = 0
