"""Source: where a volume came from, so that results can go back onto its own grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from oncoforge.grid import Grid


@dataclass(frozen=True, eq=False)
class Source:
    """How a volume is stored outside the library.

    Parameters
    ----------
    grid
        Shape and affine in the axis order of the file (the library itself works in RAS+).
    image_path, labels_path
        The files or the DICOM folder; None for arrays that never were files.
    format
        ``"nifti"``, ``"nrrd"``, ``"metaimage"``, ``"dicom"`` or ``"array"``.
    dtype
        NumPy name of the stored voxel type.
    slope, intercept
        Stored values times slope plus intercept are the values of the image.
    nifti_header
        The geometry fields of the NIfTI header (and nothing that could name a patient), as bytes.
    series_uid
        The DICOM series that was read.
    """

    grid: Grid
    image_path: Path | None = None
    labels_path: Path | None = None
    format: str = "array"
    dtype: str = "float32"
    slope: float = 1.0
    intercept: float = 0.0
    nifti_header: bytes | None = None
    series_uid: str | None = None
