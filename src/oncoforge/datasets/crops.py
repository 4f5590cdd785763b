"""Cut tumours out of labelled cases: a library of real ones."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oncoforge import anatomy
from oncoforge.analysis.survey import read_oncoforge
from oncoforge.datasets.cutter import FILE_KINDS, Cutter, Found, Wanted
from oncoforge.errors import GridMismatchError, InputError
from oncoforge.formats import read_image
from oncoforge.grid import Grid
from oncoforge.lists import Entry
from oncoforge.lists.sources import PathLike, find_sources
from oncoforge.parallel import Failure, Progress, each, silent
from oncoforge.reports.wording import count
from oncoforge.staging import staging
from oncoforge.synthesis.library.items import INDEX, Index, is_file_stem


@dataclass(frozen=True)
class Cropped:
    """What was cut out.

    Parameters
    ----------
    index
        Contents of the library.
    failed
        Why cases could not be used: one sentence each.
    cases
        How many cases there were.
    """

    index: Index
    failed: tuple[str, ...]
    cases: int


def crop(
    sources: PathLike | Sequence[PathLike],
    out: PathLike,
    wanted: Wanted | None = None,
    *,
    images: PathLike | None = None,
    root: PathLike | None = None,
    licence: str = "",
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Cropped:
    """Cut every tumour out of cases, and write a library of them.

    The library is a folder with ``library.json`` and, for each tumour (a part of the label map that
    hangs together by faces, edges or corners), a label map ``NAME_mask.nii.gz`` (1 organ and its
    other tumours, 2 this tumour) and, of cases with an image, ``NAME_image.nii.gz`` (int16 HU).
    Both are in RAS order and keep their place in the patient.

    Parameters
    ----------
    sources
        Label maps: files, folders, patterns or lists of cases, as for `find_sources`.
    out
        Folder of the library; made if it does not exist.
    wanted
        Which tumours; None for all.
    images
        Folder with the images, paired by case id; lists may name images too.
    root
        Where the relative paths of lists begin.
    licence
        Under which terms the tumours may be used: a note that is kept with them.
    workers
        Number of processes; None for as many as there are cores.
    overwrite
        Replace a library that is there.
    progress
        Called after each case.

    Raises
    ------
    OutputError
        If the folder holds a library already, or cannot be written. Nothing is left behind.
    InputError
        If there are no label maps, or not one of them could be used.
    """
    folder, wanted = Path(out), wanted or Wanted()
    given = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    entries = find_sources(given, images, root)
    named = list(zip(entries, _stems([entry.case for entry in entries]), strict=True))
    with staging(folder, _earlier(folder), overwrite) as stage:
        work = partial(_crop_case, wanted=wanted, paired=images is not None, folder=stage)
        found, failed = Found(), []
        for entry, result in zip(entries, each(work, named, workers, progress), strict=True):
            if isinstance(result, Failure):
                failed.append(_of(entry, result.sentence))
                continue
            found.items += result.items
            found.left_out += result.left_out
        if len(failed) == len(entries):
            several = f"None of the {len(entries)} cases could be used. "
            raise InputError((several if len(entries) > 1 else "") + failed[0])
        if not found.items:
            raise InputError(_nothing(len(entries), found.left_out, failed))
        index = Index(tuple(found.items), licence, tuple(found.left_out))
        (stage / INDEX).write_text(index.to_json(), encoding="utf-8")
    return Cropped(index, tuple(failed), len(entries))


def _of(entry: Entry, sentence: str) -> str:
    """Say which case a sentence is about, where it does not."""
    return sentence if str(entry.label) in sentence else f"{entry.label}: {sentence}"


def _nothing(cases: int, left_out: Sequence[str], failed: Sequence[str]) -> str:
    """Say why a library would be empty."""
    found = f"{count(len(left_out), 'tumour')}, and none is wanted" if left_out else "no tumour"
    example = next(iter([*left_out, *failed]), "Check the convention and the organ.")
    return f"{cases} case{'s' * (cases != 1)} hold{'s' * (cases == 1)} {found}. {example}"


def _earlier(folder: Path) -> list[str]:
    """Return the files of a library that is in a folder: they go if another one is written."""
    names = [INDEX]
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        found = [item["name"] for item in index["items"]]
    except (OSError, ValueError, KeyError, TypeError):
        return names
    stems = [name for name in found if isinstance(name, str) and is_file_stem(name)]
    return names + [stem + end for stem in stems for end in FILE_KINDS]


def _stems(cases: Sequence[str]) -> list[str]:
    """Return names for files after cases: no two alike, whatever the file system makes of them."""
    stems: list[str] = []
    seen: Counter[str] = Counter()
    for case in cases:
        stem = re.sub(r"[^\w.+-]+", "_", case).strip("._") or "case"
        seen[stem.casefold()] += 1
        often = seen[stem.casefold()]
        stems.append(stem if often == 1 else f"{stem}-{often}")
    return stems


def _crop_case(named: tuple[Entry, str], wanted: Wanted, paired: bool, folder: Path) -> Found:
    """Cut out the tumours of one case, and write them."""
    entry, stem = named
    assert entry.label is not None  # find_sources gives no others
    if paired and entry.image is None:
        raise InputError(f"{entry.label} has no image of its id in the folder of --images.")
    volume = read_oncoforge(entry.label, anatomy.convention(wanted.convention, wanted.organ))
    labels = volume.array
    names = [n for n in wanted.names() if (labels == anatomy.organ(n).tumor_label).any()]
    result = Found()
    if not names:
        return result
    image = None if entry.image is None else _image(entry.image, entry.label, volume.grid, wanted)
    for name in names:
        tumors = f"{stem}_{name}"
        Cutter(entry.case, tumors, name, labels, image, volume.grid, wanted, folder).cut(result)
    return result


def _image(path: Path, label: Path, grid: Grid, wanted: Wanted) -> NDArray[np.float32]:
    volume = read_image(path, force=wanted.force)
    if difference := grid.difference(volume.grid):
        raise GridMismatchError(
            f"{path} is not on the grid of {label}: {difference}. Give the image of this label map."
        )
    return volume.array


__all__ = ["Cropped", "Wanted", "crop"]
