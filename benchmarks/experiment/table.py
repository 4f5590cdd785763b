"""The numbers of the experiment: means over test cases and trainings, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oncoforge.evaluation import Evaluation
from oncoforge.evaluation.bootstrap import Bootstrap, Interval

TUMOR, ORGAN = "liver_tumor", "liver"
LEAST_DICE, LEAST_RATIO = 0.45, 0.8
"""To be reached with hand-crafted tumours: tumour Dice, and its part of the reference's."""

WORDS = {
    "healthy": "healthy scans alone",
    "handcrafted": "hand-crafted tumours in them",
    "reference": "reference lesions in the same patients",
}

Floats = NDArray[np.float64]


def measure(scores: Evaluation, kinds: Sequence[str], seeds: int) -> dict[str, Any]:
    """Return the numbers as plain data.

    Parameters
    ----------
    scores
        Of models named by kind and seed, such as ``handcrafted-0``.
    kinds, seeds
        Kinds of training, and how many of each there are.
    """
    rows = [_row(scores, kind, seeds) for kind in kinds]
    found: dict[str, Any] = {
        "test_cases": len({row.case for row in scores.scores}),
        "trainings_of_each": seeds,
        "rows": rows,
    }
    if {"handcrafted", "reference"} <= set(kinds):
        ours, theirs = (
            _values(scores, kind, seeds, TUMOR, "dice").sum(axis=1)
            for kind in ("handcrafted", "reference")
        )
        interval = Bootstrap().ratio(ours, theirs, "ratio")
        found["ratio"] = {"mean": _short(ours.sum() / theirs.sum()), "interval": _both(interval)}
        found["reached"] = {
            "dice": bool(ours.mean() / seeds >= LEAST_DICE),
            "ratio": bool(ours.sum() >= LEAST_RATIO * theirs.sum()),
        }
    if "healthy" in kinds:
        none = _values(scores, "healthy", seeds, TUMOR, "dice")
        found.setdefault("reached", {})["healthy"] = bool((none == 0).all())
    return found


def _row(scores: Evaluation, kind: str, seeds: int) -> dict[str, Any]:
    """Return the numbers of one kind of training."""
    row: dict[str, Any] = {"trained_on": kind}
    for name, structure, metric in (
        ("tumor_dice", TUMOR, "dice"),
        ("tumor_nsd", TUMOR, "nsd"),
        ("liver_dice", ORGAN, "dice"),
    ):
        values = _values(scores, kind, seeds, structure, metric)
        interval = Bootstrap().ratio(values.sum(axis=1), np.full(len(values), seeds), name)
        row[name] = {
            "mean": _short(values.mean()),
            "interval": _both(interval),
            "of_trainings": [_short(mean) for mean in values.mean(axis=0)],
        }
    lesions = [one for one in scores.lesions if one.model.rpartition("-")[0] == kind]
    states = [one.status for one in lesions]
    real = len(states) - states.count("false_positive")
    row["lesions_found"] = _short(states.count("found") / real)
    scans = len({row.case for row in scores.scores}) * seeds
    row["false_positives_per_scan"] = _short(states.count("false_positive") / scans)
    return row


def _values(scores: Evaluation, kind: str, seeds: int, structure: str, metric: str) -> Floats:
    """Return values of every test case (rows) by every training of a kind (columns)."""
    found = {
        (row.case, row.model): getattr(row, metric)
        for row in scores.scores
        if row.structure == structure
    }
    cases = sorted({case for case, _ in found})
    return np.array(
        [[found[case, f"{kind}-{seed}"] for seed in range(seeds)] for case in cases], np.float64
    )


def markdown(found: dict[str, Any]) -> str:
    """Return the numbers as a table, and what they come to."""
    lines = [
        "| Trained on | Tumour Dice | of each training | Tumour NSD | Lesions found "
        "| False positives a scan | Liver Dice |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in found["rows"]:
        each = ", ".join(f"{mean:.2f}" for mean in row["tumor_dice"]["of_trainings"])
        lines.append(
            f"| {WORDS[row['trained_on']]} | {_cell(row['tumor_dice'])} | {each} "
            f"| {_cell(row['tumor_nsd'])} | {row['lesions_found']:.0%} "
            f"| {row['false_positives_per_scan']:.1f} | {_cell(row['liver_dice'])} |"
        )
    lines += ["", *_conclusions(found)]
    return "\n".join(lines) + "\n"


def _conclusions(found: dict[str, Any]) -> list[str]:
    """Say what was to be shown, and whether it was."""
    reached, lines = found.get("reached", {}), []
    words = {True: "reached", False: "not reached"}
    if "ratio" in found:
        lines += [
            f"- Tumour Dice of at least {LEAST_DICE} with hand-crafted tumours: "
            f"{words[reached['dice']]}.",
            f"- At least {LEAST_RATIO} of that with reference lesions: {words[reached['ratio']]} "
            f"({_cell(found['ratio'])}).",
        ]
    if "healthy" in reached:
        lines.append(f"- None with healthy scans alone: {words[reached['healthy']]}.")
    return lines


def _cell(number: dict[str, Any]) -> str:
    low, high = number["interval"]
    mean = f"{number['mean']:.2f}"
    return mean if low is None else f"{mean} ({low:.2f} to {high:.2f})"


def _both(interval: Interval) -> list[float | None]:
    return [None if end is None else _short(end) for end in interval]


def _short(value: float) -> float:
    return round(float(value), 4)
