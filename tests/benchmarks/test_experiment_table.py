"""The numbers of ``make experiment-smoke``, and what its page says of them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from oncoforge.evaluation import Evaluation
from oncoforge.evaluation.rows import LesionScore, ScoreRow

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "benchmarks" / "results" / "experiment_smoke.json"
KINDS = ("healthy", "handcrafted", "reference")


@pytest.fixture(scope="module")
def table() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks" / "experiment"))
        yield importlib.import_module("table")


def _score(model: str, case: str, structure: str, value: float) -> ScoreRow:
    return ScoreRow(
        model, case, case, "liver", structure, "found", value, value, value,
        1.0, 1.0, 0.0, 0.0, 1.0, 1.0,
    )  # fmt: skip


def _lesion(model: str, case: str, status: str) -> LesionScore:
    return LesionScore(
        model, case, case, "liver", status, "", 1, 1, 15.0, "10-20 mm", 1.0, 1.0,
        0.5, 0.5, 0.5, 0.0, 0.0, 0.0,
    )  # fmt: skip


def _scores(dice: dict[str, float], seeds: int = 2, cases: int = 6) -> Evaluation:
    """Scores whose mean is as given, and which differ from case to case."""
    rng = np.random.default_rng(0)
    shift = rng.uniform(-0.05, 0.05, cases)
    shift -= shift.mean()
    rows, lesions = [], []
    for kind, mean in dice.items():
        for seed in range(seeds):
            for case in range(cases):
                model, name = f"{kind}-{seed}", f"p{case}"
                value = mean + shift[case] if mean else 0.0
                rows.append(_score(model, name, "liver_tumor", value))
                rows.append(_score(model, name, "liver", 0.9))
                lesions.append(_lesion(model, name, "found" if mean else "missed"))
            lesions.append(_lesion(model, "p0", "false_positive"))
    return Evaluation(tuple(rows), tuple(lesions), (), ())


def test_means_intervals_and_ratio(table: ModuleType) -> None:
    scores = _scores({"healthy": 0.0, "handcrafted": 0.5, "reference": 0.625})
    found = table.measure(scores, KINDS, 2)
    healthy, ours, theirs = found["rows"]
    assert ours["tumor_dice"]["mean"] == pytest.approx(0.5)
    assert ours["tumor_dice"]["of_trainings"] == pytest.approx([0.5, 0.5])
    low, high = ours["tumor_dice"]["interval"]
    assert 0.45 < low < 0.5 < high < 0.55
    assert found["ratio"]["mean"] == pytest.approx(0.8)
    assert (ours["lesions_found"], healthy["lesions_found"]) == (1.0, 0.0)
    assert theirs["false_positives_per_scan"] == pytest.approx(1 / 6, abs=1e-4)
    assert found["reached"] == {"dice": True, "ratio": True, "healthy": True}


@pytest.mark.parametrize(
    ("dice", "missed"),
    [
        ({"healthy": 0.0, "handcrafted": 0.44, "reference": 0.5}, "dice"),
        ({"healthy": 0.0, "handcrafted": 0.5, "reference": 0.64}, "ratio"),
        ({"healthy": 0.01, "handcrafted": 0.5, "reference": 0.5}, "healthy"),
    ],
)
def test_what_is_not_reached_is_said(
    table: ModuleType, dice: dict[str, float], missed: str
) -> None:
    found = table.measure(_scores(dice), KINDS, 2)
    assert [name for name, reached in found["reached"].items() if not reached] == [missed]
    assert table.markdown(found).count("not reached") == 1


def test_the_kept_result_reaches_what_was_asked() -> None:
    found = json.loads(RESULT.read_text("utf-8"))
    assert found["reached"] == {"dice": True, "ratio": True, "healthy": True}
    assert found["trainings_of_each"] >= 3
    assert found["test_cases"] == 8
    assert found["seconds"]["all"] < 25 * 60


def test_the_page_shows_the_kept_result(table: ModuleType) -> None:
    page = (ROOT / "docs" / "explanation" / "smoke-experiment.md").read_text("utf-8")
    rows = table.markdown(json.loads(RESULT.read_text("utf-8"))).splitlines()
    assert [row for row in rows if row.startswith("|") and row not in page] == []
