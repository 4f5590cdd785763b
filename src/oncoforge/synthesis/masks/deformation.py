"""Smooth random displacement fields on a coarse control grid.

The published generator deforms each ellipsoid three times in a row, each time in one plane of axes
and by one field for all slices (``"planes"``). A true 3-D field (``"volume"``) is ours. Either way
control points span the lesion's local box and are joined by interpolating cubic B-splines.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import scipy
from numpy.typing import NDArray

MODES = ("none", "planes", "volume")
PLANES = ((0, 1), (1, 2), (0, 2))
"""The axis pairs of the three passes, in the order in which they deform the shape."""

_PLANE_POINTS = 3
_VOLUME_POINTS = 4
_DENSE = 257
_TABLE = 17
_STEEPEST = 0.8
"""Below 1, no two points of a field change places."""


@cache
def _dense_spline(points: int) -> NDArray[np.float64]:
    """Return the weights of each control point at `_DENSE` even positions along a line."""
    at = np.linspace(0, points - 1, _DENSE)[None]
    rows = [
        scipy.ndimage.map_coordinates(row, at, order=3, mode="mirror") for row in np.eye(points)
    ]
    return np.stack(rows, axis=1)


def spline_weights(points: int, position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (n, points) weights of control points at positions in [0, 1] along a line."""
    dense = _dense_spline(points)
    at = np.clip(position, 0.0, 1.0) * (_DENSE - 1)
    low = np.minimum(at.astype(np.intp), _DENSE - 2)
    part = (at - low)[:, None]
    weights: NDArray[np.float64] = dense[low] * (1.0 - part) + dense[low + 1] * part
    return weights


def draw_planes(sigma_mm: float, seed: int) -> NDArray[np.float64]:
    """Draw the control points of the three planar passes.

    Parameters
    ----------
    sigma_mm
        Standard deviation of each point's displacement along each axis, mm.
    seed
        Seed of this field alone.

    Returns
    -------
    float64 (3 passes, 2 components, 3, 3)
        Displacement, mm; see `PLANES` for the axes of each pass.
    """
    points = (_PLANE_POINTS, _PLANE_POINTS)
    return np.random.default_rng(seed).normal(0.0, sigma_mm, (len(PLANES), 2, *points))


def plane_field(
    points: NDArray[np.float64], u: NDArray[np.float64], v: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Evaluate one pass on a grid.

    Parameters
    ----------
    points
        float64 (2, 3, 3): control points of the pass.
    u, v
        Positions in [0, 1] along its two axes.

    Returns
    -------
    float64 (2, len(u), len(v))
        Displacement along the two axes, mm.
    """
    field: NDArray[np.float64] = (
        spline_weights(_PLANE_POINTS, u) @ points @ spline_weights(_PLANE_POINTS, v).T
    )
    return field


def plane_tables(points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return all passes as dense tables, float32 (3, 2, n, n), for interpolation."""
    even = np.linspace(0.0, 1.0, 2 * _TABLE - 1)
    return np.stack([plane_field(p, even, even) for p in points]).astype(np.float32)


def volume_table(sigma_mm: float, seed: int, radii: NDArray[np.float64]) -> NDArray[np.float32]:
    """Draw a 3-D field and return it as a dense table for interpolation.

    A strong field would fold the shape over itself; it is weakened until it does not.

    Parameters
    ----------
    sigma_mm
        Strength, as of the planar passes: two of those move each axis, hence sqrt(2) sigma here.
    seed
        Seed of this field alone.
    radii
        Semi-axes of the ellipsoid, mm; the field spans two of them to each side.

    Returns
    -------
    float32 (n, n, n, 3)
        Displacement, mm.
    """
    shape = (3,) + (_VOLUME_POINTS,) * 3
    points = np.random.default_rng(seed).normal(0.0, sigma_mm * np.sqrt(2.0), shape)
    line = spline_weights(_VOLUME_POINTS, np.linspace(0.0, 1.0, _TABLE))
    table = np.einsum("cijk,xi,yj,zk->xyzc", points, line, line, line, optimize=True)
    pitch = 4.0 * radii / (_TABLE - 1)
    slopes = np.stack(np.gradient(table, *pitch, axis=(0, 1, 2)))
    steepest = np.sqrt((slopes**2).sum(axis=(0, -1)).max())
    table *= min(1.0, _STEEPEST / max(steepest, 1e-12))
    return np.ascontiguousarray(table, np.float32)
