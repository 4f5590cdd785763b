"""Write images and label maps as NIfTI on the grid that they came from."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from oncoforge.case import Case
from oncoforge.errors import OutputError
from oncoforge.formats.atomic import atomic_write
from oncoforge.formats.slabs import copy_tiled, slab_buffer, slices_per_slab
from oncoforge.formats.stored import LARGEST_LABEL
from oncoforge.grid import Grid
from oncoforge.source import Source

# Measured on CT with noise and on label maps: level 2 is as fast as 1, smaller on CT, and beats
# level 3 in size and time on label maps.
_LEVEL = 2
_NIFTI1_MOST = 32767
_SCANNER = 1  # NIFTI_XFORM_SCANNER_ANAT


def write_image(
    path: str | os.PathLike[str],
    array: npt.NDArray[Any],
    source: Source | Grid | Case,
    dtype: str = "int16",
) -> None:
    """Write an image as NIfTI, in the axis order and on the affine of its source.

    Parameters
    ----------
    path
        A file that ends in ``.nii`` or ``.nii.gz``; an existing one is replaced.
    array
        Real (X, Y, Z) in HU, in the RAS+ order of the library.
    source
        ``case.source``, a case, or the grid that the file shall have.
    dtype
        ``"int16"`` (the usual CT), any other NumPy number type, or ``"same"`` as the source,
        with its scaling. Integers are rounded half to even and clipped to what the type holds.

    Raises
    ------
    OutputError
        If the array is not finite or not on the grid, or the file cannot be written. Nothing
        partial is left.

    Notes
    -----
    The same array, source and type give the same bytes on one kind of processor: the compressor
    may choose other, equally valid bytes on another. The voxels are always the same.
    """
    source = _source_of(source)
    slope, intercept = 1.0, 0.0
    if dtype == "same":
        dtype, slope, intercept = source.dtype, source.slope, source.intercept
    _write(Path(path), np.asarray(array), source, _stored_type(path, dtype), (slope, intercept))


def write_labels(
    path: str | os.PathLike[str], labels: npt.NDArray[Any], source: Source | Grid | Case
) -> None:
    """Write a label map or a mask as NIfTI: uint8, or uint16 where a label is above 255.

    Parameters
    ----------
    path
        A file that ends in ``.nii`` or ``.nii.gz``; an existing one is replaced.
    labels
        Whole numbers or booleans (X, Y, Z), in the RAS+ order of the library.
    source
        ``case.source``, a case, or the grid that the file shall have.

    Raises
    ------
    OutputError
        If these are no labels or not on the grid, or the file cannot be written. Nothing partial
        is left.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "biu":
        raise OutputError(
            f"{path} was not written: labels are whole numbers, and these are {labels.dtype}. "
            "Convert them first, with labels.astype('uint8') for example."
        )
    low, high = (int(labels.min()), int(labels.max())) if labels.size else (0, 0)
    if low < 0 or high > LARGEST_LABEL:
        raise OutputError(
            f"{path} was not written: labels are from 0 to {LARGEST_LABEL}, and these are from "
            f"{low} to {high}."
        )
    dtype = np.dtype(np.uint8 if high <= 255 else np.uint16)
    _write(Path(path), labels, _source_of(source), dtype, (1.0, 0.0))


def _source_of(source: Source | Grid | Case) -> Source:
    if isinstance(source, Case):
        return source.source
    return Source(source) if isinstance(source, Grid) else source


def _stored_type(path: str | os.PathLike[str], name: str) -> np.dtype[Any]:
    try:
        dtype = np.dtype(name)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.kind not in "iuf" or not (1 <= dtype.itemsize <= 8) or dtype == np.float16:
        raise OutputError(
            f"{path} was not written: NIfTI has no voxel type {name!r}. Choose 'int16', 'float32', "
            "'same', or another NumPy integer or float."
        )
    return dtype.newbyteorder("<")


