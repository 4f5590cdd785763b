"""Read NRRD and MetaImage volumes through SimpleITK."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from oncoforge.errors import InputError
from oncoforge.formats.detached import nhdr_size
from oncoforge.formats.metaimage import metaimage_payload
from oncoforge.formats.slabs import Array, slices_per_slab
from oncoforge.formats.stored import MOST_DEFLATION, StoredVolume, check_size, grid_of
from oncoforge.grid import Affine
from oncoforge.source import Source

_KIND = {"nrrd": "an NRRD file", "metaimage": "a MetaImage file"}
_TYPES = {
    "8-bit unsigned integer": "uint8",
    "8-bit signed integer": "int8",
    "16-bit unsigned integer": "uint16",
    "16-bit signed integer": "int16",
    "32-bit unsigned integer": "uint32",
    "32-bit signed integer": "int32",
    "64-bit unsigned integer": "uint64",
    "64-bit signed integer": "int64",
    "32-bit float": "float32",
    "64-bit float": "float64",
}


def open_itk(path: Path, format: str) -> StoredVolume:
    """Read and check the header of an NRRD or MetaImage file.

    Parameters
    ----------
    path
        The file.
    format
        ``"nrrd"`` or ``"metaimage"``.

    Raises
    ------
    InputError
        If this is no such file, or not one scalar volume.
    """
    import SimpleITK as sitk

    payload = metaimage_payload(path) if format == "metaimage" else _nrrd_payload(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("NrrdImageIO" if format == "nrrd" else "MetaImageIO")
    with quiet_itk():
        try:
            reader.ReadImageInformation()
        except RuntimeError:
            raise InputError(
                f"{path} is not {_KIND[format]}, or its header is damaged. Check the file, or its "
                "name's ending."
            ) from None
    pixel = sitk.GetPixelIDValueAsString(reader.GetPixelID())
    dtype = _TYPES.get(pixel)
    if dtype is None or reader.GetNumberOfComponents() != 1:
        raise InputError(
            f"{path} has voxels of type {pixel}; expected one real number a voxel, not colours or "
            "vectors."
        )
    shape = _volume_shape(path, tuple(reader.GetSize()))
    itemsize = np.dtype(dtype).itemsize
    check_size(path, shape, itemsize, payload)
    affine = lps_affine(reader.GetOrigin(), reader.GetSpacing(), reader.GetDirection())
    grid = grid_of(path, shape, affine)
    source = Source(grid=grid, image_path=path, format=format, dtype=dtype)

    def slabs() -> Iterator[Array]:
        # A view does not keep its image alive; this name does, while slabs are asked for.
        image = _voxels(path, reader)
        view = sitk.GetArrayViewFromImage(image)
        array = view.reshape(view.shape[-3:]).T  # a fourth axis has length one
        depth = slices_per_slab(grid.shape, itemsize)
        for start in range(0, grid.shape[2], depth):
            yield array[:, :, start : start + depth]

    return StoredVolume(path, source, slabs)


def lps_affine(origin: Any, spacing: Any, direction: Any) -> Affine:
    """ITK's origin, spacing and direction (LPS, first three axes) as an RAS+ affine (4, 4)."""
    axes = len(origin)
    cosines = np.asarray(direction, dtype=np.float64).reshape(axes, axes)[:3, :3]
    affine = np.eye(4)
    affine[:3, :3] = cosines * np.asarray(spacing, dtype=np.float64)[:3]
    affine[:3, 3] = np.asarray(origin, dtype=np.float64)[:3]
    affine[:2] *= -1
    return affine


@contextlib.contextmanager
def quiet_itk() -> Iterator[None]:
    """Keep ITK's warnings off stderr: what matters is checked, and said in our own sentences."""
    import SimpleITK as sitk

    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def _volume_shape(path: Path, shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) < 3:
        raise InputError(f"{path} is an image of shape {shape}; expected a volume with 3 axes.")
    if any(n > 1 for n in shape[3:]):
        raise InputError(
            f"{path} holds several volumes: its shape is {shape}. Split it and give one volume."
        )
    return shape[:3]


def _nrrd_payload(path: Path) -> int:
    detached = path.suffix.lower() == ".nhdr"
    return (nhdr_size(path) if detached else path.stat().st_size) * MOST_DEFLATION


def _voxels(path: Path, reader: Any) -> Any:
    """Read the whole image: ITK cannot read compressed files in parts."""
    with quiet_itk():
        try:
            return reader.Execute()
        except RuntimeError:
            raise InputError(
                f"The voxels of {path} cannot be read: it is cut short or damaged, or the file "
                "that its header names is not there. Copy it again."
            ) from None
