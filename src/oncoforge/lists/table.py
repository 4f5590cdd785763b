"""Lists as CSV tables."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from oncoforge.errors import InputError
from oncoforge.lists.draft import Draft, assemble
from oncoforge.lists.entry import SPLITS, CaseList, Entry
from oncoforge.lists.msd import PARTS
from oncoforge.lists.names import ending
from oncoforge.lists.places import locate, written

COLUMNS: Final = ("case", "image", "label", "patient", "fold", "split")
"""The columns that we know; any order, ``image`` or ``label`` must be there, others are kept."""


def delimiter(text: str) -> str | None:
    """Return what divides the columns of a table of cases; None if the text is not one."""
    first = text.partition("\n")[0]
    for sign in (",", ";", "\t"):
        names = {name.strip().strip('"').lower() for name in first.split(sign)}
        if names & {"image", "label"}:
            return sign
    return None


def without_columns(text: str) -> tuple[str, ...]:
    """Return the columns of a table that names no files; none if the text is no such table."""
    first = text.partition("\n")[0].strip()
    for sign, fewest in ((",", 2), (";", 2), ("\t", 3)):  # "image<tab>label" may be a text list
        names = tuple(name.strip().strip('"') for name in first.split(sign))
        if len(names) >= fewest and not any("/" in name or ending(Path(name)) for name in names):
            return names
    return ()


def read_table(text: str, path: Path, root: Path) -> CaseList:
    """Read a list from the text of a CSV file with a header line.

    Parameters
    ----------
    text
        What the file holds.
    path
        The file, for messages and its name.
    root
        Absolute folder that its paths start from.

    Raises
    ------
    InputError
        If a row names no files, an unknown split, a fold that is no number, or has too many cells.
    """
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter(text) or ",")
    parts: dict[str, list[Draft]] = {part: [] for part in SPLITS}
    try:
        rows.fieldnames = [
            name.lower() if name.lower() in COLUMNS else name
            for name in (given.strip() for given in rows.fieldnames or ())
        ]
        for row in rows:
            part, draft = _draft(row, f"{path}, line {rows.line_num},", root)
            parts[part].append(draft)
    except csv.Error as error:
        raise InputError(f"{path}, line {rows.line_num}, is not CSV: {error}.") from None
    return assemble(parts, path, name=path.stem)


def table(cases: CaseList, folder: Path) -> bytes:
    """Return the text of a CSV list, with paths relative to the folder of its file."""
    extra = list(dict.fromkeys(key for entry in cases for key in entry.more))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *extra])
    for part in SPLITS:
        for entry in cases.part(part):
            cells = _cells(entry, part, folder)
            writer.writerow([*cells, *(_cell(entry.more.get(key)) for key in extra)])
    return text.getvalue().encode()


def _draft(row: Mapping[Any, Any], where: str, root: Path) -> tuple[str, Draft]:
    """Read one row: the part it is for, and the case."""
    if None in row:
        raise InputError(f"{where} has more cells than the header line.")
    known = {key: (row.get(key) or "").strip() for key in COLUMNS}
    image, label = (locate(known[key], root) if known[key] else None for key in ("image", "label"))
    if image is None and label is None:
        raise InputError(f"{where} should name an image or a label, but names neither.")
    fold = known["fold"]
    if fold and not fold.isdecimal():
        raise InputError(f"{where} should give a fold as a whole number, but gives {fold!r}.")
    more = {key: value for key, value in row.items() if key not in COLUMNS and value}
    draft = Draft(image, label, known["case"], known["patient"], int(fold) if fold else None, more)
    return _part(known["split"], where), draft


def _part(word: str, where: str) -> str:
    """Return the part that a word in the column ``split`` means."""
    if not word:
        return "training"
    for part, words in PARTS.items():
        if word.lower() in words:
            return part
    raise InputError(f"{where} should be for {', '.join(SPLITS)}, but is for {word!r}.")


def _cells(entry: Entry, part: str, folder: Path) -> list[str]:
    """Return the known columns of one case."""
    image, label = (written(path, folder) if path else "" for path in (entry.image, entry.label))
    fold = "" if entry.fold is None else str(entry.fold)
    return [entry.case, image, label, entry.patient, fold, part]


def _cell(value: Any) -> str:
    """Return a value of another list's as text."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)
