"""The exact distance from each point of one set to the nearest of another, on one lattice.

Both sets are kept in blocks of 4 x 4 x 4 places. For all points of a block at once, the other
set's blocks are looked through in growing shells until no further one can hold a nearer point;
each point then looks into those few, the nearest first. Surfaces that are near each other are done
in time linear in their size, and what lies between surfaces that are far apart costs nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from oncoforge.compiled import compiled, inlined

SIDE = 4
"""Places along each edge of a block."""

Ints = NDArray[np.int64]


class Points(NamedTuple):
    """Points of a lattice, block by block.

    Parameters
    ----------
    marks
        uint8 (x, y, z): what is at each place of whole blocks; 0 for nothing.
    corner
        int64 (3,): index, in blocks, of the first block in a lattice that all sets share.
    places
        int32 (n, 3): the points in the shared lattice, ordered by block.
    values
        uint8 (n,): what is marked at each.
    start
        int64 (blocks + 1,): where each block begins in `places`, the last axis fastest.
    filled
        int64: the blocks that hold points.
    bounds
        int32 (blocks, 6): the first, then the last place that a filled block has points at.
    """

    marks: NDArray[np.uint8]
    corner: Ints
    places: NDArray[np.int32]
    values: NDArray[np.uint8]
    start: Ints
    filled: Ints
    bounds: NDArray[np.int32]


def points_of(marks: NDArray[np.uint8], corner: Ints) -> Points:
    """Collect the points of a lattice that are not 0.

    Parameters
    ----------
    marks
        uint8 (x, y, z), contiguous, whole blocks along each axis.
    corner
        int64 (3,): index of its first block.
    """
    words = marks.view(np.uint32)  # SIDE places each
    start = _count(marks, words)
    places = np.empty((int(start[-1]), 3), np.int32)
    values = np.empty(len(places), np.uint8)
    _collect(marks, words, start, corner, places, values)
    filled = np.flatnonzero(np.diff(start))
    return Points(marks, corner, places, values, start, filled, _bounds(places, start))


def distances(
    points: Points, others: Points, spacing: tuple[float, float, float]
) -> NDArray[np.float64]:
    """Return the distance from each point to the nearest of the others, in mm.

    Parameters
    ----------
    points, others
        Neither is empty.
    spacing
        Of the lattice, in mm.

    Returns
    -------
    np.ndarray
        float64 (n,), in the order of ``points.places``.
    """
    squares = np.empty(len(points.places))
    _search(points, others, np.array(spacing, np.float64), squares)
    return np.sqrt(squares, out=squares)


@compiled
def _count(marks, words):  # type: ignore[no-untyped-def]
    """Count the points of each block; return where each begins if they are kept one by one."""
    n0, n1, n2 = words.shape
    start = np.zeros(n0 // SIDE * (n1 // SIDE) * n2 + 1, np.int64)
    for i in range(n0):
        for j in range(n1):
            first = (i // SIDE * (n1 // SIDE) + j // SIDE) * n2
            for b in range(n2):
                if words[i, j, b] != 0:
                    for k in range(SIDE * b, SIDE * b + SIDE):
                        start[first + b + 1] += marks[i, j, k] != 0
    for block in range(1, len(start)):
        start[block] += start[block - 1]
    return start


@compiled
def _collect(marks, words, start, corner, places, values):  # type: ignore[no-untyped-def]
    """Write down the points where `_count` has said."""
    n0, n1, n2 = words.shape
    free = start[:-1].copy()
    for i in range(n0):
        for j in range(n1):
            first = (i // SIDE * (n1 // SIDE) + j // SIDE) * n2
            for b in range(n2):
                if words[i, j, b] == 0:
                    continue
                for k in range(SIDE * b, SIDE * b + SIDE):
                    if marks[i, j, k] != 0:
                        p = free[first + b]
                        places[p, 0] = SIDE * corner[0] + i
                        places[p, 1] = SIDE * corner[1] + j
                        places[p, 2] = SIDE * corner[2] + k
                        values[p] = marks[i, j, k]
                        free[first + b] = p + 1


@compiled
def _bounds(places, start):  # type: ignore[no-untyped-def]
    """Return the first and the last place along each axis that a block has points at."""
    bounds = np.zeros((len(start) - 1, 6), np.int32)
    for block in range(len(start) - 1):
        for p in range(start[block], start[block + 1]):
            for axis in range(3):
                at = places[p, axis]
                if p == start[block] or at < bounds[block, axis]:
                    bounds[block, axis] = at
                if p == start[block] or at > bounds[block, 3 + axis]:
                    bounds[block, 3 + axis] = at
    return bounds


@compiled
def _search(points, others, spacing, squares):  # type: ignore[no-untyped-def]
    """Write the squared distance from each point to the nearest of the others."""
    near = np.empty(len(others.filled), np.int64)
    least = np.empty(len(others.filled))
    box = np.empty((2, 3), np.int64)
    for block in points.filled:
        if not _settle_shared(points, others, block, box, squares):
            continue
        count = _gather(box, others, spacing, near, least)
        nearest = others.start[near[0]]
        for p in range(points.start[block], points.start[block + 1]):
            if squares[p] == 0.0:
                continue
            # What was nearest to the point before is near to this one too.
            place = points.places[p]
            best = _square(place, others.places[nearest], spacing)
            for c in range(count):
                if least[c] >= best:
                    break
                if _to_bounds(place, others.bounds[near[c]], spacing) >= best:
                    continue
                for q in range(others.start[near[c]], others.start[near[c] + 1]):
                    square = _square(place, others.places[q], spacing)
                    if square < best:
                        best, nearest = square, q
            squares[p] = best


@compiled
def _settle_shared(points, others, block, box, squares):  # type: ignore[no-untyped-def]
    """Write 0 for the points of a block that are in both sets; find the box of the rest, if any."""
    some = False
    for p in range(points.start[block], points.start[block + 1]):
        place = points.places[p]
        if _is_marked(others, place):
            squares[p] = 0.0
            continue
        squares[p] = np.inf
        for axis in range(3):
            box[0, axis] = min(box[0, axis], place[axis]) if some else place[axis]
            box[1, axis] = max(box[1, axis], place[axis]) if some else place[axis]
        some = True
    return some


@compiled
def _gather(box, others, spacing, near, least):  # type: ignore[no-untyped-def]
    """List the blocks that may hold what is nearest to some point of a box, the nearest first.

    Shell after shell of blocks is looked at, until whatever a shell holds is farther from all of
    the box than some block is at most. Where a shell reaches around more blocks than hold
    anything, it is those that are looked at.
    """
    n0, n1, n2 = others.marks.shape
    g0, g1, g2 = n0 // SIDE, n1 // SIDE, n2 // SIDE
    c0 = box[0, 0] // SIDE - others.corner[0]
    c1 = box[0, 1] // SIDE - others.corner[1]
    c2 = box[0, 2] // SIDE - others.corner[2]
    count, most, ring = 0, np.inf, 0
    while (2 * ring + 1) ** 3 <= len(others.filled):
        gap = max(0, SIDE * (ring - 1) + 1) * spacing.min()
        if gap * gap > most:
            break
        for i in range(max(0, c0 - ring), min(g0, c0 + ring + 1)):
            for j in range(max(0, c1 - ring), min(g1, c1 + ring + 1)):
                # All along the sides of the shell; elsewhere its first and its last.
                side = ring == 0 or abs(i - c0) == ring or abs(j - c1) == ring
                for k in range(c2 - ring, c2 + ring + 1, 1 if side else 2 * ring):
                    b = (i * g1 + j) * g2 + k
                    if 0 <= k < g2 and others.start[b] < others.start[b + 1]:
                        count, most = _keep(b, box, others, spacing, near, least, count, most)
        ring += 1
    else:
        count = 0
        for b in others.filled:
            count, most = _keep(b, box, others, spacing, near, least, count, most)
    order = np.argsort(least[:count])
    near[:count], least[:count] = near[order], least[order]
    return count


@inlined
def _keep(b, box, others, spacing, near, least, count, most):  # type: ignore[no-untyped-def]
    """Add a block to the list if it may hold what is nearest."""
    nearer = farther = 0.0
    for axis in range(3):
        first, last = others.bounds[b, axis], others.bounds[b, 3 + axis]
        gap = max(0, first - box[1, axis], box[0, axis] - last) * spacing[axis]
        span = max(last - box[0, axis], box[1, axis] - first) * spacing[axis]
        nearer += gap * gap
        farther += span * span
    if nearer <= most:
        near[count], least[count] = b, nearer
        count += 1
    return count, min(most, farther)


@inlined
def _is_marked(others, place):  # type: ignore[no-untyped-def]
    i = place[0] - SIDE * others.corner[0]
    j = place[1] - SIDE * others.corner[1]
    k = place[2] - SIDE * others.corner[2]
    n0, n1, n2 = others.marks.shape
    return 0 <= i < n0 and 0 <= j < n1 and 0 <= k < n2 and others.marks[i, j, k] != 0


@inlined
def _square(one, other, spacing):  # type: ignore[no-untyped-def]
    x = (one[0] - other[0]) * spacing[0]
    y = (one[1] - other[1]) * spacing[1]
    z = (one[2] - other[2]) * spacing[2]
    return x * x + y * y + z * z


@inlined
def _to_bounds(place, bound, spacing):  # type: ignore[no-untyped-def]
    """Return the least squared distance from a place to the points of a block."""
    x = max(0, bound[0] - place[0], place[0] - bound[3]) * spacing[0]
    y = max(0, bound[1] - place[1], place[1] - bound[4]) * spacing[1]
    z = max(0, bound[2] - place[2], place[2] - bound[5]) * spacing[2]
    return x * x + y * y + z * z
