"""Where a tumour may bulge out of its organ: into the fat around it, and nowhere else."""

from __future__ import annotations

from typing import Final

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from oncoforge.anatomy import LABELS
from oncoforge.errors import InputError
from oncoforge.synthesis.body_wall import beneath_wall
from oncoforge.synthesis.scene import bounding_box

REACH_MM: Final = 45.0
"""Tumours reach out of their organ no farther than this. Of 25 KiTS19 tumours 23 reach at most
32 mm beyond the hull of their kidney, and two 60 and 75 mm."""

FAT_HU: Final = (-200.0, -20.0)
"""Smoothed HU of fat, with streaks of other tissue in it."""

_BORDER_HU = (-200.0, 10.0)
_HALF_FAT_HU = -70.0
"""HU of the voxels between an organ and the fat around it, which hold some of both: of a bright
organ up to halfway between it and this, where more than half is organ."""

_MANY_LABELS = 8
"""A label map with so many labels around the organ names its neighbours; what has none is none."""

_SOFT_HU = (-200.0, 150.0)
"""HU of what fills the hollows of an organ: fat, vessels and ducts, but no stone and no gas."""

_HOLLOW_MM = 10.0
"""Hollows that a ball of this radius does not enter, such as the sinus of a kidney, belong to the
organ: its tumours grow into them."""

_SHEET_MM = 6.0
"""Sheets of fat that a ball of this radius does not fit into, such as those between muscles, are no
room: a tumour pushes them aside, and does not creep along them."""

_GAS_HU = -350.0
_GAS_MARGIN_MM = 6.0
"""Voxels as near to gas as this may be half gas, half wall, and only look like fat."""

_SMOOTH_MM = 1.5
_FREE_LABELS = (0, LABELS["body"], LABELS["fat"])


def room_around(
    image: NDArray[np.float32],
    labels: NDArray[np.uint8],
    organ: NDArray[np.bool_],
    spacing: ArrayLike,
    reach_mm: float = REACH_MM,
) -> NDArray[np.bool_]:
    """Return an organ with the fat around it into which its tumours may bulge.

    Parameters
    ----------
    image
        float32 (X, Y, Z), HU.
    labels
        uint8 (X, Y, Z), oncoforge labels: what has one (but body and fat) is no room. Gas, bone and
        soft tissue without a label are told by their HU.
    organ
        bool (X, Y, Z): the organ without its tumours.
    spacing
        Voxel size, mm.
    reach_mm
        Greatest distance from the organ.

    Returns
    -------
    numpy.ndarray
        bool (X, Y, Z), connected with the organ everywhere.

    Raises
    ------
    InputError
        If the reach is negative.
    """
    if reach_mm < 0:
        raise InputError(f"reach_mm is a distance from 0 mm, not {reach_mm:g}.")
    room = organ.copy()
    box = bounding_box(organ)
    if box is None:
        return room
    voxel = np.asarray(spacing, float)
    pad = np.ceil(reach_mm / voxel).astype(int) + 1
    wide = tuple(
        slice(max(s.start - int(p), 0), min(s.stop + int(p), n))
        for s, p, n in zip(box, pad, organ.shape, strict=True)
    )
    part = organ[wide]
    known = ~np.isin(labels[:, :, wide[2]], _FREE_LABELS)
    inside = beneath_wall(image[:, :, wide[2]], known, (voxel[0], voxel[1], voxel[2]))[wide[:2]]
    free = ~known[wide[:2]] & ~part & inside & ~_near_gas(image[wide], voxel)
    away = _distance(~part, voxel)
    fat = free & (away <= reach_mm) & _looks_like_fat(image[wide], part, voxel)
    # With the organ, or the fat would come off where it gives way under the ball.
    thick = _distance(fat | part, voxel) >= _SHEET_MM
    sinus = free & _in_hollows(image[wide], away, fat, voxel, names_neighbours(labels[wide]))
    fat &= _distance(~thick, voxel) <= _SHEET_MM
    open_ = part | fat | sinus
    soft = (image[wide] >= _SOFT_HU[0]) & (image[wide] <= _SOFT_HU[1])
    open_ |= free & soft & _enclosed(open_)
    room[wide] = _connected(open_, part)
    return room


def _enclosed(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which voxels have five neighbours or more in a mask: single ones that noise left out."""
    cross = scipy.ndimage.generate_binary_structure(3, 1).astype(np.uint8)
    cross[1, 1, 1] = 0
    around = scipy.ndimage.convolve(mask.astype(np.uint8), cross, mode="constant")
    return np.asarray(around >= 5)


def names_neighbours(labels: NDArray[np.uint8]) -> bool:
    """Tell whether a label map has so many labels that what has none is no organ."""
    return len(np.unique(labels)) >= _MANY_LABELS


def _in_hollows(
    image: NDArray[np.float32],
    away: NDArray[np.float32],
    fat: NDArray[np.bool_],
    voxel: NDArray[np.float64],
    named: bool,
) -> NDArray[np.bool_]:
    """Tell what fills the hollows of the organ: where few organs have labels, its fat alone."""
    hollow = (away <= _HOLLOW_MM) & (_distance(away <= _HOLLOW_MM, voxel) > _HOLLOW_MM)
    if not named:
        return np.asarray(hollow & fat)
    return np.asarray(hollow & (image >= _SOFT_HU[0]) & (image <= _SOFT_HU[1]))


def _looks_like_fat(
    image: NDArray[np.float32], organ: NDArray[np.bool_], voxel: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell which voxels are fat by their HU, or lie between the organ and fat."""
    smooth = scipy.ndimage.gaussian_filter(image, _SMOOTH_MM / voxel)
    fat = (smooth >= FAT_HU[0]) & (smooth <= FAT_HU[1])
    border = scipy.ndimage.binary_dilation(organ) & scipy.ndimage.binary_dilation(fat)
    halfway = (float(np.median(image[organ])) + _HALF_FAT_HU) / 2
    border &= (image >= _BORDER_HU[0]) & (image <= max(_BORDER_HU[1], halfway))
    return np.asarray(fat | border)


def _near_gas(image: NDArray[np.float32], voxel: NDArray[np.float64]) -> NDArray[np.bool_]:
    gas = image < _GAS_HU
    if not gas.any():
        return gas
    return np.asarray(_distance(~gas, voxel) <= max(_GAS_MARGIN_MM, float(voxel.max())))


def _distance(outside: NDArray[np.bool_], voxel: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return how far every voxel is from what is not outside, mm."""
    import edt  # slow to import, and few syntheses bulge

    if outside.all():
        return np.full(outside.shape, np.inf, np.float32)
    found: NDArray[np.float32] = edt.edt(
        np.ascontiguousarray(outside), anisotropy=tuple(voxel), black_border=False, parallel=1
    )
    return found


def _connected(allowed: NDArray[np.bool_], organ: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the parts that touch the organ."""
    import cc3d  # slow to import, and few syntheses bulge

    labels = cc3d.connected_components(np.ascontiguousarray(allowed), connectivity=6)
    return np.asarray(np.isin(labels, np.unique(labels[organ])) & allowed)
