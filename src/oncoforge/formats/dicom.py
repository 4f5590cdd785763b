"""Read a CT series from a folder of DICOM files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from oncoforge.errors import InputError
from oncoforge.formats.dicom_slice import Slice, looks_like_dicom, read_slice
from oncoforge.formats.dicom_stack import stack
from oncoforge.formats.itk import quiet_itk
from oncoforge.formats.slabs import Array, slices_per_slab
from oncoforge.formats.stored import StoredVolume, check_size
from oncoforge.source import Source


def open_dicom(
    folder: Path, *, series: str | int | None = None, force: bool = False
) -> StoredVolume:
    """Read and check the headers of one series in a folder.

    Parameters
    ----------
    folder
        A folder with the files of at least one series. Other files and other kinds of DICOM
        objects are left out, and so are localizers.
    series
        Which series, where there are several: the start of its UID, or its number in the list of
        the error (from 1).
    force
        Take images that are not CT.

    Raises
    ------
    InputError
        If there is no series, several of which none was chosen, one that is not CT, or one whose
        slices do not make an upright, evenly spaced stack.
    """
    slices = _choose(folder, _by_series(_images(folder)), series)
    problem = next((slice_.problem for slice_ in slices if slice_.problem), None)
    if problem:
        raise InputError(problem)
    modality = slices[0].modality
    if modality != "CT" and not force:
        raise InputError(
            f"The DICOM series in {folder} is {modality or 'of unknown modality'}, not CT. Give a "
            "CT, or take it all the same with --force (in Python: force=True)."
        )
    grid, ordered = stack(folder, slices)
    paths = [slice_.path for slice_ in ordered]
    check_size(folder, grid.shape, 2, None)
    source = Source(
        grid=grid,
        image_path=folder,
        format="dicom",
        dtype="int16",
        series_uid=ordered[0].series_uid or None,
    )
    rows_columns = grid.shape[1], grid.shape[0]

    def slabs() -> Iterator[Array]:
        depth = slices_per_slab(grid.shape, 4)
        for start in range(0, len(paths), depth):
            planes = [_pixels(path, rows_columns) for path in paths[start : start + depth]]
            yield np.stack(planes).T

    return StoredVolume(folder, source, slabs)


def _images(folder: Path) -> list[Slice]:
    """Headers of the images in a folder, localizers left out, in the order of their names."""
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
        found = [image for path in files if (image := read_slice(path)) is not None]
        if not found:
            raise InputError(f"{folder} has no DICOM images. {_advice(folder)}")
    except OSError as error:
        raise InputError(
            f"{error.filename or folder} cannot be read: {error.strerror or error}."
        ) from None
    images = [image for image in found if not image.localizer]
    if not images:
        raise InputError(
            f"{folder} has only localizers (scout views). Give the folder of the axial series."
        )
    return images


def _advice(folder: Path) -> str:
    below = (path for path in sorted(folder.glob("*/*")) if looks_like_dicom(path))
    inside = next((path.parent for path in below), None)
    if inside is not None:
        return f"Its subfolder {inside.name} has: give {inside}."
    return "Give the folder that holds the files of the series."


def _by_series(slices: Sequence[Slice]) -> dict[str, list[Slice]]:
    """Group slices; dose reports and screenshots (series without any slice) do not count."""
    found: dict[str, list[Slice]] = {}
    for slice_ in slices:
        found.setdefault(slice_.series_uid, []).append(slice_)
    stacks = {uid: each for uid, each in found.items() if not all(s.problem for s in each)}
    return dict(sorted((stacks or found).items()))


def _choose(folder: Path, found: dict[str, list[Slice]], series: str | int | None) -> list[Slice]:
    if series is None:
        if len(found) == 1:
            return next(iter(found.values()))
        raise InputError(
            f"{folder} has {len(found)} DICOM series; choose one with --series UID (in Python: "
            f"series=...), by the start of its UID or its number:\n{_listing(found)}"
        )
    wanted = str(series).strip()
    if wanted.isdigit() and 1 <= int(wanted) <= len(found):
        return list(found.values())[int(wanted) - 1]
    matches = [uid for uid in found if uid == wanted] or [
        uid for uid in found if wanted and uid.startswith(wanted)
    ]
    if len(matches) != 1:
        raise InputError(
            f"{folder} has {len(matches) or 'no'} DICOM series whose UID starts with {wanted!r}; "
            f"choose one of these, by the start of its UID or its number:\n{_listing(found)}"
        )
    return found[matches[0]]


def _listing(found: dict[str, list[Slice]]) -> str:
    lines = []
    for number, (uid, slices) in enumerate(found.items(), start=1):
        first = slices[0]
        lines.append(
            f"  {number}. {uid or '(no UID)'}  {first.modality}  "
            f"{first.description or '(no description)'!r}  {len(slices)} slices of "
            f"{first.columns} x {first.rows}"
        )
    return "\n".join(lines)


def _pixels(path: Path, rows_columns: tuple[int, int]) -> Array:
    """One slice in HU (rows, columns); GDCM decodes every transfer syntax and rescales."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    with quiet_itk():
        try:
            image = reader.Execute()
        except RuntimeError:
            raise InputError(
                f"The pixels of {path} cannot be decoded: the file is cut short or damaged, or its "
                "compression is unknown. Copy or export it again."
            ) from None
    array: Array = sitk.GetArrayFromImage(image)
    if array.size != rows_columns[0] * rows_columns[1]:
        raise InputError(f"{path} holds another number of pixels than its header says.")
    return array.reshape(rows_columns)
