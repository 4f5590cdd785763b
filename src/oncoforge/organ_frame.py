"""Where a point lies in an organ, in a way that can be compared between patients.

The frame is the box of the organ with its tumours, along R, A and S: 0 is its left, posterior or
inferior border and 1 its right, anterior or superior one. Of a paired organ each side has a frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

PAIRED: Final = frozenset(
    {"kidney", "lung", "adrenal_gland", "femur", "humerus", "shoulder", "pelvis"}
)
"""Organs that have a left and a right part under one label."""

_CONSIDERABLE = 0.1
"""Components below this part of an organ's volume do not tell its sides."""

_FLECK = 0.005
"""Components below this part of an organ's volume do not tell where it ends."""

_APART = 0.3
"""Two sides share at most this part of the narrower one's width."""

_WIDER_THAN_DEEP = 1.6
"""One body this much wider than deep is both sides, grown together."""

_WIDE, _THIN = 1.2, 0.18
"""So is one that is this much wider than deep and has a waist in its middle third: a sagittal plane
of this part of its greatest."""


@dataclass(frozen=True)
class Frame:
    """The box of one organ, or of one side of a paired organ.

    Parameters
    ----------
    side
        ``"left"``, ``"right"``, or ``""`` for an organ that has no sides.
    low_mm, high_mm
        Its borders, mm from the centre of the array's first voxel along R, A and S.
    low_vox, high_vox
        The same box as a half-open range of voxels.
    """

    side: str
    low_mm: tuple[float, float, float]
    high_mm: tuple[float, float, float]
    low_vox: tuple[int, int, int]
    high_vox: tuple[int, int, int]

    @property
    def size_mm(self) -> NDArray[np.float64]:
        """Lengths of its edges."""
        return np.subtract(self.high_mm, self.low_mm)

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The box in the array."""
        x, y, z = (slice(a, b) for a, b in zip(self.low_vox, self.high_vox, strict=True))
        return x, y, z

    def to_unit(self, point_mm: ArrayLike) -> NDArray[np.float64]:
        """Turn mm (..., 3) into coordinates of the frame, 0 to 1 inside."""
        return np.asarray((np.asarray(point_mm, float) - self.low_mm) / self.size_mm)

    def to_mm(self, unit: ArrayLike) -> NDArray[np.float64]:
        """Turn coordinates of the frame (..., 3) into mm."""
        return np.asarray(np.asarray(unit, float) * self.size_mm + self.low_mm)


def mirrored(unit: ArrayLike, side: str) -> NDArray[np.float64]:
    """Return coordinates as they would be on the right side, where x runs from medial to lateral.

    It is its own inverse, and leaves organs without sides as they are.
    """
    point = np.array(unit, float)
    if side == "left":
        point[..., 0] = 1.0 - point[..., 0]
    return point


def frames(
    mask: NDArray[np.bool_], spacing: ArrayLike, organ: str, middle_mm: float | None = None
) -> tuple[Frame, ...]:
    """Return the frames of an organ: one, or two of a paired organ of which both sides are there.

    Parameters
    ----------
    mask
        bool (X, Y, Z) in RAS+ order: the organ together with its tumours.
    spacing
        Voxel size along R, A and S, mm.
    organ
        Its name, as in `anatomy.ORGANS`.
    middle_mm
        Where the patient's middle is along x, mm from the first voxel: it tells the side where only
        one is there. By default the middle of the array.

    Returns
    -------
    tuple of Frame
        Left before right; none if the mask is empty.
    """
    bounds = _bounds(mask)
    if bounds is None:
        return ()
    voxel = np.asarray(spacing, float)
    # Flecks of a segmentation, which may lie anywhere, are not where the organ is.
    box = tuple(slice(a, b) for a, b in zip(*bounds, strict=True))
    body, start = _without_flecks(mask[box]), bounds[0]
    cut = _sagittal_cut(body, voxel) if organ in PAIRED else None
    if cut is not None:
        left, right = _bounds(body[:cut]), _bounds(body[cut:])
        assert left is not None  # the cut runs between two considerable parts
        assert right is not None
        moved = start + np.array([cut, 0, 0])
        return (
            _frame("left", left[0] + start, left[1] + start, voxel),
            _frame("right", right[0] + moved, right[1] + moved, voxel),
        )
    whole = _bounds(body)
    assert whole is not None  # the largest component is no fleck
    low, high = whole[0] + start, whole[1] + start
    if organ not in PAIRED:
        return (_frame("", low, high, voxel),)
    # One side only: the middle of the scan, about where the patient's is, tells which.
    middle = (mask.shape[0] - 1) / 2 if middle_mm is None else middle_mm / voxel[0]
    return (_frame("left" if (low[0] + high[0] - 1) / 2 < middle else "right", low, high, voxel),)


def _without_flecks(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the components of a mask that are more than flecks."""
    import cc3d  # slow to import

    labels = cc3d.connected_components(np.ascontiguousarray(mask), connectivity=6)
    counts = np.bincount(labels.ravel())
    counts[0] = 0
    kept = counts >= min(_FLECK * counts.sum(), counts.max())
    kept[0] = False
    return mask if kept[1:].all() else np.asarray(kept[labels])


