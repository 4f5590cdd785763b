"""Read NIfTI volumes (.nii, .nii.gz) slab by slab."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from oncoforge.errors import InputError
from oncoforge.formats.slabs import Array, slab_buffer, slices_per_slab
from oncoforge.formats.stored import MOST_DEFLATION, StoredVolume, check_size, grid_of
from oncoforge.grid import Affine
from oncoforge.source import Source

_HEADER_BYTES = 540  # of NIfTI-2; NIfTI-1 has 348
_GZIP = b"\x1f\x8b"
_MM_PER_UNIT = {1: 1000.0, 3: 0.001}  # metres, micrometres; anything else is read as mm
_GEOMETRY_FIELDS = (
    "qform_code",
    "sform_code",
    "quatern_b",
    "quatern_c",
    "quatern_d",
    "qoffset_x",
    "qoffset_y",
    "qoffset_z",
    "srow_x",
    "srow_y",
    "srow_z",
    "xyzt_units",
)


def open_nifti(path: Path) -> StoredVolume:
    """Read and check the header of a NIfTI file.

    Parameters
    ----------
    path
        A ``.nii`` or ``.nii.gz`` file; whether it is compressed is seen from its bytes.

    Returns
    -------
    StoredVolume
        The header's geometry, and the way to its voxels.

    Raises
    ------
    InputError
        If this is no NIfTI file, or not one scalar volume.
    """
    with _opened(path) as stream:
        start = stream.read(_HEADER_BYTES)
    header = _parse(path, start)
    shape = _volume_shape(path, header)
    dtype = _scalar_type(path, header)
    offset = _data_offset(path, header)
    check_size(path, shape, dtype.itemsize, _payload(path, offset))
    grid = grid_of(path, shape, _affine(path, header))
    slope, intercept = _scaling(path, header)
    source = Source(
        grid=grid,
        image_path=path,
        format="nifti",
        dtype=dtype.newbyteorder("=").name,
        slope=slope,
        intercept=intercept,
        nifti_header=geometry_of(header),
    )

    def slabs() -> Iterator[Array]:
        return _slabs(path, grid.shape, dtype, offset)

    return StoredVolume(path, source, slabs)


def geometry_of(header: Any) -> bytes:
    """Keep the fields of a NIfTI header that place voxels, as a little-endian header's bytes."""
    kept = type(header)(endianness="<", check=False)
    for field in _GEOMETRY_FIELDS:
        kept[field] = header[field]
    # The fifth and later are times, which one volume does not have.
    kept["pixdim"][:4] = header["pixdim"][:4]
    return bytes(kept.binaryblock)


def _parse(path: Path, start: bytes) -> Any:
    import nibabel as nib

    endianness = "<" if int.from_bytes(start[:4], "little") in (348, 540) else ">"
    size = int.from_bytes(start[:4], "little" if endianness == "<" else "big")
    cls = {348: nib.Nifti1Header, 540: nib.Nifti2Header}.get(size)
    if not start:
        raise InputError(f"{path} is empty; expected a NIfTI file. Copy it again.")
    if cls is None or len(start) < cls.sizeof_hdr:
        raise InputError(
            f"{path} is not a NIfTI file: it does not start with a NIfTI header. Check the file, "
            "or its name's ending."
        )
    header = cls(start[: cls.sizeof_hdr], endianness, check=False)
    if bytes(header["magic"].item())[:3] not in (b"n+1", b"n+2"):
        raise InputError(
            f"{path} is not a single-file NIfTI (magic {bytes(header['magic'].item())!r}); Analyze "
            "and .hdr/.img pairs are not read. Convert it to .nii.gz."
        )
    return header


def _volume_shape(path: Path, header: Any) -> tuple[int, ...]:
    dims = [int(n) for n in header["dim"]]
    axes, shape = dims[0], tuple(dims[1 : 1 + max(dims[0], 0)])
    if not 1 <= axes <= 7:
        raise InputError(f"{path} claims {axes} axes; expected a volume with 3. It is damaged.")
    if min(shape) < 1:
        raise InputError(f"{path} has no voxels: its shape is {shape}. Export it again.")
    if axes < 3:
        raise InputError(f"{path} is an image of shape {shape}; expected a volume with 3 axes.")
    if any(n > 1 for n in shape[3:]):
        raise InputError(
            f"{path} holds several volumes: its shape is {shape}. Split it and give one volume."
        )
    return shape[:3]


