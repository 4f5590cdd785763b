"""Where the files of a list are: relative, absolute, or of another machine."""

from __future__ import annotations

import os
from pathlib import Path, PureWindowsPath


def locate(text: str, root: Path) -> Path:
    """Return the place of a file that a list names.

    Parameters
    ----------
    text
        Path as it is in the list.
    root
        Absolute folder that relative paths start from.

    Returns
    -------
    pathlib.Path
        The path itself, from `root` if it is relative, where that exists. Otherwise the longest
        tail of it that exists below `root`, so that a list with the absolute paths of another
        machine, or with folders of its own in front, finds its files. Otherwise the path itself
        again: a list may be read before its files are there.
    """
    path = Path(PureWindowsPath(text).as_posix()) if _windows(text) else Path(text)
    plain = _without_dots(root / path)
    if os.path.exists(plain):  # Path.exists raises for names that are too long
        return plain
    parts = path.parts
    for start in range(1, len(parts)):
        tail = root.joinpath(*parts[start:])
        if parts[start] != os.pardir and os.path.exists(tail):
            return _without_dots(tail)
    return plain


def written(path: Path, folder: Path) -> str:
    """Return how a list in a folder names a file.

    Returns
    -------
    str
        Relative and with forward slashes where both are below one folder other than the file
        system's own root, so that lists and data can move together; else absolute.
    """
    # Links on the way would lead ".." elsewhere; a link to the file itself is the list's business.
    file = path.parent.resolve() / path.name
    start = folder.resolve()
    try:
        common = Path(os.path.commonpath([file, start]))
    except ValueError:  # two drives
        return file.as_posix()
    if common == Path(common.anchor):
        return file.as_posix()
    return Path(os.path.relpath(file, start)).as_posix()


def _windows(text: str) -> bool:
    """Say whether a path is written with backslashes."""
    return "\\" in text and "/" not in text and os.sep == "/"


def _without_dots(path: Path) -> Path:
    """Leave out ``..``, unless a link on the way makes it mean something else."""
    if os.pardir not in path.parts:
        return path
    plain = Path(os.path.normpath(path))
    return path if os.path.exists(path) and not os.path.exists(plain) else plain
