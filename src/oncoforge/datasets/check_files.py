"""The files of a check: JSON for machines, CSV for spreadsheets, HTML for people."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Final

from oncoforge.datasets.check import Checked
from oncoforge.datasets.findings import KINDS, SEVERITIES
from oncoforge.reports.check import CaseTile, CheckView, FindingRow, render
from oncoforge.staging import staging
from oncoforge.version import __version__

FILES: Final = ("check.json", "check.csv", "check.html")
"""What a check may write."""


def write_check(
    checked: Checked, out: Path, options: dict[str, str], overwrite: bool = False
) -> None:
    """Write the files of a check into a folder, all of them or none.

    Parameters
    ----------
    checked
        What was found.
    out
        The folder; made if it does not exist.
    options
        How it was checked, for the page: name to words.
    overwrite
        Replace the files of an earlier check.

    Raises
    ------
    OutputError
        If they are there already, or cannot be written.
    """
    document = json.dumps(checked.as_json(), indent=2, ensure_ascii=False) + "\n"
    texts = (document, _table(checked), render(_view(checked, options)))
    with staging(out, FILES, overwrite) as folder:
        for name, text in zip(FILES, texts, strict=True):
            (folder / name).write_text(text, "utf-8", newline="\n")


def _table(checked: Checked) -> str:
    """One row for each finding."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("severity", "kind", "part", "case", "sentence"))
    for found in checked.findings:
        writer.writerow((found.severity, found.kind, found.part, found.case, found.sentence))
    return text.getvalue()


def _view(checked: Checked, options: dict[str, str]) -> CheckView:
    cases = checked.cases
    rows = [
        FindingRow(found.severity, KINDS[found.kind].title, found.part, found.case, found.sentence)
        for found in checked.findings
    ]
    worst: dict[tuple[str, str], str] = {}
    for found in checked.findings:
        before = worst.get((found.part, found.case), found.severity)
        worst[found.part, found.case] = min(before, found.severity, key=SEVERITIES.index)
    worst |= {(p.part, p.entry.case): "error" for leak in checked.leaks for p in leak.sides}
    tiles = [
        CaseTile(str(place), png, worst.get((place.part, place.entry.case), ""))
        for place, png in zip(checked.places, checked.tiles, strict=True)
        if png is not None
    ]
    name = cases.path.name if cases.path is not None else cases.name or "a list"
    facts = {"List": str(cases.path or cases.name)} | options | {"Version": __version__}
    parts = {part: len(cases.part(part)) for part in ("training", "validation", "test")}
    return CheckView(
        f"Check of {name}", parts, checked.failed, rows, _measures(checked), tiles, facts
    )


def _measures(checked: Checked) -> dict[str, list[float]]:
    """Return one number for each case, of what can be told of it."""
    spacings = [facts.spacing_mm for facts in checked.facts if facts.spacing_mm is not None]
    sizes = [
        facts.shape[2] * facts.spacing_mm[2]
        for facts in checked.facts
        if facts.shape is not None and facts.spacing_mm is not None
    ]
    medians = [facts.median_hu for facts in checked.facts if facts.median_hu is not None]
    volumes = [facts.labels.labelled_ml for facts in checked.facts if facts.labels is not None]
    return {
        "Spacing, right to left (mm)": [x for x, _, _ in spacings],
        "Spacing, back to front (mm)": [y for _, y, _ in spacings],
        "Spacing, feet to head (mm)": [z for _, _, z in spacings],
        "Length, feet to head (mm)": sizes,
        "Median of what is labelled (HU)" if volumes else "Median of soft tissue (HU)": medians,
        "Labelled volume (mL)": volumes,
    }
