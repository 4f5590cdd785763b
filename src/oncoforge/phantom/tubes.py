"""Tubes along curves: vessels, bowel, ribs and long muscles are all chains of round cones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline, PchipInterpolator

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tube:
    """Segments between points, each with a radius; possibly flattened in one direction.

    Attributes
    ----------
    points
        (N, 3) patient mm.
    radii
        (N,) mm; where the tube is flattened, its larger half-width.
    edges
        (M, 2) indices of the two ends of each segment.
    normals
        (M, 3) unit directions in which the segments are thin; any direction if ``aspect`` is 1.
    aspect
        Larger over smaller half-width, at least 1.
    """

    points: FloatArray
    radii: FloatArray
    edges: npt.NDArray[np.int64]
    normals: FloatArray
    aspect: float = 1.0


def shifted(point: FloatArray, x_mm: float, y_mm: float, z_mm: float) -> FloatArray:
    """Return a point moved by so many mm to the right, to the front and up."""
    moved: FloatArray = point + np.array([x_mm, y_mm, z_mm])
    return moved


def tube(
    knots: Sequence[Any] | FloatArray,
    radii: npt.ArrayLike,
    *,
    step_mm: float = 4.0,
    aspect: float = 1.0,
    flat: Sequence[float] | None = None,
) -> Tube:
    """Run a smooth tube through knots.

    Parameters
    ----------
    knots
        (K, 3) mm.
    radii
        (K,) mm or one number.
    step_mm
        Length of the straight segments that stand for the curve.
    aspect, flat
        Flattening and the direction in which the tube is thin, see `Tube`.
    """
    anchors = np.asarray(knots, float)
    sizes = np.broadcast_to(np.asarray(radii, float), anchors.shape[:1])
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(anchors, axis=0), axis=1))])
    count = max(2, int(np.ceil(arc[-1] / step_mm)) + 1)
    along = np.linspace(0.0, arc[-1], count)
    if len(anchors) == 2:
        points = anchors[0] + (along / arc[-1])[:, None] * (anchors[1] - anchors[0])
        widths = np.interp(along, arc, sizes)
    else:
        points = CubicSpline(arc, anchors, axis=0)(along)
        widths = PchipInterpolator(arc, sizes)(along)
    return polyline(points, widths, aspect=aspect, flat=flat)


def polyline(
    points: npt.ArrayLike,
    radii: npt.ArrayLike,
    *,
    aspect: float = 1.0,
    flat: npt.ArrayLike | None = None,
) -> Tube:
    """Join points in order; ``flat`` is one direction or one per segment."""
    where = np.asarray(points, float)
    steps = np.arange(len(where) - 1)
    edges = np.stack([steps, steps + 1], axis=1)
    direction = np.array([0.0, 0.0, 1.0]) if flat is None else np.asarray(flat, float)
    normals = np.broadcast_to(direction, (len(edges), 3))
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    return Tube(where, np.asarray(radii, float), edges, normals, aspect)


def join(parts: Sequence[Tube]) -> Tube:
    """Put tubes of one aspect together as one shape."""
    offsets = np.cumsum([0] + [len(part.points) for part in parts[:-1]])
    return Tube(
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.radii for part in parts]),
        np.concatenate([part.edges + o for part, o in zip(parts, offsets, strict=True)]),
        np.concatenate([part.normals for part in parts]),
        parts[0].aspect,
    )
