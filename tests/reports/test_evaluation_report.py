"""The report of an evaluation: what it says, and that any set of rows can be drawn."""

from __future__ import annotations

import dataclasses
import io
import math

import numpy as np
import pytest
from PIL import Image

from oncoforge.evaluation.bootstrap import Bootstrap
from oncoforge.evaluation.describe import facts
from oncoforge.evaluation.patients import patient_rows
from oncoforge.evaluation.report import render
from oncoforge.evaluation.results import Evaluation
from oncoforge.evaluation.rows import LesionScore, ScoreRow
from oncoforge.evaluation.summary import summarize
from oncoforge.evaluation.versus import compare
from oncoforge.reports.evaluation_sheet import draw
from oncoforge.reports.evaluation_view import OrganView, WorstView
from oncoforge.reports.planes import AXIAL, Section

BOOTSTRAP = Bootstrap(50)
SETTINGS = {"convention": "lits", "pred_convention": "lits", "cases": 3, "draws": 50, "seed": 0}


def _score(model: str, case: str, outcome: str, dice: float | None, tumor=True, **more) -> ScoreRow:
    distance = {"found": 3.0, "both_empty": None}.get(outcome, math.inf)
    truth = 4000.0 * (outcome in ("found", "missed"))
    own = 3000.0 * (outcome in ("found", "false_alarm"))
    row = ScoreRow(
        model, case, case, "liver", "liver_tumor" if tumor else "liver", outcome,
        dice, dice, dice, distance, distance, own - truth, None, truth, own,
    )  # fmt: skip
    return dataclasses.replace(row, **more)


def _lesion(model: str, case: str, status: str, diameter: float, note: str = "") -> LesionScore:
    dice = 0.7 if status == "found" else None
    size = "<5 mm" if diameter < 5 else "10-20 mm" if diameter < 20 else ">=50 mm"
    return LesionScore(
        model, case, case, "liver", status, note, 1, 1, diameter, size, 4000.0, 3000.0, 0.6,
        dice, dice, 1.0, 2.0, 3.0,
    )  # fmt: skip


def _found(scores, lesions=(), **more) -> Evaluation:
    patients = patient_rows(scores)
    return Evaluation(
        tuple(scores),
        tuple(lesions),
        tuple(patients),
        tuple(summarize(scores, lesions, patients, BOOTSTRAP)),
        tuple(compare(scores, lesions, patients, BOOTSTRAP)),
        settings=SETTINGS,
        **more,
    )


def _cases(*models: str, cases: int = 3) -> list[ScoreRow]:
    rng = np.random.default_rng(0)
    outcomes = ("found", "missed", "false_alarm", "both_empty", "found")
    rows = []
    for n in range(cases):
        for model in models:
            rows.append(_score(model, f"c{n}", "found", 0.9 + 0.1 * rng.random(), tumor=False))
            outcome = outcomes[n % 5]
            dice = {"found": rng.random(), "both_empty": None}.get(outcome, 0.0)
            rows.append(_score(model, f"c{n}", outcome, dice))
    return rows


def _pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"), float)


EVALUATIONS = {
    "one case": ([_score("net", "a", "found", 0.8)], [_lesion("net", "a", "found", 12)]),
    "perfect": ([_score("net", c, "found", 1.0) for c in "abc"], []),
    "missed": ([_score("net", "a", "missed", 0.0)], [_lesion("net", "a", "missed", 3)]),
    "false alarm": (
        [_score("net", "a", "false_alarm", 0.0)],
        [_lesion("net", "a", "false_positive", 60)],
    ),
    "nothing": ([_score("net", "a", "both_empty", None)], []),
    "organ only": ([_score("net", "a", "found", 0.9, tumor=False)], []),
    "eight models": (_cases(*(f"a model of number {n}" for n in range(8)), cases=6), []),
}


@pytest.mark.parametrize("name", EVALUATIONS)
def test_any_set_of_rows_is_drawn(name):
    html, png = render(_found(*EVALUATIONS[name]))
    assert html.count("<img") == 1
    assert _pixels(png).shape[1] == 1560
    assert _pixels(png).std() > 5


def test_same_rows_same_bytes():
    found = _found(_cases("one", "two"), [_lesion("one", "c0", "found", 12)])
    assert render(found) == render(found)


