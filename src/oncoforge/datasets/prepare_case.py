"""Prepare one case: its image in place, its label map translated, both on one grid."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from oncoforge import anatomy
from oncoforge.datasets.find import Found
from oncoforge.datasets.label_files import (
    Voxels,
    fingerprint,
    read_parts,
    read_whole,
    state_of,
)
from oncoforge.datasets.label_table import LabelTable, Moved, table_of_classes, table_of_convention
from oncoforge.datasets.record import Dataset
from oncoforge.errors import InputError, OutputError
from oncoforge.formats.atomic import atomic_write
from oncoforge.formats.open import open_volume
from oncoforge.formats.read import read_image
from oncoforge.formats.stored import StoredVolume
from oncoforge.formats.write import write_image, write_labels
from oncoforge.lists.names import ending
from oncoforge.source import Source

DONE: Final = "done"
FAILED: Final = "failed"
IMAGES: Final = "images"
LABELS: Final = "labels"

_IN_TWO_FILES: Final = (".mhd", ".nhdr")


@dataclass(frozen=True)
class Wishes:
    """How cases are prepared.

    Parameters
    ----------
    organ
        The organ of interest; needed by the styles of one organ and by labels that leave it open.
    style
        ``"oncoforge"``, ``"organ-tumor"`` or ``"tumor-only"``.
    link
        Link to images instead of copying them.
    fix_geometry
        Take the image's grid for label maps that have lost theirs.
    first
        Label values that are replaced before anything else, such as ``{3: 1}``.
    """

    organ: str | None = None
    style: str = "oncoforge"
    link: bool = True
    fix_geometry: bool = False
    first: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """What became of one case.

    Parameters
    ----------
    case, split, patient
        As in its list.
    status
        ``"done"`` or ``"failed"``.
    image, label
        Paths below the output folder; empty where there is none.
    source_image, source_labels
        Where they came from.
    image_from
        Hash of the names, sizes and times of the DICOM slices that were converted; else empty.
    made_from
        Hash of the labels that it was made from.
    voxels
        Name of each label in the map to its number of voxels.
    sentence
        Why it failed, or what to know of it.
    kept
        Whether the label map of an earlier run was good.
    """

    case: str
    split: str
    patient: str
    status: str
    image: str = ""
    label: str = ""
    source_image: str = ""
    source_labels: Mapping[str, str] = field(default_factory=dict)
    image_from: str = ""
    made_from: str = ""
    voxels: Mapping[str, int] = field(default_factory=dict)
    sentence: str = ""
    kept: bool = False


@dataclass(frozen=True)
class Maker:
    """Prepares cases of one dataset into one folder.

    Parameters
    ----------
    dataset, wishes
        What and how.
    root, out
        From where and to where, absolute.
    earlier
        Case to what an earlier run made of it.
    """

    dataset: Dataset
    wishes: Wishes
    root: Path
    out: Path
    earlier: Mapping[str, Prepared] = field(default_factory=dict)

    def __call__(self, found: Found) -> Prepared:
        """Prepare one case.

        Raises
        ------
        InputError
            If its files cannot be used.
        OutputError
            If something cannot be written.
        """
        if found.problem:
            raise InputError(found.problem)
        image = None if found.image is None else open_volume(found.image)
        result = self._basis(found)
        if found.labels:
            result |= self._labels(found, image)
        if image is not None:
            result |= self._image(found.case, image)
        return Prepared(status=DONE, **result)

    def table(self, found: Found) -> LabelTable:
        """Make the table by which the labels of a case are translated."""
        organ, style = self.wishes.organ, self.wishes.style
        if "" not in found.labels:  # painted from parts, with oncoforge labels
            table = table_of_classes(anatomy.NAMES, "'oncoforge'", organ, style)
        elif found.classes or self.dataset.convention is None:
            classes = {0: "background", **(found.classes or self.dataset.classes)}
            table = table_of_classes(classes, repr(self.dataset.name), organ, style)
        else:
            table = table_of_convention(self.dataset.convention, organ, style)
        return table.after(self.wishes.first)

    def _basis(self, found: Found) -> dict[str, Any]:
        return {
            "case": found.case,
            "split": found.split,
            "patient": found.patient,
            "source_image": "" if found.image is None else self._below(found.image),
            "source_labels": {part: self._below(path) for part, path in found.labels.items()},
        }

    def _below(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _labels(self, found: Found, image: StoredVolume | None) -> dict[str, Any]:
        """Translate the labels of a case, unless an earlier run did so from the same files."""
        name = f"{LABELS}/{found.case}.nii.gz"
        target = self.out / name
        made_from = fingerprint(found.labels, None if image is None else image.source.grid)
        before = self.earlier.get(found.case)
        if before and before.made_from == made_from and before.label and target.is_file():
            return {
                "label": name, "made_from": made_from, "voxels": before.voxels,
                "sentence": before.sentence, "kept": True,
            }  # fmt: skip
        array, source, sentence = self._read(found, image)
        labels, moved = self._translated(array, found)
        write_labels(target, labels, source)
        voxels = self._counts(moved)
        if set(voxels) <= {"background"}:
            sentence = f"{sentence} Its label map is empty.".strip()
        return {"label": name, "made_from": made_from, "voxels": voxels, "sentence": sentence}

    def _read(self, found: Found, image: StoredVolume | None) -> tuple[Voxels, Source, str]:
        if "" not in found.labels:
            return *read_parts(found.labels, self.dataset.parts, image), ""
        path = found.labels[""]
        array, source = read_whole(path, image, self.wishes.fix_geometry)
        fixed = image is not None and path.is_file() and source.grid is image.source.grid
        return array, source, "It has the grid of its image: it had lost its own." * fixed

    def _translated(self, array: Voxels, found: Found) -> tuple[Voxels, tuple[Moved, ...]]:
        try:
            return self.table(found).apply(array)
        except InputError as error:
            raise InputError(f"{next(iter(found.labels.values()))}: {error}") from None

    def _counts(self, moved: tuple[Moved, ...]) -> dict[str, int]:
        names = label_names(self.wishes.style, self.wishes.organ)
        counts: dict[str, int] = {}
        for one in sorted(moved, key=lambda m: m.to):
            counts[names[one.to]] = counts.get(names[one.to], 0) + one.voxels
        return counts

    def _image(self, case: str, image: StoredVolume) -> dict[str, Any]:
        """Put the image of a case into its place; DICOM becomes NIfTI."""
        path = image.path
        if image.source.format != "dicom" and path.suffix.lower() not in _IN_TWO_FILES:
            name = f"{IMAGES}/{case}{ending(path).lower()}"
            (_link if self.wishes.link else _copy)(path.absolute(), self.out / name)
            return {"image": name}
        name = f"{IMAGES}/{case}.nii.gz"
        state = "" if path.is_file() else state_of(path)
        before = self.earlier.get(case)
        kept = before and state and before.image_from == state and (self.out / name).is_file()
        if not kept:
            volume = read_image(path)
            write_image(self.out / name, volume.array, volume.source)
        return {"image": name, "image_from": state}


def label_names(style: str, organ: str | None) -> dict[int, str]:
    """Return what the values of a label style are called."""
    if style == "oncoforge" or organ is None:
        return dict(anatomy.NAMES)
    name = anatomy.organ(organ).name
    if style == "tumor-only":
        return {0: "background", 1: f"{name}_tumor"}
    return {0: "background", 1: name, 2: f"{name}_tumor"}


def targets_of(found: Found) -> tuple[str, ...]:
    """Return the files that a case can become, by their paths below the output folder."""
    image = found.image
    names = [] if image is None else [f"{IMAGES}/{found.case}.nii.gz"]
    if image is not None and (end := ending(image).lower()) not in ("", *_IN_TWO_FILES):
        names = [f"{IMAGES}/{found.case}{end}"]
    return (*names, *([f"{LABELS}/{found.case}.nii.gz"] if found.labels else []))


def _link(source: Path, target: Path) -> None:
    if os.path.realpath(target.parent) == os.path.realpath(source.parent) and (
        target.name == source.name
    ):
        raise OutputError(f"{target} cannot be a link to itself; choose another --out.")
    if target.is_symlink() and os.readlink(target) == str(source):
        return
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        temporary.symlink_to(source)
        os.replace(temporary, target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(
            f"{target} cannot be a link: {error.strerror or error}. Use --copy where the file "
            "system has no links."
        ) from error


def _copy(source: Path, target: Path) -> None:
    if target.is_file() and not target.is_symlink():
        there, new = target.stat(), source.stat()
        if there.st_size == new.st_size and there.st_mtime_ns >= new.st_mtime_ns:
            return
    with source.open("rb") as file, atomic_write(target) as copy:
        shutil.copyfileobj(file, copy)
