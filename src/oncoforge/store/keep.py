"""The folder of a store: which cases are in it, how they get in, and how they leave."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from oncoforge import anatomy
from oncoforge.checkpoints.cache import user_folder
from oncoforge.errors import OutputError
from oncoforge.lists.sources import PathLike
from oncoforge.store.build import RECORD, build
from oncoforge.store.case import whole
from oncoforge.store.settings import CaseFiles, StoreSettings
from oncoforge.store.sources import SOURCES

VERSION: Final = 1
"""Of what is written; cases of another version have other keys, so that they are built anew."""

VARIABLE: Final = "ONCOFORGE_STORE"
"""Environment variable that names the folder."""

CASES: Final = "cases"

_TEMPORARY = ".part-"
_DAY_S = 86400.0


@dataclass(frozen=True)
class Size:
    """What a store takes.

    Parameters
    ----------
    cases
        How many there are.
    bytes
        On disk.
    """

    cases: int
    bytes: int


def default_folder() -> Path:
    """Return the folder of the store: ``ONCOFORGE_STORE``, or ``oncoforge/store`` in the cache."""
    return user_folder(VARIABLE, "store")


def key_of(case: CaseFiles, hashes: Sequence[str], settings: StoreSettings) -> str:
    """Return what a case is known by: 32 hexadecimal digits.

    Parameters
    ----------
    case
        Says how its label map is read.
    hashes
        Of its image and of its label map.
    settings
        Of the store.
    """
    convention = anatomy.convention(case.convention, case.organ)
    made_of = {
        "version": VERSION,
        "files": list(hashes),
        "labels": sorted(convention.targets.items()),
        "settings": asdict(settings),
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:32]


def use(place: Path, key: str) -> dict[str, Any] | None:
    """Return the record of a case that is there and whole, and note that it was asked for."""
    folder = place / CASES / key
    record = whole(folder, key)
    if record is not None:
        with suppress(OSError):  # a store may be others', and only be read
            os.utime(folder / RECORD)
    return record


def add(case: CaseFiles, settings: StoreSettings, place: Path, key: str) -> None:
    """Build a case beside the others, and give it its name once it is whole.

    Raises
    ------
    InputError
        If its files cannot be used.
    OutputError
        If it cannot be written; nothing is left behind.
    """
    folder = _temporary(place)
    try:
        folder.mkdir()
        build(case, settings, key, folder)
        _put(folder, place / CASES / key, key)
    except OSError as error:
        raise OutputError(
            f"{place} cannot be written ({error.strerror or error}); check that you may write "
            "there and that the disk has room."
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(place: Path) -> None:
    """Remove what was left over a day ago by processes that were killed."""
    for folder in (place / CASES).glob(f"{_TEMPORARY}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _DAY_S:
                shutil.rmtree(folder, ignore_errors=True)


def size(folder: PathLike | None = None) -> Size:
    """Return how much a store holds.

    Parameters
    ----------
    folder
        By default `default_folder`.
    """
    place = default_folder() if folder is None else Path(folder).expanduser()
    # Its own folders only: others may keep things beside them.
    found = [path for own in (CASES, SOURCES) for path in (place / own).rglob("*")]
    files = [path for path in found if path.is_file()]
    return Size(len(_cases(place)), sum(path.stat().st_size for path in files))


def prune(folder: PathLike | None = None, unused_days: float = 0.0) -> Size:
    """Remove cases from a store, which must not be in use; they are built again when needed.

    Parameters
    ----------
    folder
        By default `default_folder`.
    unused_days
        Only those that `build_store` was not asked for since; 0 for all.

    Returns
    -------
    Size
        What was removed.
    """
    place = default_folder() if folder is None else Path(folder).expanduser()
    before = size(place)
    for path in _cases(place):
        if time.time() - (path / RECORD).stat().st_mtime >= unused_days * _DAY_S:
            # Under its name it is whole or not there at all.
            away = path.rename(_temporary(place))
            shutil.rmtree(away, ignore_errors=True)
    sweep(place)
    after = size(place)
    return Size(before.cases - after.cases, before.bytes - after.bytes)


def _cases(place: Path) -> list[Path]:
    found = sorted((place / CASES).glob(f"*/{RECORD}"))
    return [path.parent for path in found if not path.parent.name.startswith(_TEMPORARY)]


def _temporary(place: Path) -> Path:
    return place / CASES / f"{_TEMPORARY}{secrets.token_hex(8)}"


def _put(folder: Path, target: Path, key: str) -> None:
    """Give a folder its name; if others were first, theirs stays, unless it is damaged."""
    for _ in range(8):
        try:
            folder.rename(target)
            return
        except OSError:
            if not target.is_dir():
                raise
        if whole(target, key) is not None:
            return
        away = _temporary(target.parent.parent)
        with suppress(OSError):
            target.rename(away)
        shutil.rmtree(away, ignore_errors=True)
    raise OutputError(f"{target} cannot be replaced; remove it.")
