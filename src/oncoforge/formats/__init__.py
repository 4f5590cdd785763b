"""Files in and out: NIfTI, NRRD, MetaImage and DICOM in; NIfTI out."""

from __future__ import annotations

from oncoforge.formats.hounsfield import check_hu
from oncoforge.formats.read import read_case, read_image, read_labels
from oncoforge.formats.volume import Volume
from oncoforge.formats.write import write_image, write_labels

__all__ = [
    "Volume",
    "check_hu",
    "read_case",
    "read_image",
    "read_labels",
    "write_image",
    "write_labels",
]
