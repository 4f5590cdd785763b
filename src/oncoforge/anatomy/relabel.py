"""One label map turned into another by a table of 256 entries, a slab at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from oncoforge.errors import InputError

UNKNOWN: Final = 255
"""Marks a value that a table does not hold; no oncoforge label is that large."""

_SLAB_VOXELS: Final = 1 << 20
_ENOUGH_UNKNOWN: Final = 12


def table_of(mapping: Mapping[int, int]) -> NDArray[np.uint8]:
    """Write a mapping of values (0 to 254) as a table of 256 entries, `UNKNOWN` where it is silent.

    Parameters
    ----------
    mapping
        Value found to value wanted.

    Returns
    -------
    numpy.ndarray
        The table, 256 entries, uint8, read-only.
    """
    table = np.full(256, UNKNOWN, dtype=np.uint8)
    for found, wanted in mapping.items():
        table[found] = wanted
    table.flags.writeable = False
    return table


def relabel(labels: NDArray[Any], table: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], list[Any]]:
    """Look every voxel up in a table.

    Works through slabs of about a million voxels, so that besides the result only a few megabytes
    are needed, whatever the size and the type of the input.

    Parameters
    ----------
    labels
        Whole numbers of any integer, boolean or floating type, any shape and memory order.
    table
        As from `table_of`.

    Returns
    -------
    relabelled : numpy.ndarray
        Same shape, uint8, with `UNKNOWN` where the table holds nothing.
    unknown : list
        The first dozen or so of the values that the table does not hold, sorted; empty if none.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "biuf":
        raise InputError(
            f"A label map holds one whole number per voxel; this one has the type {labels.dtype}."
        )
    relabelled = np.empty_like(labels, dtype=np.uint8, subok=False)
    unknown: set[Any] = set()
    for slab in _slabs(relabelled):
        source = labels[slab]
        with np.errstate(invalid="ignore"):
            codes = source.astype(np.uint8, copy=False)
        found = table[codes]
        if codes is not source:
            found[codes != source] = UNKNOWN
        relabelled[slab] = found
        if len(unknown) < _ENOUGH_UNKNOWN and found.size and found.max() == UNKNOWN:
            unknown.update(np.unique(source[found == UNKNOWN])[:_ENOUGH_UNKNOWN].tolist())
    return relabelled, sorted(unknown)


def _slabs(array: NDArray[np.uint8]) -> Iterator[tuple[slice | None, ...]]:
    """Cut an array across its slowest axis into pieces that are near to each other in memory."""
    if array.ndim == 0:
        yield (None,)
        return
    axis = max(range(array.ndim), key=lambda a: array.strides[a] * (array.shape[a] > 1))
    length = array.shape[axis]
    step = max(1, _SLAB_VOXELS * length // max(1, array.size))
    for start in range(0, length, step):
        yield (slice(None),) * axis + (slice(start, start + step),)
