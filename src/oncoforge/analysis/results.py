"""The whole of ``oncoforge analyze``: measure, write the tables and the report, fit a prior."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from oncoforge.analysis.measure import MIN_VOXELS
from oncoforge.analysis.rows import CaseRow, LesionRow
from oncoforge.analysis.summary import summarize
from oncoforge.analysis.survey import Survey, survey
from oncoforge.analysis.tables import (
    CASES,
    LESIONS,
    csv_of,
    is_lesions,
    plain,
    read_cases,
    read_lesions,
)
from oncoforge.anatomy.organs import tumor_bearing
from oncoforge.errors import InputError, OutputError
from oncoforge.lists.inputs import keep_inputs
from oncoforge.lists.sources import LISTS, PathLike
from oncoforge.parallel import Progress, silent
from oncoforge.reports.analysis import AnalysisView, render
from oncoforge.reports.wording import count
from oncoforge.staging import staging
from oncoforge.version import __version__

RECORD: Final = "analysis.json"
FILES: Final = (LESIONS, CASES, RECORD, "report.html", "report.png")
"""What an analysis leaves in its folder."""


def analyze(
    sources: PathLike | Sequence[PathLike],
    convention: str = "oncoforge",
    organ: str | None = None,
    *,
    out: PathLike | None = None,
    fit: PathLike | None = None,
    location: str = "mixture",
    supposed: int = 6,
    images: PathLike | None = None,
    root: PathLike | None = None,
    min_voxels: int = MIN_VOXELS,
    force: bool = False,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Survey:
    """Measure the tumours of many label maps, write what was found, and fit a prior to it.

    Parameters
    ----------
    sources
        As for `survey`; or tables ``lesions.csv`` of earlier analyses, each with its ``cases.csv``
        beside it, and then nothing is measured again.
    convention, organ, images, root, min_voxels, force, workers, progress
        As for `survey`.
    out
        Folder for `FILES`; None writes none.
    fit
        File for the prior (JSON); None fits none.
    location
        Form of the prior's locations: ``"mixture"`` of Gaussians or rotated ``"ellipsoid"``.
    supposed
        Lesions of the organ's usual sizes that steady the prior's sizes; 0 for none.
    overwrite
        Replace the files of an earlier analysis.

    Returns
    -------
    Survey
        With a sentence for each case that failed; the rest is written all the same.

    Raises
    ------
    InputError
        If there is nothing to measure, a setting makes no sense, or every case failed.
    OutputError
        If something cannot be written, or would be replaced; nothing partial is left.
    UnknownNameError
        If there is no such convention or organ.
    """
    given = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    prior = None if fit is None else _free(Path(fit), overwrite)

    written = [Path(out, name) for name in FILES] if out is not None else []
    keep_inputs([*written, *([] if prior is None else [prior])], given)

    settings = {
        "images": images,
        "root": root,
        "min_voxels": min_voxels,
        "force": force,
        "workers": workers,
        "progress": progress,
    }
    if out is None:
        found = _measured(given, convention, organ, settings)
        if prior is not None:
            _fit(found, prior, location, supposed)
        return found
    with staging(Path(out), FILES, overwrite) as folder:
        found = _measured(given, convention, organ, settings)
        _write(found, folder)
        if prior is not None:  # here, so that where none can be fitted no tables are left either
            _fit(found, prior, location, supposed)
    return found


def _measured(
    given: Sequence[PathLike], convention: str, organ: str | None, settings: Mapping[str, Any]
) -> Survey:
    """Measure, or read what was measured earlier; refuse where no case could be."""
    if given and all(map(is_lesions, given)):
        return read_survey(given, organ)
    if tables := [source for source in given if is_lesions(source)]:
        raise InputError(
            f"{tables[0]} is a table of lesions and {_other(given)} is not; measure label maps "
            "first, and then give the tables of both."
        )
    found = survey(given, convention, organ, **settings)
    failures = found.failures
    if failures and len(failures) == found.settings["label_maps"]:
        lead = f"None of {len(failures)} is readable. " if len(failures) > 1 else ""
        listed = any(str(source).lower().endswith(LISTS) for source in given)
        absent = listed and settings["root"] is None and "does not exist" in failures[0]
        hint = " Where the list is from another machine, give --root." if absent else ""
        raise InputError(f"{lead}{failures[0]}{hint}")
    return found


def _other(given: Sequence[PathLike]) -> str:
    """Name the first source that is no table of lesions."""
    return str(next(source for source in given if not is_lesions(source)))


def read_survey(tables: Sequence[PathLike], organ: str | None = None) -> Survey:
    """Read what earlier analyses wrote.

    Parameters
    ----------
    tables
        Files ``lesions.csv``, each with its ``cases.csv`` beside it.
    organ
        Keep this organ only.

    Raises
    ------
    InputError
        If one is missing or is no such table, or two tables have the same case.
    """
    name = None if organ is None else tumor_bearing(organ).name
    lesions: list[LesionRow] = []
    cases: list[CaseRow] = []
    for table in map(Path, tables):
        beside = table.with_name(CASES)
        if not beside.exists():
            raise InputError(f"{beside} does not exist; {table} needs it beside it.")
        lesions += [row for row in read_lesions(table) if name in (None, row.organ)]
        cases += [row for row in read_cases(beside) if name in (None, row.organ)]
    often = Counter((row.case, row.organ) for row in cases).most_common(1)
    if often and often[0][1] > 1:
        raise InputError(f"The case {often[0][0][0]!r} is there twice; give every table once.")
    settings = {
        "organ": name,
        "tables": len(tables),
        "images": any(row.mean_hu is not None for row in lesions),
    }
    return Survey(tuple(lesions), tuple(cases), settings=settings)


def record(found: Survey) -> dict[str, Any]:
    """Return what ``analysis.json`` holds: summary, rows, failures, settings, version."""
    return {
        "oncoforge": __version__,
        "settings": dict(found.settings),
        "organs": summarize(found.lesions, found.cases),
        "failures": list(found.failures),
        "without_organ": list(found.bare),
        **({"remarks": list(found.remarks)} if found.remarks else {}),
        "lesions": [plain(row) for row in found.lesions],
        "cases": [plain(row) for row in found.cases],
    }


def _write(found: Survey, folder: Path) -> None:
    (folder / LESIONS).write_text(csv_of(found.lesions, LesionRow), encoding="utf-8")
    (folder / CASES).write_text(csv_of(found.cases, CaseRow), encoding="utf-8")
    text = json.dumps(record(found), indent=2, ensure_ascii=False)
    (folder / RECORD).write_text(text + "\n", encoding="utf-8")
    html, png = render(
        AnalysisView(
            found.lesions,
            found.cases,
            summarize(found.lesions, found.cases),
            found.failures,
            found.bare,
            _facts(found),
        )
    )
    (folder / "report.html").write_text(html, encoding="utf-8")
    (folder / "report.png").write_bytes(png)


def _facts(found: Survey) -> dict[str, str]:
    settings = found.settings
    facts = {}
    if "label_maps" in settings:
        facts["Label maps"] = f"{settings['label_maps']}, convention {settings['convention']}"
        facts["Lesions"] = (
            f"{settings['connectivity']}-connected components of at least "
            f"{settings['min_voxels']} voxels"
        )
    else:
        facts["Tables"] = f"{settings.get('tables', 1)}, measured earlier"
    if settings.get("organ"):
        facts["Organ"] = str(settings["organ"]).replace("_", " ")
    facts["Images"] = "yes" if settings.get("images") else "no, so nothing is said of HU"
    facts["oncoforge"] = __version__
    return facts


def _fit(found: Survey, path: Path, location: str, supposed: int) -> None:
    from oncoforge.analysis.fit import fit_prior  # needs slow imports

    number = len({row.case for row in found.cases})
    words = found.settings.get("convention")
    source = count(number, "case") + (f", convention {words}" if words else "")
    prior = fit_prior(found.lesions, found.cases, location, source, supposed)
    prior.save(path)


def _free(path: Path, overwrite: bool) -> Path:
    """Refuse a place for the prior before the long work rather than after it."""
    if path.is_dir():
        raise OutputError(f"{path} is a folder; give a file for the prior, such as prior.json.")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists; choose another file, or --overwrite to replace it.")
    # The folder of --out may be new, and the prior may go there.
    return path