def _scalar_type(path: Path, header: Any) -> np.dtype[Any]:
    code = int(header["datatype"])
    try:
        dtype: np.dtype[Any] = np.dtype(header.get_data_dtype())
    except KeyError:
        raise InputError(
            f"{path} has voxels of an unknown type (code {code}). Its header is damaged: export "
            "the file again."
        ) from None
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise InputError(
            f"{path} has voxels of NIfTI type {code}; expected one real number a voxel (integers "
            "or floats of up to 64 bits), not colours or vectors."
        )
    return dtype


def _data_offset(path: Path, header: Any) -> int:
    offset = float(header["vox_offset"])
    if offset == 0:
        return int(header.sizeof_hdr) + 4
    if not (header.sizeof_hdr <= offset < 2**40 and offset == int(offset)):
        raise InputError(
            f"{path} says that its voxels start at byte {offset:g}, inside its header or nowhere. "
            "The header is damaged: export the file again."
        )
    return int(offset)


def _payload(path: Path, offset: int) -> int:
    size = path.stat().st_size
    with path.open("rb") as file:
        compressed = file.read(2) == _GZIP
    return max(0, (size * MOST_DEFLATION if compressed else size) - offset)


def _affine(path: Path, header: Any) -> Affine:
    placed = int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0
    if int(header["sform_code"]) <= 0:
        spacing = [float(mm) for mm in header["pixdim"][1:4]]
        if not all(0 < mm < np.inf for mm in spacing):
            raise InputError(
                f"{path} has voxel spacing {spacing}; expected three numbers above 0 mm. Mend the "
                "header (pixdim), or export the file again."
            )
    try:
        affine = header.get_best_affine() if placed else header.get_base_affine()
    except ValueError:
        raise InputError(
            f"{path} has a rotation in its header (qform) that is none. Export the file again."
        ) from None
    affine = np.array(affine, dtype=np.float64)
    affine[:3] *= _MM_PER_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)
    return affine


def _scaling(path: Path, header: Any) -> tuple[float, float]:
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not np.isfinite(slope):
        return 1.0, 0.0  # the standard's way to say "not scaled"
    if not np.isfinite(intercept):
        raise InputError(
            f"{path} scales its values by {slope:g} and then adds {intercept}; expected a number. "
            "Mend the header (scl_inter), or export the file again."
        )
    return slope, intercept


def _slabs(
    path: Path, shape: tuple[int, int, int], dtype: np.dtype[Any], offset: int
) -> Iterator[Array]:
    depth = slices_per_slab(shape, dtype.itemsize)
    buffer = slab_buffer(depth, shape[1], shape[0], dtype)
    with _opened(path) as stream:
        _skip(path, stream, offset)
        for start in range(0, shape[2], depth):
            count = min(depth, shape[2] - start)
            for plane in buffer[:count]:
                _fill(path, stream, plane.reshape(-1).view(np.uint8).data)
            yield buffer[:count].T
        # Reading past the voxels makes a compressed stream check its sum.
        stream.read(1)


def _skip(path: Path, stream: BinaryIO, count: int) -> None:
    while count:
        read = len(stream.read(min(count, 2**20)))
        if not read:
            raise _cut_short(path)
        count -= read


def _fill(path: Path, stream: BinaryIO, target: memoryview) -> None:
    done = 0
    while done < len(target):
        read = stream.readinto(target[done:])  # type: ignore[attr-defined]
        if not read:
            raise _cut_short(path)
        done += read


def _cut_short(path: Path) -> InputError:
    return InputError(
        f"{path} is cut short: it ends before the last voxel that its header promises. Copy it "
        "again."
    )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a plain or compressed file, and turn every way of being unreadable into a sentence."""
    from gzip import BadGzipFile

    from isal import igzip, igzip_lib

    try:
        with path.open("rb") as file:
            compressed = file.read(2) == _GZIP
            file.seek(0)
            if compressed:
                with igzip.IGzipFile(fileobj=file, mode="rb") as stream:
                    yield stream
            else:
                yield file
    except EOFError:
        raise _cut_short(path) from None
    except (BadGzipFile, igzip_lib.IsalError) as error:  # type: ignore[misc]  # isal's stub
        raise InputError(
            f"{path} is damaged: its compressed data cannot be unpacked ({error}). Copy it again."
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
