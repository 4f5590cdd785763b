"""Which label maps are meant: files, folders, patterns and lists of cases."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from oncoforge.errors import InputError
from oncoforge.lists import Entry
from oncoforge.lists.names import case_ids, ending, stem
from oncoforge.lists.read import read_list

PathLike = str | os.PathLike[str]

LISTS = (".json", ".txt", ".csv")
"""Endings of lists of cases."""


def find_sources(
    sources: Sequence[PathLike], images: PathLike | None = None, root: PathLike | None = None
) -> tuple[Entry, ...]:
    """Find label maps, and their images where they are given.

    Parameters
    ----------
    sources
        Label maps; folders, of which every NIfTI, NRRD and MetaImage file below is taken (where
        there are folders ``labelsTr`` or ``labelsTs``, only theirs); patterns such as
        ``*/segmentation.nii.gz``; lists of cases, whose entries may name images too.
    images
        Folder with the images: each belongs to the label map of the same case id. Or the image of
        the only label map.
    root
        Where the relative paths of lists begin.

    Returns
    -------
    tuple of Entry
        In the order given, sorted within folders and patterns; every label map once.

    Raises
    ------
    InputError
        If there is nothing at a path, or no label map in all of them.
    """
    if not sources:
        raise InputError("Give label maps: files, folders, patterns or a list of cases.")
    found: dict[Path, Entry] = {}
    loose: list[Path] = []
    for source in sources:
        entries, files = _expanded(source, root)
        for entry in entries:
            assert entry.label is not None  # _expanded took no others
            found.setdefault(entry.label, entry)
        for file in files:
            if file not in found:
                found[file] = Entry(stem(file), label=file)
                loose.append(file)
    for file, case in zip(loose, case_ids(loose), strict=True):
        found[file] = replace(found[file], case=case, patient=case)
    gathered = _told_apart(list(found.values()))
    return tuple(gathered if images is None else _paired(gathered, Path(images)))


def _expanded(source: PathLike, root: PathLike | None) -> tuple[list[Entry], list[Path]]:
    """Return the entries of a list, or the files that are meant otherwise."""
    path = Path(source)
    if os.path.isdir(path):  # Path.is_dir raises for names that are too long
        return [], _below(path)
    if path.name.lower().endswith(LISTS):
        entries = [entry for entry in read_list(path, root) if entry.label is not None]
        if not entries:
            raise InputError(f"{path} names no label maps; give a list of cases with labels.")
        return entries, []
    if not os.path.exists(path) and glob.has_magic(str(source)):
        matches = [Path(match) for match in sorted(glob.glob(str(source), recursive=True))]
        files = [f for m in matches for f in (_below(m) if m.is_dir() else [m.absolute()])]
        if not files:
            raise InputError(f"Nothing matches {source}. Check the pattern and the folder.")
        return [], files
    if not os.path.exists(path):
        raise InputError(f"{path} does not exist. Check the path.")
    return [], [path.absolute()]


def _below(folder: Path) -> list[Path]:
    """Return the volumes in a folder, at any depth."""
    volumes = _volumes(folder)
    labels = [f for f in volumes if any(p in ("labelsTr", "labelsTs") for p in f.parts[:-1])]
    if not volumes:
        raise InputError(
            f"{folder} holds no label maps: no NIfTI, NRRD or MetaImage file lies below it."
        )
    return labels or volumes


def _volumes(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder. Check the path.")
    # Hidden files are no data; macOS leaves a "._" twin of every file in an archive.
    return sorted(
        file
        for file in folder.absolute().rglob("*")
        if ending(file) and not file.name.startswith(".") and file.is_file()
    )


def _told_apart(entries: list[Entry]) -> list[Entry]:
    """Give every case an id of its own, where several lists use the same."""
    if max(Counter(entry.case for entry in entries).values()) == 1:
        return entries
    ids = case_ids([entry.label for entry in entries if entry.label is not None])
    return [replace(entry, case=case) for entry, case in zip(entries, ids, strict=True)]


def _paired(entries: Sequence[Entry], folder: Path) -> list[Entry]:
    """Add the images of a folder by case id; a case without one is left to be reported."""
    if folder.is_file() and len(entries) == 1:
        return [replace(entries[0], image=folder.absolute())]
    labels = {entry.label for entry in entries}
    files = [file for file in _volumes(folder) if file not in labels]
    by_id: dict[str, Path] = dict(_unique(zip(case_ids(files), files, strict=True)))
    by_name = dict(_unique((stem(file), file) for file in files))
    paired = []
    for entry in entries:
        image = by_id.get(entry.case) or by_name.get(entry.case)
        if image is None and entry.label is not None:
            image = by_name.get(stem(entry.label))
        paired.append(replace(entry, image=image))
    if not any(entry.image for entry in paired):
        example = f", such as {files[0].name}" if files else ""
        raise InputError(
            f"{folder} holds {len(files)} image{'s' * (len(files) != 1)}{example}, and none has "
            f"the id of a case, such as {entries[0].case}. Name them alike, or give a list of "
            "cases with both."
        )
    return paired


def _unique(pairs: Iterable[tuple[str, Path]]) -> Iterable[tuple[str, Path]]:
    """Keep the names that one file only has."""
    given = list(pairs)
    often = Counter(name for name, _ in given)
    return ((name, file) for name, file in given if often[name] == 1)