def test_the_page_says_numbers_intervals_and_n():
    lesions = [
        _lesion("one", "c0", "found", 12, "split"),
        _lesion("one", "c0", "false_positive", 3, "fragment"),
        _lesion("one", "c1", "missed", 60, "merged"),
        _lesion("two", "c0", "missed", 12),
        _lesion("two", "c1", "found", 60),
    ]
    found = _found(
        _cases("one", "two", cases=8),
        lesions,
        failures=("a<b>.nii.gz is cut short.",),
        remarks=("Rows & columns.",),
    )
    html, _ = render(found, note=found.note())
    assert "2 models on 8 cases. 1 prediction could not be scored; see below." in html
    dice = found.number("dice", "liver_tumor", "two")
    assert f"<td>{100 * dice.mean:.1f}</td>" in html
    assert f"{100 * dice.ci_low:.1f} to {100 * dice.ci_high:.1f}" in html
    assert "one − two" in html
    assert "liver tumour, Dice (points)" in html
    assert "<td>7 cases</td>" in html  # of eight, one has no tumour in either mask
    assert "2 lesions" in html
    assert "within 2 mm of each other" in html
    assert (
        "one: 1 missed lesion merged with a found one; 1 found lesion split, 1 false positive a "
        "fragment of a true lesion." in html
    )
    assert (
        "one, tumours: found in 3 of 8 cases, missed in 2, false alarm in 2, rightly none in 1."
        in html
    )
    assert "a&lt;b&gt;.nii.gz is cut short." in html
    assert "Rows &amp; columns." in html
    assert "<b>" not in html


def test_the_organ_with_most_lesions_comes_first():
    kidney = [
        dataclasses.replace(row, organ="kidney", structure=row.structure.replace("liver", "kidney"))
        for row in _cases("net")
    ]
    lesions = [
        _lesion("net", "c0", "found", 12),
        *(
            dataclasses.replace(_lesion("net", f"c{n}", "missed", 12), organ="kidney")
            for n in range(2)
        ),
    ]
    html, png = render(_found([*_cases("net"), *kidney], lesions))
    assert html.count("<img") == 2
    assert html.index("<h2>Kidney</h2>") < html.index("<h2>Liver</h2>")
    assert png == render(_found(kidney, lesions[1:]))[1]


def _worst(window=None) -> WorstView:
    shape = (60, 50)
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    truth, own = np.zeros(shape, bool), np.zeros(shape, np.uint16)
    truth[10:30, 10:30], own[20:40, 15:35] = True, 1
    section = Section.of(AXIAL, (1, 1, 3), after=image, before=image, organ=truth, instances=own)
    return WorstView("case $1$", "Dice 30 %", section, window)


def test_a_slice_without_either_mask_is_pictured_whole():
    one = _worst()
    organ, parts = np.zeros_like(one.section.organ), np.zeros_like(one.section.instances)
    section = dataclasses.replace(one.section, organ=organ, instances=parts)
    scores, bare = _cases("net"), dataclasses.replace(one, section=section)
    view = OrganView("liver", ["net"], scores, [], _found(scores).summary, [bare])
    assert draw(view, "Liver", "Words").startswith(b"\x89PNG")


@pytest.mark.parametrize("window", [None, (0.0, 1.0)])
def test_the_worst_cases_are_pictured(window):
    scores = _cases("net")
    view = OrganView("liver", ["net"], scores, [], _found(scores).summary, [_worst(window)] * 2)
    with_pictures = Image.open(io.BytesIO(draw(view, "Liver", "Words"))).convert("RGB")
    without = Image.open(
        io.BytesIO(draw(dataclasses.replace(view, worst=()), "Liver", "Words"))
    ).convert("RGB")
    assert with_pictures.height > without.height + 250
    row = np.asarray(with_pictures, int)[without.height :]
    orange = (np.abs(row - (255, 176, 0)).sum(axis=2) < 60).sum()
    blue = ((row[..., 2] > row[..., 0] + 50) & (row[..., 2] > 120)).sum()
    assert min(orange, blue) > 200


def test_facts_name_every_definition():
    said = facts({**SETTINGS, "positive_mm3": 50.0, "fold": 2, "matching": "predecessors"})
    assert said["NSD"] == "surfel, part of the surfaces' area within 2 mm of each other"
    assert "more than 10 %" in said["Lesions"]
    assert said["Intervals"] == "95 %, bootstrap (BCa) of patients, 50 draws, seed 0"
    assert said["Ill as predicted"] == "more than 50 mm³ in one scan"
    assert said["Fold"] == "2"
