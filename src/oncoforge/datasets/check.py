"""Check a list: every case opened once, then all of them compared."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from oncoforge import anatomy
from oncoforge.datasets import across
from oncoforge.datasets.content import Content, Similar, read_content, same_content
from oncoforge.datasets.examine import Examined, Facts, Rules, examine
from oncoforge.datasets.findings import SEVERITIES, Finding, ordered
from oncoforge.datasets.leakage import Leak, Place, leaks_between, places
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.lists import SPLITS, CaseList, Entry
from oncoforge.parallel import Failure, Progress, each, silent

MODALITIES = ("ct", "mr")


@dataclass(frozen=True, eq=False)
class Checked:
    """What a check of a list found.

    Parameters
    ----------
    cases
        The list.
    places
        Its cases, each with its part.
    facts, tiles
        What each case is like, and a small picture of it (None where there is none).
    findings
        What is wrong, by kind; leaks are among them.
    leaks
        All pairs of cases in different parts that show one patient.
    """

    cases: CaseList
    places: tuple[Place, ...]
    facts: tuple[Facts, ...]
    tiles: tuple[bytes | None, ...]
    findings: tuple[Finding, ...]
    leaks: tuple[Leak, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of findings of each severity."""
        often = Counter(finding.severity for finding in self.findings)
        return {severity: often[severity] for severity in SEVERITIES}

    @property
    def failed(self) -> int:
        """Number of cases with an error."""
        bad = {(found.part, found.case) for found in self.findings if found.severity == "error"}
        bad |= {(side.part, side.entry.case) for leak in self.leaks for side in leak.sides}
        return sum((place.part, place.entry.case) in bad for place in self.places)

    @property
    def fine(self) -> bool:
        """Whether there are no errors: warnings and notes are allowed."""
        return not self.counts["error"]

    def as_json(self) -> dict[str, Any]:
        """Return everything but the pictures as plain data."""
        cases = [
            {"part": place.part, "case": place.entry.case, **facts.as_json()}
            for place, facts in zip(self.places, self.facts, strict=True)
        ]
        return {
            "list": str(self.cases.path or self.cases.name),
            "parts": {part: len(self.cases.part(part)) for part in SPLITS},
            "counts": self.counts,
            "failed_cases": self.failed,
            "findings": [finding.as_json() for finding in self.findings],
            "leaks": [leak.as_json() for leak in self.leaks],
            "cases": cases,
        }


def check_list(
    cases: CaseList,
    convention: str | None = None,
    organ: str | None = None,
    against: Sequence[CaseList] = (),
    modality: str | None = None,
    content: bool = True,
    tiles: bool = False,
    workers: int | None = None,
    progress: Progress = silent,
) -> Checked:
    """Open every case of a list once and say what is wrong with it.

    Parameters
    ----------
    cases
        The list. Lists of images only, or of label maps only, are as welcome.
    convention
        How its label maps number what they label: a name of :mod:`oncoforge.anatomy`. By default
        label values are held against the names in the list's own header.
    organ
        Organ that every label map must have. Needs a convention.
    against
        Other lists that it must share no patient with.
    modality
        ``"ct"`` or ``"mr"``, which has no HU to check; by default what the header says, else CT.
    content
        Compare cases by what their images show, too.
    tiles
        Draw a small picture of each case.
    workers
        Number of processes; None for as many as there are cores.
    progress
        Called after each case.

    Raises
    ------
    InputError
        If the list is empty or none of its files exists.
    UnknownNameError
        If the convention, the organ or the modality has no such name.
    """
    rules = _rules(cases, convention, organ, modality, content, tiles)
    _check_files(cases)
    own = places(cases)
    found = [
        Examined(findings=(("broken", each_.sentence),)) if isinstance(each_, Failure) else each_
        for each_ in each(
            partial(_examined, rules), [place.entry for place in own], workers, progress
        )
    ]
    facts = [one.facts for one in found]
    everyone = places(cases, against)
    contents: list[Content] | None = None
    similar: list[Similar] = []
    if content:
        others = [place.entry for place in everyone[len(own) :]]
        opened = each(read_content, others, workers, progress)
        contents = [one.content for one in found]
        contents += [Content() if isinstance(one, Failure) else one for one in opened]
        similar = same_content([place.side for place in everyone], contents)
    leaks = leaks_between(everyone, contents, similar)
    findings = [
        *_of_cases(own, found),
        *_of_leaks(leaks),
        *across.shared_files(own),
        *across.duplicates(everyone[: len(own)], [s for s in similar if s[1] < len(own)]),
        *across.spacing_outliers(own, facts),
        *across.orientations(facts),
        *across.header(cases, facts),
    ]
    return Checked(
        cases,
        tuple(own),
        tuple(facts),
        tuple(one.tile for one in found),
        tuple(ordered(findings)),
        tuple(leaks),
    )


def _examined(rules: Rules, entry: Entry) -> Examined:
    return examine(entry, rules)


def _rules(
    cases: CaseList,
    convention: str | None,
    organ: str | None,
    modality: str | None,
    content: bool,
    tiles: bool,
) -> Rules:
    if modality is not None and modality not in MODALITIES:
        raise UnknownNameError("modality", modality, MODALITIES)
    if convention is None and cases.header.get("convention") == "oncoforge":
        convention = "oncoforge"  # `prepare` wrote the list
    if organ is not None and convention is None:
        raise InputError(
            "To look for an organ, say how the label maps number their organs: give --convention."
        )
    found = None if convention is None else anatomy.convention(convention, organ)
    name = None if organ is None else anatomy.organ(organ).name
    hu = (modality or _modality(cases)) == "ct"
    return Rules(found, name, frozenset(cases.labels), hu, content, tiles)


def _modality(cases: CaseList) -> str:
    """Return what the header says of the first channel."""
    for key in ("modality", "channel_names"):
        said = cases.header.get(key)
        first = str(next(iter(said.values()), "")) if isinstance(said, dict) else str(said or "")
        if first.lower().startswith("mr"):
            return "mr"
    return "ct"


def _check_files(cases: CaseList) -> None:
    """Refuse a list of nothing, and one whose files are all elsewhere."""
    name = cases.path or cases.name or "The list"
    files = [path for entry in cases for path in (entry.image, entry.label) if path is not None]
    if not files:
        raise InputError(f"{name} names no files. Give a list of images, of label maps, or both.")
    if not any(map(os.path.exists, files)):
        where = os.path.commonpath([path.parent for path in files])
        what = f"none of the {len(files)} files" if len(files) > 1 else "not one file"
        raise InputError(
            f"{name}: {what} exists below {where} (the first should be {files[0]}). The list may "
            "be of another machine: give the folder of the data with --root."
        )


def _of_cases(own: Sequence[Place], found: Sequence[Examined]) -> Iterator[Finding]:
    for place, one in zip(own, found, strict=True):
        for kind, sentence in one.findings:
            yield Finding(kind, sentence, place.part, place.entry.case)


def _of_leaks(leaks: Sequence[Leak]) -> Iterator[Finding]:
    for leak in leaks:
        sentence = f"{leak.first} and {leak.second}: {', '.join(leak.reasons)}."
        yield Finding("leak", sentence, leak.first.part, leak.first.entry.case)
