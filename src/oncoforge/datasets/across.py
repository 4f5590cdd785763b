"""What can be wrong with a list as a whole: outliers, doubles, and a header that is not true."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from oncoforge.datasets.content import Similar
from oncoforge.datasets.examine import Facts
from oncoforge.datasets.findings import Finding
from oncoforge.datasets.leakage import Place
from oncoforge.lists import SPLITS, CaseList
from oncoforge.reports.wording import count

_FEWEST_CASES: Final = 5
_FAR_FACTOR: Final = 2.0
_FAR_DEVIATIONS: Final = 5.0
_SD_PER_MAD: Final = 1.4826  # of a normal distribution
_COUNTS: Final = {
    "numTraining": "training",
    "numValidation": "validation",
    "numValid": "validation",
    "numTest": "test",
}


def spacing_outliers(places: Sequence[Place], facts: Sequence[Facts]) -> Iterator[Finding]:
    """Find the cases whose spacing is far from the list's median.

    Far is more than a factor of two, and more than five robust standard deviations of the
    logarithm (from the median absolute deviation): a list of 1 to 5 mm slices has no outliers.
    """
    known = [(place, fact.spacing_mm) for place, fact in zip(places, facts, strict=True)]
    rows = [(place, mm) for place, mm in known if mm is not None]
    if len(rows) < _FEWEST_CASES:
        return
    logs = np.log([mm for _, mm in rows])
    middle = np.median(logs, axis=0)
    away = np.abs(logs - middle)
    usual = _SD_PER_MAD * np.median(away, axis=0)
    far = (away > np.log(_FAR_FACTOR)) & (away > _FAR_DEVIATIONS * usual)
    median = " x ".join(f"{mm:.3g}" for mm in np.exp(middle))
    for (place, mm), outside in zip(rows, far, strict=True):
        if outside.any():
            own = " x ".join(f"{one:.3g}" for one in mm)
            yield Finding(
                "spacing",
                f"Its spacing is {own} mm (R, A, S); the median of the list is {median} mm.",
                place.part,
                place.entry.case,
            )


def orientations(facts: Sequence[Facts]) -> Iterator[Finding]:
    """Say which axis orders there are, if there are several."""
    often = Counter(fact.orientation for fact in facts if fact.orientation is not None)
    if len(often) > 1:
        listed = ", ".join(f"{codes} ({number})" for codes, number in often.most_common())
        yield Finding("orientation", f"The files have several axis orders: {listed}.")


def duplicates(places: Sequence[Place], contents_alike: Sequence[Similar]) -> Iterator[Finding]:
    """Say which cases of one part hold the same; each is named once."""
    named: set[int] = set()
    for first, second, reason in contents_alike:
        one, other = places[first], places[second]
        same_file = any(
            path is not None and path == getattr(other.entry, role)
            for role, path in (("image", one.entry.image), ("label", one.entry.label))
        )
        if one.side == other.side and not same_file and second not in named:
            named.add(second)
            sentence = f"It is {one.entry.case} again: {reason}."
            yield Finding("duplicate", sentence, other.part, other.entry.case)


def shared_files(places: Sequence[Place]) -> Iterator[Finding]:
    """Say which label maps belong to two images, and which images are listed twice in one part."""
    by_label: dict[Path, list[Place]] = defaultdict(list)
    by_image: dict[tuple[str, Path], list[Place]] = defaultdict(list)
    for place in places:
        if place.entry.label is not None:
            by_label[place.entry.label.resolve()].append(place)
        if place.entry.image is not None:
            by_image[place.side, place.entry.image.resolve()].append(place)
    for label, users in by_label.items():
        first, *rest = users
        for other in rest:
            if other.entry.image != first.entry.image:
                sentence = f"{label} is the label map of {first} too, which is another image."
                yield Finding("label-reused", sentence, other.part, other.entry.case)
    for (_, image), users in by_image.items():
        first, *rest = users
        for other in rest:
            maps = "the same label map"
            if other.entry.label != first.entry.label:
                maps = f"another label map ({first.entry.label})"
            sentence = f"{image} is listed as {first} too, with {maps}."
            yield Finding("image-twice", sentence, other.part, other.entry.case)


def header(cases: CaseList, facts: Sequence[Facts]) -> Iterator[Finding]:
    """Say what the header of a list tells that is not so."""
    for key, part in _COUNTS.items():
        said, real = cases.header.get(key), len(cases.part(part))
        if isinstance(said, int) and said != real:
            yield Finding("header-count", f"The header's {key} is {said}; there are {real}.")
    seen = [set(fact.labels.voxels) for fact in facts if fact.labels is not None]
    unseen = sorted(set(cases.labels) - {0}.union(*seen))
    if seen and unseen:
        names = ", ".join(f"{value} ({cases.labels[value]})" for value in unseen)
        sentence = (
            f"The list names labels that none of its {count(len(seen), 'label map')} has: {names}."
        )
        yield Finding("header-unseen", sentence)
    for part in SPLITS:
        without = [entry.case for entry in cases.part(part) if entry.label is None]
        if 0 < len(without) < len(cases.part(part)):
            sentence = (
                f"{len(without)} of {len(cases.part(part))} {part} cases have no label map, "
                f"{without[0]} among them."
            )
            yield Finding("no-labels", sentence, part)
