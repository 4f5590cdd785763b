"""One fold of a list whose cases say in which fold they are validated."""

from __future__ import annotations

from dataclasses import replace

from oncoforge.errors import InputError
from oncoforge.lists.entry import CaseList


def at_fold(cases: CaseList, fold: int) -> CaseList:
    """Return a list with the cases of one fold for validation.

    Parameters
    ----------
    cases
        Cases for training and validation that know their fold.
    fold
        Which.

    Raises
    ------
    InputError
        If no case is validated in that fold.
    """
    pool = (*cases.training, *cases.validation)
    held = tuple(entry for entry in pool if entry.fold == fold)
    if not held:
        known = sorted({entry.fold for entry in pool if entry.fold is not None})
        has = f"the folds {', '.join(map(str, known))}" if known else "no folds"
        raise InputError(f"{cases.path or 'The list'} has {has}; there is no fold {fold}.")
    kept = tuple(entry for entry in pool if entry.fold != fold)
    return replace(cases, training=kept, validation=held)
