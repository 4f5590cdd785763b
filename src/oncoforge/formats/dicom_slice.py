"""The header of one DICOM file, as far as it says where a slice lies."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from oncoforge.errors import InputError

_TAGS = [
    "SOPClassUID",
    "SeriesInstanceUID",
    "SeriesDescription",
    "Modality",
    "ImageType",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "NumberOfFrames",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SharedFunctionalGroupsSequence",
]
_PLACE = {"PixelSpacing": 2, "ImagePositionPatient": 3, "ImageOrientationPatient": 6}
_CT_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
_ENHANCED = "SharedFunctionalGroupsSequence"


@dataclass(frozen=True)
class Slice:
    """One DICOM image; vectors are in LPS and mm.

    `problem` is a sentence where the image cannot be a slice of a stack, and empty otherwise.
    """

    path: Path
    series_uid: str
    description: str
    modality: str
    rows: int
    columns: int
    spacing_mm: tuple[float, ...]
    position_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    localizer: bool = False
    problem: str = ""


def read_slice(path: Path) -> Slice | None:
    """Read the header of a DICOM image.

    Parameters
    ----------
    path
        Any file.

    Returns
    -------
    Slice or None
        None for a file that is no DICOM image: another file, a report, a plan.

    Raises
    ------
    InputError
        If this is a DICOM file and damaged.
    OSError
        If it cannot be read.
    """
    import pydicom

    start = _start(path)
    if not _may_be_dicom(start):
        return None
    try:
        with warnings.catch_warnings():
            # pydicom warns of sloppy values; those that place the slice are checked here.
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(
                path, stop_before_pixels=True, force=True, specific_tags=list(_TAGS)
            )
            # Within the same block, because pydicom parses a value when it is asked for it.
            return _slice(path, header)
    except (OSError, InputError):
        raise
    except Exception:  # the parser of a damaged or foreign file may raise anything
        if start[128:] == b"DICM":
            raise _damaged(path) from None
        return None


def looks_like_dicom(path: Path) -> bool:
    """Whether a path is a file that starts as DICOM files do."""
    return path.is_file() and _may_be_dicom(_start(path))


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(132)


def _may_be_dicom(start: bytes) -> bool:
    # Files from before the DICM preamble start with group 2 or 8.
    return start[128:] == b"DICM" or start[:2] in (b"\x08\x00", b"\x02\x00")


def _damaged(path: Path) -> InputError:
    return InputError(f"{path} is a damaged DICOM file: its header cannot be read. Copy it again.")


def _slice(path: Path, header: Any) -> Slice | None:
    storages = header.get("SOPClassUID"), header.file_meta.get("MediaStorageSOPClassUID")
    storage = str(next((uid for uid in storages if uid), ""))
    if not (header.get("Rows") and header.get("Columns")):
        if storage == _CT_STORAGE:
            raise _damaged(path)
        return None
    kinds = header.get("ImageType") or []
    place = {tag: _numbers(header, tag) for tag in _PLACE}
    return Slice(
        path=path,
        series_uid=str(header.get("SeriesInstanceUID") or ""),
        description=str(header.get("SeriesDescription") or ""),
        modality=str(header.get("Modality") or ("CT" if storage == _CT_STORAGE else "")),
        rows=int(header.Rows),
        columns=int(header.Columns),
        spacing_mm=place["PixelSpacing"],
        position_mm=place["ImagePositionPatient"],
        orientation=place["ImageOrientationPatient"],
        localizer="LOCALIZER" in ([kinds] if isinstance(kinds, str) else list(kinds)),
        problem=_problem(path, header, place),
    )


def _problem(path: Path, header: Any, place: dict[str, tuple[float, ...]]) -> str:
    if int(header.get("NumberOfFrames") or 1) > 1 or _ENHANCED in header:
        return (
            f"{path} is a multi-frame DICOM file; only one file a slice is read. Convert it to "
            "NIfTI, with dcm2niix for example."
        )
    if int(header.get("SamplesPerPixel") or 1) != 1:
        return f"{path} is a colour image; expected one value a pixel. Remove it."
    for tag, count in _PLACE.items():
        if len(place[tag]) != count or not np.isfinite(place[tag]).all():
            return (
                f"{path} has no usable {tag}, so its place in the patient is unknown. Remove the "
                "file if it does not belong to the series, or export the series again."
            )
    return ""


def _numbers(header: Any, tag: str) -> tuple[float, ...]:
    try:
        return tuple(float(value) for value in header.get(tag) or ())
    except (TypeError, ValueError):
        return ()
