"""What the files of a case hold, and which cases hold the same."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from oncoforge.datasets.fingerprint import Fingerprint, fingerprint, label_digest
from oncoforge.datasets.look import alike
from oncoforge.formats.open import open_labels, open_volume
from oncoforge.lists import Entry

Similar = tuple[int, int, str]
"""Two cases by their index, and what they share."""

SAME_BYTES: Final = "image files with the same bytes"

_IMAGE_REASONS: Final = {
    "file": SAME_BYTES,
    "voxels": "images with the same voxels",
    "values": "images with the same voxels in another order",
}


@dataclass(frozen=True, eq=False)
class Content:
    """What the files of a case hold.

    Parameters
    ----------
    image
        Fingerprint of the image; None if there is none, or none that can be read.
    labels
        Hash of the label map's voxels; empty if there is none, or nothing in it.
    """

    image: Fingerprint | None = None
    labels: str = ""


def read_content(entry: Entry, force: bool = True) -> Content:
    """Open the files of a case and remember what they hold; a file that is not there has nothing.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    image, labels = None, ""
    if entry.image is not None and os.path.exists(entry.image):
        stored = open_volume(entry.image, force=force)
        image = fingerprint(entry.image, stored.image(), stored.source.grid.ras().spacing)
    if entry.label is not None and os.path.exists(entry.label):
        labels = label_digest(open_labels(entry.label).labels())
    return Content(image, labels)


def same_content(parts: Sequence[str], contents: Sequence[Content]) -> list[Similar]:
    """Find cases of the same content, in one part or in two.

    Parameters
    ----------
    parts
        The part that each case is in.
    contents
        What each case holds.

    Returns
    -------
    list of tuple
        Index of the first, index of the second, and what they share: of an image only the surest.
    """
    found: dict[tuple[int, int], str] = {}
    images = [content.image for content in contents]
    for name, reason in _IMAGE_REASONS.items():
        keys = ["" if image is None else getattr(image, name) for image in images]
        for pair in _equal(keys, parts):
            found.setdefault(pair, reason)
    numbers = {part: k for k, part in enumerate(dict.fromkeys(parts))}
    groups = [numbers[part] for part in parts]
    looks = [None if image is None else image.look for image in images]
    for first, second, likeness in alike(looks, groups, within=True):
        found.setdefault((first, second), f"images that look the same (correlation {likeness:.2f})")
    labels = _equal([content.labels for content in contents], parts)
    both = [(*pair, reason) for pair, reason in found.items()]
    return sorted(both + [(*pair, "label maps with the same voxels") for pair in labels])


def _equal(keys: Sequence[str], parts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pair cases of the same key, of which "" is none."""
    groups: dict[str, list[int]] = defaultdict(list)
    for number, key in enumerate(keys):
        if key:
            groups[key].append(number)
    for members in groups.values():
        yield from across(members, parts)
        yield from along(members, parts)


def across(members: Sequence[int], parts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pair each member with the first of every other part: not all with all, which may be many.

    Parameters
    ----------
    members
        Indices of cases that have something in common.
    parts
        The part that each case is in.
    """
    heads: dict[str, int] = {}
    for number in members:
        heads.setdefault(parts[number], number)
    if len(heads) > 1:
        yield from sorted(
            {
                (min(number, head), max(number, head))
                for number in members
                for part, head in heads.items()
                if part != parts[number]
            }
        )


def along(members: Sequence[int], parts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pair each member with the first of its own part; arguments as for `across`."""
    heads: dict[str, int] = {}
    for number in members:
        head = heads.setdefault(parts[number], number)
        if head != number:
            yield head, number
