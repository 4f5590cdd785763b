"""Which scans are to be segmented, and where the masks of their organs are."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from oncoforge import anatomy
from oncoforge.analysis.body import Mask
from oncoforge.analysis.survey import read_oncoforge
from oncoforge.errors import GridMismatchError, InputError, UnknownNameError
from oncoforge.formats import Volume
from oncoforge.formats.dicom_slice import looks_like_dicom
from oncoforge.lists import SPLITS, Entry, read_list
from oncoforge.lists.names import case_ids, ending, stem
from oncoforge.lists.sources import LISTS, PathLike, find_sources

_IMAGES = ("imagesTr", "imagesTs")
_LABELS = ("labelsTr", "labelsTs")


def find_scans(
    sources: PathLike | Sequence[PathLike],
    root: PathLike | None = None,
    split: str | None = None,
) -> tuple[Entry, ...]:
    """Find scans.

    Parameters
    ----------
    sources
        Images; folders, of which every NIfTI, NRRD and MetaImage file below is taken (where there
        are folders ``imagesTr`` or ``imagesTs``, only theirs; of nnU-Net's channels the first); a
        folder with DICOM series, one in each of its folders; patterns; lists of cases, and folders
        with a dataset.json.
    root
        Where the relative paths of lists begin.
    split
        Take this part of lists only: one of `SPLITS`.

    Returns
    -------
    tuple of Entry
        Each with an image and an id of its own, in the order given.

    Raises
    ------
    InputError
        If there is nothing at a path, or no image in it.
    UnknownNameError
        If there is no such split.
    """
    if split is not None and split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS)
    given = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    if not given:
        raise InputError("Give images: files, folders, patterns or a list of cases.")
    found: dict[Path, Entry] = {}
    loose: list[Path] = []
    for source in given:
        entries, files = _expanded(source, root, split)
        for entry in entries:
            assert entry.image is not None  # _listed took no others
            found.setdefault(entry.image, entry)
        for file in files:
            if file not in found:
                found[file] = Entry(stem(file), image=file)
                loose.append(file)
    for file, case in zip(loose, case_ids(loose), strict=True):
        found[file] = replace(found[file], case=case, patient=case)
    return _told_apart(list(found.values()))


def _expanded(
    source: PathLike, root: PathLike | None, split: str | None
) -> tuple[list[Entry], list[Path]]:
    """Return the entries of a list, or the images that are meant otherwise."""
    path = Path(source)
    if os.path.isdir(path):  # Path.is_dir raises for names that are too long
        if (path / "dataset.json").is_file():
            return _listed(path, root, split), []
        return [], _below(path)
    if path.name.lower().endswith(LISTS):
        return _listed(path, root, split), []
    if not os.path.exists(path) and glob.has_magic(str(source)):
        matches = [Path(match) for match in sorted(glob.glob(str(source), recursive=True))]
        files = [f for m in matches for f in (_below(m) if m.is_dir() else [m.absolute()])]
        if not files:
            raise InputError(f"Nothing matches {source}. Check the pattern and the folder.")
        return [], files
    if not os.path.exists(path):
        raise InputError(f"{path} does not exist. Check the path.")
    return [], [path.absolute()]


def _listed(path: Path, root: PathLike | None, split: str | None) -> list[Entry]:
    """Return the cases of a list that have an image."""
    cases = read_list(path, root)
    wanted = list(cases) if split is None else list(cases.part(split))
    entries = [entry for entry in wanted if entry.image is not None]
    if not entries:
        what = "images" if split is None else f"{split} images"
        raise InputError(f"{path} names no {what}; give a list of cases with images.")
    return entries


def _below(folder: Path) -> list[Path]:
    """Return the images in a folder: files at any depth, else folders of DICOM files."""
    # Hidden files are no data; macOS leaves a "._" twin of every file in an archive.
    volumes = sorted(
        file
        for file in folder.absolute().rglob("*")
        if ending(file) and not file.name.startswith(".") and file.is_file()
    )
    volumes = [f for f in volumes if not set(f.parts) & set(_LABELS)]
    images = [f for f in volumes if set(f.parts) & set(_IMAGES)] or volumes
    first = {f.parent / stem(f) for f in images if _channel(f) == "0000"}
    taken = [f for f in images if _channel(f) in ("", "0000") or _without_channel(f) not in first]
    found = taken or _series(folder.absolute())
    if not found:
        raise InputError(
            f"{folder} holds no images: no NIfTI, NRRD, MetaImage or DICOM file lies below it."
        )
    return found


def _channel(file: Path) -> str:
    """Return the four digits with which nnU-Net tells the images of a case apart."""
    name = file.name[: len(file.name) - len(ending(file))]
    tail = name[-5:]
    return tail[1:] if tail[:1] == "_" and tail[1:].isdecimal() else ""


def _without_channel(file: Path) -> Path:
    return file.parent / file.name[: len(file.name) - len(ending(file)) - 5]


def _series(folder: Path) -> list[Path]:
    """Return the folders that hold DICOM files themselves."""
    folders = [folder, *sorted(path for path in folder.rglob("*") if path.is_dir())]
    return [
        place
        for place in folders
        if any(looks_like_dicom(file) for file in sorted(place.iterdir()))
    ]


def _told_apart(entries: list[Entry]) -> tuple[Entry, ...]:
    """Give every case an id of its own, where sources use the same, and one that names a file."""
    if max(Counter(entry.case for entry in entries).values()) > 1:
        ids = case_ids([entry.image for entry in entries if entry.image is not None])
        entries = [replace(entry, case=case) for entry, case in zip(entries, ids, strict=True)]
    for entry in entries:
        if Path(entry.case).name != entry.case or "\\" in entry.case or entry.case.startswith("."):
            raise InputError(
                f"{entry.image} has the case id {entry.case!r}, which is no name for a file; "
                "change it in the list."
            )
    return tuple(entries)


@dataclass(frozen=True)
class OrganMasks:
    """Masks of organs from elsewhere: label maps by case id.

    Parameters
    ----------
    entries
        Label maps by case.
    convention
        How they number their organs.
    organs
        Names of the organs that are meant; each with its tumours.
    """

    entries: dict[str, Entry]
    convention: anatomy.Convention
    organs: tuple[str, ...]

    @classmethod
    def find(
        cls,
        sources: Sequence[PathLike],
        convention: str,
        organ: str | None,
        classes: Sequence[str],
        root: PathLike | None = None,
    ) -> OrganMasks:
        """Find label maps.

        Parameters
        ----------
        sources
            As for `find_sources`.
        convention
            Its name.
        organ
            The organ that is meant; by default those of the classes.
        classes
            Names of what the networks tell apart.
        root
            Where the relative paths of lists begin.

        Raises
        ------
        InputError
            If there are no label maps.
        UnknownNameError
            If there is no such convention or organ.
        """
        own = dict.fromkeys(name.removesuffix("_tumor") for name in classes if name != "background")
        organs = tuple(own) if organ is None else (anatomy.organ(organ).name,)
        open_to = organs[0] if len(organs) == 1 else None
        entries = find_sources(list(sources), None, root)
        translation = anatomy.convention(convention, open_to)
        return cls({entry.case: entry for entry in entries}, translation, organs)

    def for_scans(self, scans: Sequence[Entry]) -> OrganMasks:
        """Return the same; where there is one scan and one label map, they belong together."""
        if len(scans) != 1 or len(self.entries) != 1:
            return self
        (entry,) = self.entries.values()
        return replace(self, entries={scans[0].case: entry})

    def remarks(self, classes: Sequence[str]) -> tuple[str, ...]:
        """Say which organs are meant that networks of these classes do not tell apart."""
        own = {name.removesuffix("_tumor") for name in classes}
        return tuple(
            f"The organ in --organs is the {organ}, which is not one of the network's: "
            f"{', '.join(classes)}."
            for organ in self.organs
            if organ not in own
        )

    def of(self, entry: Entry, volume: Volume) -> Mask:
        """Return the mask of one case: bool (X, Y, Z) on the grid of its image.

        Raises
        ------
        InputError
            If it has no label map, or one that cannot be read.
        GridMismatchError
            If that is not on the grid of the image.
        """
        found = self.entries.get(entry.case)
        if found is None or found.label is None:
            known = next(iter(self.entries))
            raise InputError(
                f"{entry.image} has no mask of its organ: no label map of --organs has its id "
                f"{entry.case!r}; they have ids such as {known!r}."
            )
        labels = read_oncoforge(found.label, self.convention)
        difference = volume.grid.difference(labels.grid)
        if difference:
            raise GridMismatchError(
                f"{found.label} is not on the grid of {entry.image}: {difference}. Give the label "
                "map of this image."
            )
        numbers = [anatomy.organ(name).label for name in self.organs]
        tumors = [anatomy.organ(name).tumor_label for name in self.organs]
        return np.isin(labels.array, [*numbers, *(tumor for tumor in tumors if tumor)])
