"""Where in a scan the body is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy

Mask = npt.NDArray[np.bool_]
Spacing = tuple[float, float, float]

_TISSUE_HU = -500.0
_STEP_MM = 4.0
_THIN_MM = 8.0
_SMALL = 0.05


def body(image: npt.NDArray[np.float32], spacing: Spacing) -> Mask:
    """Return where a body is, generously: no part of it is left out, some air around it is not.

    On about every fourth mm: tissue, without what is thinner than 8 mm (tables, blankets) and
    without lesser pieces; what lies between tissue on its left and right, or before and behind it
    (lungs, bowel gas); and the voxels around.

    Parameters
    ----------
    image
        float32 (X, Y, Z), HU.
    spacing
        mm.

    Returns
    -------
    numpy.ndarray
        bool (X, Y, Z). Everything, where there is no tissue to be told from air.
    """
    step = [max(1, int(_STEP_MM // mm)) for mm in spacing]
    pitch = [n * mm for n, mm in zip(step, spacing, strict=True)]
    tissue = image[tuple(slice(None, None, n) for n in step)] > _TISSUE_HU
    reach = [max(1, round(_THIN_MM / 2 / mm)) for mm in pitch]
    # A body that the scan cuts off goes on beyond its edge.
    wide = np.pad(tissue, [(n, n) for n in reach], mode="edge")
    opened = scipy.ndimage.binary_opening(wide, _cross(reach))
    large = _large(opened[tuple(slice(n, -n) for n in reach)])
    if not large.any():
        return np.ones(image.shape, dtype=np.bool_)
    inside = _between(large, 0) | _between(large, 1)
    near = scipy.ndimage.binary_dilation(inside, np.ones([4 * n + 1 for n in reach]))
    for axis, (n, length) in enumerate(zip(step, image.shape, strict=True)):
        near = np.repeat(near, n, axis=axis).take(range(length), axis=axis)
    return near


def box_of(mask: Mask) -> tuple[slice, slice, slice] | None:
    """Return the smallest box that holds a mask; None if it is empty."""
    spans = []
    for axis in range(3):
        other = tuple(a for a in range(3) if a != axis)
        found = np.flatnonzero(mask.any(axis=other))
        if not found.size:
            return None
        spans.append(slice(int(found[0]), int(found[-1]) + 1))
    x, y, z = spans
    return x, y, z


def _cross(reach: list[int]) -> Mask:
    """Return an ellipsoid of these semi-axes, voxels."""
    axes = np.ogrid[tuple(slice(-n, n + 1) for n in reach)]
    x, y, z = ((axis / n) ** 2 for axis, n in zip(axes, reach, strict=True))
    return np.asarray(x + y + z <= 1.0001)


def _large(mask: Mask) -> Mask:
    """Return the largest piece and those that come near to it, such as arms and legs."""
    labels, number = scipy.ndimage.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=number + 1)
    sizes[0] = 0
    return (sizes > 0)[labels] & (sizes >= _SMALL * sizes.max())[labels]


def _between(mask: Mask, axis: int) -> Mask:
    """Return the mask with all that has something of it on both sides along an axis."""
    before = np.maximum.accumulate(mask, axis=axis)
    after = np.flip(np.maximum.accumulate(np.flip(mask, axis), axis=axis), axis)
    return before & after
