"""The rows of an evaluation in short: means, spreads, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from oncoforge.evaluation.bootstrap import Bootstrap
from oncoforge.evaluation.lesions import BINS
from oncoforge.evaluation.patients import summarize_patients
from oncoforge.evaluation.rows import LesionScore, PatientRow, ScoreRow, SummaryRow
from oncoforge.evaluation.score import OUTCOMES

METRICS: Final = (
    "dice",
    "iou",
    "nsd",
    "hd95_mm",
    "assd_mm",
    "volume_error_mm3",
    "volume_error_percent",
)
"""Columns of scores whose means are taken."""

LESION_METRICS: Final = (
    "lesion_sensitivity",
    "lesion_precision",
    "lesion_f1",
    "false_positives_per_scan",
    "lesion_dice",
)

EMPTY_RULES: Final = ("defined", "predecessors")
"""What undefined and infinite values become: see `value`."""

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    **{name: (name,) for name in BINS},
    "<20 mm": BINS[:3],
}
"""Groups of lesions by size, each of one bin or several."""

_PUBLISHED_MM: Final = {"assd_mm": 100.0, "hd95_mm": 200.0}


def value(row: ScoreRow, metric: str, empty: str = "defined") -> float | None:
    """Return what a case counts in a mean; None if nothing.

    Parameters
    ----------
    row
        Of the case.
    metric
        One of `METRICS`.
    empty
        ``"defined"``: what is undefined (both masks empty) or infinite (one is) does not count.
        ``"predecessors"``: as published; where both masks are empty, Dice, IoU and NSD are 0, and
        infinite distances of tumours count as 100 mm (mean) and 200 mm (Hausdorff).
    """
    found: float | None = getattr(row, metric)
    if empty == "predecessors":
        if found is None and metric in ("dice", "iou", "nsd"):
            return 0.0
        if found is not None and math.isinf(found) and row.structure != row.organ:
            return _PUBLISHED_MM.get(metric)
    return None if found is None or not math.isfinite(found) else found


@dataclass(frozen=True)
class _Sum:
    """What one patient adds to a number: so much, over so many."""

    patient: str
    sum: float
    count: float


def summarize(
    scores: Sequence[ScoreRow],
    lesions: Sequence[LesionScore],
    patients: Sequence[PatientRow],
    bootstrap: Bootstrap,
    empty: str = "defined",
) -> list[SummaryRow]:
    """Sum up every model and structure.

    Parameters
    ----------
    scores, lesions, patients
        The rows.
    bootstrap
        For the intervals.
    empty
        One of `EMPTY_RULES`.

    Returns
    -------
    list of SummaryRow
        By structure, then model, in the order of the scores.
    """
    found: list[SummaryRow] = []
    for structure in dict.fromkeys(row.structure for row in scores):
        for model in dict.fromkeys(row.model for row in scores):
            own = [r for r in scores if (r.structure, r.model) == (structure, model)]
            if not own:
                continue
            found += _of_cases(own, bootstrap, empty)
            if structure == own[0].organ:
                continue
            ours = [r for r in lesions if (r.organ, r.model) == (own[0].organ, model)]
            found += _of_lesions(own, ours, bootstrap)
            people = [r for r in patients if (r.organ, r.model) == (own[0].organ, model)]
            found += summarize_patients(people, bootstrap) if people else []
    return found


def outcomes(scores: Iterable[ScoreRow]) -> dict[str, int]:
    """Count the cases of each outcome."""
    counts = dict.fromkeys(OUTCOMES, 0)
    for row in scores:
        counts[row.outcome] += 1
    return counts


def _of_cases(rows: Sequence[ScoreRow], bootstrap: Bootstrap, empty: str) -> list[SummaryRow]:
    """Sum up one model's scores of one structure, over all cases and in each fold."""
    folds = sorted({row.fold for row in rows if row.fold is not None})
    groups = {"all": list(rows)} | {
        f"fold {fold}": [row for row in rows if row.fold == fold] for fold in folds
    }
    found = []
    for group, own in groups.items():
        for metric in METRICS:
            given = [(row.patient, value(row, metric, empty)) for row in own]
            values = [(patient, v) for patient, v in given if v is not None]
            found.append(_mean(rows[0], metric, group, "cases", values, bootstrap))
        for outcome, number in outcomes(own).items():
            who = (rows[0].model, rows[0].structure, outcome, group, "cases")
            found.append(SummaryRow(*who, number / len(own), None, None, None, None, len(own)))
    return found


