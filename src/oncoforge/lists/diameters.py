"""How large the largest tumour of every case is, from a table of lesions."""

from __future__ import annotations

import csv
import io
import os
from math import isfinite
from pathlib import Path

from oncoforge.errors import InputError


def largest_diameters(
    path: str | os.PathLike[str],
    column: str = "equivalent_diameter_mm",
) -> dict[str, float]:
    """Read the diameter of every case's largest tumour.

    Parameters
    ----------
    path
        CSV with a row for each lesion, as ``oncoforge analyze`` writes it.
    column
        Which diameter, in mm.

    Returns
    -------
    dict
        Case id to mm.

    Raises
    ------
    InputError
        If the file cannot be read, a column is missing, or a diameter is not a number from 0 on.
    """
    file = Path(path)
    try:
        rows = csv.DictReader(io.StringIO(file.read_text("utf-8-sig")))
        missing = {"case", column} - set(rows.fieldnames or ())
        if missing:
            raise InputError(
                f"{file} should have the columns case and {column}, as oncoforge analyze writes "
                f"them, but has {', '.join(rows.fieldnames or ()) or 'none'}."
            )
        largest: dict[str, float] = {}
        for row in rows:
            size = _number(row[column], f"{file}, line {rows.line_num}, {column}")
            largest[row["case"]] = max(size, largest.get(row["case"], 0.0))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        said = getattr(error, "strerror", None) or error
        raise InputError(f"{file} cannot be read as CSV: {said}.") from None
    return largest


def _number(text: str | None, where: str) -> float:
    """Return a diameter; an empty cell is no tumour."""
    if not (text or "").strip():
        return 0.0
    try:
        value = float(text or "")
    except ValueError:
        value = -1.0
    if not isfinite(value) or value < 0:
        raise InputError(f"{where}, should be mm from 0 on, but is {text!r}.")
    return value
