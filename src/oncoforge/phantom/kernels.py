"""The three loops over voxels that NumPy would do in many passes, compiled."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from oncoforge.compiled import compiled

Array = npt.NDArray[Any]


def _composite(
    image: Array,
    structures: Array,
    labels: Array,
    distance: Array,
    paint: tuple[float, int, int],
    softness_mm: float,
) -> None:
    """Lay one structure over what is there, voxels on its boundary in proportion."""
    hu, structure, label = paint
    scale = np.float32(1.0 / softness_mm)
    value = np.float32(hu)
    for i in range(distance.shape[0]):
        for j in range(distance.shape[1]):
            for k in range(distance.shape[2]):
                d = distance[i, j, k]
                cover = np.float32(0.5) - d * scale
                if cover > 0:
                    if cover >= 1:
                        image[i, j, k] = value
                    else:
                        image[i, j, k] += cover * (value - image[i, j, k])
                    if d < 0:
                        structures[i, j, k] = structure
                        labels[i, j, k] = label


def _carve(distance: Array, free: Array, gap_mm: float, blend_mm: float) -> None:
    """Cut from a shape, in place, what others hold: a smooth maximum with ``gap - free``."""
    gap = np.float32(gap_mm)
    blend = np.float32(blend_mm)
    quarter = np.float32(0.25 / blend_mm)
    for i in range(distance.shape[0]):
        for j in range(distance.shape[1]):
            for k in range(distance.shape[2]):
                a = distance[i, j, k]
                b = gap - free[i, j, k]
                h = blend - abs(a - b)
                top = max(a, b)
                if h > 0:
                    top += h * h * quarter
                distance[i, j, k] = top


def _segments(
    out: Array,
    axes: tuple[Array, Array, Array],
    ends: Array,
    radii: Array,
    normals: Array,
    aspect: float,
    reach_mm: float,
) -> None:
    """Lower ``out`` to the distance from round cones; ``ends`` is (M, 2, 3), ``radii`` (M, 2)."""
    xs, ys, zs = axes
    stretch = np.float32(aspect * aspect - 1.0)
    for m in range(ends.shape[0]):
        ax, ay, az = ends[m, 0, 0], ends[m, 0, 1], ends[m, 0, 2]
        bx, by, bz = ends[m, 1, 0] - ax, ends[m, 1, 1] - ay, ends[m, 1, 2] - az
        nx, ny, nz = normals[m, 0], normals[m, 1], normals[m, 2]
        r0 = radii[m, 0]
        dr = radii[m, 1] - r0
        inverse = np.float32(1.0) / max(bx * bx + by * by + bz * bz, np.float32(1e-6))
        pad = max(r0, r0 + dr) + np.float32(reach_mm)
        i0 = np.searchsorted(xs, min(ax, ax + bx) - pad)
        i1 = np.searchsorted(xs, max(ax, ax + bx) + pad)
        j0 = np.searchsorted(ys, min(ay, ay + by) - pad)
        j1 = np.searchsorted(ys, max(ay, ay + by) + pad)
        k0 = np.searchsorted(zs, min(az, az + bz) - pad)
        k1 = np.searchsorted(zs, max(az, az + bz) + pad)
        for i in range(i0, i1):
            px = xs[i] - ax
            for j in range(j0, j1):
                py = ys[j] - ay
                for k in range(k0, k1):
                    pz = zs[k] - az
                    t = (px * bx + py * by + pz * bz) * inverse
                    t = min(max(t, np.float32(0.0)), np.float32(1.0))
                    qx, qy, qz = px - t * bx, py - t * by, pz - t * bz
                    thin = qx * nx + qy * ny + qz * nz
                    d = math.sqrt(qx * qx + qy * qy + qz * qz + stretch * thin * thin)
                    d -= r0 + t * dr
                    if d < out[i, j, k]:
                        out[i, j, k] = d


_VOLUME = "float32[:,:,:]"
_BYTES = "uint8[:,:,:]"
composite: Any = compiled(
    _composite,
    f"void({_VOLUME}, {_BYTES}, {_BYTES}, {_VOLUME}, Tuple((float64, int64, int64)), float64)",
)
carve: Any = compiled(_carve, f"void({_VOLUME}, {_VOLUME}, float64, float64)")
segments: Any = compiled(
    _segments,
    f"void({_VOLUME}, UniTuple(float32[:], 3), {_VOLUME}, float32[:,:], float32[:,:],"
    " float64, float64)",
)
