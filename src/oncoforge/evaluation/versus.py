"""Whether one model is better than another on the same patients, or it may be chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import scipy
from numpy.typing import NDArray

from oncoforge.evaluation.bootstrap import Bootstrap
from oncoforge.evaluation.rows import ComparisonRow, LesionScore, PatientRow, ScoreRow
from oncoforge.evaluation.summary import GROUPS, value

COMPARED: Final[Mapping[str, int]] = {"dice": 1, "nsd": 1, "hd95_mm": -1, "assd_mm": -1}
"""Metrics that are compared, and whether more of them is better (1) or worse (-1)."""

_PERMUTATIONS = 9999

Floats = NDArray[np.float64]


def compare(
    scores: Sequence[ScoreRow],
    lesions: Sequence[LesionScore],
    patients: Sequence[PatientRow],
    bootstrap: Bootstrap,
    empty: str = "defined",
) -> list[ComparisonRow]:
    """Compare the first model with each of the others.

    Masks are compared by the mean difference over the cases that both models have a value of,
    Wilcoxon's signed ranks and swaps of the models; a patient with several scans is one pair, of
    means. Lesions and patients that are found or not are compared by McNemar's exact test.

    Parameters
    ----------
    scores, lesions, patients
        The rows of all models.
    bootstrap
        For the intervals, and the seed of the permutations.
    empty
        As for `summary.value`.

    Returns
    -------
    list of ComparisonRow
        With p-values after Holm's correction over all of them (Holm, Scand J Stat 1979;6:65).
    """
    models = list(dict.fromkeys(row.model for row in scores))
    found: list[ComparisonRow] = []
    for other in models[1:]:
        for structure in dict.fromkeys(row.structure for row in scores):
            own = [row for row in scores if row.structure == structure]
            two = _Two(models[0], other, structure, bootstrap)
            found += [_of_cases(own, two, metric, empty) for metric in COMPARED]
            if own[0].structure != own[0].organ:
                found += _of_tumors(own[0].organ, lesions, patients, two)
    return _corrected([row for row in found if row.n])


@dataclass(frozen=True)
class _Two:
    """Two models and the structure that they are compared on."""

    model: str
    versus: str
    structure: str
    bootstrap: Bootstrap


def _of_cases(rows: Sequence[ScoreRow], two: _Two, metric: str, empty: str) -> ComparisonRow:
    """Compare the values of one metric."""
    by_model: dict[str, dict[str, float]] = {two.model: {}, two.versus: {}}
    patients: dict[str, str] = {}
    for row in rows:
        number = value(row, metric, empty)
        if row.model in by_model and number is not None:
            by_model[row.model][row.case] = number
            patients[row.case] = row.patient
    ours, theirs = by_model[two.model], by_model[two.versus]
    cases = [case for case in ours if case in theirs]
    apart: dict[str, list[float]] = {}
    for case in cases:
        apart.setdefault(patients[case], []).append(ours[case] - theirs[case])
    name = f"{two.structure} {metric}"
    low, high = two.bootstrap.ratio(
        [sum(v) for v in apart.values()], [len(v) for v in apart.values()], f"{name} difference"
    )
    means = np.array([np.mean(v) for v in apart.values()])
    good = COMPARED[metric] * np.array([ours[case] - theirs[case] for case in cases])
    return ComparisonRow(
        two.model,
        two.versus,
        two.structure,
        metric,
        "cases",
        len(cases),
        _mean([ours[case] for case in cases]),
        _mean([theirs[case] for case in cases]),
        _mean([ours[case] - theirs[case] for case in cases]),
        low,
        high,
        int(np.count_nonzero(good > 0)),
        int(np.count_nonzero(good < 0)),
        "wilcoxon",
        signed_ranks(means),
        p_permutation=swaps(means, two.bootstrap.generator(f"{name} permutations")),
    )


def _of_tumors(
    organ: str, lesions: Sequence[LesionScore], patients: Sequence[PatientRow], two: _Two
) -> list[ComparisonRow]:
    """Compare which lesions and which patients each model finds."""
    true = [row for row in lesions if row.organ == organ and row.status != "false_positive"]
    own = [row for row in patients if row.organ == organ]
    found = [
        _of_hits(two, "lesion_sensitivity", "lesions", true, _which_lesion, _was_found),
        _of_hits(
            two,
            "lesion_sensitivity <20 mm",
            "lesions",
            [row for row in true if row.size_bin in GROUPS["<20 mm"]],
            _which_lesion,
            _was_found,
        ),
    ]
    for metric, ill in (("patient_sensitivity", True), ("patient_specificity", False)):
        some = [row for row in own if row.truth == ill]
        found.append(_of_hits(two, metric, "patients", some, _which_patient, _is_right))
    return found


def _of_hits(
    two: _Two,
    metric: str,
    unit: str,
    rows: Sequence[Any],
    which: Callable[[Any], Any],
    hit: Callable[[Any], bool],
) -> ComparisonRow:
    """Compare what is found or not."""
    by_model: dict[str, dict[Any, bool]] = {two.model: {}, two.versus: {}}
    patients = {}
    for row in rows:
        if row.model in by_model:
            by_model[row.model][which(row)] = hit(row)
            patients[which(row)] = row.patient
    ours, theirs = by_model[two.model], by_model[two.versus]
    both = [(ours[key], theirs[key], patients[key]) for key in ours if key in theirs]
    better = sum(a and not b for a, b, _ in both)
    worse = sum(b and not a for a, b, _ in both)
    sums: dict[str, list[int]] = {}
    for a, b, patient in both:
        sums.setdefault(patient, []).append(int(a) - int(b))
    low, high = two.bootstrap.ratio(
        [sum(v) for v in sums.values()],
        [len(v) for v in sums.values()],
        f"{two.structure} {metric} difference",
    )
    return ComparisonRow(
        two.model,
        two.versus,
        two.structure,
        metric,
        unit,
        len(both),
        _mean([a for a, _, _ in both]),
        _mean([b for _, b, _ in both]),
        _mean([int(a) - int(b) for a, b, _ in both]),
        low,
        high,
        better,
        worse,
        "mcnemar",
        mcnemar(better, worse),
    )


def signed_ranks(differences: Floats) -> float | None:
    """Return Wilcoxon's two-sided p of paired differences; 1 if all are 0, None if there are none.

    Exact for up to 50 without zeros and ties, else by the normal approximation; zeros are left
    out (Wilcoxon, Biom Bull 1945;1:80).
    """
    if not len(differences):
        return None
    if not differences.any():
        return 1.0
    return float(scipy.stats.wilcoxon(differences).pvalue)


def swaps(differences: Floats, rng: np.random.Generator) -> float | None:
    """Return the two-sided p of a mean difference, by changing signs at random.

    All ways are gone through where there are at most 9999, for up to 13 pairs.
    """
    if not len(differences):
        return None
    if not differences.any():
        return 1.0
    if len(differences) == 1:  # SciPy wants two; either sign is as far from 0
        return 1.0
    found = scipy.stats.permutation_test(
        (differences, np.zeros(len(differences))),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=_PERMUTATIONS,
        random_state=rng,
    )
    return float(found.pvalue)


def mcnemar(better: int, worse: int) -> float:
    """Return McNemar's exact two-sided p from the numbers that only one of two found."""
    if not better + worse:
        return 1.0
    return float(scipy.stats.binomtest(better, better + worse).pvalue)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values after Holm's correction; None is no test and stays."""
    tested = [n for n, p in enumerate(p_values) if p is not None]
    order = sorted(tested, key=lambda n: p_values[n] or 0.0)
    corrected: list[float | None] = [None] * len(p_values)
    least = 0.0
    for rank, n in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * (p_values[n] or 0.0)))
        corrected[n] = least
    return corrected


def _corrected(rows: Sequence[ComparisonRow]) -> list[ComparisonRow]:
    plain = holm([row.p for row in rows])
    swapped = holm([row.p_permutation for row in rows])
    return [
        replace(row, p_holm=p, p_permutation_holm=q)
        for row, p, q in zip(rows, plain, swapped, strict=True)
    ]


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _which_lesion(row: LesionScore) -> tuple[str, int | None]:
    return row.case, row.lesion


def _was_found(row: LesionScore) -> bool:
    return row.status == "found"


def _which_patient(row: PatientRow) -> str:
    return row.patient


def _is_right(row: PatientRow) -> bool:
    return row.predicted == row.truth
