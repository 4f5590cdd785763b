"""Turn deformed ellipsoids into voxels by evaluating them where they can be, and nowhere else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oncoforge.compiled import compiled, inlined
from oncoforge.synthesis.masks.deformation import (
    PLANES,
    draw_planes,
    plane_field,
    plane_tables,
    volume_table,
)

_NOWHERE = -1

Marked = tuple[NDArray[np.bool_], NDArray[np.int64]]
"""bool (x, y, z), and int64 (7,): number of voxels, then first and last index along each axis."""


def mark_upright(
    centre: NDArray[np.float64],
    spacing: NDArray[np.float64],
    radii: NDArray[np.float64],
    sigma_mm: float,
    seed: int,
    free: NDArray[np.bool_],
) -> Marked:
    """Mark the free voxels of an upright ellipsoid deformed in planes, as published.

    Each of the three passes samples the one before at the nearest voxel, and reads nothing outside
    the local box of half-width 2 r. On the voxel grid each pass is therefore a table of indices.

    Parameters
    ----------
    centre
        Voxel indices in `free`, whole or not.
    spacing, radii
        mm.
    sigma_mm, seed
        See `deformation.draw_planes`.
    free
        bool (x, y, z): voxels that may be taken.
    """
    half = 2.0 * radii / spacing
    first = np.ceil(centre - half).astype(np.int64)
    count = np.floor(centre + half).astype(np.int64) - first + 1
    index = [np.arange(n) for n in count]
    offset = [(index[a] + first[a] - centre[a]) * spacing[a] for a in range(3)]
    position = [(offset[a] / radii[a] + 2.0) / 4.0 for a in range(3)]
    maps = []
    for points, (a, b) in zip(draw_planes(sigma_mm, seed), PLANES, strict=True):
        da, db = plane_field(points, position[a], position[b])
        to_a = np.rint(index[a][:, None] + da / spacing[a]).astype(np.int32)
        to_b = np.rint(index[b][None, :] + db / spacing[b]).astype(np.int32)
        outside = (to_a < 0) | (to_a >= count[a]) | (to_b < 0) | (to_b >= count[b])
        to_a[outside] = to_b[outside] = _NOWHERE
        maps.append((to_a, to_b))
    (a0, a1), (b1, b2), (c0, c2) = maps
    square = [((offset[a] / radii[a]) ** 2).astype(np.float32) for a in range(3)]
    # What the first pass leaves of the ellipsoid's equation in its plane.
    flat = square[0][a0] + square[1][a1]
    flat[a0 == _NOWHERE] = np.inf
    out = np.zeros(free.shape, np.bool_)
    return out, _mark_lattice(first, flat, square[2], b1, b2, c0, c2, free, out)


@compiled
def _mark_lattice(first, flat, square, b1, b2, c0, c2, free, out):  # type: ignore[no-untyped-def]
    """Follow the three passes backwards from every free voxel of the local box."""
    found = _nothing(free)
    n0, n1 = flat.shape
    n2 = len(square)
    nx, ny, nz = free.shape
    # Slices from which no voxel leads into the ellipsoid are passed over.
    reached = np.empty(n1, np.bool_)
    for i in range(max(first[0], 0), min(first[0] + n0, nx)):
        row0, row2 = c0[i - first[0]], c2[i - first[0]]
        low, high = n0, -1
        for k in range(n2):
            if row0[k] >= 0:
                low, high = min(low, row0[k]), max(high, row0[k])
        for j in range(n1):
            reached[j] = False
            for m in range(low, high + 1):
                if flat[m, j] < 1.0:
                    reached[j] = True
                    break
        if not reached.any():
            continue
        for j in range(max(first[1], 0), min(first[1] + n1, ny)):
            to1, to2 = b1[j - first[1]], b2[j - first[1]]
            for k in range(max(first[2], 0), min(first[2] + n2, nz)):
                m0 = row0[k - first[2]]
                if m0 < 0:
                    continue
                m2 = row2[k - first[2]]
                m1 = to1[m2]
                if m1 < 0 or not reached[m1] or not free[i, j, k]:
                    continue
                if flat[m0, m1] + square[to2[m2]] < 1.0:
                    out[i, j, k] = True
                    _note(found, i, j, k)
    return found


def mark_turned(
    centre: NDArray[np.float64],
    spacing: NDArray[np.float64],
    radii: NDArray[np.float64],
    axes: NDArray[np.float64],
    mode: str,
    sigma_mm: float,
    seed: int,
    free: NDArray[np.bool_],
) -> Marked:
    """Mark the free voxels of an ellipsoid in any orientation, under any deformation.

    A voxel at position q (mm, along the ellipsoid's axes) belongs to it iff the displaced q fulfils
    ``(q0/r0)^2 + (q1/r1)^2 + (q2/r2)^2 < 1``. Positions outside the local box of half-width 2 r are
    outside.

    Parameters
    ----------
    centre, spacing, radii, sigma_mm, seed, free
        See `mark_upright`.
    axes
        float64 (3, 3); its rows are the ellipsoid's axes.
    mode
        One of `deformation.MODES`.
    """
    planes = np.zeros((3, 2, 2, 2), np.float32)
    volume = np.zeros((2, 2, 2, 3), np.float32)
    if mode == "planes":
        planes = plane_tables(draw_planes(sigma_mm, seed))
    elif mode == "volume":
        volume = volume_table(sigma_mm, seed, radii)
    moves = np.abs(planes).max(axis=(2, 3)).astype(float)
    farthest = np.abs(volume).max(axis=(0, 1, 2)).astype(float)
    for (a, b), (first, second) in zip(PLANES, moves, strict=True):
        farthest[a] += first
        farthest[b] += second
    farthest = np.minimum(radii + farthest, 2.0 * radii)
    reach = np.abs(axes.T) @ farthest / spacing
    low = np.maximum(np.floor(centre - reach), 0).astype(np.int64)
    high = np.minimum(np.ceil(centre + reach) + 1, free.shape).astype(np.int64)
    out = np.zeros(free.shape, np.bool_)
    found = _mark_space(
        centre,
        spacing,
        radii,
        axes,
        farthest,
        mode == "planes",
        planes,
        volume,
        low,
        high,
        free,
        out,
    )
    return out, found


@compiled
def _mark_space(  # type: ignore[no-untyped-def]
    centre, spacing, radii, axes, farthest, in_planes, planes, volume, low, high, free, out
):
    """Evaluate the ellipsoid at every free voxel of a box."""
    found = _nothing(free)
    # Displacements no longer than this cannot carry a voxel across a shell of that thickness.
    longest = 0.0
    for i in range(volume.shape[0]):
        for j in range(volume.shape[0]):
            for k in range(volume.shape[0]):
                d = volume[i, j, k]
                longest = max(longest, d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
    shell = np.sqrt(longest) / radii.min()
    sure = max(1.0 - shell, 0.0) ** 2
    never = (1.0 + shell) ** 2
    for i in range(low[0], high[0]):
        x = (i - centre[0]) * spacing[0]
        for j in range(low[1], high[1]):
            y = (j - centre[1]) * spacing[1]
            for k in range(low[2], high[2]):
                if not free[i, j, k]:
                    continue
                z = (k - centre[2]) * spacing[2]
                q0 = axes[0, 0] * x + axes[0, 1] * y + axes[0, 2] * z
                q1 = axes[1, 0] * x + axes[1, 1] * y + axes[1, 2] * z
                q2 = axes[2, 0] * x + axes[2, 1] * y + axes[2, 2] * z
                if abs(q0) >= farthest[0] or abs(q1) >= farthest[1] or abs(q2) >= farthest[2]:
                    continue
                if in_planes:
                    q0, q1, q2 = _through_planes(planes, radii, q0, q1, q2)
                else:
                    value = _square(radii, q0, q1, q2)
                    if value >= never:
                        continue
                    if value >= sure:
                        q0, q1, q2 = _through_volume(volume, radii, q0, q1, q2)
                if _square(radii, q0, q1, q2) < 1.0:
                    out[i, j, k] = True
                    _note(found, i, j, k)
    return found


@inlined
def _square(radii, q0, q1, q2):  # type: ignore[no-untyped-def]
    """Return the left side of the ellipsoid's equation."""
    return (q0 / radii[0]) ** 2 + (q1 / radii[1]) ** 2 + (q2 / radii[2]) ** 2


@inlined
def _cell(position, samples):  # type: ignore[no-untyped-def]
    """Split a table position in [0, 1] into the cell below it and the fraction within."""
    at = min(max(position, 0.0), 1.0) * (samples - 1)
    low = min(int(at), samples - 2)
    return low, at - low


@inlined
def _pass(table, u, v):  # type: ignore[no-untyped-def]
    """Interpolate both components of one planar pass at (u, v) in [0, 1]."""
    i, a = _cell(u, table.shape[1])
    j, b = _cell(v, table.shape[1])
    near = table[:, i, j] * (1 - b) + table[:, i, j + 1] * b
    far = table[:, i + 1, j] * (1 - b) + table[:, i + 1, j + 1] * b
    return near[0] * (1 - a) + far[0] * a, near[1] * (1 - a) + far[1] * a


@compiled
def _through_planes(planes, radii, q0, q1, q2):  # type: ignore[no-untyped-def]
    """Take a position back through the three planar passes; the last one comes first."""
    d0, d2 = _pass(planes[2], (q0 / radii[0] + 2) / 4, (q2 / radii[2] + 2) / 4)
    q0, q2 = q0 + d0, q2 + d2
    d1, d2 = _pass(planes[1], (q1 / radii[1] + 2) / 4, (q2 / radii[2] + 2) / 4)
    q1, q2 = q1 + d1, q2 + d2
    d0, d1 = _pass(planes[0], (q0 / radii[0] + 2) / 4, (q1 / radii[1] + 2) / 4)
    return q0 + d0, q1 + d1, q2


@compiled
def _through_volume(volume, radii, q0, q1, q2):  # type: ignore[no-untyped-def]
    """Take a position back through a 3-D field."""
    n = volume.shape[0]
    i, a = _cell((q0 / radii[0] + 2) / 4, n)
    j, b = _cell((q1 / radii[1] + 2) / 4, n)
    k, c = _cell((q2 / radii[2] + 2) / 4, n)
    d0 = d1 = d2 = 0.0
    for m in range(8):
        di, dj, dk = m >> 2, (m >> 1) & 1, m & 1
        weight = (a if di else 1 - a) * (b if dj else 1 - b) * (c if dk else 1 - c)
        entry = volume[i + di, j + dj, k + dk]
        d0 += weight * entry[0]
        d1 += weight * entry[1]
        d2 += weight * entry[2]
    return q0 + d0, q1 + d1, q2 + d2


@compiled
def _nothing(free):  # type: ignore[no-untyped-def]
    """Return the bounds of no voxel at all."""
    found = np.zeros(7, np.int64)
    for axis in range(3):
        found[2 * axis + 1] = free.shape[axis]
        found[2 * axis + 2] = -1
    return found


@inlined
def _note(found, i, j, k):  # type: ignore[no-untyped-def]
    """Count a voxel and widen the bounds to it."""
    found[0] += 1
    found[1], found[2] = min(found[1], i), max(found[2], i)
    found[3], found[4] = min(found[3], j), max(found[4], j)
    found[5], found[6] = min(found[5], k), max(found[6], k)
