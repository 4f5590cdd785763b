"""Who takes part in a training, and as what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from oncoforge.errors import InputError
from oncoforge.store import CaseFiles
from oncoforge.training.data.phantoms import HEALTHY, TUMORS
from oncoforge.training.data.sources import Found, check_apart, check_real, find_cases
from oncoforge.training.settings import SourceSettings

_VALIDATION = "validation"


@dataclass(frozen=True)
class Roster:
    """The cases of a training.

    Parameters
    ----------
    real
        To train on: from lists of cases with real tumours.
    healthy
        To train on: from lists of healthy cases.
    validation
        To validate on, each case by an id of its own.
    """

    real: tuple[Found, ...]
    healthy: tuple[Found, ...]
    validation: tuple[Found, ...]

    @property
    def files(self) -> tuple[CaseFiles, ...]:
        """All of them, in this order."""
        return tuple(one.files for one in (*self.real, *self.healthy, *self.validation))


def call_roll(
    real: SourceSettings,
    healthy: SourceSettings,
    validation: SourceSettings,
    fold: int | None = None,
    organ: str | None = None,
    phantoms: Path | None = None,
) -> Roster:
    """Find all cases, and check that none is where it does not belong.

    Parameters
    ----------
    real, healthy
        To train on.
    validation
        To validate on; without lists, the validation parts of the other two.
    fold
        Which fold of the real cases is validated. Lists of healthy cases may know no folds.
    organ
        See `find_cases`.
    phantoms
        A list of phantoms, which join the healthy ones and the validation.

    Raises
    ------
    InputError
        If there are no cases, files are not there, synthetic cases are to validate, or a patient
        is in training and in validation.
    """
    sick = find_cases(real, real.part, fold, organ, needs_fold=True)
    well = find_cases(healthy, healthy.part, fold, organ, needs_fold=False)
    if validation.lists:
        judges = find_cases(validation, validation.part, fold, organ, needs_fold=False)
    else:
        judges = find_cases(real, _VALIDATION, fold, organ, needs_fold=True)
        judges += find_cases(healthy, _VALIDATION, fold, organ, needs_fold=False)
    if phantoms is not None:
        made = SourceSettings(lists=[str(phantoms)])
        well += find_cases(made, HEALTHY, None, None, needs_fold=False)
        judges += find_cases(made, TUMORS, None, None, needs_fold=False)
    if not sick and not well:
        raise InputError(_nobody(real, healthy))
    check_real(judges)
    check_apart((*sick, *well), judges)
    return Roster(sick, well, _told_apart(judges))


def _told_apart(cases: Sequence[Found]) -> tuple[Found, ...]:
    """Give cases whose id another list has too a number, ``a_2``: scores are kept by the id."""
    taken = {one.entry.case for one in cases}
    seen: set[str] = set()
    apart = []
    for one in cases:
        name = one.entry.case
        if name in seen:
            name = next(n for k in count(2) if (n := f"{one.entry.case}_{k}") not in taken)
            entry = replace(one.entry, case=name)
            one = replace(one, files=replace(one.files, entry=entry))
        taken.add(name)
        seen.add(name)
        apart.append(one)
    return tuple(apart)


def _nobody(real: SourceSettings, healthy: SourceSettings) -> str:
    """Say why there are no cases to train on."""
    lists = [*real.lists, *healthy.lists]
    if not lists:
        return (
            "There are no cases to train on: give lists of real cases (real.lists), of healthy "
            "ones (healthy.lists), or phantoms."
        )
    parts = sorted({real.part, healthy.part})
    return f"There are no cases to train on: {', '.join(lists)} name none for {' or '.join(parts)}."
