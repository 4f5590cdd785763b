"""Turn every CT series below a folder into NIfTI."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from oncoforge.errors import InputError, OutputError
from oncoforge.formats.dicom_slice import looks_like_dicom, read_slice
from oncoforge.formats.read import read_image
from oncoforge.formats.write import write_image
from oncoforge.lists import case_ids
from oncoforge.lists.msd import dump
from oncoforge.parallel import Failure, Progress, each, silent
from oncoforge.staging import staging

INDEX: Final = "dicom.json"

_PLAIN: Final = re.compile(r"[^\w.-]+")


@dataclass(frozen=True)
class Series:
    """A CT series in a folder.

    Parameters
    ----------
    folder
        Where its files are.
    uid
        Its SeriesInstanceUID; empty if the files have none.
    slices
        Number of its images.
    """

    folder: Path
    uid: str
    slices: int


@dataclass(frozen=True)
class Converted:
    """A series that was, or could not be, converted.

    Parameters
    ----------
    series
        Which.
    file
        Name of the NIfTI file; empty if it failed.
    shape, spacing_mm
        Voxels along R, A and S, and their distance.
    sentence
        Why it failed; else empty.
    """

    series: Series
    file: str = ""
    shape: tuple[int, ...] = ()
    spacing_mm: tuple[float, ...] = ()
    sentence: str = ""


def find_series(
    root: str | os.PathLike[str],
    uid: str | None = None,
    *,
    workers: int | None = None,
    progress: Progress = silent,
) -> tuple[tuple[Series, ...], tuple[Converted, ...]]:
    """Find the CT series below a folder.

    Parameters
    ----------
    root
        A folder; it is searched to any depth.
    uid
        Take only series whose UID starts with this.
    workers
        Number of processes; None for as many as there are cores.
    progress
        Called after each folder.

    Returns
    -------
    series : tuple of Series
        In the order of their folders. Localizers and other modalities are left out.
    failed : tuple of Converted
        Folders whose files cannot be read.

    Raises
    ------
    InputError
        If there is no such folder, or no CT series in it.
    """
    start = Path(root).absolute()
    if not start.is_dir():
        raise InputError(f"{start} is not a folder; give one with DICOM files in or below it.")
    folders = [path for path in _folders(start) if _has_dicom(path)]
    found: list[Series] = []
    failed: list[Converted] = []
    for folder, result in zip(folders, each(_series_in, folders, workers, progress), strict=True):
        if isinstance(result, Failure):
            failed.append(Converted(Series(folder, "", 0), sentence=result.sentence))
        else:
            found.extend(result)
    wanted = tuple(one for one in found if one.uid.startswith(uid or ""))
    if not wanted and not failed:
        which = f"whose UID starts with {uid}" if found else "in or below it"
        raise InputError(f"{start} has no CT series {which}. Check the folder and its files.")
    return wanted, tuple(failed)


def convert(
    series: Sequence[Series],
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    failed: Sequence[Converted] = (),
    number: bool = False,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> tuple[Converted, ...]:
    """Write series as NIfTI: whole HU, one file each, with an index ``dicom.json``.

    All appear together at the end, so that a run that is stopped leaves nothing.

    Parameters
    ----------
    series
        From `find_series`.
    root
        Folder that the index names folders from.
    out
        Folder for the files.
    failed
        Folders that could not be read, for the index.
    number
        Call files ``series_0001`` and so on, and leave names of folders and UIDs out of the index:
        folders are often named for patients.
    workers
        Number of processes; None for as many as there are cores.
    overwrite
        Replace files that are there.
    progress
        Called after each series.

    Raises
    ------
    OutputError
        If files are there already, or the folder cannot be written.
    """
    folder = Path(out).absolute()
    names = _names(series, number)
    _keep_slices(folder, names)
    start = Path(root).absolute()
    with staging(folder, [INDEX, *names], overwrite) as stage:
        work = partial(_convert_one, out=stage)
        results = each(work, list(zip(series, names, strict=True)), workers, progress)
        done = [
            Converted(one, sentence=result.sentence) if isinstance(result, Failure) else result
            for one, result in zip(series, results, strict=True)
        ]
        done.extend(failed)
        content = dump({"series": [_entry(one, start, number) for one in done]})
        (stage / INDEX).write_bytes(content)
    return tuple(done)


def _folders(root: Path) -> list[Path]:
    """Return every folder with files in it, in order."""
    return sorted(Path(place) for place, _, names in os.walk(root) if names)


def _has_dicom(folder: Path) -> bool:
    return any(path.is_file() and looks_like_dicom(path) for path in sorted(folder.iterdir()))


def _series_in(folder: Path) -> list[Series]:
    counts: dict[str, int] = {}
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        image = read_slice(path)
        if image is not None and image.modality == "CT" and not image.localizer:
            counts[image.series_uid] = counts.get(image.series_uid, 0) + 1
    return [Series(folder, uid, number) for uid, number in sorted(counts.items())]


def _names(series: Sequence[Series], number: bool) -> list[str]:
    if number:
        return [f"series_{count:04d}.nii.gz" for count in range(1, len(series) + 1)]
    plain = [_PLAIN.sub("_", name) for name in case_ids([one.folder for one in series])]
    return [f"{name}.nii.gz" for name in case_ids([Path(name) for name in plain])]


def _keep_slices(folder: Path, names: Sequence[str]) -> None:
    """Refuse to write where a DICOM file is, whatever its name."""
    there = (folder / name for name in (INDEX, *names))
    own = next((path for path in there if path.is_file() and looks_like_dicom(path)), None)
    if own is not None:
        raise OutputError(
            f"{own} is a DICOM file, and these stay as they are; choose another --out."
        )


def _convert_one(item: tuple[Series, str], out: Path) -> Converted:
    series, name = item
    volume = read_image(series.folder, series=series.uid or None)
    write_image(out / name, volume.array, volume.source)
    return Converted(series, name, volume.array.shape, volume.spacing)


def _entry(one: Converted, root: Path, number: bool) -> dict[str, Any]:
    named = (
        {}
        if number
        else {
            "folder": one.series.folder.relative_to(root).as_posix(),
            "series_uid": one.series.uid,
        }
    )
    problem = "It cannot be converted." if number and one.sentence else one.sentence
    return {
        "file": one.file or None,
        **named,
        "slices": one.series.slices,
        "shape": list(one.shape),
        "spacing_mm": [round(mm, 6) for mm in one.spacing_mm],
        "problem": problem or None,
    }
