"""The record of a preparation: what was made from what, so that a second run can go on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from oncoforge.datasets.prepare_case import FAILED, IMAGES, LABELS, Prepared, Wishes
from oncoforge.datasets.record import Dataset
from oncoforge.errors import OutputError
from oncoforge.formats.atomic import atomic_write
from oncoforge.version import __version__

LIST: Final = "list.json"
RECORD: Final = "prepare.json"

_LARGEST_RECORD: Final = 1 << 28


def head_of(dataset: Dataset, root: Path, way: str, wishes: Wishes) -> dict[str, Any]:
    """Return what a run is told apart by: from where, and how."""
    return {
        "oncoforge": __version__,
        "dataset": dataset.name,
        "root": root.as_posix(),
        "layout": way,
        "organ": wishes.organ,
        "label_style": wishes.style,
        "images": "linked" if wishes.link else "copied",
        "fix_geometry": wishes.fix_geometry,
        "map": {str(value): to for value, to in sorted(wishes.first.items())},
    }


def read_earlier(
    out: Path, head: Mapping[str, Any], overwrite: bool, targets: Sequence[str] = (LIST,)
) -> dict[str, Prepared]:
    """Read what an earlier run made; refuse to mix two different runs.

    Parameters
    ----------
    out
        Folder of the result.
    head
        From `head_of`, of the run that is to come.
    overwrite
        Remove what a different run made there.
    targets
        Every file that the run to come may write, by its path below `out`.

    Returns
    -------
    dict
        Case to what was made of it; empty after a different run.

    Raises
    ------
    OutputError
        If the folder holds the result of a different run, or files that no run recorded.
    """
    record = _read_record(out / RECORD)
    if record is None:
        there = next((name for name in targets if os.path.lexists(out / name)), None)
        if there is not None and not overwrite:
            raise OutputError(
                f"{out} already holds {there}; choose another folder, or --overwrite to replace it."
            )
        return {}
    cases = [_case(values) for values in record.get("cases", [])]
    differing = [key for key, value in head.items() if record.get(key) != value]
    if not differing:
        return {case.case: case for case in cases}
    if not overwrite:
        key = differing[0]
        raise OutputError(
            f"{out} holds a dataset that was prepared with another {key.replace('_', ' ')} "
            f"({record.get(key)!r}, not {head[key]!r}); choose another folder, or --overwrite to "
            "replace it."
        )
    for case in cases:
        remove(out, case)
    return {}


def _read_record(path: Path) -> dict[str, Any] | None:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_RECORD:
            return None
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("cases"), list) else None


def _case(values: Any) -> Prepared:
    """Read one case of a record; what is no case becomes one that is never kept."""
    with suppress(TypeError, KeyError, AttributeError):
        return Prepared(**values)
    return Prepared("", "", "", FAILED)


def remove(out: Path, case: Prepared) -> None:
    """Remove the files of an earlier run, and nothing else."""
    for name, folder in ((case.image, IMAGES), (case.label, LABELS)):
        path = Path(str(name))
        if path.parent == Path(folder) and ".." not in path.parts:
            (out / path).unlink(missing_ok=True)


def save(
    out: Path, head: Mapping[str, Any], cases: Sequence[Prepared], earlier: Mapping[str, Prepared]
) -> None:
    """Write the record: what is done, and what an earlier run did of the rest."""
    done = {case.case for case in cases}
    rest = [case for name, case in earlier.items() if name not in done]
    rows = [{k: v for k, v in asdict(case).items() if k != "kept"} for case in (*cases, *rest)]
    with atomic_write(out / RECORD) as file:
        file.write((json.dumps({**head, "cases": rows}, indent=2) + "\n").encode())
