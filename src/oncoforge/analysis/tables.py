"""The tables of an analysis as CSV, written and read."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from oncoforge.analysis.rows import CaseRow, LesionRow
from oncoforge.errors import InputError

LESIONS: Final = "lesions.csv"
CASES: Final = "cases.csv"

Row = TypeVar("Row", LesionRow, CaseRow)

_MOST_BYTES = 1 << 30
_DIGITS = 7


def csv_of(rows: Sequence[Row], kind: type[Row]) -> str:
    """Write rows as CSV: a header, numbers to seven digits, nothing where there is None."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = [field.name for field in fields(kind)]
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(getattr(row, name)) for name in names])
    return stream.getvalue()


def plain(row: LesionRow | CaseRow) -> dict[str, Any]:
    """Return a row as it is written, for JSON: numbers to seven digits."""
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    return {name: _rounded(value) for name, value in values.items()}


def read_lesions(path: str | os.PathLike[str]) -> tuple[LesionRow, ...]:
    """Read a ``lesions.csv``.

    Raises
    ------
    InputError
        If it cannot be read, or is not such a table: with the line at fault.
    """
    return _read(Path(path), LesionRow)


def read_cases(path: str | os.PathLike[str]) -> tuple[CaseRow, ...]:
    """Read a ``cases.csv``.

    Raises
    ------
    InputError
        If it cannot be read, or is not such a table: with the line at fault.
    """
    return _read(Path(path), CaseRow)


def is_lesions(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a table of lesions, by its ending and its first line."""
    file = Path(path)
    if file.suffix.lower() != ".csv" or not file.is_file():
        return False
    with file.open("rb") as stream:
        start = stream.readline(4096).decode("utf-8-sig", "replace")
    return set(start.strip().split(",")) >= {"case", "organ", "volume_mm3"}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.{_DIGITS}g}" if isinstance(value, float) else str(value)


def _rounded(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def _read(path: Path, kind: type[Row]) -> tuple[Row, ...]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path} is larger than any table of lesions; is it another file?")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a table: it is not UTF-8 text.") from None
    return tuple(_rows(path, text, kind))


def _rows(path: Path, text: str, kind: type[Row]) -> Iterator[Row]:
    table = csv.DictReader(io.StringIO(text))
    optional = {f.name for f in fields(kind) if "None" in str(f.type) or f.default is not MISSING}
    missing = [f.name for f in fields(kind) if f.name not in (table.fieldnames or [])]
    lacking = [name for name in missing if name not in optional]
    if lacking:
        raise InputError(
            f"{path} has no column {lacking[0]!r}; expected a table that 'oncoforge analyze' wrote."
        )
    for cells in table:
        try:
            yield kind(**{f.name: _value(f.name, str(f.type), cells) for f in fields(kind)})
        except ValueError as error:
            raise InputError(f"{path}, line {table.line_num}: {error}.") from None


def _value(name: str, type_: str, cells: Mapping[str, str | None]) -> Any:
    text = cells.get(name)
    if type_ == "bool":
        return (text or "").lower() in ("true", "1")
    if not text:
        if "None" in type_:
            return None
        if type_ == "str":
            return ""
        raise ValueError(f"{name} is empty")
    if type_ == "str":
        return text
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}, which is no number") from None
    if not math.isfinite(number):
        raise ValueError(f"{name} is {text}, which is not finite")
    return int(number) if type_ == "int" else number
