"""Patients: who has a tumour, and of whom does a model say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from oncoforge.evaluation.bootstrap import Bootstrap, Interval
from oncoforge.evaluation.rows import PatientRow, ScoreRow, SummaryRow

PATIENT_METRICS: Final = (
    "patient_sensitivity",
    "patient_specificity",
    "patient_accuracy",
    "patient_auc",
)

Likely = Mapping[tuple[str, str, str], float]
"""Largest tumour probability by model, case and organ."""


def patient_rows(
    scores: Sequence[ScoreRow], positive_mm3: float = 0.0, likely: Likely | None = None
) -> list[PatientRow]:
    """Judge patients by their scans.

    Parameters
    ----------
    scores
        Rows of any structures; those of tumours are looked at.
    positive_mm3
        A patient counts as ill, in the prediction, with more tumour than this in one scan.
    likely
        Scores to rank patients by, instead of the predicted volume; of models that have them.

    Returns
    -------
    list of PatientRow
        By model and organ, in the order of the scores.
    """
    scans: dict[tuple[str, str, str], list[ScoreRow]] = {}
    for row in scores:
        if row.structure != row.organ:
            scans.setdefault((row.model, row.organ, row.patient), []).append(row)
    likely = likely or {}
    ranked = {(model, organ) for model, _, organ in likely}
    rows = []
    for (model, organ, patient), own in scans.items():
        truth_mm3 = max(row.truth_mm3 for row in own)
        predicted_mm3 = max(row.predicted_mm3 for row in own)
        score = predicted_mm3
        if (model, organ) in ranked:
            score = max(likely.get((model, row.case, organ), 0.0) for row in own)
        rows.append(
            PatientRow(
                model,
                patient,
                organ,
                len(own),
                truth_mm3 > 0,
                predicted_mm3 > positive_mm3,
                score,
                truth_mm3,
                predicted_mm3,
            )
        )
    return rows


def ranking_remarks(rows: Sequence[PatientRow], likely: Likely) -> list[str]:
    """Say where areas under the curve are of ties, or of several kinds of ranking.

    Parameters
    ----------
    rows
        Of all models and organs.
    likely
        What some of them were ranked by, as for `patient_rows`.

    Returns
    -------
    list of str
        A sentence for each model whose most probable patients tie, and for each organ by which
        models are ranked by different things; of organs with ill and healthy patients.
    """
    ranked = {(model, organ) for model, _, organ in likely}
    groups: dict[str, dict[str, list[PatientRow]]] = {}
    for row in rows:
        groups.setdefault(row.organ, {}).setdefault(row.model, []).append(row)
    said = []
    for organ, models in groups.items():
        curved = {m: own for m, own in models.items() if len({row.truth for row in own}) == 2}
        by_map = [model for model in curved if (model, organ) in ranked]
        said += [one for m in by_map if (one := _ties(curved[m]))]
        others = [model for model in curved if model not in by_map]
        if by_map and others:
            said.append(
                f"Patients with {organ.replace('_', ' ')} tumours are ranked by probability for "
                f"{', '.join(by_map)} and by predicted volume for {', '.join(others)}: their "
                "areas under the curve do not compare."
            )
    return said


def _ties(rows: Sequence[PatientRow]) -> str:
    """Say how many patients of one model and organ share the highest probability, if several do."""
    top = max(row.score for row in rows)
    tied = sum(row.score == top for row in rows)
    if tied < 2:
        return ""
    return (
        f"{tied} of {len(rows)} patients tie at the highest probability of a "
        f"{rows[0].organ.replace('_', ' ')} tumour by {rows[0].model} ({top:.5g}; maps are rounded "
        "to 16 bits): the area under the curve cannot tell them apart."
    )


def summarize_patients(rows: Sequence[PatientRow], bootstrap: Bootstrap) -> list[SummaryRow]:
    """Sum up one model's patients of one organ.

    Returns
    -------
    list of SummaryRow
        `PATIENT_METRICS`; those that the patients do not allow have no mean: sensitivity needs
        ill ones, specificity healthy ones, the area under the curve both.
    """
    ill = [row for row in rows if row.truth]
    healthy = [row for row in rows if not row.truth]
    right = {
        "patient_sensitivity": [row.predicted for row in ill],
        "patient_specificity": [not row.predicted for row in healthy],
        "patient_accuracy": [row.predicted == row.truth for row in rows],
    }
    structure = f"{rows[0].organ}_tumor"

    def summed(metric: str, n: int, mean: float | None, interval: Interval) -> SummaryRow:
        model = rows[0].model
        return SummaryRow(
            model, structure, metric, "all", "patients", mean, None, None, *interval, n
        )

    found = []
    for metric, hits in right.items():
        mean = float(np.mean(hits)) if hits else None
        interval = bootstrap.share(hits, np.ones(len(hits)), f"{structure} {metric}")
        found.append(summed(metric, len(hits), mean, interval))
    area: float | None = None
    interval = (None, None)
    if ill and healthy:
        area = _area([row.truth for row in rows], [row.score for row in rows])
        interval = bootstrap.area(
            [row.score for row in ill], [row.score for row in healthy], f"{structure} patient_auc"
        )
    found.append(summed("patient_auc", len(rows), area, interval))
    return found


def _area(truth: Sequence[bool], scores: Sequence[float]) -> float:
    from sklearn.metrics import roc_auc_score  # slow to import

    return float(roc_auc_score(truth, scores))
