"""Leakage: one patient in two parts of a list, by name, by file or by what the scan shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from oncoforge.datasets.content import (
    SAME_BYTES,
    Content,
    Similar,
    across,
    read_content,
    same_content,
)
from oncoforge.datasets.fingerprint import file_digest
from oncoforge.datasets.identity import identity
from oncoforge.errors import InputError
from oncoforge.lists import SPLITS, CaseList, Entry
from oncoforge.lists.names import is_number
from oncoforge.parallel import Failure, Progress, each, silent

SHOWN: Final = 12
"""So many pairs are written out in the sentence of an error."""


@dataclass(frozen=True)
class Place:
    """A case of a part of a list.

    Parameters
    ----------
    part
        ``"training"``, ``"validation"``, ``"test"``, or the name of another list.
    entry
        The case.
    source
        Number of the list, from 0: ids of two lists need not mean the same patient.
    dataset
        Name of the list, which helps to tell whose scan a file is.
    fold
        Its fold, where the folds of a part take turns as validation.
    """

    part: str
    entry: Entry
    source: int = 0
    dataset: str = ""
    fold: int | None = None

    @property
    def side(self) -> str:
        """What it must not share patients with others of: its part, or its fold of that."""
        return self.part if self.fold is None else f"{self.part} fold {self.fold}"

    def __str__(self) -> str:
        return f"{self.side} {self.entry.case}"


@dataclass(frozen=True)
class Leak:
    """Two cases of different parts that show one patient.

    Parameters
    ----------
    first, second
        The cases, in the order of the list.
    reasons
        How that is known, the surest first.
    """

    first: Place
    second: Place
    reasons: tuple[str, ...]

    @property
    def sides(self) -> tuple[Place, Place]:
        """Both cases."""
        return self.first, self.second

    def __str__(self) -> str:
        return f"{self.first} and {self.second}: {', '.join(self.reasons)}"

    def as_json(self) -> dict[str, Any]:
        """Return the pair as plain data."""
        sides = {
            key: {"part": place.side, "case": place.entry.case}
            for key, place in (("first", self.first), ("second", self.second))
        }
        return {**sides, "reasons": list(self.reasons)}


ADVICE: Final = "Keep the cases of a patient in one part (oncoforge prepare split does)"


class LeakError(InputError):
    """A list whose parts share patients.

    Parameters
    ----------
    leaks
        All pairs; the sentence names the first dozen.
    name
        What to call the list.
    advice
        What to do, as the start of a sentence that the pairs end.
    """

    def __init__(self, leaks: Sequence[Leak], name: str, advice: str = ADVICE) -> None:
        self.leaks = tuple(leaks)
        lines = [f"  {leak}" for leak in leaks[:SHOWN]]
        if len(leaks) > SHOWN:
            lines.append(f"  and {len(leaks) - SHOWN} more")
        pairs = "1 pair of cases" if len(leaks) == 1 else f"{len(leaks)} pairs of cases"
        super().__init__(
            f"{name} leaks: {pairs} in different parts show one patient. {advice}:\n"
            + "\n".join(lines)
        )


def find_leaks(
    cases: CaseList,
    content: bool = False,
    workers: int | None = None,
    progress: Progress = silent,
    against: Sequence[CaseList] = (),
) -> list[Leak]:
    """Find the cases of different parts, or of different folds of one, that show one patient.

    Parameters
    ----------
    cases
        The list.
    content
        Open every file too, and compare voxels and looks: what names and copies cannot tell.
    workers
        Number of processes that open files; None for as many as there are cores.
    progress
        Called after each case that was opened.
    against
        Other lists, each of which is taken for one more part.

    Returns
    -------
    list of Leak
        In the order of the list. Of many cases of one patient, each is paired with the first one
        of every other part. Files that cannot be read are compared by name only.
    """
    everyone = places(cases, against)
    contents: list[Content] | None = None
    if content:
        opened = each(read_content, [place.entry for place in everyone], workers, progress)
        contents = [Content() if isinstance(found, Failure) else found for found in opened]
    return leaks_between(everyone, contents)


def check_leaks(
    cases: CaseList,
    content: bool = False,
    workers: int | None = None,
    progress: Progress = silent,
    against: Sequence[CaseList] = (),
    advice: str = ADVICE,
) -> None:
    """Refuse a list whose parts share patients; the arguments are those of `find_leaks`.

    `advice` says what to do, as the start of a sentence that the pairs end.

    Raises
    ------
    LeakError
        If there are any leaks. Its sentence names the first dozen pairs, its `leaks` hold all.
    """
    leaks = find_leaks(cases, content, workers, progress, against)
    if leaks:
        raise LeakError(leaks, str(cases.path or cases.name or "The list"), advice)


def places(cases: CaseList, against: Sequence[CaseList] = ()) -> list[Place]:
    """Return every case with its part; another list is one part, called by its name."""
    # A list with a validation part has chosen its fold: the others train together.
    folds = not cases.validation
    found = [
        Place(part, entry, 0, cases.name, entry.fold if folds else None)
        for part in SPLITS
        for entry in cases.part(part)
    ]
    taken = set(SPLITS)
    for number, other in enumerate(against, 1):
        name = other.path.stem if other.path is not None else other.name or "list"
        part = name if name not in taken else f"{name} ({number})"
        taken.add(part)
        found += [Place(part, entry, number, other.name) for entry in other]
    return found


def leaks_between(
    everyone: Sequence[Place],
    contents: Sequence[Content] | None = None,
    similar: Sequence[Similar] | None = None,
) -> list[Leak]:
    """Find leaks among cases whose content, if it is to count, is known already.

    Parameters
    ----------
    everyone
        The cases, as from `places`.
    contents
        One for each of them.
    similar
        As from `same_content`; by default found here.
    """
    sides = [place.side for place in everyone]
    reasons: dict[tuple[int, int], list[str]] = defaultdict(list)
    for keys_of in (_patient_keys, _scan_keys, _path_keys):
        groups: dict[tuple[Hashable, str], list[int]] = defaultdict(list)
        for number, place in enumerate(everyone):
            for key, reason in keys_of(place):
                groups[key, reason].append(number)
        for (_, reason), members in groups.items():
            for pair in across(members, sides):
                reasons[pair].append(reason)
    for pair in _same_bytes(everyone, sides):
        reasons[pair].append(SAME_BYTES)
    if contents is not None and similar is None:
        similar = same_content(sides, contents)
    for first, second, reason in similar or ():
        images = everyone[first].entry.image, everyone[second].entry.image
        if sides[first] != sides[second] and (images[0] is None or images[0] != images[1]):
            reasons[first, second].append(reason)
    return [
        Leak(everyone[first], everyone[second], tuple(dict.fromkeys(why)))
        for (first, second), why in sorted(reasons.items())
    ]


def _same_bytes(everyone: Sequence[Place], sides: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Find copies of image files. Only files of one size are read, and those are few."""
    sizes: dict[int, list[int]] = defaultdict(list)
    for number, place in enumerate(everyone):
        with suppress(OSError):
            if place.entry.image is not None and place.entry.image.is_file():
                sizes[place.entry.image.stat().st_size].append(number)
    for members in sizes.values():
        if len({sides[number] for number in members}) < 2:
            continue
        equal: dict[str, list[int]] = defaultdict(list)
        for number in members:
            path = everyone[number].entry.image
            if path is not None:
                with suppress(InputError):
                    equal[file_digest(path)].append(number)
        for same in equal.values():
            for first, second in across(same, sides):
                one, other = everyone[first].entry.image, everyone[second].entry.image
                if one and other and one.resolve() != other.resolve():  # else named already
                    yield first, second


def _patient_keys(place: Place) -> Iterator[tuple[Hashable, str]]:
    patient, explicit = place.entry.patient, place.entry.patient != place.entry.case
    yield (place.source, patient), f"same patient {patient}"
    # "12" or "case_00012" of another list is someone else as a rule, unless it says "patient".
    if explicit or not (is_number(patient) or identity(place.entry, place.dataset)):
        yield patient, f"same patient {patient}"


def _scan_keys(place: Place) -> Iterator[tuple[Hashable, str]]:
    scan = identity(place.entry, place.dataset)
    if scan:
        yield scan, f"one patient by name ({scan})"


def _path_keys(place: Place) -> Iterator[tuple[Hashable, str]]:
    for path, words in ((place.entry.image, "image file"), (place.entry.label, "label file")):
        if path is not None:
            yield path.resolve(), f"the same {words}"
