"""Turn a deformed ellipsoid into voxels by evaluating it where it can be, and nowhere else."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_JIT = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(inline="always", **_JIT)
def _cell(position: float, samples: int) -> tuple[int, float]:
    """Split a table position in [0, 1] into the cell below it and the fraction within."""
    at = position * (samples - 1)
    low = min(max(int(at), 0), samples - 2)
    return low, at - low


@njit(inline="always", **_JIT)
def _nearest(position: float, step: float) -> float:
    """Move a position to the nearest multiple of a step, if there is one."""
    return position if step == 0.0 else step * np.floor(position / step + 0.5)


@njit(inline="always", **_JIT)
def _plane(table, u, v):  # type: ignore[no-untyped-def]
    """Interpolate both components of one planar pass at (u, v) in [0, 1]."""
    n = table.shape[1]
    i, a = _cell(u, n)
    j, b = _cell(v, n)
    w00 = (1 - a) * (1 - b)
    w01 = (1 - a) * b
    w10 = a * (1 - b)
    w11 = a * b
    first = (
        w00 * table[0, i, j]
        + w01 * table[0, i, j + 1]
        + w10 * table[0, i + 1, j]
        + w11 * table[0, i + 1, j + 1]
    )
    second = (
        w00 * table[1, i, j]
        + w01 * table[1, i, j + 1]
        + w10 * table[1, i + 1, j]
        + w11 * table[1, i + 1, j + 1]
    )
    return first, second


@njit(inline="always", **_JIT)
def _volume(table, component, u, v, w):  # type: ignore[no-untyped-def]
    """Interpolate one component of a volume field at (u, v, w) in [0, 1]."""
    n = table.shape[1]
    i, a = _cell(u, n)
    j, b = _cell(v, n)
    k, c = _cell(w, n)
    total = 0.0
    for di in range(2):
        wa = a if di else 1 - a
        for dj in range(2):
            wb = wa * (b if dj else 1 - b)
            row = table[component, i + di, j + dj]
            total += wb * ((1 - c) * row[k] + c * row[k + 1])
    return total


@njit(**_JIT)
def ellipsoid(centre, spacing, radii, rotation, mode, planes, volume, step, free, out):  # type: ignore[no-untyped-def]
    """Mark the voxels of a deformed ellipsoid that are free.

    A voxel at local position q (mm, in the ellipsoid's own axes) is taken through the displacement
    and belongs to the lesion iff ``(q0/r0)^2 + (q1/r1)^2 + (q2/r2)^2 < 1``; positions outside the
    local box of half-width 2 r, before or between passes, are outside (as where the original's
    deformation reads beyond its array).

    Parameters
    ----------
    centre
        float64 (3,), voxel indices in this box.
    spacing, radii
        float64 (3,), mm.
    rotation
        float64 (3, 3); its rows are the ellipsoid's axes.
    mode
        0 none, 1 planes, 2 volume.
    planes, volume
        Tables of `deformation.Field`.
    step
        float64 (3,), mm: every pass samples the nearest point of this lattice about the centre, as
        the original's do of its 1 mm voxels; 0 samples where it falls.
    free
        bool (x, y, z): voxels that may be taken.
    out
        bool (x, y, z), written.

    Returns
    -------
    int64 (7,)
        Number of voxels, then the first and last index along each axis.
    """
    half = 2.0 * radii
    reach = np.empty((3, 2))
    for p in range(3):
        for c in range(2):
            # Rounding to the lattice can add half a step.
            reach[p, c] = np.abs(planes[p, c]).max() + step.max() if mode == 1 else 0.0
    # Farthest an accepted voxel can stand from the centre along each axis of the ellipsoid.
    far = half.copy()
    if mode == 1:
        far[0] = min(half[0], radii[0] + reach[0, 0] + reach[2, 0])
        far[1] = min(half[1], radii[1] + reach[0, 1] + reach[1, 0])
        far[2] = min(half[2], radii[2] + reach[1, 1] + reach[2, 1])
    elif mode == 0:
        far[:] = radii
    else:
        for c in range(3):
            far[c] = min(half[c], radii[c] + np.abs(volume[c]).max())
    found = np.zeros(7, np.int64)
    nx, ny, nz = free.shape
    found[1], found[3], found[5] = nx, ny, nz
    found[2] = found[4] = found[6] = -1
    for i in range(nx):
        x = (i - centre[0]) * spacing[0]
        for j in range(ny):
            y = (j - centre[1]) * spacing[1]
            for k in range(nz):
                out[i, j, k] = False
                if not free[i, j, k]:
                    continue
                z = (k - centre[2]) * spacing[2]
                q0 = rotation[0, 0] * x + rotation[0, 1] * y + rotation[0, 2] * z
                if abs(q0) >= far[0]:
                    continue
                q1 = rotation[1, 0] * x + rotation[1, 1] * y + rotation[1, 2] * z
                if abs(q1) >= far[1]:
                    continue
                q2 = rotation[2, 0] * x + rotation[2, 1] * y + rotation[2, 2] * z
                if abs(q2) >= far[2]:
                    continue
                if mode == 1:
                    # The last pass is undone first: it says where the second one is read.
                    d0, d2 = _plane(
                        planes[2], (q0 + half[0]) / (2 * half[0]), (q2 + half[2]) / (2 * half[2])
                    )
                    q0 = _nearest(q0 + d0, step[0])
                    q2 = _nearest(q2 + d2, step[2])
                    if abs(q0) >= radii[0] + reach[0, 0] or abs(q2) >= radii[2] + reach[1, 1]:
                        continue
                    if abs(q0) >= half[0] or abs(q2) >= half[2]:
                        continue
                    d1, d2 = _plane(
                        planes[1], (q1 + half[1]) / (2 * half[1]), (q2 + half[2]) / (2 * half[2])
                    )
                    q1 = _nearest(q1 + d1, step[1])
                    q2 = _nearest(q2 + d2, step[2])
                    if abs(q2) >= radii[2] or abs(q1) >= radii[1] + reach[0, 1]:
                        continue
                    if abs(q1) >= half[1]:
                        continue
                    d0, d1 = _plane(
                        planes[0], (q0 + half[0]) / (2 * half[0]), (q1 + half[1]) / (2 * half[1])
                    )
                    q0 = _nearest(q0 + d0, step[0])
                    q1 = _nearest(q1 + d1, step[1])
                elif mode == 2:
                    u = (q0 + half[0]) / (2 * half[0])
                    v = (q1 + half[1]) / (2 * half[1])
                    w = (q2 + half[2]) / (2 * half[2])
                    q0 += _volume(volume, 0, u, v, w)
                    q1 += _volume(volume, 1, u, v, w)
                    q2 += _volume(volume, 2, u, v, w)
                f0 = q0 / radii[0]
                f1 = q1 / radii[1]
                f2 = q2 / radii[2]
                if f0 * f0 + f1 * f1 + f2 * f2 < 1.0:
                    out[i, j, k] = True
                    found[0] += 1
                    found[1] = min(found[1], i)
                    found[2] = max(found[2], i)
                    found[3] = min(found[3], j)
                    found[4] = max(found[4], j)
                    found[5] = min(found[5], k)
                    found[6] = max(found[6], k)
    return found


def empty_like(free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return an unset mask of the same shape for `ellipsoid` to write."""
    return np.empty(free.shape, np.bool_)
