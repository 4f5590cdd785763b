"""The shape of one lesion: diameters, axes, surface."""

from __future__ import annotations

import math

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

Mask = NDArray[np.bool_]
Vector = NDArray[np.float64]

_TIE = 1e-9
"""Diameters that differ by less than this part are equally long."""

_MOST_POINTS = 2_000_000
"""Points of the even lattice on which surfaces are measured."""


def equivalent_diameter(volume_mm3: float) -> float:
    """Return the diameter (mm) of the sphere of a volume."""
    return float(np.cbrt(6.0 * volume_mm3 / math.pi))


def axial_diameters(mask: Mask, spacing: ArrayLike) -> tuple[float, float]:
    """Return the longest axial diameter and the short one at right angles to it, mm.

    The longest is the largest distance between two voxel centres of one axial slice, over all
    slices (Eisenhauer et al., RECIST 1.1, Eur J Cancer 2009;45:228); the short one is how wide the
    lesion is across it in that slice. Of several that are equally long, the widest counts.

    Parameters
    ----------
    mask
        bool (X, Y, Z) in RAS+ order: one lesion.
    spacing
        Voxel size, mm.
    """
    voxel = np.asarray(spacing, float)[:2]
    best = (0.0, 0.0)
    for k in range(mask.shape[2]):
        points = _outline(mask[:, :, k]) * voxel
        if len(points) < 2 or np.linalg.norm(np.ptp(points, axis=0)) < best[0] * (1 - _TIE):
            continue
        long, short = _diameters(points)
        if long > best[0] * (1 + _TIE):
            best = (long, short)
        elif long >= best[0] * (1 - _TIE):
            best = (best[0], max(best[1], short))
    return best


def _outline(section: Mask) -> NDArray[np.int64]:
    """Return the first and last voxel of every row, among which are all corners of the hull."""
    rows = np.flatnonzero(section.any(axis=1))
    first = section[rows].argmax(axis=1)
    last = section.shape[1] - 1 - section[rows, ::-1].argmax(axis=1)
    return np.concatenate([np.stack([rows, first], 1), np.stack([rows, last], 1)])


def _diameters(points: Vector) -> tuple[float, float]:
    apart = scipy.spatial.distance.cdist(points, points)
    long = float(apart.max())
    if long == 0.0:
        return 0.0, 0.0
    one, other = np.nonzero(np.triu(apart) >= long * (1 - _TIE))
    along = points[other] - points[one]
    across = np.stack([-along[:, 1], along[:, 0]]) / np.linalg.norm(along, axis=1)
    return long, float(np.ptp(points @ across, axis=0).max())


def principal_axes(mask: Mask, edges_mm: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the full axes (mm), longest first, of the ellipsoid of the same second moments.

    Parameters
    ----------
    mask
        bool (X, Y, Z): one lesion.
    edges_mm
        (3, 3): the edges of a voxel as columns, mm; the upper left part of an affine.
    """
    points = np.argwhere(mask)
    spread = points - points.mean(axis=0)
    # A voxel is a box, not a point: its own variance is 1/12 along each edge.
    moments = spread.T @ spread / len(points) + np.eye(3) / 12
    variances = np.linalg.eigvalsh(edges_mm @ moments @ edges_mm.T)
    # A solid ellipsoid has a variance of a fifth of its semi-axis squared.
    minor, middle, major = (2.0 * math.sqrt(5.0 * v) for v in variances)
    return major, middle, minor


def sphericity(mask: Mask, spacing: ArrayLike) -> float:
    """Return the surface of the sphere of the same volume as a part of the lesion's surface.

    The surface is the Crofton perimeter of SimpleITK (Lehmann and Legland, Insight Journal 2012).
    On voxels that are longer than wide it is wrong by a tenth and more, depending on how the
    lesion is turned; so the lesion is first brought onto an even lattice by interpolating signed
    distances between the slices (Raya and Udupa, IEEE TMI 1990;9:32). On ellipsoids the result is
    then right to 5 %, and to 10 % on those two or three slices high.

    Parameters
    ----------
    mask
        bool (X, Y, Z): one lesion.
    spacing
        Voxel size, mm.

    Returns
    -------
    float
        1 for a sphere, less for any other shape.
    """
    voxel = np.asarray(spacing, float)
    solid, step = np.pad(mask, 2), voxel
    if np.ptp(voxel) > 0.01 * voxel.min():
        even, edge = _evenly(solid, voxel)
        if even.any():  # a lesion of a few voxels may fall between the points
            solid, step = even, np.full(3, edge)
    volume = float(np.count_nonzero(solid) * step.prod())
    # No solid has less surface than the sphere; an estimate on few voxels may.
    return min(math.pi * equivalent_diameter(volume) ** 2 / _crofton(solid, step), 1.0)


def _evenly(solid: Mask, voxel: Vector) -> tuple[Mask, float]:
    """Return a mask on a lattice as fine as the smallest edge of a voxel, and its step in mm."""
    import edt  # slow to import

    anisotropy = tuple(voxel.tolist())
    field = edt.edt(solid, anisotropy=anisotropy) - edt.edt(~solid, anisotropy=anisotropy)
    step = max(float(voxel.min()), float(np.cbrt(solid.size * voxel.prod() / _MOST_POINTS)))
    for axis, edge in enumerate(voxel):
        field = _interpolated(field, axis, step / edge)
    return field > 0, step


def _interpolated(field: NDArray[np.float32], axis: int, step: float) -> NDArray[np.float32]:
    """Return linear interpolation at every `step` voxels of one axis, about its middle."""
    last = field.shape[axis] - 1
    half = np.arange(0.0, last / 2, step)
    places = last / 2 + np.concatenate([-half[:0:-1], half])
    below = np.minimum(places.astype(int), last - 1)
    shape = [1, 1, 1]
    shape[axis] = -1
    part = (places - below).astype(np.float32).reshape(shape)
    return np.take(field, below, axis) * (1 - part) + np.take(field, below + 1, axis) * part


def _crofton(solid: Mask, step: Vector) -> float:
    import SimpleITK as sitk  # slow to import

    image = sitk.GetImageFromArray(np.ascontiguousarray(solid.T).view(np.uint8))
    image.SetSpacing(step.tolist())
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.ComputePerimeterOn()
    shapes.Execute(image)
    return float(shapes.GetPerimeter(1))
