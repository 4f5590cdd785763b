"""What a command reads stays as it is: refuse to write where an input is."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from oncoforge.errors import OutputError
from oncoforge.lists.entry import CaseList
from oncoforge.lists.text import neighbours


def keep_inputs(targets: Iterable[Path], sources: Iterable[str | os.PathLike[str]]) -> None:
    """Refuse to write over what is read.

    Parameters
    ----------
    targets
        Files that are to be written, by renaming a finished one: a link at such a place is
        replaced itself, not what it leads to.
    sources
        Files that are read, whether they are there or not.

    Raises
    ------
    OutputError
        If one of the targets is one of the sources. Nothing was touched.
    """
    read: set[str] = set()
    for source in sources:
        read |= {_place(source), os.path.realpath(source)}
    own = next((target for target in targets if _place(target) in read), None)
    if own is not None:
        raise OutputError(
            f"{own} is one of the files that are read, and these stay as they are; choose another "
            "--out."
        )


def inputs_of(cases: CaseList) -> list[Path]:
    """Return a list's own files, and every file that it names."""
    own = [] if cases.path is None else [cases.path]
    if cases.path is not None and cases.path.suffix.lower() == ".txt":
        own += neighbours(cases.path).values()
    return own + [path for entry in cases for path in entry.files]


def _place(path: str | os.PathLike[str]) -> str:
    """Return where a file is, without following it if it is a link."""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(os.path.realpath(folder), name)
