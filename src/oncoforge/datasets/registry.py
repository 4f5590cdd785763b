"""Every dataset that is known, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from oncoforge.datasets.chest_sets import CHEST_SETS
from oncoforge.datasets.organ_sets import ORGAN_SETS
from oncoforge.datasets.record import Dataset
from oncoforge.datasets.tumor_sets import TUMOR_SETS
from oncoforge.errors import UnknownNameError

DATASETS: Final[Mapping[str, Dataset]] = MappingProxyType(
    {one.name: one for one in (*TUMOR_SETS, *ORGAN_SETS, *CHEST_SETS)}
)
"""Tumour-labelled sets first, then organ-labelled ones of the abdomen, then the chest."""


def dataset(name: str) -> Dataset:
    """Find a dataset by name.

    Parameters
    ----------
    name
        Such as ``"msd-liver"`` or ``"Task03_Liver"``; case, spaces, underscores and hyphens make no
        difference.

    Raises
    ------
    UnknownNameError
        If there is no such dataset.
    """
    found = _BY_KEY.get(_key(name))
    if found is None:
        raise UnknownNameError("dataset", name, DATASETS)
    return found


def _key(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter not in " _-")


_BY_KEY: Final = {_key(key): one for one in DATASETS.values() for key in (one.name, *one.aliases)}
