"""One mask against another: overlap, distances between surfaces, and a name for what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan, prod
from numbers import Real
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from oncoforge.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from oncoforge.evaluation.surface import Surface

OUTCOMES: Final = ("found", "missed", "false_alarm", "both_empty")
"""What can happen to a structure: see `Score`."""

DEFINITIONS: Final = ("surfel", "voxel-edge", "mean-of-fractions")
"""What is called normalised surface Dice: see `score`."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """How well a prediction agrees with the truth.

    Parameters
    ----------
    outcome
        ``"found"`` if both masks have voxels. ``"missed"`` if the prediction is empty and the
        truth is not, ``"false_alarm"`` if it is the other way round: overlaps are 0 and distances
        infinite. ``"both_empty"`` if there was nothing and nothing was predicted: overlaps and
        distances are NaN, which belong in no mean.
    dice, iou
        Overlap of the volumes, 0 to 1: 2 |P ∩ T| / (|P| + |T|), and |P ∩ T| / |P ∪ T|.
    nsd
        Normalised surface Dice, 0 to 1: how much of both surfaces lies within `tolerance_mm` of
        the other one, by `definition`.
    hd95_mm, hd_mm
        95 % of the area of each surface, and all of it, lie within this distance of the other.
    assd_mm
        Average symmetric surface distance: the mean of the next two.
    pred_to_truth_mm, truth_to_pred_mm
        Mean distance of one surface to the other, weighted by area.
    pred_volume_mm3, truth_volume_mm3, volume_error_mm3
        The two volumes, and by how much the first is larger than the second.
    tolerance_mm, definition
        What `nsd` was computed with.
    """

    outcome: str
    dice: float
    iou: float
    nsd: float
    hd95_mm: float
    hd_mm: float
    assd_mm: float
    pred_to_truth_mm: float
    truth_to_pred_mm: float
    pred_volume_mm3: float
    truth_volume_mm3: float
    volume_error_mm3: float
    tolerance_mm: float
    definition: str


def score(
    pred: Any,
    truth: Any,
    spacing: Sequence[float],
    tolerance_mm: float = 2.0,
    nsd: str = "surfel",
) -> Score:
    """Compare a predicted mask with the true one.

    Parameters
    ----------
    pred, truth
        Masks of one shape, 3-D: booleans, or numbers that are all 0 or 1. Views, any order of the
        axes and read-only arrays do.
    spacing
        Of voxels along each axis, in mm.
    tolerance_mm
        Within this distance surfaces agree; from 0.
    nsd
        ``"surfel"``: by area, as DeepMind's surface-distance (Nikolov et al., arXiv:1809.04430);
        see `oncoforge.evaluation.surfels`. ``"voxel-edge"``: by number of voxels that have one of
        six neighbours outside, as MONAI without subvoxels. ``"mean-of-fractions"``: the mean of
        each mask's fraction of such voxels, as panoptica and nnU-Net. Distances are between
        surfels whatever is chosen here.

    Returns
    -------
    Score
        The same whatever the order of axes, the direction of axes, and where in the volume the
        masks are. Beyond the volume is background, so a mask at its border has a surface there.

    Raises
    ------
    InputError
        If the masks are no masks or differ in shape, or a number makes no sense.
    UnknownNameError
        If there is no such definition.
    """
    from oncoforge.evaluation import masks, surface  # numba is slow to import

    mm = _checked(spacing, tolerance_mm, nsd)
    if np.shape(pred) != np.shape(truth):
        raise InputError(
            f"pred has the shape {np.shape(pred)}, and truth {np.shape(truth)}; give two masks on "
            "one grid."
        )
    parts = masks.part_of(pred, "pred"), masks.part_of(truth, "truth")
    a, b = (part.voxels for part in parts)
    if not (a and b):
        outcome = "both_empty" if a == b else "missed" if b else "false_alarm"
        values = _nothing(undefined=a == b)
    else:
        outcome = "found"
        both = masks.shared_voxels(*parts)
        pieces = surface.surfels(*parts, mm)
        edges = pieces if nsd == "surfel" else surface.voxels(*parts, mm)
        agreement = _agreement(edges, tolerance_mm, by_fraction=nsd == "mean-of-fractions")
        values = {"dice": 2 * both / (a + b), "iou": both / (a + b - both), "nsd": agreement}
        values |= _distances(*pieces)
    voxel = prod(mm)
    return Score(
        outcome=outcome,
        **values,
        pred_volume_mm3=a * voxel,
        truth_volume_mm3=b * voxel,
        volume_error_mm3=(a - b) * voxel,
        tolerance_mm=float(tolerance_mm),
        definition=nsd,
    )


def _nothing(undefined: bool) -> dict[str, float]:
    """Return what is said where a mask is empty: the worst there is, or nothing if both are."""
    overlap, distance = (nan, nan) if undefined else (0.0, inf)
    overlaps = dict.fromkeys(("dice", "iou", "nsd"), overlap)
    distances = ("hd95_mm", "hd_mm", "assd_mm", "pred_to_truth_mm", "truth_to_pred_mm")
    return overlaps | dict.fromkeys(distances, distance)


def _agreement(edges: tuple[Surface, Surface], tolerance_mm: float, by_fraction: bool) -> float:
    """Return the part of two surfaces that is within the tolerance of the other."""
    near = [each.within(tolerance_mm) for each in edges]
    all_ = [each.total for each in edges]
    if by_fraction:
        return (near[0] / all_[0] + near[1] / all_[1]) / 2
    return sum(near) / sum(all_)


def _distances(pred: Surface, truth: Surface) -> dict[str, float]:
    means = pred.mean_mm, truth.mean_mm
    return {
        "hd95_mm": max(pred.percentile_mm(95), truth.percentile_mm(95)),
        "hd_mm": max(pred.largest_mm, truth.largest_mm),
        "assd_mm": (means[0] + means[1]) / 2,
        "pred_to_truth_mm": means[0],
        "truth_to_pred_mm": means[1],
    }


def _checked(spacing: Any, tolerance_mm: Any, nsd: str) -> tuple[float, float, float]:
    """Return the spacing, if all of these can be used."""
    try:
        a, b, c = map(float, spacing)
    except (TypeError, ValueError):
        a = b = c = nan
    if not all(isfinite(side) and side > 0 for side in (a, b, c)):
        raise InputError(f"spacing is {spacing!r}; give three positive numbers, in mm.")
    if not (isinstance(tolerance_mm, Real) and 0 <= float(tolerance_mm) < inf):
        raise InputError(f"tolerance_mm is {tolerance_mm!r}; give a number of mm from 0.")
    if nsd not in DEFINITIONS:
        raise UnknownNameError("definition of NSD", nsd, DEFINITIONS)
    return a, b, c
