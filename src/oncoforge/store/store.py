"""A folder of cases that are built once, each from its own files, and then read patch by patch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from oncoforge import anatomy
from oncoforge.errors import InputError, OutputError
from oncoforge.lists.sources import PathLike
from oncoforge.parallel import Failure, Progress, each, silent
from oncoforge.store import arrays
from oncoforge.store.case import StoredCase
from oncoforge.store.keep import CASES, add, default_folder, key_of, sweep, use
from oncoforge.store.settings import CaseFiles, StoreSettings
from oncoforge.store.sources import content, remembered


@dataclass(frozen=True)
class Store:
    """Cases that are ready to be read.

    Parameters
    ----------
    folder
        Where they are.
    settings
        How they were brought there.
    cases
        In the order in which they were asked for.
    """

    folder: Path
    settings: StoreSettings
    cases: tuple[StoredCase, ...]


def build_store(
    cases: Sequence[CaseFiles],
    folder: PathLike | None = None,
    settings: StoreSettings | None = None,
    *,
    workers: int | None = None,
    progress: Progress = silent,
) -> Store:
    """Bring cases into a store: those that are not there, or whose files have changed since.

    A case is known by what its files hold and by the settings, not by where the files are. Several
    processes may build at once.

    Parameters
    ----------
    cases
        Each with an image and a label map.
    folder
        Of the store; by default `default_folder`.
    settings
        By default 1 mm and cropped to the body.
    workers
        Processes; None for as many as there are cores. The result does not depend on it.
    progress
        Called after each case that was not known to be ready.

    Raises
    ------
    InputError
        If files are not there, or cannot be used: one sentence with how many, and the first. What
        could be built stays.
    UnknownNameError
        If a convention or an organ is in no table.
    OutputError
        If the folder cannot be written.
    """
    arrays.blosc2()
    settings = StoreSettings() if settings is None else settings
    place = default_folder() if folder is None else Path(folder).expanduser().absolute()
    for convention, organ in {(case.convention, case.organ): None for case in cases}:
        anatomy.convention(convention, organ)
    _check_files(cases)
    _make(place)
    keys = [_known(case, settings, place) for case in cases]
    records = [None if key is None else use(place, key) for key in keys]
    todo = [i for i, record in enumerate(records) if record is None]
    failures = []
    work = partial(_built, settings=settings, place=place)
    results = each(work, [cases[i] for i in todo], workers, progress)
    for i, result in zip(todo, results, strict=True):
        if isinstance(result, Failure):
            failures.append(result.sentence)
        else:
            keys[i], records[i] = result, use(place, result)
    if failures:
        raise InputError(_counted(len(failures), len(cases), failures[0]))
    return Store(place, settings, tuple(map(partial(_open, place), cases, keys, records)))


def absent(cases: Sequence[CaseFiles]) -> tuple[CaseFiles, ...]:
    """Return the cases of which a file is named that is not there."""
    return tuple(case for case in cases if any(not path.exists() for path in _files(case)))


def _files(case: CaseFiles) -> list[Path]:
    # Absolute, as hashes are remembered by path.
    paths = case.entry.image, case.entry.label
    return [path.absolute() for path in paths if path is not None]


def _check_files(cases: Sequence[CaseFiles]) -> None:
    """Say in one sentence how many cases lack files."""
    for what in ("image", "label"):
        bare = [case.entry for case in cases if getattr(case.entry, what) is None]
        if bare:
            name = "image" if what == "image" else "label map"
            which = _several(len(bare), len(cases), f"has no {name}", f"have no {name}")
            raise InputError(
                f"{which} in the list, such as {bare[0].case!r}; training needs both, and healthy "
                "cases need a map of their organs."
            )
    gone = absent(cases)
    if gone:
        first = next(path for path in _files(gone[0]) if not path.exists())
        which = _several(len(gone), len(cases), "has a file", "have files")
        raise InputError(
            f"{which} that cannot be found, the first {first}; put them back, or give the folder "
            "that the list begins at."
        )


def _several(number: int, of: int, one: str, many: str) -> str:
    return f"{number} of {of} {'case' if of == 1 else 'cases'} {one if number == 1 else many}"


def _counted(number: int, of: int, first: str) -> str:
    if number == 1:
        return first
    return f"{number} of {of} cases cannot be used, such as this one: {first}"


def _make(place: Path) -> None:
    try:
        (place / CASES).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{place} cannot be made ({error.strerror or error}); choose another folder for the "
            "store."
        ) from error
    sweep(place)


def _known(case: CaseFiles, settings: StoreSettings, place: Path) -> str | None:
    """Return the key of a case whose files need not be read to tell it."""
    hashes = [remembered(path, place) for path in _files(case)]
    return key_of(case, hashes, settings) if all(hashes) else None


def _built(case: CaseFiles, settings: StoreSettings, place: Path) -> str:
    """Return the key of a case, and see to it that it is there."""
    hashes = [content(path, place) for path in _files(case)]
    if not all(hashes):
        unread = _files(case)[hashes.index("")]
        raise InputError(f"{unread} cannot be read; check that you may read it.")
    key = key_of(case, hashes, settings)
    if use(place, key) is None:
        add(case, settings, place, key)
        if [content(path, place) for path in _files(case)] != hashes:
            raise InputError(f"{case} or its label map was written while it was read; try again.")
    return key


def _open(
    place: Path, case: CaseFiles, key: str | None, record: dict[str, Any] | None
) -> StoredCase:
    if key is None or record is None:
        raise OutputError(f"{place} lost a case that was just written there: {case}. Try again.")
    return StoredCase.open(place / CASES / key, case.entry, record)
