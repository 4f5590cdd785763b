"""Measure the tumours of many label maps in one pass."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from oncoforge import anatomy
from oncoforge.analysis.geometry import doubts
from oncoforge.analysis.measure import MIN_VOXELS, Image, measure
from oncoforge.analysis.rows import CaseRow, LesionRow
from oncoforge.anatomy.organs import tumor_bearing
from oncoforge.errors import GridMismatchError, InputError
from oncoforge.formats import Volume, read_image
from oncoforge.formats.open import open_labels, open_volume
from oncoforge.lists import Entry
from oncoforge.lists.sources import PathLike, find_sources
from oncoforge.parallel import Failure, Progress, each, silent


@dataclass(frozen=True)
class Survey:
    """What the tumours of many cases look like.

    Parameters
    ----------
    lesions
        One row per tumour, in the order of the cases.
    cases
        One row per case and organ.
    failures
        Cases that could not be read or measured: one sentence each.
    bare
        Ids of cases in which the organs in question have no voxel.
    settings
        How it was made, for the record.
    remarks
        What to know of the label maps: one sentence each.
    """

    lesions: tuple[LesionRow, ...]
    cases: tuple[CaseRow, ...]
    failures: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def organs(self) -> tuple[str, ...]:
        """The organs that hold tumours, those with the most lesions first."""
        often: dict[str, int] = {}
        for row in self.lesions:
            often[row.organ] = often.get(row.organ, 0) + 1
        return tuple(sorted(often, key=lambda organ: (-often[organ], organ)))


def survey(
    sources: PathLike | Sequence[PathLike],
    convention: str = "oncoforge",
    organ: str | None = None,
    *,
    images: PathLike | None = None,
    root: PathLike | None = None,
    min_voxels: int = MIN_VOXELS,
    force: bool = False,
    workers: int | None = None,
    progress: Progress = silent,
) -> Survey:
    """Measure the tumours of many label maps, each opened once.

    Parameters
    ----------
    sources
        Files, folders, patterns or lists of cases, as for `find_sources`.
    convention
        How the label maps number their organs.
    organ
        Look at this organ only; ``organ-tumor`` and FLARE need it to name theirs.
    images
        Folder with the images, paired by case id: gives the columns of HU.
    root
        Where the relative paths of lists begin.
    min_voxels
        Smaller components do not count.
    force
        Skip the checks that the images are CT in HU.
    workers
        Processes at once; None for as many as there are cores. The result is the same.
    progress
        Called after each case.

    Returns
    -------
    Survey
        With a sentence for each case that failed.

    Raises
    ------
    InputError
        If there are no label maps, the convention has no tumours, or a setting makes no sense.
    UnknownNameError
        If there is no such convention or organ.
    """
    if min_voxels < 1:
        raise InputError(f"min_voxels is {min_voxels}; give a number from 1.")
    name = None if organ is None else tumor_bearing(organ).name
    translation = anatomy.convention(convention, name)
    if not any(target.endswith("_tumor") for target in translation.targets.values()):
        raise InputError(
            f"The convention {translation.name!r} has no label for tumours, so there is nothing to "
            "measure; give the convention that the label maps follow."
        )
    given = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    entries = find_sources(given, images, root)
    work = partial(
        _measured,
        convention=translation,
        organs=None if name is None else (name,),
        min_voxels=min_voxels,
        paired=images is not None,
        force=force,
    )
    lesions: list[LesionRow] = []
    cases: list[CaseRow] = []
    failures, bare, remarks = [], [], []
    for entry, result in zip(entries, each(work, entries, workers, progress), strict=True):
        if isinstance(result, Failure):
            failures.append(_with_case(result.sentence, entry))
            continue
        if not result.cases:
            bare.append(entry.case)
        lesions += result.lesions
        cases += result.cases
        remarks += result.remarks
    settings = {
        "convention": translation.name,
        "organ": name,
        "min_voxels": min_voxels,
        "connectivity": 26,
        "images": any(entry.image is not None for entry in entries),
        "label_maps": len(entries),
    }
    return Survey(
        tuple(lesions), tuple(cases), tuple(failures), tuple(bare), settings, tuple(remarks)
    )


def read_oncoforge(path: Path, convention: anatomy.Convention) -> Volume:
    """Read a label map of any convention as oncoforge labels.

    Raises
    ------
    InputError
        If it cannot be read, or holds what the convention does not.
    """
    stored = open_labels(path)
    try:
        return Volume(convention.to_oncoforge(stored.labels()), stored.source)
    except InputError as error:
        if str(path) in str(error):
            raise
        raise InputError(f"{path} does not fit its label convention. {error}") from None


@dataclass(frozen=True)
class _Case:
    """What was measured in one case."""

    lesions: list[LesionRow]
    cases: list[CaseRow]
    remarks: list[str]


def _measured(
    entry: Entry,
    convention: anatomy.Convention,
    organs: tuple[str, ...] | None,
    min_voxels: int,
    paired: bool,
    force: bool,
) -> _Case:
    assert entry.label is not None  # find_sources gives no others
    if paired and entry.image is None:
        raise InputError(f"{entry.label} has no image of its id in the folder of --images.")
    labels = read_oncoforge(entry.label, convention)
    image = None if entry.image is None else _image_of(labels, entry, force)
    lesions, cases = measure(
        labels.array,
        labels.grid,
        entry.case,
        organs,
        image,
        min_voxels=min_voxels,
        axis_codes=labels.source.grid.axis_codes,
    )
    remarks = [f"{entry.label} {what}" for _, what in doubts(labels.source)]
    return _Case(lesions, cases, remarks)


def _image_of(labels: Volume, entry: Entry, force: bool) -> Image:
    assert entry.image is not None  # the caller looked
    header = open_volume(entry.image, force=force)
    difference = header.source.grid.ras().difference(labels.grid)
    if difference:
        raise GridMismatchError(
            f"{entry.label} is not on the grid of {entry.image}: {difference}. Give the image of "
            "this label map."
        )
    image: Image = read_image(entry.image, force=force).array
    return image


def _with_case(sentence: str, entry: Entry) -> str:
    """Make sure that a sentence names the file that it is about."""
    return sentence if str(entry.label) in sentence else f"{entry.label}: {sentence}"
