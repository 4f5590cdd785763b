"""A list of cases: which image belongs to which label map, of whom, and for what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from oncoforge.errors import InputError

SPLITS: Final = ("training", "validation", "test")
"""The parts of a list, by the names that MSD gives them."""


@dataclass(frozen=True)
class Entry:
    """One case of a list.

    Parameters
    ----------
    case
        Its id, unique in a part of a list.
    image, label
        Absolute paths; None where the list gives none (test images have no labels, a folder of
        label maps has no images).
    patient
        Who it is of: cases of one patient stay together when a list is split. By default the case
        is a patient of its own.
    fold
        Fold in which it is validated, where the list says so.
    more
        Whatever else the list said of it, by the list's own keys; written back as it was. The
        paths of further images of a case are ``channels``.
    """

    case: str
    image: Path | None = None
    label: Path | None = None
    patient: str = ""
    fold: int | None = None
    more: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not self.case:
            raise InputError("A case of a list needs an id.")
        if not self.patient:
            object.__setattr__(self, "patient", self.case)

    @property
    def files(self) -> tuple[Path, ...]:
        """Image, label map and further images, as many as the list names."""
        return tuple(path for path in (self.image, self.label, *self.channels) if path is not None)

    @property
    def channels(self) -> tuple[Path, ...]:
        """The further images of a case with several, such as PET beside CT; `image` is the CT."""
        given = self.more.get("channels")
        return tuple(Path(path) for path in given) if isinstance(given, list) else ()


@dataclass(frozen=True)
class CaseList:
    """Cases for training, validation and test.

    Parameters
    ----------
    training, validation, test
        Its parts, in the order of the file.
    name
        What people call it.
    labels
        Label value to the list's own class name; empty where it does not say.
    header
        Whatever else its file said, by the file's own keys; written back as it was.
    path
        The file (or folder) that it was read from; None if it was made here.

    Raises
    ------
    InputError
        If two cases of one part have the same id.
    """

    training: tuple[Entry, ...] = ()
    validation: tuple[Entry, ...] = ()
    test: tuple[Entry, ...] = ()
    name: str = ""
    labels: Mapping[int, str] = field(default_factory=dict, hash=False)
    header: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)
    path: Path | None = None

    def __post_init__(self) -> None:
        for part in SPLITS:
            often = Counter(entry.case for entry in getattr(self, part)).most_common(1)
            if often and often[0][1] > 1:
                raise InputError(
                    f"{self.path or 'The list'} has {often[0][1]} {part} cases of the id "
                    f"{often[0][0]!r}; every case needs an id of its own."
                )

    def part(self, name: str) -> tuple[Entry, ...]:
        """Return one of `SPLITS`."""
        entries: tuple[Entry, ...] = getattr(self, name)
        return entries

    def __iter__(self) -> Iterator[Entry]:
        """Go through all parts, in the order of `SPLITS`."""
        for part in SPLITS:
            yield from self.part(part)

    def __len__(self) -> int:
        return sum(len(self.part(part)) for part in SPLITS)
