"""Smooth random displacement fields on a coarse control grid, as small lookup tables.

The published generator deforms each ellipsoid three times in a row, each time in one plane of axes
and by one field for all slices (``"planes"``). A true 3-D field (``"volume"``) is ours. Either way
control points are joined by interpolating cubic B-splines over the lesion's local box, and the
tables sample that spline densely enough for linear interpolation between their entries.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

MODES = ("none", "planes", "volume")
PLANES = ((0, 1), (1, 2), (0, 2))
"""The axis pairs of the three passes, in the order in which they deform the shape."""

_PLANE_POINTS = 3
_PLANE_SAMPLES = 33
_VOLUME_POINTS = 4
_VOLUME_SAMPLES = 17


@dataclass(frozen=True)
class Field:
    """A displacement field over a local box, tabulated.

    Parameters
    ----------
    mode
        One of `MODES`.
    planes
        float32 (3 passes, 2 components, n, n), mm; see `PLANES`.
    volume
        float32 (3 components, m, m, m), mm.
    """

    mode: str
    planes: NDArray[np.float32]
    volume: NDArray[np.float32]


@cache
def _spline_matrix(points: int, samples: int) -> NDArray[np.float64]:
    """Return the (samples, points) matrix of cubic B-spline interpolation on a line."""
    at = np.linspace(0, points - 1, samples)[None]
    unit = np.eye(points)
    rows = [ndimage.map_coordinates(row, at, order=3, mode="mirror") for row in unit]
    return np.stack(rows, axis=1)


def draw_field(mode: str, sigma_mm: float, seed: int) -> Field:
    """Draw a displacement field.

    Parameters
    ----------
    mode
        One of `MODES`.
    sigma_mm
        Standard deviation of each control point's displacement along each axis, mm.
    seed
        Seed of this field alone.
    """
    rng = np.random.default_rng(seed)
    planes = np.zeros((3, 2, 2, 2), np.float32)
    volume = np.zeros((3, 2, 2, 2), np.float32)
    if mode == "planes":
        points = rng.normal(0.0, sigma_mm, (3, 2, _PLANE_POINTS, _PLANE_POINTS))
        line = _spline_matrix(_PLANE_POINTS, _PLANE_SAMPLES)
        planes = np.ascontiguousarray(line @ points @ line.T, np.float32)
    elif mode == "volume":
        # Two of the three planar passes move each axis: the same strength needs sqrt(2) sigma.
        shape = (3,) + (_VOLUME_POINTS,) * 3
        points = rng.normal(0.0, sigma_mm * np.sqrt(2.0), shape)
        line = _spline_matrix(_VOLUME_POINTS, _VOLUME_SAMPLES)
        table = np.einsum("cijk,xi,yj,zk->cxyz", points, line, line, line, optimize=True)
        volume = np.ascontiguousarray(table, np.float32)
    return Field(mode, planes, volume)
