"""Solid shapes as distances in mm: negative inside, positive outside.

The distances are exact only near the boundary, which is where they matter: there they set the
fraction of a voxel that a structure covers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def smooth_max(a: Array, b: Array, blend_mm: float) -> Array:
    """Intersection of two shapes with the crease rounded over ``blend_mm`` (polynomial blend)."""
    h = np.maximum(blend_mm - np.abs(a - b), 0.0)
    top: Array = np.maximum(a, b) + h * h * (0.25 / blend_mm)
    return top


def smooth_min(a: Array, b: Array, blend_mm: float) -> Array:
    """Union of two shapes with the crease rounded over ``blend_mm``."""
    h = np.maximum(blend_mm - np.abs(a - b), 0.0)
    low: Array = np.minimum(a, b) - h * h * (0.25 / blend_mm)
    return low


def smooth_step(low: float, high: float, t: Array) -> Array:
    """Return 0 at ``low``, 1 at ``high`` (which may be the smaller one), smooth between."""
    s = np.clip((t - low) / (high - low), 0.0, 1.0)
    return s * s * (3.0 - 2.0 * s)


def ellipsoid(u: Array, v: Array, w: Array, radii_mm: tuple[float, float, float]) -> Array:
    """Distance to an ellipsoid at the origin of (u, v, w), first order near its surface."""
    a, b, c = radii_mm
    k0 = np.sqrt((u / a) ** 2 + (v / b) ** 2 + (w / c) ** 2 + 1e-6)
    k1 = np.sqrt((u / a**2) ** 2 + (v / b**2) ** 2 + (w / c**2) ** 2 + 1e-9)
    return np.maximum(k0 * (k0 - 1.0) / k1, -max(radii_mm))


@dataclass(frozen=True)
class Frame:
    """A local right-handed frame: an origin in mm and three unit axes as rows."""

    origin: npt.NDArray[np.float64]
    axes: npt.NDArray[np.float64]

    def local(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
        """Turn patient coordinates into coordinates along the three axes, in mm."""
        dx, dy, dz = x - self.origin[0], y - self.origin[1], z - self.origin[2]
        u, v, w = (
            np.float32(axis[0]) * dx + np.float32(axis[1]) * dy + np.float32(axis[2]) * dz
            for axis in self.axes
        )
        return u, v, w

    def world(self, local: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Turn local points, shape (..., 3), into patient coordinates."""
        points: npt.NDArray[np.float64] = np.asarray(local, float) @ self.axes + self.origin
        return points


def frame(origin: npt.ArrayLike, first: npt.ArrayLike, third: npt.ArrayLike) -> Frame:
    """Build a frame whose third axis is ``third`` and whose first is nearest to ``first``."""
    w = np.asarray(third, float)
    w = w / np.linalg.norm(w)
    u = np.asarray(first, float)
    u = u - w * (u @ w)
    u = u / np.linalg.norm(u)
    return Frame(np.asarray(origin, float), np.stack([u, np.cross(w, u), w]))
