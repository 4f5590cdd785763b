"""How a lesion lies in its organ: how deep, and how far it bulges out."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

Mask = NDArray[np.bool_]
Vector = NDArray[np.float64]

_CONSIDERABLE = 0.1
"""Components below this part of an organ's tissue are specks, and no part of its form."""

_FIRST_REACH_MM = 8.0


def depth(mask: Mask, spacing: ArrayLike, point_mm: ArrayLike) -> float:
    """Return the distance (mm) from a point to the nearest surface of a mask; 0 outside it.

    The edge of the array is a surface too.

    Parameters
    ----------
    mask
        bool (X, Y, Z): the organ with its tumours.
    spacing
        Voxel size, mm.
    point_mm
        A point in the array, mm from the centre of its first voxel.
    """
    voxel, point = np.asarray(spacing, float), np.asarray(point_mm, float)
    ends = (np.array(mask.shape) - 0.5) * voxel
    edge = float(np.minimum(point + voxel / 2, ends - point).min())
    reach = _FIRST_REACH_MM
    while True:
        low = np.maximum(np.floor((point - reach) / voxel).astype(int), 0)
        high = np.ceil((point + reach) / voxel).astype(int) + 1
        box = mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        # To the faces of the nearest voxel outside, not to its centre: exact for any spacing.
        squares = [
            np.maximum(np.abs((np.arange(n) + a) * s - p) - s / 2, 0.0) ** 2
            for n, a, s, p in zip(box.shape, low, voxel, point, strict=True)
        ]
        apart = squares[0][:, None, None] + squares[1][:, None] + squares[2]
        apart[box] = np.inf
        nearest = min(float(np.sqrt(apart.min())), edge)
        if nearest <= reach:
            return max(nearest, 0.0)
        reach *= 2


class Hull:
    """The convex hull of an organ's own tissue.

    Parameters
    ----------
    planes
        (n, 4): outward unit normals and offsets; a point p (mm) is inside where n p + d <= 0.
    """

    def __init__(self, planes: Vector) -> None:
        self._normals, self._offsets = planes[:, :3], planes[:, 3]

    @classmethod
    def of(cls, tissue: Mask, spacing: ArrayLike) -> Hull | None:
        """Return the hull of voxel centres, mm from the centre of the first; None if it is flat.

        Parameters
        ----------
        tissue
            bool (X, Y, Z): the organ without its tumours. Specks apart from it do not count.
        spacing
            Voxel size, mm.
        """
        points = _column_ends(_without_specks(tissue)) * np.asarray(spacing, float)
        if len(points) < 4:
            return None
        try:
            return cls(scipy.spatial.ConvexHull(points).equations)
        except scipy.spatial.QhullError:
            return None

    def outside(self, mask: Mask, spacing: ArrayLike, offset_mm: ArrayLike) -> tuple[float, float]:
        """Return which part of a lesion lies beyond the hull, and how far it reaches out, mm.

        Parameters
        ----------
        mask
            bool (X, Y, Z): the lesion.
        spacing
            Voxel size, mm.
        offset_mm
            Place of its first voxel, from the point that the hull counts from.
        """
        voxel, offset = np.asarray(spacing, float), np.asarray(offset_mm, float)
        ends = _column_ends(mask) * voxel + offset
        # The farthest point of a body from a convex one lies on its surface.
        reach = max(float(self._beyond(ends).max()), 0.0)
        if reach == 0.0:
            return 0.0, 0.0
        inside = 0
        for i in np.flatnonzero(mask.any(axis=(1, 2))):
            inside += self._inside(mask[i], voxel, offset + np.array([i * voxel[0], 0, 0]))
        return 1.0 - inside / int(np.count_nonzero(mask)), reach

    def _beyond(self, points: Vector) -> Vector:
        """Return the distance of points (n, 3) from the nearest plane, negative inside."""
        chunks = np.array_split(points, max(1, len(points) * len(self._offsets) // 4_000_000))
        return np.concatenate([(c @ self._normals.T + self._offsets).max(axis=1) for c in chunks])

    def _inside(self, section: Mask, voxel: Vector, first: Vector) -> int:
        """Count the voxels of one sagittal section that lie in the hull."""
        rows = np.flatnonzero(section.any(axis=1))
        # What is left of each plane along a row (a line of changing z).
        level = (
            self._normals[:, 0] * first[0]
            + np.multiply.outer(first[1] + rows * voxel[1], self._normals[:, 1])
            + self._offsets
        )
        slope = self._normals[:, 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            cut = -level / slope
        low = np.where(slope < -_FLAT, cut, -np.inf).max(axis=1)
        high = np.where(slope > _FLAT, cut, np.inf).min(axis=1)
        missed = ((np.abs(slope) <= _FLAT) & (level > _NEAR_MM)).any(axis=1)
        high[missed] = -np.inf
        z = first[2] + np.arange(section.shape[1]) * voxel[2]
        within = (z >= low[:, None] - _NEAR_MM) & (z <= high[:, None] + _NEAR_MM)
        return int(np.count_nonzero(section[rows] & within))


_FLAT = 1e-12
_NEAR_MM = 1e-6


def _column_ends(mask: Mask) -> NDArray[np.int64]:
    """Return the first and last voxel of every column, among which are all corners of the hull."""
    x, y = np.nonzero(mask.any(axis=2))
    columns = mask[x, y]
    first = columns.argmax(axis=1)
    last = mask.shape[2] - 1 - columns[:, ::-1].argmax(axis=1)
    return np.concatenate([np.stack([x, y, first], 1), np.stack([x, y, last], 1)])


def _without_specks(tissue: Mask) -> Mask:
    import cc3d  # slow to import

    parts, number = cc3d.connected_components(
        np.ascontiguousarray(tissue), connectivity=26, return_N=True
    )
    if number <= 1:
        return tissue
    voxels = np.asarray(cc3d.statistics(parts, no_slice_conversion=True)["voxel_counts"])
    large = voxels >= _CONSIDERABLE * voxels[1:].sum()
    large[0] = False
    return np.asarray(large[parts])