def _bounds(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Return the half-open range of voxels that holds a mask, or None if it is empty."""
    low, high = np.zeros(3, np.int64), np.zeros(3, np.int64)
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        hit = np.flatnonzero(mask.any(axis=others))
        if hit.size == 0:
            return None
        low[axis], high[axis] = hit[0], hit[-1] + 1
    return low, high


def _frame(
    side: str, low: NDArray[np.int64], high: NDArray[np.int64], voxel: NDArray[np.float64]
) -> Frame:
    first, last = (low - 0.5) * voxel, (high - 0.5) * voxel
    return Frame(
        side,
        tuple(first.tolist()),
        tuple(last.tolist()),
        tuple(low.tolist()),
        tuple(high.tolist()),
    )


def _sagittal_cut(part: NDArray[np.bool_], voxel: NDArray[np.float64]) -> int | None:
    """Return the plane (first voxel of the right side) between two sides, None if there is one."""
    import cc3d  # slow to import

    labels = cc3d.connected_components(np.ascontiguousarray(part), connectivity=6)
    stats = cc3d.statistics(labels)
    counts = np.asarray(stats["voxel_counts"][1:], float)
    # Of dust no component is considerable: then the largest are.
    least = min(_CONSIDERABLE * counts.sum(), counts.max())
    boxes = [box for box, n in zip(stats["bounding_boxes"][1:], counts, strict=True) if n >= least]
    left = min((box[0] for box in boxes), key=lambda s: s.start + s.stop)
    right = max((box[0] for box in boxes), key=lambda s: s.start + s.stop)
    shared = min(left.stop, right.stop) - max(left.start, right.start)
    if shared <= _APART * min(left.stop - left.start, right.stop - right.start):
        return round((left.stop + right.start) / 2)
    x, y = (slice(min(b[a].start for b in boxes), max(b[a].stop for b in boxes)) for a in (0, 1))
    ratio = (x.stop - x.start) * voxel[0] / ((y.stop - y.start) * voxel[1])
    cut = _thin_plane(part[x], ratio)
    return None if cut is None else x.start + cut


def _thin_plane(part: NDArray[np.bool_], ratio: float) -> int | None:
    """Return where a body is two sides grown together, by its width as a part of its depth.

    Lungs may touch and kidneys be joined: they are cut where they are thinnest, near the middle.
    """
    area = np.count_nonzero(part, axis=(1, 2))
    third = len(area) // 3
    if third == 0 or ratio <= _WIDE:
        return None
    cut = third + int(area[third : len(area) - third].argmin())
    waist = area[cut] < _THIN * area.max()
    return cut if waist or ratio > _WIDER_THAN_DEEP else None
