"""What the files of a case hold, hashed once and then known by their size and time."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from oncoforge.errors import OutputError
from oncoforge.formats.atomic import atomic_write
from oncoforge.formats.content import content_of, files_of

SOURCES: Final = "sources"

_SETTLED_S = 2.0
"""A file that was written less than this ago may be written again without a change of its time."""


def content(path: Path, store: Path) -> str:
    """Return the hash of an image or a label map, 64 hexadecimal digits.

    Parameters
    ----------
    path
        Its file or folder.
    store
        Where hashes are remembered. A file is hashed again if its size or its time has changed.

    Returns
    -------
    str
        As from `content_of`; empty if it cannot be read.
    """
    known = remembered(path, store)
    if known:
        return known
    state = _state(path)
    found = content_of(path)
    if found and state and state == _state(path) and _settled(state):
        with suppress(OSError, OutputError):  # a store may be others', and only be read
            _remember(path, store, state, found)
    return found


def remembered(path: Path, store: Path) -> str:
    """Return the hash without reading the file; empty if it is not known, or not any more."""
    try:
        row = json.loads(_place(path, store).read_text("utf-8"))
        same = row["path"] == str(path) and row["files"] == _state(path)
        return str(row["sha256"]) if same else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _remember(path: Path, store: Path, state: list[list[Any]], sha256: str) -> None:
    row = {"path": str(path), "files": state, "sha256": sha256}
    place = _place(path, store)
    place.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(place) as file:
        file.write((json.dumps(row, indent=1) + "\n").encode())


def _place(path: Path, store: Path) -> Path:
    name = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return store / SOURCES / f"{name}.json"


def _state(path: Path) -> list[list[Any]]:
    """Return name, size and times of each file; nothing if one is gone."""
    try:
        states = [(file.name, file.stat()) for file in files_of(path)]
    except OSError:
        return []
    # The change time tells of a file that was put in place of another with its old time.
    return [[name, s.st_size, s.st_mtime_ns, s.st_ctime_ns] for name, s in states]


def _settled(state: list[list[Any]]) -> bool:
    return time.time_ns() - max(max(row[2:]) for row in state) > _SETTLED_S * 1e9
