"""Which values the label maps of a list hold, against those that it declares."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from oncoforge.errors import InputError
from oncoforge.formats.open import open_labels
from oncoforge.lists.entry import CaseList, Entry
from oncoforge.parallel import Failure, Progress, each, silent

_SHOWN = 8


def check_values(
    cases: CaseList,
    declared: frozenset[int],
    workers: int | None = None,
    progress: Progress = silent,
) -> None:
    """Open every label map and refuse values that the list does not declare.

    Parameters
    ----------
    cases
        The list.
    declared
        The values that label maps may hold.
    workers
        Number of processes; None for as many as there are cores.
    progress
        Called after each case.

    Raises
    ------
    InputError
        If a label map holds another value, or cannot be read: the first one, and how many more.
    """
    entries = [entry for entry in cases if entry.label is not None]
    results = each(partial(_others, declared=declared), entries, workers, progress)
    bad = [
        one.sentence if isinstance(one, Failure) else _sentence(entry, one, declared)
        for entry, one in zip(entries, results, strict=True)
        if isinstance(one, Failure) or one
    ]
    if bad:
        others = f" {len(bad) - 1} more of the {len(entries)} label maps cannot be used either."
        raise InputError(bad[0] + others * (len(bad) > 1))


def _others(entry: Entry, declared: frozenset[int]) -> list[int]:
    """Return the values of a label map that are not declared."""
    assert entry.label is not None  # the caller took no others
    labels = open_labels(entry.label).labels()
    seen = np.zeros(256 if labels.dtype == np.uint8 else 65536, np.bool_)
    for plane in labels:
        seen[plane] = True
    return sorted(set(np.flatnonzero(seen).tolist()) - declared)


def _sentence(entry: Entry, values: list[int], declared: frozenset[int]) -> str:
    shown = ", ".join(map(str, values[:_SHOWN])) + (", ..." if len(values) > _SHOWN else "")
    many = "s" * (len(values) != 1)
    return (
        f"Case {entry.case} has the value{many} {shown} in {entry.label}, and the list declares "
        f"{', '.join(map(str, sorted(declared)))}: give --labels, or translate the label maps "
        "(oncoforge prepare relabel)."
    )


def values_in(labels: dict[str, Any]) -> frozenset[int]:
    """Return the values of nnU-Net's ``labels``: one for a name, or several for a region."""
    found: set[int] = set()
    for value in labels.values():
        found |= {int(one) for one in (value if isinstance(value, list | tuple) else [value])}
    return frozenset(found | {0})
