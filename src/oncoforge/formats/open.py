"""Choose the reader for a path, and say plainly why there is none."""

from __future__ import annotations

import os
from pathlib import Path

from oncoforge.errors import InputError
from oncoforge.formats.dicom import open_dicom
from oncoforge.formats.itk import open_itk
from oncoforge.formats.nifti import open_nifti
from oncoforge.formats.stored import StoredVolume

_ITK = {".nrrd": "nrrd", ".nhdr": "nrrd", ".mha": "metaimage", ".mhd": "metaimage"}
_READ = "NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd)"


def open_volume(
    path: str | os.PathLike[str], *, series: str | int | None = None, force: bool = False
) -> StoredVolume:
    """Read the header of an image file or of a DICOM folder.

    Parameters
    ----------
    path
        A NIfTI, NRRD or MetaImage file, or a folder with one DICOM series.
    series
        Which DICOM series, where the folder has several: the start of its UID, or its number in
        the list of the error (from 1).
    force
        Take DICOM images that are not CT.

    Raises
    ------
    InputError
        If there is nothing at the path, or nothing that can be read.
    """
    path = Path(path)
    if path.is_dir():
        return open_dicom(path, series=series, force=force)
    _check_file(path)
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        return open_nifti(path)
    if path.suffix.lower() in _ITK:
        return open_itk(path, _ITK[path.suffix.lower()])
    with path.open("rb") as file:
        start = file.read(132)
    if start[128:] == b"DICM":
        raise InputError(f"{path} is a single DICOM file; give the folder of its series.")
    raise InputError(f"{path} has no known ending; expected {_READ}, or a folder of DICOM files.")


def open_labels(path: str | os.PathLike[str]) -> StoredVolume:
    """Read the header of a label map, which is a file.

    Raises
    ------
    InputError
        If there is nothing at the path, or nothing that can be read.
    """
    if Path(path).is_dir():
        raise InputError(f"{path} is a folder; a label map is a file: {_READ}.")
    return open_volume(path)


def _check_file(path: Path) -> None:
    try:
        if not path.exists():
            raise InputError(f"{path} does not exist. Check the path.")
        if not path.is_file():
            raise InputError(f"{path} is not a file. Check the path.")
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    if empty:
        raise InputError(f"{path} is empty; expected a volume. Copy or export it again.")
