"""Split cases into folds by patient, balanced by how large their tumours are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count, pairwise
from typing import Final

import numpy as np

from oncoforge.errors import InputError
from oncoforge.lists.entry import CaseList, Entry
from oncoforge.lists.names import is_number

STRATA: Final = 5
"""Into how many quantiles the patients with tumours are divided by size, if they are enough."""


def k_folds(
    entries: Iterable[Entry],
    folds: int = 5,
    seed: int = 0,
    sizes: Mapping[str, float] | None = None,
) -> tuple[CaseList, ...]:
    """Split cases for cross-validation.

    Cases of one patient stay together. The folds differ by one patient at most, in all and in every
    stratum: patients without tumours are one, the others are divided into quantiles by the diameter
    of their largest tumour.

    Parameters
    ----------
    entries
        The cases; their order does not matter.
    folds
        How many, from 2 to the number of patients.
    seed
        Same seed, same folds.
    sizes
        Case id to the diameter of its largest tumour in mm; a case that is not there, or with 0,
        has none. Without it, patients are drawn at random.

    Returns
    -------
    tuple of CaseList
        For each fold its training and validation cases, ordered by id; every case knows the fold
        that validates it.

    Raises
    ------
    InputError
        If there are fewer patients than folds, two cases of one id, or sizes of other cases only.
    """
    cases = _ordered(entries)
    rng = np.random.default_rng(seed)
    order = _shuffled_strata(cases, folds, sizes or {}, rng)
    if not 2 <= folds <= len(order):
        several = "patients" if len(order) != 1 else "patient"
        raise InputError(
            f"{len(order)} {several} cannot be split into {folds} folds; there must be at least 2 "
            "folds, and a patient for each."
        )
    # Dealt like cards, from one stratum to the next without starting anew.
    number = rng.permutation(folds)
    of = {patient: int(number[i % folds]) for i, patient in enumerate(order)}
    told = [replace(entry, fold=of[entry.patient]) for entry in cases]
    return tuple(
        CaseList(
            training=tuple(entry for entry in told if entry.fold != fold),
            validation=tuple(entry for entry in told if entry.fold == fold),
        )
        for fold in range(folds)
    )


def hold_out(
    entries: Iterable[Entry],
    fraction: float,
    seed: int = 0,
    sizes: Mapping[str, float] | None = None,
) -> CaseList:
    """Hold some patients out for the test, with tumours of all sizes among them.

    Parameters
    ----------
    entries, seed, sizes
        As for `k_folds`.
    fraction
        Of the patients, above 0 and below 1; at least one is held out and one kept.

    Returns
    -------
    CaseList
        Training and test cases, ordered by id.

    Raises
    ------
    InputError
        If the fraction is out of range, or there is one patient only.
    """
    cases = _ordered(entries)
    if not 0 < fraction < 1:
        raise InputError(
            f"The fraction to hold out must be above 0 and below 1, but is {fraction}."
        )
    rng = np.random.default_rng(seed)
    order = _shuffled_strata(cases, round(1 / fraction), sizes or {}, rng)
    if len(order) < 2:
        raise InputError("There is one patient only; to hold one out there must be two.")
    size = min(max(round(fraction * len(order)), 1), len(order) - 1)
    # Evenly along the strata, from a random start.
    chosen = np.floor((np.arange(size) + rng.random()) * len(order) / size).astype(int)
    held = {order[i] for i in chosen}
    return CaseList(
        training=tuple(entry for entry in cases if entry.patient not in held),
        test=tuple(entry for entry in cases if entry.patient in held),
    )


def with_external(cases: CaseList, external: Iterable[CaseList]) -> CaseList:
    """Add whole lists, of other hospitals say, for the test only.

    Parameters
    ----------
    cases
        The list to add to.
    external
        Lists; all of their parts become test cases. Where one has ids that the test has already,
        or bare numbers, the ids of all of its cases get its name in front.

    Returns
    -------
    CaseList
        With more test cases. A case that is its own patient by a mere number (``12``,
        ``case_00001``) means something within one list only, so those of an external list get its
        name in front, too; patients that a list names itself stay.
    """
    test = list(cases.test)
    for other in external:
        name = other.name or "external"
        taken = {entry.case for entry in test}
        plain = [entry.case for entry in other]
        clash = len(set(plain)) < len(plain) or not taken.isdisjoint(plain)
        in_front = clash or any(case.isdecimal() for case in plain)
        for entry in other:
            own = f"{name}_{entry.case}" if in_front else entry.case
            case = next(c for c in _numbered(own) if c not in taken)
            counted = entry.patient == entry.case and is_number(entry.patient)
            patient = f"{name}_{entry.patient}" if counted else entry.patient
            test.append(replace(entry, case=case, patient=patient, fold=None))
            taken.add(case)
    return replace(cases, test=tuple(test))


def _shuffled_strata(
    cases: Sequence[Entry], folds: int, sizes: Mapping[str, float], rng: np.random.Generator
) -> list[str]:
    """Return the patients, stratum after stratum, each in random order."""
    if sizes and not any(entry.case in sizes for entry in cases):
        raise InputError(
            f"None of the {len(cases)} cases has a size: the list has cases such as "
            f"{cases[0].case!r}, the sizes are of cases such as {min(sizes)!r}."
        )
    largest: dict[str, float] = defaultdict(float)
    for entry in cases:
        largest[entry.patient] = max(largest[entry.patient], sizes.get(entry.case, 0.0))
    by_size = sorted(largest, key=lambda patient: (largest[patient], patient))
    healthy = [patient for patient in by_size if largest[patient] <= 0]
    ill = by_size[len(healthy) :]
    # A stratum with fewer patients than folds says nothing; a large one says little.
    strata = min(STRATA, max(len(ill) // max(folds, 1), 1))
    quantiles = [list(part) for part in np.array_split(np.array(ill, dtype=object), strata)]
    return [str(part[i]) for part in (healthy, *quantiles) for i in rng.permutation(len(part))]


def _ordered(entries: Iterable[Entry]) -> list[Entry]:
    """Return cases by id, which must be unique."""
    cases = sorted(entries, key=lambda entry: entry.case)
    for one, next_one in pairwise(cases):
        if one.case == next_one.case:
            raise InputError(
                f"There are two cases of the id {one.case!r} to be split; every case needs an id "
                "of its own."
            )
    return cases


def _numbered(name: str) -> Iterator[str]:
    """Give a name, then the name with 2, and so on."""
    yield name
    for number in count(2):
        yield f"{name}_{number}"
