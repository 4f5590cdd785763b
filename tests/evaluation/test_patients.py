"""Patients, ill and healthy: by hand, and the area under the curve as scikit-learn has it."""

from __future__ import annotations

import dataclasses

import pytest
from sklearn.metrics import roc_auc_score

from oncoforge.evaluation.bootstrap import Bootstrap
from oncoforge.evaluation.patients import patient_rows, ranking_remarks, summarize_patients
from oncoforge.evaluation.rows import ScoreRow


def _scan(case: str, truth: float, predicted: float, patient: str = "", organ="liver") -> ScoreRow:
    return ScoreRow(
        "net", case, patient or case, organ, f"{organ}_tumor", "found",
        None, None, None, None, None, predicted - truth, None, truth, predicted,
    )  # fmt: skip


SCANS = [
    _scan("a", 500, 300),
    _scan("b", 200, 0),
    _scan("c", 900, 40),
    _scan("d", 0, 0),
    _scan("e", 0, 60),
    _scan("f", 0, 0),
]


def _numbers(rows) -> dict[str, float | None]:
    return {row.metric: row.mean for row in summarize_patients(rows, Bootstrap(100))}


def test_ill_and_healthy_are_counted_by_hand():
    found = _numbers(patient_rows(SCANS))
    assert found["patient_sensitivity"] == pytest.approx(2 / 3)
    assert found["patient_specificity"] == pytest.approx(2 / 3)
    assert found["patient_accuracy"] == pytest.approx(4 / 6)
    # Of nine pairs of an ill and a healthy one: a is above all three, b ties two and is below e,
    # c is above two and below e.
    assert found["patient_auc"] == pytest.approx((3 + 2 * 0.5 + 2) / 9)
    scores = [row.predicted_mm3 for row in SCANS]
    assert found["patient_auc"] == pytest.approx(roc_auc_score([1, 1, 1, 0, 0, 0], scores))


def test_a_little_tumour_need_not_count():
    found = _numbers(patient_rows(SCANS, positive_mm3=60))
    assert found["patient_sensitivity"] == pytest.approx(1 / 3)
    assert found["patient_specificity"] == 1


def test_one_kind_of_patients_alone_has_no_area():
    ill = summarize_patients(patient_rows(SCANS[:3]), Bootstrap(100))
    assert {row.metric: (row.mean, row.n) for row in ill} == {
        "patient_sensitivity": (pytest.approx(2 / 3), 3),
        "patient_specificity": (None, 0),
        "patient_accuracy": (pytest.approx(2 / 3), 3),
        "patient_auc": (None, 3),
    }
    healthy = _numbers(patient_rows(SCANS[3:]))
    assert healthy["patient_sensitivity"] is healthy["patient_auc"] is None
    assert healthy["patient_specificity"] == pytest.approx(2 / 3)


def test_scans_of_one_patient_are_judged_together():
    scans = [_scan("a1", 0, 70, "a"), _scan("a2", 300, 0, "a"), _scan("b1", 0, 5, "b")]
    a, b = patient_rows(scans)
    assert (a.cases, a.truth, a.predicted, a.score) == (2, True, True, 70)
    assert (b.cases, b.truth, b.predicted, b.score) == (1, False, True, 5)


def test_probabilities_rank_if_they_are_there():
    likely = {
        ("net", case, "liver"): p
        for case, p in zip("abcdef", (0.9, 0.8, 0.7, 0.2, 0.1, 0.3), strict=True)
    }
    rows = patient_rows(SCANS, likely=likely)
    assert [row.score for row in rows] == [0.9, 0.8, 0.7, 0.2, 0.1, 0.3]
    found = _numbers(rows)
    assert found["patient_auc"] == 1
    assert found["patient_sensitivity"] == pytest.approx(2 / 3)  # still by volume


def test_organs_are_apart_and_organs_themselves_are_no_tumours():
    organ = ScoreRow(
        "net", "a", "a", "liver", "liver", "found",
        1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 9.0, 9.0,
    )  # fmt: skip
    rows = patient_rows([organ, _scan("a", 5, 5), _scan("a", 0, 0, organ="kidney")])
    assert [(row.organ, row.truth) for row in rows] == [("liver", True), ("kidney", False)]


def test_ties_at_the_top_and_rankings_of_two_kinds_are_told():
    def remarks(*most: float, scans=SCANS) -> list[str]:
        likely = {("net", case, "liver"): p for case, p in zip("abcdef", most, strict=True)}
        return ranking_remarks(patient_rows(scans, likely=likely), likely)

    assert remarks(0.9, 0.8, 0.7, 0.2, 0.1, 0.1) == []
    (tie,) = remarks(1, 1, 0.7, 0.2, 1, 0.1)
    assert tie.startswith("3 of 6 patients tie at the highest probability of a liver tumour by net")
    both = [*SCANS, *(dataclasses.replace(row, model="swin") for row in SCANS)]
    (mixed,) = remarks(0.9, 0.8, 0.7, 0.2, 0.1, 0.3, scans=both)
    assert "by probability for net and by predicted volume for swin" in mixed
    assert ranking_remarks(patient_rows(both), {}) == []
    # Of ill patients alone there is no curve, and nothing to warn of.
    likely = dict.fromkeys((("net", case, "liver") for case in "abc"), 1.0)
    assert ranking_remarks(patient_rows(SCANS[:3], likely=likely), likely) == []
