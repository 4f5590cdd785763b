"""Means over what is defined, lesions by size, folds, and the fill-ins of the predecessors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from oncoforge.evaluation.bootstrap import Bootstrap
from oncoforge.evaluation.lesions import BINS, size_bin
from oncoforge.evaluation.rows import LesionScore, ScoreRow, SummaryRow
from oncoforge.evaluation.summary import GROUPS, outcomes, summarize

BOOTSTRAP = Bootstrap(200)


def _row(case: str, outcome: str = "found", value: float | None = 0.8, mm=2.0, **more) -> ScoreRow:
    if outcome in ("missed", "false_alarm"):
        value, mm = 0.0, math.inf
    if outcome == "both_empty":
        value = mm = None
    values = {
        "model": "net",
        "case": case,
        "patient": case,
        "organ": "liver",
        "structure": "liver_tumor",
        "outcome": outcome,
        "dice": value,
        "iou": value,
        "nsd": value,
        "hd95_mm": mm,
        "assd_mm": mm,
        "volume_error_mm3": 10.0,
        "volume_error_percent": 10.0 if outcome in ("found", "missed") else None,
        "truth_mm3": 100.0 * (outcome in ("found", "missed")),
        "predicted_mm3": 100.0 * (outcome in ("found", "false_alarm")),
    }
    return ScoreRow(**{**values, **more})


def _lesion(case: str, status: str, diameter: float = 15.0, dice=None, **more) -> LesionScore:
    values = {
        "model": "net",
        "case": case,
        "patient": case,
        "organ": "liver",
        "status": status,
        "note": "",
        "lesion": None if status == "false_positive" else 1,
        "predicted": None if status == "missed" else 1,
        "diameter_mm": diameter,
        "size_bin": size_bin(diameter),
        "truth_mm3": 1.0,
        "predicted_mm3": 1.0,
        "covered": 0.5,
        "iou": dice,
        "dice": dice,
        "x_mm": 0.0,
        "y_mm": 0.0,
        "z_mm": 0.0,
    }
    return LesionScore(**{**values, **more})


def _summary(scores, lesions=(), empty="defined") -> dict[tuple[str, str], SummaryRow]:
    rows = summarize(scores, lesions, (), BOOTSTRAP, empty)
    return {(row.metric, row.group): row for row in rows}


FOUR = [
    _row("a", value=0.9, mm=1.0),
    _row("b", value=0.6, mm=4.0),
    _row("c", "missed"),
    _row("d", "false_alarm"),
    _row("e", "both_empty"),
]


def test_means_are_over_what_is_defined():
    found = _summary(FOUR)
    dice = found["dice", "all"]
    assert (dice.mean, dice.n) == (pytest.approx(1.5 / 4), 4)
    assert dice.sd == pytest.approx(np.std([0.9, 0.6, 0, 0], ddof=1))
    assert dice.median == pytest.approx(0.3)
    assert dice.ci_low < dice.mean < dice.ci_high
    # Distances of those that are there, and nothing infinite.
    assert (found["hd95_mm", "all"].mean, found["hd95_mm", "all"].n) == (2.5, 2)
    assert found["volume_error_mm3", "all"].n == 5
    assert found["volume_error_percent", "all"].n == 3
    for outcome, often in (("found", 2), ("missed", 1), ("false_alarm", 1), ("both_empty", 1)):
        assert (found[outcome, "all"].mean, found[outcome, "all"].n) == (often / 5, 5)
    assert outcomes(FOUR) == {"found": 2, "missed": 1, "false_alarm": 1, "both_empty": 1}


def test_the_predecessors_fill_in():
    found = _summary(FOUR, empty="predecessors")
    assert (found["dice", "all"].mean, found["dice", "all"].n) == (pytest.approx(1.5 / 5), 5)
    assert found["hd95_mm", "all"].mean == pytest.approx((1 + 4 + 200 + 200) / 4)
    assert found["assd_mm", "all"].mean == pytest.approx((1 + 4 + 100 + 100) / 4)
    organ = [_row("a", "missed", structure="liver"), _row("b", mm=3.0, structure="liver")]
    assert _summary(organ, empty="predecessors")["hd95_mm", "all"].mean == 3  # tumours only


def test_nothing_defined_is_no_mean():
    found = _summary([_row("a", "both_empty"), _row("b", "both_empty")])
    dice = found["dice", "all"]
    assert (dice.mean, dice.sd, dice.median, dice.ci_low, dice.n) == (None, None, None, None, 0)


def test_lesions_count_by_hand():
    lesions = [
        _lesion("a", "found", 4.0, 0.5),
        _lesion("a", "found", 30.0, 0.9),
        _lesion("a", "missed", 8.0),
        _lesion("b", "missed", 19.99),
        _lesion("b", "false_positive", 12.0),
        _lesion("c", "false_positive", 60.0),
    ]
    scans = [_row(name) for name in "ab"] + [_row("c", "false_alarm"), _row("d", "both_empty")]
    found = _summary(scans, lesions)
    assert found["lesion_sensitivity", "all"].mean == 2 / 4
    assert found["lesion_precision", "all"].mean == 2 / 4
    assert found["lesion_f1", "all"].mean == pytest.approx(4 / 8)
    assert found["lesion_dice", "all"].mean == pytest.approx(0.7)
    assert found["false_positives_per_scan", "all"].mean == 2 / 4
    assert found["false_positives_per_scan", "healthy"].mean == 1 / 2
    assert found["false_positives_per_scan", "healthy"].n == 2
    sensitivity = {group: found["lesion_sensitivity", group] for group in GROUPS}
    assert {group: row.mean for group, row in sensitivity.items()} == {
        "<5 mm": 1,
        "5-10 mm": 0,
        "10-20 mm": 0,
        "20-50 mm": 1,
        ">=50 mm": None,
        "<20 mm": pytest.approx(1 / 3),
    }
    assert sensitivity["<20 mm"].n == 3
    assert found["lesion_precision", "10-20 mm"].mean == 0
    assert found["false_positives_per_scan", ">=50 mm"].mean == 1 / 4
    assert sum(found["lesion_sensitivity", name].n for name in BINS) == 4


def test_folds_are_told_one_by_one_and_as_one_set():
    scores = [_row(f"c{n}", value=0.1 * n, fold=n % 2) for n in range(8)]
    lesions = [_lesion(f"c{n}", "found" if n else "missed", 15.0, fold=n % 2) for n in range(8)]
    found = _summary(scores, lesions)
    assert found["dice", "all"].mean == pytest.approx(0.35)
    assert found["dice", "fold 0"].mean == pytest.approx(0.3)
    assert found["dice", "fold 1"].mean == pytest.approx(0.4)
    assert found["dice", "fold 1"].n == 4
    assert found["lesion_sensitivity", "fold 0"].mean == 3 / 4
    assert found["lesion_sensitivity", "fold 1"].mean == 1


def test_organs_have_no_lesions_of_their_own():
    found = _summary([_row("a", structure="liver"), _row("b", structure="liver")])
    assert not any(metric.startswith("lesion") for metric, _ in found)
