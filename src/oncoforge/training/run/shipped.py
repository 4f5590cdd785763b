"""Recipes that come with the package, by name."""

from __future__ import annotations

import os
from pathlib import Path

import oncoforge
from oncoforge.errors import InputError, UnknownNameError


def recipes() -> dict[str, Path]:
    """Return the recipes that come with the package: name to file."""
    package = Path(oncoforge.__file__).resolve().parent
    # Where the package was installed in place, they are in the repository.
    folders = (package / "recipes", package.parents[1] / "recipes")
    there = next((folder for folder in folders if folder.is_dir()), None)
    return {} if there is None else {path.stem: path for path in sorted(there.glob("*.yaml"))}


def locate(recipe: str | os.PathLike[str]) -> Path:
    """Return the file of a recipe: a path, or the name of one that comes with the package.

    Raises
    ------
    InputError
        If there is no such file.
    UnknownNameError
        If it is neither a path nor a name.
    """
    path = Path(recipe).expanduser()
    if path.is_file():
        return path
    if path.suffix or len(path.parts) > 1:
        raise InputError(f"There is no recipe {path}; give a YAML file, or the name of a recipe.")
    known = recipes()
    if str(recipe) not in known:
        raise UnknownNameError("recipe", str(recipe), known)
    return known[str(recipe)]
