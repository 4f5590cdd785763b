"""Compressed arrays on disk, of which boxes are read without the rest."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from oncoforge.errors import InputError

CHUNK: Final = 96
"""Edge of what is written together, voxels."""

BLOCK: Final = 24
"""Edge of what is read together, voxels. These and the codec: see benchmarks/store.py."""

_OPEN = 4
"""Arrays that a process keeps open at most, for reads of one case after another. What was read of a
mapped file counts as memory of the process, which must not grow with the number of cases."""


def blosc2() -> Any:
    """Return the library that reads and writes them.

    Raises
    ------
    InputError
        If it is not installed.
    """
    try:
        import blosc2 as library
    except ImportError:
        raise InputError(
            "Cases for training are stored with Blosc2, which is not installed; "
            'pip install "oncoforge[train]".'
        ) from None
    return library


def create(path: Path, shape: Sequence[int], dtype: npt.DTypeLike) -> Any:
    """Begin an array, to be filled by `write`.

    Parameters
    ----------
    path
        A new file.
    shape
        (X, Y, Z).
    dtype
        Of its numbers.
    """
    library = blosc2()
    chunks = [min(CHUNK, n) for n in shape]
    return library.empty(
        tuple(shape),
        dtype=np.dtype(dtype),
        chunks=tuple(chunks),
        blocks=tuple(min(BLOCK, n) for n in chunks),
        urlpath=str(path),
        mode="w",
        cparams=library.CParams(
            codec=library.Codec.LZ4,
            clevel=9,
            filters=[library.Filter.BITSHUFFLE],
            filters_meta=[0],
            nthreads=1,
        ),
        dparams=library.DParams(nthreads=1),
    )


def write(array: Any, rows: slice, values: npt.NDArray[Any]) -> None:
    """Write some rows.

    Parameters
    ----------
    array
        As from `create`.
    rows
        Along the first axis.
    values
        All of them.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    try:
        array[rows] = values
    except RuntimeError as error:  # what Blosc2 makes of any refusal
        raise OSError(str(error)) from error


def read(path: Path, start: Sequence[int], size: Sequence[int]) -> npt.NDArray[Any]:
    """Read a box.

    Parameters
    ----------
    path
        Of the array.
    start, size
        Of the box, voxels; it lies inside the array.

    Raises
    ------
    InputError
        If the file is gone or damaged.
    """
    box = tuple(slice(int(a), int(a) + int(n)) for a, n in zip(start, size, strict=True))
    try:
        return np.asarray(_opened(str(path), os.getpid())[box])
    except (OSError, RuntimeError, ValueError) as error:
        raise unread(path, error) from error


def unread(path: Path, error: Exception) -> InputError:
    """Return the error of a file of a store that is gone or damaged."""
    return InputError(
        f"{path} cannot be read ({error}); remove its folder, and the next run builds it anew."
    )


# By process, as what was opened before a fork is not for both sides of it.
@lru_cache(maxsize=_OPEN)
def _opened(path: str, _process: int) -> Any:
    library = blosc2()
    parameters = library.DParams(nthreads=1)  # workers share the cores among themselves already
    return library.open(path, mode="r", mmap_mode="r", dparams=parameters)
