"""A volume on disk, its header read and its voxels not yet: what every reader hands over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from oncoforge.errors import InputError
from oncoforge.formats.slabs import Array
from oncoforge.grid import Grid
from oncoforge.source import Source

MOST_VOXELS = 2**31
"""More than any CT: a whole body of 512 x 512 x 2000 is a quarter of it."""

MOST_DEFLATION = 1032
"""Deflate cannot shrink bytes by more than this factor (zlib, "Maximum Compression Factor")."""

LARGEST_LABEL = 65535


@dataclass(frozen=True, eq=False)
class StoredVolume:
    """A volume whose header is known and checked.

    Parameters
    ----------
    path
        The file or folder.
    source
        Grid, stored type and scaling.
    slabs
        Yields the stored values once, without the scaling: consecutive (X, Y, k) arrays along the
        last axis of ``source.grid``. A slab may be reused: copy what must outlive the next one.
    """

    path: Path
    source: Source
    slabs: Callable[[], Iterator[Array]]

    def image(self) -> npt.NDArray[np.float32]:
        """Read the values: float32 (X, Y, Z), C-contiguous, in RAS+ order, scaling applied.

        Raises
        ------
        InputError
            If the voxels cannot be read, or are not finite.
        """
        source = self.source
        scaled = (source.slope, source.intercept) != (1.0, 0.0)
        array = np.empty(source.grid.ras().shape, dtype=np.float32)
        stored = source.grid.from_ras(array)
        start = 0
        for slab in self._read():
            if scaled or slab.dtype.kind == "f":
                slab = self._finite(slab, start)
            stored[:, :, start : start + slab.shape[2]] = slab
            start += slab.shape[2]
        return array

    def labels(self) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
        """Read whole numbers from 0 to 65535: uint8 where the file is, else uint16.

        Raises
        ------
        InputError
            If the voxels cannot be read or are not such numbers.
        """
        source = self.source
        scaled = (source.slope, source.intercept) != (1.0, 0.0)
        narrow = source.dtype == "uint8" and not scaled
        array = np.empty(source.grid.ras().shape, dtype=np.uint8 if narrow else np.uint16)
        stored = source.grid.from_ras(array)
        start = 0
        for slab in self._read():
            values = slab * np.float64(source.slope) + source.intercept if scaled else slab
            if not narrow:
                self._check_labels(values)
            stored[:, :, start : start + slab.shape[2]] = values
            start += slab.shape[2]
        return array

    def _read(self) -> Iterator[Array]:
        done = 0
        for slab in self.slabs():
            done += slab.shape[2]
            yield slab
        if done != self.source.grid.shape[2]:
            raise InputError(
                f"{self.path} holds {done} slices where its header promises "
                f"{self.source.grid.shape[2]}. Copy or export the file again."
            )

    def _finite(self, slab: Array, start: int) -> Array:
        # What overflows float32 is infinite too, and reported as such.
        with np.errstate(over="ignore", invalid="ignore"):
            if (self.source.slope, self.source.intercept) != (1.0, 0.0):
                # float64 for one slab only: 16-bit integers and a slope keep every digit.
                slab = slab * np.float64(self.source.slope) + self.source.intercept
            slab = slab.astype(np.float32, copy=False)
        if not np.isfinite(slab).all():
            raise InputError(
                f"{self.path} holds NaN or infinite values near slice {start}; expected HU "
                "everywhere. Replace them, by -1024 for example, and read it again."
            )
        return slab

    def _check_labels(self, values: Array) -> None:
        low, high = values.min(), values.max()
        if values.dtype.kind == "f" and not (np.isfinite(low) and np.isfinite(high)):
            raise InputError(f"{self.path} holds NaN or infinite values; a label map cannot.")
        if low < 0 or high > LARGEST_LABEL:
            raise InputError(
                f"{self.path} holds values from {low:g} to {high:g}; a label map holds whole "
                f"numbers from 0 to {LARGEST_LABEL}. Check that the label map is not the image."
            )
        if values.dtype.kind == "f" and not np.array_equal(values, np.rint(values)):
            raise InputError(
                f"{self.path} holds fractions; a label map holds whole numbers. Resample label "
                "maps with nearest neighbours, and do not give probabilities."
            )


def check_size(path: Path, shape: tuple[int, ...], itemsize: int, payload: int | None) -> None:
    """Refuse a header that claims more voxels than can be there, before any are allocated.

    Parameters
    ----------
    path
        The file, for the sentence.
    shape
        Voxels along each axis.
    itemsize
        Bytes a voxel.
    payload
        The most bytes of voxels that the file can hold, or None where that is unknown.
    """
    voxels = 1
    for n in shape:
        voxels *= int(n)  # Python's integers do not overflow
    size = " x ".join(str(n) for n in shape)
    if voxels > MOST_VOXELS:
        raise InputError(
            f"{path} claims {size} voxels; the most that is read is {MOST_VOXELS}. The header is "
            "probably damaged: export the file again."
        )
    if payload is not None and voxels * itemsize > payload:
        raise InputError(
            f"{path} is cut short or its header is damaged: {size} voxels of {itemsize} bytes "
            f"need {voxels * itemsize} bytes and it holds at most {payload}. Copy it again."
        )


def grid_of(path: Path, shape: tuple[int, ...], affine: Array) -> Grid:
    """Build a grid, naming the file where it cannot be one."""
    try:
        return Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine)
    except InputError as error:
        raise InputError(f"{path} has a header that cannot place its voxels. {error}") from None
