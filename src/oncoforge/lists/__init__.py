"""Lists of cases: the files in which the field keeps them, and how they are split."""

from __future__ import annotations

from oncoforge.lists.diameters import largest_diameters
from oncoforge.lists.entry import SPLITS, CaseList, Entry
from oncoforge.lists.fold_files import write_folds
from oncoforge.lists.folds import at_fold
from oncoforge.lists.names import case_ids, patient_of
from oncoforge.lists.nnunet import splits_of
from oncoforge.lists.read import read_list
from oncoforge.lists.splits import hold_out, k_folds, with_external
from oncoforge.lists.write import KINDS, write_list

__all__ = [
    "KINDS",
    "SPLITS",
    "CaseList",
    "Entry",
    "at_fold",
    "case_ids",
    "hold_out",
    "k_folds",
    "largest_diameters",
    "patient_of",
    "read_list",
    "splits_of",
    "with_external",
    "write_folds",
    "write_list",
]
