"""Where fetched weights are kept."""

from __future__ import annotations

import os
from pathlib import Path

from oncoforge.checkpoints.catalogue import CATALOGUE, find
from oncoforge.checkpoints.record import Weights
from oncoforge.errors import InputError

VARIABLE = "ONCOFORGE_WEIGHTS"
"""Environment variable that names the folder."""


def user_folder(variable: str, name: str) -> Path:
    """Return a folder of what can be had again; it need not exist.

    Parameters
    ----------
    variable
        Environment variable that names it, where it is set.
    name
        Otherwise its name below ``oncoforge`` in the user's cache (``XDG_CACHE_HOME``, by default
        ``~/.cache``).
    """
    if given := os.environ.get(variable):
        return Path(given).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "oncoforge" / name


def folder() -> Path:
    """Return the folder of fetched weights: ``ONCOFORGE_WEIGHTS``, or in the user's cache."""
    return user_folder(VARIABLE, "weights")


def place(weights: Weights) -> Path:
    """Return where a published file is once it is fetched."""
    return folder() / weights.name / weights.file


def locate(source: str | os.PathLike[str]) -> tuple[Path, Weights | None]:
    """Return the file or folder that a path or a name of the catalogue stands for.

    Returns
    -------
    path
        It exists.
    weights
        What the catalogue knows, if a name was given.

    Raises
    ------
    InputError
        If there is no such file, or it is not fetched yet.
    UnknownNameError
        If it is neither a path nor a name.
    """
    path = Path(source).expanduser()
    if path.exists():
        return path, None
    if str(source) not in CATALOGUE:
        if path.suffix or len(path.parts) > 1:
            raise InputError(
                f"There is no file or folder {path}; check the path, or give a name that "
                "'oncoforge weights list' shows."
            )
        find(str(source))
    weights = find(str(source))
    if not place(weights).is_file():
        do = f"run 'oncoforge weights fetch {weights.name}'"
        lost = "no public page with it is known: give the path of the file"
        raise InputError(
            f"{weights.name} is not on this machine ({place(weights)}); "
            f"{do if weights.source else lost}."
        )
    return place(weights), weights
