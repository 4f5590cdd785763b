"""The report of an evaluation: the table that papers print, a sheet per organ, comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from oncoforge.reports.evaluation_sheet import draw
from oncoforge.reports.evaluation_view import EvaluationView, OrganView
from oncoforge.reports.page import fill
from oncoforge.reports.wording import DASH, count, number

if TYPE_CHECKING:
    from oncoforge.evaluation.rows import ComparisonRow, SummaryRow

_MOST_SHEETS = 12

# Metric, words, factor, decimals, unit.
_Measure = tuple[str, str, float, int]
_MASKS: Final[tuple[_Measure, ...]] = (
    ("dice", "Dice (%)", 100, 1),
    ("iou", "IoU (%)", 100, 1),
    ("nsd", "NSD (%)", 100, 1),
    ("hd95_mm", "HD95 (mm)", 1, 1),
    ("assd_mm", "ASSD (mm)", 1, 2),
    ("volume_error_percent", "Volume error (%)", 1, 1),
)
_LESIONS: Final[tuple[_Measure, ...]] = (
    ("lesion_sensitivity", "Lesions found (%)", 100, 1),
    ("lesion_precision", "Lesion precision (%)", 100, 1),
    ("lesion_f1", "Lesion F1 (%)", 100, 1),
    ("false_positives_per_scan", "False positives per scan", 1, 2),
    ("lesion_dice", "Dice of found lesions (%)", 100, 1),
)
_PATIENTS: Final[tuple[_Measure, ...]] = (
    ("patient_sensitivity", "Ill patients found (%)", 100, 1),
    ("patient_specificity", "Healthy patients left alone (%)", 100, 1),
    ("patient_auc", "Area under the curve", 1, 3),
)
_NAMES: Final[Mapping[str, str]] = {
    "dice": "Dice (points)",
    "nsd": "NSD (points)",
    "hd95_mm": "HD95 (mm)",
    "assd_mm": "ASSD (mm)",
    "lesion_sensitivity": "lesions found (points)",
    "lesion_sensitivity <20 mm": "lesions < 20 mm found (points)",
    "patient_sensitivity": "ill patients found (points)",
    "patient_specificity": "healthy patients left alone (points)",
}


def render(view: EvaluationView) -> tuple[str, bytes]:
    """Write the report of an evaluation; the same view gives the same bytes.

    Returns
    -------
    html
        A page that needs no other file.
    png
        The sheet of the organ with the most true lesions.
    """
    organs = [_organ(one, drawn=n < _MOST_SHEETS) for n, one in enumerate(view.organs)]
    content = {
        "title": "Predictions against the truth",
        "lead": _lead(view),
        "heads": view.heads,
        "table": view.table,
        "note": view.note,
        "organs": organs,
        "comparisons": [_comparison(row) for row in view.comparisons],
        "tests": len(view.comparisons),
        "failures": view.failures,
        "remarks": view.remarks,
        "facts": tuple(view.facts.items()),
    }
    return fill("evaluation.html.j2", content), organs[0]["png"]


def _organ(view: OrganView, drawn: bool) -> dict[str, Any]:
    title = view.name.replace("_", " ").capitalize()
    caption = _caption(view)
    return {
        "title": title,
        "words": caption,
        "png": draw(view, title, caption) if drawn else None,
        "alt": f"{title}: {caption} Plots of agreement, lesions and volumes, and the worst cases.",
        "models": view.models,
        "blocks": [
            block
            for block in (
                _block(view, "Organ", view.name, _MASKS, "cases"),
                _block(view, "Tumours", view.tumor, _MASKS, "cases"),
                _block(view, "Lesions", view.tumor, _LESIONS, ""),
                _block(view, "Patients", view.tumor, _PATIENTS, "patients"),
            )
            if block["rows"]
        ],
        "outcomes": _outcomes(view),
        "notes": _lesion_notes(view),
    }


def _block(
    view: OrganView, title: str, structure: str, measures: Sequence[_Measure], unit: str
) -> dict[str, Any]:
    """Return the rows of one table: a measure each, with a cell for every model."""
    rows = []
    for metric, name, factor, digits in measures:
        found = [view.number(metric, model, structure) for model in view.models]
        if any(one is not None and one.mean is not None for one in found):
            rows.append({"name": name, "cells": [_cell(one, factor, digits) for one in found]})
    return {"title": title, "rows": rows, "unit": unit}


def _cell(row: SummaryRow | None, factor: float, digits: int) -> dict[str, str]:
    if row is None or row.mean is None:
        return {"mean": DASH, "interval": "", "n": ""}
    interval = ""
    if row.ci_low is not None and row.ci_high is not None:
        low, high = (number(factor * end, digits) for end in (row.ci_low, row.ci_high))
        interval = f"{low} to {high}"
    return {"mean": number(factor * row.mean, digits), "interval": interval, "n": str(row.n)}


def _outcomes(view: OrganView) -> list[str]:
    """Say for each model and structure in how many cases it was found, missed, made up."""
    said = []
    for structure, what in ((view.name, "organ"), (view.tumor, "tumours")):
        for model in view.models:
            rows = view.of(structure, model)
            often = {
                name: sum(row.outcome == name for row in rows)
                for name in ("found", "missed", "false_alarm", "both_empty")
            }
            if rows:
                said.append(
                    f"{model}, {what}: found in {often['found']} of {count(len(rows), 'case')}, "
                    f"missed in {often['missed']}, false alarm in {often['false_alarm']}, rightly "
                    f"none in {often['both_empty']}."
                )
    return said


def _lesion_notes(view: OrganView) -> list[str]:
    """Say how many lesions were merged or split."""
    said = []
    for model in view.models:
        own = [row for row in view.lesions if row.model == model]
        notes = {
            note: sum(row.note == note for row in own) for note in ("merged", "split", "fragment")
        }
        if any(notes.values()):
            said.append(
                f"{model}: {count(notes['merged'], 'missed lesion')} merged with a found one; "
                f"{count(notes['split'], 'found lesion')} split, "
                f"{count(notes['fragment'], 'false positive')} a fragment of a true lesion."
            )
    return said


def _comparison(row: ComparisonRow) -> dict[str, str]:
    factor, digits = (1.0, 2) if row.metric.endswith("_mm") else (100.0, 1)
    structure = row.structure.replace("_tumor", " tumour").replace("_", " ")
    interval = ""
    if row.ci_low is not None and row.ci_high is not None:
        low, high = (_signed(factor * end, digits) for end in (row.ci_low, row.ci_high))
        interval = f"{low} to {high}"
    return {
        "models": f"{row.model} − {row.versus}",
        "what": f"{structure}, {_NAMES.get(row.metric, row.metric)}",
        "difference": DASH if row.difference is None else _signed(factor * row.difference, digits),
        "interval": interval,
        "counts": f"{row.better} / {row.worse}",
        "n": f"{row.n} {row.unit}",
        "p": _p(row.p),
        "p_holm": _p(row.p_holm),
        "p_permutation": _p(row.p_permutation),
    }


def _signed(value: float, digits: int) -> str:
    text = number(value, digits)
    return f"+{text}" if value > 0 and float(text.replace(",", "")) > 0 else text


def _p(value: float | None) -> str:
    if value is None:
        return DASH
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _lead(view: EvaluationView) -> str:
    models = count(len(view.models), "model")
    text = f"{models} on {count(view.cases, 'case')}."
    if view.failures:
        text += f" {count(len(view.failures), 'prediction')} could not be scored; see below."
    return text[0].upper() + text[1:]


def _caption(view: OrganView) -> str:
    """Say the numbers of the first model that matter most."""
    model = view.models[0]
    said = []
    for structure, what in ((view.name, "organ"), (view.tumor, "tumour")):
        dice = view.number("dice", model, structure)
        if dice is not None and dice.mean is not None:
            said.append(f"{what} Dice {_with_interval(dice)}, n = {dice.n}")
    found = view.number("lesion_sensitivity", model)
    false = view.number("false_positives_per_scan", model)
    if found is not None and found.mean is not None:
        said.append(f"{round(found.mean * found.n)} of {count(found.n, 'lesion')} found")
    if false is not None and false.mean is not None:
        said.append(f"{number(false.mean, 2)} false positives per scan")
    return f"{model}: {'; '.join(said)}." if said else f"{model}: nothing to score."


def _with_interval(row: SummaryRow) -> str:
    mean = number(100 * (row.mean or 0.0), 1)
    if row.ci_low is None or row.ci_high is None:
        return f"{mean} %"
    return f"{mean} % ({number(100 * row.ci_low, 1)} to {number(100 * row.ci_high, 1)})"
