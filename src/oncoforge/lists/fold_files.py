"""Write the folds of a list: one list each, nnU-Net's splits, and a table of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from oncoforge.lists.entry import CaseList, Entry
from oncoforge.lists.msd import dump
from oncoforge.lists.nnunet import SPLITS_FILE, splits_of
from oncoforge.lists.write import write_list

TABLE: Final = "folds.csv"
"""Name of the table: itself a list, of which `read_list` takes any fold."""


def fold_file(fold: int) -> str:
    """Return the name of the list of one fold."""
    return f"fold_{fold}.json"


def write_folds(
    folds: Sequence[CaseList],
    folder: Path,
    relative_to: Path,
    sizes: Mapping[str, float] | None = None,
) -> None:
    """Write ``fold_0.json``, ``fold_1.json``, ..., ``splits_final.json`` and ``folds.csv``.

    Parameters
    ----------
    folds
        Lists of the same cases, with other ones for validation; they share their test cases.
    folder
        Where to; it exists.
    relative_to
        Folder that the paths are relative to: where the files will be in the end.
    sizes
        Case id to the diameter of its largest tumour in mm, for a column of the table.
    """
    for number, cases in enumerate(folds):
        write_list(cases, folder / fold_file(number), relative_to=relative_to)
    splits = [split for cases in folds for split in splits_of(cases)]
    (folder / SPLITS_FILE).write_bytes(dump(splits))

    def told(entry: Entry) -> Entry:
        if sizes is None:
            return entry
        largest = sizes.get(entry.case, 0.0)
        return replace(entry, more={**entry.more, "largest_diameter_mm": f"{largest:.6g}"})

    pool = sorted((*folds[0].training, *folds[0].validation), key=lambda entry: entry.case)
    everything = replace(folds[0], training=tuple(map(told, pool)), validation=())
    write_list(everything, folder / TABLE, "csv", relative_to=relative_to)
