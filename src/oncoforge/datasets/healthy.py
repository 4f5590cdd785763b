"""Choose the cases of a list that have an organ and no tumour of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np

from oncoforge import anatomy
from oncoforge.datasets.identity import identity
from oncoforge.datasets.label_table import convention_of
from oncoforge.datasets.registry import DATASETS
from oncoforge.errors import InputError
from oncoforge.formats.open import open_labels
from oncoforge.lists import CaseList, Entry
from oncoforge.parallel import Failure, Progress, each, silent
from oncoforge.reports.wording import count

HEALTHY: Final = "healthy"
WITH_TUMOR: Final = "with tumour"
WITHOUT_ORGAN: Final = "without organ"
SMALL: Final = "organ too small"
UNLABELLED: Final = "without label map"
UNSURE: Final = "not known to be healthy"
FAILED: Final = "failed"


@dataclass(frozen=True)
class Verdict:
    """What one case is.

    Parameters
    ----------
    case
        Its id.
    verdict
        ``"healthy"``, or why it was left out.
    organ_ml
        Volume of the organ in mL.
    tumor_ml
        Volume of its tumours in mL.
    known
        Whether its dataset is known to have no tumour of the organ there.
    sentence
        Why it failed; else empty.
    """

    case: str
    verdict: str
    organ_ml: float = 0.0
    tumor_ml: float = 0.0
    known: bool = False
    sentence: str = ""


@dataclass(frozen=True)
class Choice:
    """Cases that were chosen.

    Parameters
    ----------
    organ
        The organ that is healthy.
    cases
        List of them, all for training.
    verdicts
        One for every case of the list.
    remarks
        What to know before the list is used.
    """

    organ: str
    cases: CaseList
    verdicts: tuple[Verdict, ...]
    remarks: tuple[str, ...]

    def counts(self) -> dict[str, int]:
        """Return how many cases there are of each verdict."""
        kinds = (HEALTHY, WITH_TUMOR, WITHOUT_ORGAN, SMALL, UNLABELLED, UNSURE, FAILED)
        found = {kind: sum(1 for v in self.verdicts if v.verdict == kind) for kind in kinds}
        return {kind: number for kind, number in found.items() if number}

    def summary(self) -> dict[str, Any]:
        """Return what was found, for machines."""
        return {
            "organ": self.organ,
            "counts": self.counts(),
            "cases": [
                {
                    "case": v.case,
                    "verdict": v.verdict,
                    "organ_ml": round(v.organ_ml, 3),
                    "tumor_ml": round(v.tumor_ml, 3),
                    "known_healthy": v.known,
                    "problem": v.sentence or None,
                }
                for v in self.verdicts
            ],
            "remarks": list(self.remarks),
        }


def healthy(
    cases: CaseList,
    organ: str,
    *,
    convention: str | None = None,
    min_organ_ml: float = 1.0,
    known_only: bool = False,
    workers: int | None = None,
    progress: Progress = silent,
) -> Choice:
    """Choose the cases whose label maps have an organ and no tumour of it.

    Parameters
    ----------
    cases
        All parts of the list are looked at.
    organ
        An organ that can hold tumours.
    convention
        How the label maps number it; by default what the list's header says, else oncoforge.
    min_organ_ml
        Least volume of the organ, mL.
    known_only
        Take only cases that their dataset is known to have without tumours, for label maps that do
        not show tumours.
    workers
        Number of processes; None for as many as there are cores.
    progress
        Called after each case.

    Raises
    ------
    UnknownNameError
        If there is no such organ or convention.
    InputError
        If the organ cannot hold tumours.
    """
    record = anatomy.organ(organ)
    if record.tumor_label is None:
        raise InputError(f"The label convention has no tumours of the {record.name}.")
    name = convention or str(cases.header.get("convention") or "oncoforge")
    translation = convention_of(name, record.name)
    work = partial(_judge, organ=record, convention=translation, min_organ_ml=min_organ_ml)
    entries = list(cases)
    verdicts = []
    for entry, result in zip(entries, each(work, entries, workers, progress), strict=True):
        if isinstance(result, Failure):
            result = Verdict(entry.case, FAILED, sentence=result.sentence)
        result = replace(result, known=_is_known(entry, cases.name, record.name))
        if known_only and result.verdict == HEALTHY and not result.known:
            result = replace(result, verdict=UNSURE)
        verdicts.append(result)
    chosen = tuple(
        entry for entry, v in zip(entries, verdicts, strict=True) if v.verdict == HEALTHY
    )
    return Choice(
        record.name,
        replace(cases, training=_unique(chosen), validation=(), test=(), path=None),
        tuple(verdicts),
        tuple(_remarks(cases, translation, record.name, verdicts)),
    )


def _judge(
    entry: Entry, organ: anatomy.Organ, convention: anatomy.Convention, min_organ_ml: float
) -> Verdict:
    if entry.label is None:
        return Verdict(entry.case, UNLABELLED)
    stored = open_labels(entry.label)
    try:
        labels = convention.to_oncoforge(stored.labels())
    except InputError as error:
        raise InputError(f"{entry.label} does not fit its label convention. {error}") from None
    voxel_ml = float(np.prod(stored.source.grid.spacing)) / 1000
    organ_ml = np.count_nonzero(labels == organ.label) * voxel_ml
    tumor_ml = np.count_nonzero(labels == organ.tumor_label) * voxel_ml
    if tumor_ml:
        verdict = WITH_TUMOR
    elif not organ_ml:
        verdict = WITHOUT_ORGAN
    else:
        verdict = HEALTHY if organ_ml >= min_organ_ml else SMALL
    return Verdict(entry.case, verdict, organ_ml, tumor_ml)


def _is_known(entry: Entry, dataset: str, organ: str) -> bool:
    """Whether the dataset that a case is from is known to be healthy there."""
    scans, _, number = (identity(entry, dataset) or "").partition(":")
    found = DATASETS.get(scans)
    known = () if found is None else found.healthy.get(organ, ())
    return known == "all" or number in known


def _unique(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Keep one entry of each id: a case may be in two parts of a list."""
    return tuple({entry.case: entry for entry in reversed(entries)}.values())[::-1]


def _remarks(
    cases: CaseList, convention: anatomy.Convention, organ: str, verdicts: list[Verdict]
) -> Iterator[str]:
    words = organ.replace("_", " ")
    tumor = f"{organ}_tumor"
    listed = cases.header.get("dataset") is not None and tumor not in cases.labels.values()
    unknown = sum(1 for v in verdicts if v.verdict == HEALTHY and not v.known)
    if (listed or tumor not in convention.targets.values()) and unknown:
        taken = f"{count(unknown, 'case')} {'are' if unknown > 1 else 'is'} taken"
        yield (
            f"The labels of this list have no class for tumours of the {words}: {taken} as healthy "
            "although nothing says so. Use --known to leave them out."
        )
    for v in verdicts:
        if v.known and v.verdict == WITH_TUMOR:
            yield f"{v.case} is known as a case without tumours, but its label map has one."
