"""Read the labels of one case, whether they are one file, one per structure, or slices."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from oncoforge import anatomy
from oncoforge.errors import GridMismatchError, InputError
from oncoforge.formats.open import open_labels, open_volume
from oncoforge.formats.stored import StoredVolume
from oncoforge.grid import Grid
from oncoforge.source import Source

_BLOCK: Final = 1 << 20
_ORIENTED: Final = 0.01

Voxels = npt.NDArray[Any]


def read_whole(path: Path, image: StoredVolume | None, fix_geometry: bool) -> tuple[Voxels, Source]:
    """Read a label map in its own numbers.

    Parameters
    ----------
    path
        A file, or a folder of PNG slices that belong to the DICOM slices of `image`.
    image
        The image that it must lie on; None to take the label map as it is.
    fix_geometry
        Take the grid of the image for a label map that has lost its own.

    Returns
    -------
    labels : numpy.ndarray
        (X, Y, Z) in RAS+ order.
    source : Source
        The grid to write them on.

    Raises
    ------
    GridMismatchError
        If the label map is not on the grid of the image.
    InputError
        If it cannot be read.
    """
    if path.is_dir():
        if image is None:
            raise InputError(f"{path} holds slices; their place is known from the image only.")
        return _png_slices(path, image), Source(image.source.grid)
    stored = open_labels(path)
    grid = stored.source.grid
    difference = None if image is None else image.source.grid.ras().difference(grid.ras())
    if image is None or difference is None:
        return stored.labels(), stored.source
    if not _lost(grid) or grid.shape != image.source.grid.shape:
        raise GridMismatchError(f"{path} is not on the grid of {image.path}: {difference}.")
    if not fix_geometry:
        raise GridMismatchError(
            f"{path} has lost its geometry (1 mm voxels along the axes of the file), but has as "
            f"many voxels as {image.path}: look at one such case, and take the grid of the images "
            "with --fix-geometry."
        )
    in_file_order = grid.from_ras(stored.labels())
    return image.source.grid.to_ras(in_file_order), Source(image.source.grid)


def read_parts(
    files: Mapping[str, Path], parts: Mapping[str, str], image: StoredVolume | None
) -> tuple[Voxels, Source]:
    """Paint one file or DICOM folder per structure into one map of oncoforge labels.

    Parameters
    ----------
    files
        Name of the structure to its file; every voxel above 0 is of it.
    parts
        As in `Dataset`.
    image
        The image that they must lie on; None to check them against each other.

    Returns
    -------
    labels, source
        As from `read_whole`; oncoforge labels.

    Raises
    ------
    GridMismatchError
        If a file is not on the grid of the image or of the first file.
    InputError
        If one cannot be read.
    """
    numbers = {name: value for value, name in anatomy.NAMES.items()}
    painted: Voxels | None = None
    first = image
    for name, path in _in_order(files, parts):
        stored = open_volume(path, force=True)
        first = first or stored
        difference = first.source.grid.ras().difference(stored.source.grid.ras())
        if difference:
            raise GridMismatchError(f"{path} is not on the grid of {first.path}: {difference}.")
        if painted is None:
            painted = np.zeros(first.source.grid.ras().shape, dtype=np.uint8)
        painted[stored.labels() > 0] = numbers[name]
    if painted is None or first is None:
        raise InputError("None of its structures is known here.")
    return painted, Source(first.source.grid)


def fingerprint(files: Mapping[str, Path], grid: Grid | None) -> str:
    """Return a hash of the content of label files and of the grid that they were checked against.

    Parameters
    ----------
    files
        Files or folders.
    grid
        Grid of the image, None without one.
    """
    digest = hashlib.sha256()
    for part, path in sorted(files.items()):
        for file in sorted(path.iterdir()) if path.is_dir() else (path,):
            digest.update(f"{part}\0{file.name}\0".encode())
            for block in _blocks(file):
                digest.update(block)
    if grid is not None:
        digest.update(repr((grid.shape, grid.affine.round(6).tolist())).encode())
    return digest.hexdigest()


def state_of(folder: Path) -> str:
    """Return a hash of the names, sizes and times of change of the files in a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        found = path.stat()
        digest.update(f"{path.name}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def _in_order(files: Mapping[str, Path], parts: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """Structures as they are painted: by the first pattern that names them, in that order."""
    for pattern, name in parts.items():
        for part, path in sorted(files.items()):
            first = next((p for p in parts if fnmatch(part.lower(), p)), None)
            if first == pattern:
                yield name, path


def _lost(grid: Grid) -> bool:
    """Whether a grid says no more than that voxels are 1 mm cubes."""
    return bool(np.allclose(np.abs(grid.affine[:3, :3]), np.eye(3), atol=_ORIENTED))


def _png_slices(folder: Path, image: StoredVolume) -> Voxels:
    """Stack PNG slices: in the order of names they belong to the DICOM files in theirs."""
    from PIL import Image

    from oncoforge.formats.dicom_slice import read_slice

    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".png")
    files = sorted(path for path in image.path.iterdir() if path.is_file())
    slices = [found for path in files if (found := read_slice(path)) and not found.problem]
    grid = image.source.grid
    if len(pictures) != len(slices) or len(slices) != grid.shape[2]:
        raise InputError(
            f"{folder} has {len(pictures)} slices and {image.path} {len(slices)}; expected as many."
        )
    stored = np.zeros(grid.shape, dtype=np.uint8)
    for picture, slice_ in zip(pictures, slices, strict=True):
        with Image.open(picture) as opened:
            # Checked before it is decoded: a picture may claim any size.
            if opened.size != grid.shape[:2]:
                raise InputError(f"{picture} is {opened.size}, and its slice {grid.shape[:2]}.")
            plane = np.asarray(opened.convert("L"))
        left, posterior, superior = slice_.position_mm
        place = grid.to_voxel((-left, -posterior, superior))
        stored[:, :, round(float(place[2]))] = plane.T
    return grid.to_ras(stored)


def _blocks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
