"""Masks, checked and cut down to where they have voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oncoforge.compiled import compiled
from oncoforge.errors import InputError


@dataclass(frozen=True)
class Part:
    """The box of a mask that holds all of its voxels.

    Parameters
    ----------
    array
        bool (x, y, z); empty if the mask is.
    origin
        Index of its first voxel in the whole mask.
    voxels
        How many are in the mask.
    """

    array: NDArray[np.bool_]
    origin: tuple[int, int, int]
    voxels: int


def part_of(mask: Any, name: str) -> Part:
    """Return the part of a mask that has voxels.

    Parameters
    ----------
    mask
        3-D, booleans or numbers that are all 0 or 1; it may be a view, and read-only.
    name
        What it is called in sentences.

    Raises
    ------
    InputError
        If it is not such a mask.
    """
    array = np.asarray(mask)
    if array.ndim != 3:
        raise InputError(f"{name} has {array.ndim} axes; give a mask with three.")
    bytes_ = _bytes(array, name)
    # As the bytes lie in memory, whatever the order of the axes.
    order = sorted(range(3), key=lambda axis: -abs(bytes_.strides[axis]))
    flat = np.ascontiguousarray(bytes_.transpose(order))
    first, last, largest = _extent(flat)
    if largest > 1 and array.dtype == np.bool_:  # true is any byte but 0
        return part_of(bytes_ != 0, name)
    if largest > 1:
        raise InputError(_no_mask(name))
    slices: list[slice] = [slice(0)] * 3
    for place, axis in enumerate(order):
        slices[axis] = slice(int(first[place]), int(last[place]) + 1)
    box = bytes_[tuple(slices)].view(np.bool_)
    i, j, k = (s.start for s in slices)
    return Part(box, (i, j, k), int(np.count_nonzero(box)))


def shared_voxels(one: Part, other: Part) -> int:
    """Count the voxels that are in both of two masks."""
    low = np.maximum(one.origin, other.origin)
    high = np.minimum(*(np.add(part.origin, part.array.shape) for part in (one, other)))
    if (high <= low).any():
        return 0
    a, b = (
        part.array[tuple(map(slice, low - part.origin, high - part.origin))]
        for part in (one, other)
    )
    return int(np.count_nonzero(a & b))


def _bytes(array: np.ndarray, name: str) -> NDArray[np.uint8]:
    """Return a mask as bytes, without a copy where it has them already."""
    if array.dtype in (np.bool_, np.uint8, np.int8):
        return array.view(np.uint8)
    if array.dtype.kind not in "iuf" or not ((array == 0) | (array == 1)).all():
        raise InputError(_no_mask(name))
    return array.astype(np.uint8)


def _no_mask(name: str) -> str:
    return f"{name} is no mask: it has values besides 0 and 1; give booleans, as in labels == 1."


@compiled
def _extent(values):  # type: ignore[no-untyped-def]
    """Return the first and the last index along each axis that is not 0, and all values or-ed."""
    n0, n1, n2 = values.shape
    first = np.array([n0, n1, n2])
    last = np.array([-1, -1, -1])
    largest = 0
    for i in range(n0):
        for j in range(n1):
            row = values[i, j]
            met = 0
            for value in row:
                met |= value
            if met == 0:
                continue
            largest |= met
            first[0], last[0] = min(first[0], i), i
            first[1], last[1] = min(first[1], j), max(last[1], j)
            for k in range(min(first[2], n2)):
                if row[k] != 0:
                    first[2] = k
                    break
            for k in range(n2 - 1, last[2], -1):
                if row[k] != 0:
                    last[2] = k
                    break
    return first, last, largest
