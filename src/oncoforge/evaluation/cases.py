"""Score the predictions of one case: every model, every organ and its tumours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from oncoforge import anatomy
from oncoforge.analysis.shape import equivalent_diameter
from oncoforge.analysis.survey import read_oncoforge
from oncoforge.errors import GridMismatchError, OncoforgeError
from oncoforge.evaluation.lesions import Matching, match, size_bin
from oncoforge.evaluation.pairs import Pair
from oncoforge.evaluation.probabilities import largest
from oncoforge.evaluation.region import Labels, Mask, Region, present, regions
from oncoforge.evaluation.rows import LesionScore, ScoreRow
from oncoforge.evaluation.score import score
from oncoforge.formats import Volume
from oncoforge.formats.resample import onto_grid


@dataclass(frozen=True)
class Rules:
    """How cases are scored.

    Parameters
    ----------
    convention, pred_convention
        How truths and predictions number their organs.
    organs
        Names of the organs to score; None for all.
    organ_mask
        One of `region.ORGAN_MASKS`.
    tolerance_mm, nsd
        As for `score`.
    min_voxels, matching, overlap
        As for `match`.
    resample
        Bring predictions on another grid onto the truth's (nearest voxel).
    """

    convention: anatomy.Convention
    pred_convention: anatomy.Convention
    organs: tuple[str, ...] | None = None
    organ_mask: str = "whole"
    tolerance_mm: float = 2.0
    nsd: str = "surfel"
    min_voxels: int = 1
    matching: str = "one-to-one"
    overlap: float = 0.1
    resample: bool = False


@dataclass(frozen=True)
class CaseScores:
    """What was found in one case.

    Parameters
    ----------
    scores, lesions
        Rows of each model.
    truth, predicted
        Which labels are in the truth, and in each model's prediction.
    failures
        A sentence for each prediction that could not be scored.
    likely
        Model and organ to the largest tumour probability, where there are maps of it.
    """

    scores: tuple[ScoreRow, ...]
    lesions: tuple[LesionScore, ...]
    truth: frozenset[int]
    predicted: Mapping[str, frozenset[int]]
    failures: tuple[str, ...] = ()
    likely: Mapping[tuple[str, str], float] = field(default_factory=dict)


def score_case(pair: Pair, rules: Rules) -> CaseScores:
    """Score every prediction of one case; the truth is read once.

    Raises
    ------
    InputError
        If the truth cannot be read; what is wrong with one prediction is a failure of it alone.
    """
    truth = read_oncoforge(pair.truth, rules.convention)
    boxes = scipy.ndimage.find_objects(truth.array, 256)
    scores: list[ScoreRow] = []
    lesions: list[LesionScore] = []
    predicted: dict[str, frozenset[int]] = {}
    failures: list[str] = []
    likely: dict[tuple[str, str], float] = {}
    for model, path in pair.predictions.items():
        try:
            ranked = {
                key: largest(where) for key, where in pair.probabilities.items() if key[0] == model
            }
            own = onto_truth(path, truth, pair.truth, rules)
            own_boxes = scipy.ndimage.find_objects(own, 256)
            there = regions(truth, own, boxes, own_boxes, rules.organs)
            own_scores = [
                row for region in there for row in _score_rows(region, pair, model, rules)
            ]
            own_lesions = [
                row for region in there for row in _lesion_rows(region, pair, model, rules)
            ]
        except OncoforgeError as error:
            said = str(error)
            failures.append(said if str(path) in said else f"{path}: {said}")
            continue
        # Only now: a model that failed in one organ has no rows of another either.
        scores += own_scores
        lesions += own_lesions
        predicted[model] = present(own_boxes)
        likely |= ranked
    return CaseScores(
        tuple(scores), tuple(lesions), present(boxes), predicted, tuple(failures), likely
    )


def aligned(path: Path, truth_path: Path, rules: Rules) -> tuple[Volume, Labels]:
    """Read a truth, and a prediction on its grid, as oncoforge labels.

    Raises
    ------
    GridMismatchError
        If the grids differ, and are not to be brought together.
    InputError
        If one cannot be read.
    """
    truth = read_oncoforge(truth_path, rules.convention)
    return truth, onto_truth(path, truth, truth_path, rules)


def onto_truth(path: Path, truth: Volume, truth_path: Path, rules: Rules) -> Labels:
    """Read a prediction on the grid of its truth; errors as for `aligned`."""
    own = read_oncoforge(path, rules.pred_convention)
    difference = truth.grid.difference(own.grid)
    if difference is None:
        return own.array
    if not rules.resample:
        raise GridMismatchError(
            f"{path} is not on the grid of {truth_path}: {difference}. Write predictions on the "
            "grid of the scan, or bring them onto it with --resample (in Python: resample=True)."
        )
    moved = onto_grid(own.array, own.grid, truth.grid)
    if own.array.any() and not moved.any():
        raise GridMismatchError(
            f"No label of {path} lies within {truth_path}: {difference}. Check that they belong "
            "to the same scan."
        )
    return moved


def absent(pair: Pair, model: str, organ: str, structure: str) -> ScoreRow:
    """Return the row of a structure that neither the truth nor the prediction holds."""
    return ScoreRow(
        model, pair.case, pair.patient, organ, structure, "both_empty",
        None, None, None, None, None, 0.0, None, 0.0, 0.0, pair.fold,
    )  # fmt: skip


def _score_rows(region: Region, pair: Pair, model: str, rules: Rules) -> list[ScoreRow]:
    organ = region.organ.name
    return [
        _score_row(region, masks, pair, model, structure, rules)
        for structure, masks in (
            (organ, region.organ_masks(rules.organ_mask)),
            (f"{organ}_tumor", region.tumor_masks()),
        )
    ]


def _score_row(
    region: Region,
    masks: tuple[Mask, Mask],
    pair: Pair,
    model: str,
    structure: str,
    rules: Rules,
) -> ScoreRow:
    own, true = masks
    predicted_mm3, truth_mm3 = (float(np.count_nonzero(m) * region.voxel_mm3) for m in masks)
    row = absent(pair, model, region.organ.name, structure)
    if not predicted_mm3 and not truth_mm3:
        return row
    found = score(own, true, region.grid.spacing, rules.tolerance_mm, nsd=rules.nsd)
    error = predicted_mm3 - truth_mm3
    return replace(
        row,
        outcome=found.outcome,
        dice=float(found.dice),
        iou=float(found.iou),
        nsd=float(found.nsd),
        hd95_mm=float(found.hd95_mm),
        assd_mm=float(found.assd_mm),
        volume_error_mm3=error,
        volume_error_percent=100.0 * error / truth_mm3 if truth_mm3 else None,
        truth_mm3=truth_mm3,
        predicted_mm3=predicted_mm3,
    )


def _lesion_rows(region: Region, pair: Pair, model: str, rules: Rules) -> list[LesionScore]:
    own, true = region.tumor_masks()
    if not (own.any() or true.any()):
        return []
    found = match(
        true, own, rule=rules.matching, overlap=rules.overlap, min_voxels=rules.min_voxels
    )
    where: dict[str, Any] = {
        "model": model,
        "case": pair.case,
        "patient": pair.patient,
        "organ": region.organ.name,
        "fold": pair.fold,
    }
    rows = [
        LesionScore(**where, **_true_lesion(region, found, number))
        for number in range(len(found.truth))
    ]
    false = np.flatnonzero(found.false).tolist()
    return rows + [
        LesionScore(**where, **_false_positive(region, found, number)) for number in false
    ]


def _true_lesion(region: Region, found: Matching, number: int) -> dict[str, Any]:
    truth_mm3 = float(found.truth.voxels[number] * region.voxel_mm3)
    partner = int(found.partner[number])
    matched = partner >= 0
    status = "found" if found.found[number] else "missed"
    note = "merged" if found.merged[number] else "split" if found.split[number] else ""
    return _of_size(region, found.truth.centres_vox[number], truth_mm3) | {
        "status": status,
        "note": note,
        "lesion": number + 1,
        "predicted": partner + 1 if matched else None,
        "truth_mm3": truth_mm3,
        "predicted_mm3": (
            float(found.predicted.voxels[partner] * region.voxel_mm3) if matched else None
        ),
        "covered": float(found.covered[number]),
        "iou": found.iou(number) if matched else None,
        "dice": found.dice(number) if matched else None,
    }


def _false_positive(region: Region, found: Matching, number: int) -> dict[str, Any]:
    own_mm3 = float(found.predicted.voxels[number] * region.voxel_mm3)
    return _of_size(region, found.predicted.centres_vox[number], own_mm3) | {
        "status": "false_positive",
        "note": "fragment" if found.fragment[number] else "",
        "lesion": None,
        "predicted": number + 1,
        "truth_mm3": None,
        "predicted_mm3": own_mm3,
        "covered": float(found.inside[number]),
        "iou": None,
        "dice": None,
    }


def _of_size(region: Region, centre_vox: NDArray[np.float64], mm3: float) -> dict[str, Any]:
    """Return what is said of the size and the place of any lesion."""
    diameter = equivalent_diameter(mm3)
    x, y, z = region.place_mm(centre_vox)
    return {
        "diameter_mm": diameter,
        "size_bin": size_bin(diameter),
        "x_mm": x,
        "y_mm": y,
        "z_mm": z,
    }
