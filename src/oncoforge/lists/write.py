"""Write a list of cases in any of the field's forms."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Final

from oncoforge.errors import InputError, OutputError, UnknownNameError
from oncoforge.formats.atomic import atomic_write
from oncoforge.lists.entry import SPLITS, CaseList
from oncoforge.lists.inputs import keep_inputs
from oncoforge.lists.msd import dump, msd_content
from oncoforge.lists.nnunet_export import dataset_json, export_nnunet
from oncoforge.lists.table import table
from oncoforge.lists.text import WORDS, text_lines
from oncoforge.lists.values import check_values, values_in
from oncoforge.parallel import Progress, silent

KINDS: Final = ("msd", "nnunet", "csv", "text")
"""The forms in which a list can be written."""


def write_list(
    cases: CaseList,
    path: str | os.PathLike[str],
    kind: str | None = None,
    *,
    relative_to: str | os.PathLike[str] | None = None,
    copy: bool = False,
    fold: int | None = None,
    keep: Iterable[Path] = (),
    overwrite: bool = False,
    verify: bool = True,
    workers: int | None = None,
    progress: Progress = silent,
) -> None:
    """Write a list, as a whole or not at all.

    Parameters
    ----------
    cases
        The list.
    path
        A file for ``"msd"`` and ``"csv"``; a new folder for ``"nnunet"``; for ``"text"`` a
        ``.txt`` file for a list of one part, else a folder for ``real_tumor_train_0.txt``,
        ``real_tumor_val_0.txt`` and ``real_tumor_test_0.txt``. Folders on the way are made.
    kind
        One of `KINDS`; None goes by the ending: ``.csv``, ``.txt``, else MSD JSON.
    relative_to
        Folder that the paths in a file are relative to, where it will be moved; by default its
        own. Paths that share no folder with it are written as absolute ones.
    copy
        nnU-Net only: copy the files instead of linking to them.
    fold
        Text only: the number in the file names; 0 by default.
    keep
        Files that are never replaced, beside those that the list names.
    overwrite
        Replace files. A folder of nnU-Net's is never replaced.
    verify, workers, progress
        nnU-Net only: open every label map first, and refuse values that are not declared; in so
        many processes (None for one a core), with a call after each.

    Raises
    ------
    UnknownNameError
        If there is no such kind.
    InputError
        If a list of this kind cannot hold these cases.
    OutputError
        If the files exist, are inputs, or cannot be written.
    """
    target = Path(os.path.abspath(path))
    kind = kind or {".csv": "csv", ".txt": "text"}.get(target.suffix.lower(), "msd")
    if kind not in KINDS:
        raise UnknownNameError("kind of list", kind, KINDS)
    if kind == "nnunet":
        check = partial(_verify, workers=workers, progress=progress) if verify else None
        _write_nnunet(cases, target, copy, check)
        return
    files = {"msd": _msd, "csv": _csv, "text": _text}[kind](cases, target, relative_to, fold or 0)
    keep_inputs(files, [*keep, *(file for entry in cases for file in entry.files)])
    there = [file for file in files if os.path.lexists(file)]
    if there and not overwrite:
        raise OutputError(f"{there[0]} exists; choose another name, or --overwrite to replace it.")
    _make_folder(next(iter(files)).parent)
    done = []
    try:
        for file, content in files.items():
            with atomic_write(file) as stream:
                stream.write(content)
            done.append(file)
    except OutputError:
        for file in done:
            file.unlink(missing_ok=True)
        raise


def _msd(cases: CaseList, target: Path, start: object, _: int) -> dict[Path, bytes]:
    return {target: dump(msd_content(cases, _start(start, target.parent)))}


def _csv(cases: CaseList, target: Path, start: object, _: int) -> dict[Path, bytes]:
    return {target: table(cases, _start(start, target.parent))}


def _text(cases: CaseList, target: Path, start: object, fold: int) -> dict[Path, bytes]:
    """Return the text files of a list: one, or one for each part."""
    parts = [part for part in SPLITS if cases.part(part)]
    if target.suffix.lower() == ".txt":
        if len(parts) > 1:
            raise InputError(
                f"One text file holds one part of a list, but this one has {' and '.join(parts)}; "
                "give a folder for a file of each."
            )
        return {target: text_lines(cases, _start(start, target.parent))}
    folder = _start(start, target)
    return {
        target / f"real_tumor_{WORDS[part]}_{fold}.txt": text_lines(cases.part(part), folder)
        for part in parts
    }


def _start(given: object, own: Path) -> Path:
    """Return the folder that written paths are relative to."""
    return own if given is None else Path(os.path.abspath(str(given)))


def _verify(cases: CaseList, workers: int | None, progress: Progress) -> None:
    check_values(cases, values_in(dataset_json(cases)["labels"]), workers, progress)


def _write_nnunet(
    cases: CaseList, target: Path, copy: bool, verify: Callable[[CaseList], None] | None
) -> None:
    """Write a raw dataset beside its place, and move it there."""
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise OutputError(
            f"{target} exists, and a dataset's folder is never replaced; move it away, or choose "
            "another --out."
        )
    if verify is not None:
        verify(cases)
    _make_folder(target.parent)
    made = Path(tempfile.mkdtemp(prefix=".oncoforge-", dir=target.parent))
    try:
        export_nnunet(cases, made, copy)
        made.chmod(0o777 & ~_umask())
        made.replace(target)
    except OSError as error:
        raise OutputError(
            f"{target} could not be written: {error.strerror or error}. Nothing partial is left; "
            "if the file system has no links, --copy the files."
        ) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _make_folder(folder: Path) -> None:
    """Make the folder that a list goes to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder {folder} cannot be made: {error.strerror or error}."
        ) from error


def _umask() -> int:
    """Return the mask of rights that new files get; it can be read by setting it only."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
