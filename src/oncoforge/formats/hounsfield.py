"""Does this look like CT in Hounsfield units? Say why not."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from oncoforge import anatomy
from oncoforge.errors import InputError

_ENOUGH_VOXELS = 2**20
ENOUGH_ORGAN_VOXELS = 1000
"""So many voxels of an organ give a median that is good to a few HU."""
_SOFT_ORGAN_HU = (-150.0, 400.0)
_AIRY_ORGAN_HU = (-1000.0, -300.0)
_AIR_HU = -200.0
_STORED_SOFT_TISSUE = (900.0, 1300.0)  # water is 1024 where the intercept of -1024 was not added
_SOFT_FRACTION = 0.05
_ANYWAY = "If it is right all the same, skip this check with --force (in Python: force=True)."


def check_hu(
    image: npt.NDArray[Any],
    organ_mask: npt.NDArray[np.bool_] | None = None,
    organ_name: str | None = None,
    *,
    name: str = "The image",
) -> None:
    """Refuse an image that is not CT in HU, as far as its values tell.

    Parameters
    ----------
    image
        (X, Y, Z), said to be in HU. Large ones are looked at through an even subsample.
    organ_mask
        bool (X, Y, Z): an organ, preferably without its tumours, whose median is checked too.
    organ_name
        Its name in :mod:`oncoforge.anatomy`; without it only the bounds of any soft organ apply.
    name
        What to call the image in the error, such as its path.

    Raises
    ------
    InputError
        If the image is constant, normalised, windowed, offset, without air, or if the organ is
        far from the HU that it should have.
    """
    values = subsample(image)
    median = None if organ_mask is None else _organ_median(image, organ_mask)
    reason = _global_reason(values, median)
    if reason is None and median is not None:
        reason = _organ_reason(median, organ_name)
    if reason is not None:
        raise InputError(f"{name} does not look like CT in HU: {reason} {_ANYWAY}")


def _global_reason(values: npt.NDArray[Any], median: float | None) -> str | None:
    low, high = float(values.min()) + 0.0, float(values.max())  # -0.0 reads oddly
    reason = None
    if low == high:
        reason = f"every voxel is {low:g}. Give the image itself."
    elif low >= -1 and high <= 1:
        reason = (
            f"its values run from {low:.3g} to {high:.3g}, as after normalisation. "
            "Give the image before normalisation."
        )
    elif low >= 0 and high <= 255:
        reason = (
            f"its values run from {low:g} to {high:g}, as in an 8-bit export with a display "
            "window. Give the image before windowing."
        )
    elif low >= 0:
        reason = _unsigned_reason(values, median, low, high)
    elif low > _AIR_HU:
        reason = (
            f"no voxel is below {_AIR_HU:g} HU (the lowest is {low:g}), so it has no air. "
            "Give a CT that was not windowed, and not MR."
        )
    return reason


def _unsigned_reason(
    values: npt.NDArray[Any], median: float | None, low: float, high: float
) -> str:
    bottom, top = _STORED_SOFT_TISSUE
    if median is not None:
        offset = bottom <= median <= top
        because = f"the median of the organ is {median:g}"
    else:
        share = float(np.mean((values >= bottom) & (values <= top)))
        offset = share > _SOFT_FRACTION
        because = f"{share:.0%} of the voxels are near 1024, where water would be"
    if offset:
        return (
            f"no voxel is below 0 and {because}, as in stored values without their rescale "
            "intercept. Subtract 1024, or export it with the intercept."
        )
    return f"its values run from {low:g} to {high:g} with none below 0, as in MR. Give a CT."


def _organ_reason(median: float, organ_name: str | None) -> str | None:
    low, high = _plausible(organ_name)
    if low <= median <= high:
        return None
    what = "the organ" if organ_name is None else f"the {organ_name.replace('_', ' ')}"
    return (
        f"the median of {what} is {median:.0f} HU, outside {low:g} to {high:g}. Check that the "
        "label map belongs to this image, its label convention, and the image's rescale intercept."
    )


def _plausible(organ_name: str | None) -> tuple[float, float]:
    if organ_name is None:
        return _SOFT_ORGAN_HU
    low, high = anatomy.organ(organ_name).hu
    # Bones reach beyond any soft organ, the lung and the trachea below.
    usual = _AIRY_ORGAN_HU if high <= _AIRY_ORGAN_HU[1] else _SOFT_ORGAN_HU
    return min(low, usual[0]), max(high, usual[1])


def subsample(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """View about a million evenly spaced voxels of a larger (X, Y, Z) array."""
    step = max(1, round((image.size / _ENOUGH_VOXELS) ** (1 / 3)))
    return image[::step, ::step, ::step]


def _organ_median(image: npt.NDArray[Any], mask: npt.NDArray[np.bool_]) -> float | None:
    inside = subsample(image)[subsample(mask)]
    if inside.size < ENOUGH_ORGAN_VOXELS:
        inside = image[mask]  # a small organ, or a small image
    return float(np.median(inside)) if inside.size else None