def _write(
    path: Path,
    array: npt.NDArray[Any],
    source: Source,
    dtype: np.dtype[Any],
    scaling: tuple[float, float],
) -> None:
    if not path.name.endswith((".nii", ".nii.gz")):
        raise OutputError(f"{path} was not written: give a name that ends in .nii or .nii.gz.")
    expected = source.grid.ras().shape
    if array.shape != expected:
        raise OutputError(
            f"{path} was not written: the array has shape {array.shape} and its grid {expected}. "
            "Give the grid on which the array lies."
        )
    header = _header(source, dtype, scaling)
    stored = source.grid.from_ras(array)
    with atomic_write(path) as file, _compressed(file, path.name.endswith(".gz")) as stream:
        stream.write(header)
        for block in _blocks(path, stored, dtype, scaling):
            stream.write(np.ascontiguousarray(block).reshape(-1).view(np.uint8).data)


@contextlib.contextmanager
def _compressed(file: BinaryIO, wanted: bool) -> Iterator[BinaryIO]:
    if not wanted:
        yield file
        return
    from isal import igzip

    # No name and no time in the gzip header: the same voxels are the same bytes.
    with igzip.IGzipFile(
        filename="", fileobj=file, mode="wb", compresslevel=_LEVEL, mtime=0
    ) as stream:
        yield stream


def _blocks(
    path: Path, stored: npt.NDArray[Any], dtype: np.dtype[Any], scaling: tuple[float, float]
) -> Iterator[npt.NDArray[Any]]:
    """Slabs of the file as (k, Y, X), the order in which NIfTI keeps them."""
    depth = slices_per_slab(stored.shape, max(4, dtype.itemsize))
    for start in range(0, stored.shape[2], depth):
        slab = stored[:, :, start : start + depth].T
        count, rows, columns = slab.shape
        block = slab_buffer(count, rows, columns, slab.dtype)
        copy_tiled(block, slab)
        if block.dtype.kind == "f" and not np.isfinite(block).all():
            raise OutputError(
                f"{path} was not written: the array holds NaN or infinite values near slice "
                f"{start}."
            )
        yield _converted(block, dtype, scaling)


def _converted(
    block: npt.NDArray[Any], dtype: np.dtype[Any], scaling: tuple[float, float]
) -> npt.NDArray[Any]:
    slope, intercept = scaling
    if scaling != (1.0, 0.0):
        block = (block.astype(np.float64) - intercept) / slope
    if dtype.kind == "f":
        return block.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    if block.dtype.kind == "f":
        if dtype.itemsize > 2 and block.dtype != np.float64:
            block = block.astype(np.float64)  # float32 cannot hold the limits of 32 bits
        block = np.rint(block)
        top = limits.max if dtype.itemsize < 8 else np.nextafter(float(limits.max), 0)
        block = np.clip(block, limits.min, top, out=block)
    elif block.dtype != np.bool_:
        block = np.clip(block, limits.min, limits.max)
    return block.astype(dtype, copy=False)


def _header(source: Source, dtype: np.dtype[Any], scaling: tuple[float, float]) -> bytes:
    import nibabel as nib

    if source.nifti_header is not None:
        cls = nib.Nifti1Header if len(source.nifti_header) == 348 else nib.Nifti2Header
        header = cls(binaryblock=source.nifti_header, endianness="<", check=False)
    else:
        large = max(source.grid.shape) > _NIFTI1_MOST
        header = (nib.Nifti2Header if large else nib.Nifti1Header)(endianness="<")
        _place(header, source.grid)
    header.set_data_dtype(dtype)
    header["dim"] = [3, *source.grid.shape, 1, 1, 1, 1]
    header["scl_slope"], header["scl_inter"] = scaling
    header["vox_offset"] = header.sizeof_hdr + 4
    header["magic"] = header.single_magic
    return bytes(header.binaryblock) + bytes(4)  # no extensions follow


def _place(header: Any, grid: Grid) -> None:
    header.set_xyzt_units("mm")
    header["pixdim"][1:4] = grid.spacing
    header.set_sform(grid.affine, code=_SCANNER)
    # A quaternion cannot say a shear: leave it out rather than say something else.
    directions = grid.directions
    if np.allclose(directions.T @ directions, np.eye(3), atol=1e-5):
        header.set_qform(grid.affine, code=_SCANNER)
