"""Published weights by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Final

from oncoforge.checkpoints.published.difftumor import DIFFTUMOR
from oncoforge.checkpoints.published.freetumor import FREETUMOR
from oncoforge.checkpoints.published.pixel2cancer import PIXEL2CANCER
from oncoforge.checkpoints.published.pretraining import PRETRAINING
from oncoforge.checkpoints.published.synthetictumors import SYNTHETICTUMORS
from oncoforge.checkpoints.record import Weights
from oncoforge.errors import InputError, UnknownNameError

CATALOGUE: Final[Mapping[str, Weights]] = MappingProxyType(
    {
        one.name: one
        for one in (*SYNTHETICTUMORS, *PIXEL2CANCER, *DIFFTUMOR, *FREETUMOR, *PRETRAINING)
    }
)
"""Name to what is known of it."""

DIFFERS: Final = (
    "It is called as the published file is, and its content is another: what is known of the "
    "published one is supposed of it."
)


def find(name: str) -> Weights:
    """Return published weights by their name.

    Raises
    ------
    UnknownNameError
        If there are none of it, but of one that is spelt nearly so.
    InputError
        If there is nothing like it.
    """
    if name not in CATALOGUE:
        near = difflib.get_close_matches(name.lower(), CATALOGUE, n=1, cutoff=0.5)
        if near:
            raise UnknownNameError("set of published weights", name, CATALOGUE)
        raise InputError(
            f"{name} is neither a file or folder that exists nor a name of published weights; "
            "'oncoforge weights list' has the names."
        )
    return CATALOGUE[name]


def identify(path: Path, sha256: str) -> Weights | None:
    """Tell which published file this is: by its content, else by its name.

    A file that is called as others are (``model.pt``) counts with its folder.
    """
    for one in CATALOGUE.values():
        if sha256 and one.sha256 == sha256:
            return one
    parts = path.absolute().parts
    for one in CATALOGUE.values():
        theirs = PurePosixPath(one.file).parts
        tail = theirs[-2:] if theirs[-1] == "model.pt" else theirs[-1:]
        if parts[-len(tail) :] == tail:
            return one
    return None