def _mean(
    of: ScoreRow,
    metric: str,
    group: str,
    unit: str,
    values: Sequence[tuple[str, float]],
    bootstrap: Bootstrap,
) -> SummaryRow:
    sums = _by_patient(_Sum(patient, v, 1) for patient, v in values)
    low, high = bootstrap.ratio(
        [s.sum for s in sums], [s.count for s in sums], f"{of.structure} {metric} {group}"
    )
    numbers = [v for _, v in values]
    return SummaryRow(
        of.model,
        of.structure,
        metric,
        group,
        unit,
        float(np.mean(numbers)) if numbers else None,
        float(np.std(numbers, ddof=1)) if len(numbers) > 1 else None,
        float(np.median(numbers)) if numbers else None,
        low,
        high,
        len(numbers),
    )


def _by_patient(given: Iterable[_Sum]) -> list[_Sum]:
    together: dict[str, _Sum] = {}
    for one in given:
        before = together.get(one.patient, _Sum(one.patient, 0.0, 0.0))
        together[one.patient] = _Sum(one.patient, before.sum + one.sum, before.count + one.count)
    return list(together.values())


def _of_lesions(
    scans: Sequence[ScoreRow], lesions: Sequence[LesionScore], bootstrap: Bootstrap
) -> list[SummaryRow]:
    """Sum up one model's lesions of one organ: all, by size, and by fold."""
    folds = sorted({row.fold for row in scans if row.fold is not None})
    found = _detection(scans, lesions, "all", bootstrap)
    for group, bins in GROUPS.items():
        own = [row for row in lesions if row.size_bin in bins]
        found += _detection(scans, own, group, bootstrap)
    for fold in folds:
        found += _detection(
            [row for row in scans if row.fold == fold],
            [row for row in lesions if row.fold == fold],
            f"fold {fold}",
            bootstrap,
        )
    healthy = [row for row in scans if not row.truth_mm3]
    if healthy:
        cases = {row.case for row in healthy}
        own = [row for row in lesions if row.case in cases]
        found.append(_false_positives(healthy, own, "healthy", bootstrap))
    return found


def _detection(
    scans: Sequence[ScoreRow], lesions: Sequence[LesionScore], group: str, bootstrap: Bootstrap
) -> list[SummaryRow]:
    """Return `LESION_METRICS` of a group of lesions."""
    of = scans[0]
    true = [row for row in lesions if row.status != "false_positive"]
    claimed = [row for row in lesions if row.status != "missed"]
    hit = {"found": 1.0}
    f1 = {"found": 2.0, "missed": 1.0, "false_positive": 1.0}
    paired = [(row.patient, row.dice) for row in true if row.dice is not None]
    return [
        _part(of, "lesion_sensitivity", group, true, hit, None, bootstrap),
        _part(of, "lesion_precision", group, claimed, hit, None, bootstrap),
        _part(of, "lesion_f1", group, lesions, {"found": 2.0}, f1, bootstrap),
        _false_positives(scans, lesions, group, bootstrap),
        _mean(of, "lesion_dice", group, "lesions", paired, bootstrap),
    ]


def _part(
    of: ScoreRow,
    metric: str,
    group: str,
    lesions: Sequence[LesionScore],
    counted: Mapping[str, float],
    over: Mapping[str, float] | None,
    bootstrap: Bootstrap,
) -> SummaryRow:
    """Sum up a part of a whole over lesions: what each status counts, over what it counts for."""
    weigh: Callable[[Any], float] = (lambda _: 1.0) if over is None else over.__getitem__
    sums = _by_patient(
        _Sum(row.patient, counted.get(row.status, 0.0), weigh(row.status)) for row in lesions
    )
    hits, all_of = [s.sum for s in sums], [s.count for s in sums]
    low, high = bootstrap.share(hits, all_of, f"{of.structure} {metric} {group}")
    mean = sum(hits) / sum(all_of) if lesions else None
    return SummaryRow(
        of.model, of.structure, metric, group, "lesions", mean, None, None, low, high, len(lesions)
    )


def _false_positives(
    scans: Sequence[ScoreRow], lesions: Sequence[LesionScore], group: str, bootstrap: Bootstrap
) -> SummaryRow:
    often = dict.fromkeys(((row.patient, row.case) for row in scans), 0.0)
    for row in lesions:
        if row.status == "false_positive":
            often[row.patient, row.case] += 1.0
    values = [(patient, number) for (patient, _), number in often.items()]
    return _mean(scans[0], "false_positives_per_scan", group, "scans", values, bootstrap)
