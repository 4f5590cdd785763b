"""How an image looks, small enough to compare thousands: the same patient seen twice is found.

An image becomes a stack of 10 mm slabs. Each is seen through a soft-tissue window, placed in a
frame of the body's own centre and width, averaged down to 20 x 20 and freed of what all bodies have
in common (its broad shading). Two images look alike if their slabs correlate at some offset along
the body, so that neither position, field of view, spacing nor missing slices matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Look = NDArray[np.float16]
"""(slabs, 400): each slab with zero mean and unit norm, or all zeros where there is no body."""

ALIKE: Final = 0.935
"""Mean correlation from which two images are taken for one.

Measured: a CT against itself after noise (50 HU), clipping to -175..250, scaling to 0..1, cuts of
a fifth of its slices at one end or a sixth at both, padding, and resampling to 1.5 to 7 mm reaches
0.941 or more. Phantoms of 40 seeds, which share one build, reach 0.894 at most between each other
(0.931 in other units than HU), and scans of different patients 0.56 (0.71).
"""

_MIDDLE_ALIKE: Final = 0.8
"""The middle slabs of such copies find their like in the other at 0.89 or more."""

_SIDE: Final = 20
_SLAB_MM: Final = 10.0
_MOST_SLABS: Final = 250  # 2.5 m: longer than any body, whatever a damaged header says
_SHADING_PIXELS: Final = 2.5
_WINDOW_HU: Final = (-200.0, 250.0)
_WATER_STORED: Final = 1024.0
_BODY: Final = (0.1, 0.2)  # of the window: about -155 to -110 HU, just below fat
_LEAST_BODY: Final = 0.02
_HALF_WIDTH_SD: Final = 2.0  # an ellipse ends at two standard deviations of its coordinates
_SHIFTS_PER_SLAB: Final = 2
_LEAST_OVERLAP: Final = 0.6
_FEWEST_SLABS: Final = 3  # less is found in many bodies
_BLOCK: Final = 64


def look(image: NDArray[np.float32], spacing: tuple[float, float, float], hu: bool = True) -> Look:
    """Describe how an image looks.

    Parameters
    ----------
    image
        (X, Y, Z) in RAS+ order.
    spacing
        Of the image, mm.
    hu
        Whether it is CT; other images are seen through a window of their own.

    Returns
    -------
    numpy.ndarray
        float16 (slabs, 400).
    """
    low, high = _window(image, hu)
    slabs = []
    for thick in _slabs(image, spacing[2]):
        shades = np.clip((thick - np.float32(low)) / np.float32(high - low), 0, 1)
        slabs.append(_describe(shades))
    return np.array(slabs, np.float16)


def likeness(first: Look, second: Look) -> float:
    """Return the mean correlation of two looks at their best offset along the body.

    Returns
    -------
    float
        -1 to 1; at least 0.6 of the shorter one, and three slabs, must overlap the longer.
    """
    one_way = _best_offset(first.astype(np.float32), second.astype(np.float32))
    return max(one_way, _best_offset(second.astype(np.float32), first.astype(np.float32)))


def alike(
    looks: Sequence[Look | None], groups: Sequence[int], within: bool = False
) -> Iterator[tuple[int, int, float]]:
    """Find the images that look alike.

    Parameters
    ----------
    looks
        One for each image, None where there is none.
    groups
        The part that each image belongs to.
    within
        Compare images of one part with each other too, not only those of different parts.

    Yields
    ------
    tuple
        Index of the first, index of the second (which is larger), and their `likeness`.
    """
    known = [k for k, one in enumerate(looks) if one is not None and np.any(one)]
    for first, second in _candidates(looks, known):
        if within or groups[first] != groups[second]:
            one, other = looks[first], looks[second]
            assert one is not None
            assert other is not None
            found = likeness(one, other)
            if found >= ALIKE:
                yield first, second, found


def _window(image: NDArray[np.float32], hu: bool) -> tuple[float, float]:
    """Return the values to show as black and as white."""
    few = image[::2, ::2, ::2]
    if hu and np.percentile(few, 1) <= -100:
        return _WINDOW_HU
    stored = (few > _WATER_STORED - 100) & (few < _WATER_STORED + 200)
    if hu and few.min() > -100 and np.mean(stored) > 0.05:
        return _WINDOW_HU[0] + _WATER_STORED, _WINDOW_HU[1] + _WATER_STORED
    low, high = float(few.min()), float(few.max())
    if not (np.mean(few == low) > 0.05 and np.mean(few == high) > 0.001):
        # Not clipped to a window already: the middle of what is brighter than air.
        low, high = (float(value) for value in np.percentile(few, (0.5, 99.5)))
        inside = few[few > low + 0.25 * (high - low)]
        if inside.size:
            low, high = (float(value) for value in np.percentile(inside, (2, 98)))
    return low, high if high > low else low + 1.0


def _slabs(image: NDArray[np.float32], spacing_mm: float) -> Iterator[NDArray[np.float32]]:
    """Average an image over 10 mm after 10 mm along its last axis, by shares of slices."""
    slices = image.shape[2]
    number = int(min(max(1, slices * spacing_mm / _SLAB_MM + 0.01), _MOST_SLABS))
    for k in range(number):
        start, stop = (min(edge * _SLAB_MM / spacing_mm, slices) for edge in (k, k + 1))
        first, last = int(start), min(int(np.ceil(stop)), slices)
        here = np.arange(first, last)
        shares = np.minimum(here + 1, stop) - np.maximum(here, start)
        yield image[:, :, first:last] @ (shares / shares.sum()).astype(np.float32)


def _describe(shades: NDArray[np.float32]) -> NDArray[np.float32]:
    """Describe one slab, whose shades run from 0 to 1, by 400 numbers."""
    import scipy.ndimage

    body = np.clip((shades - _BODY[0]) / (_BODY[1] - _BODY[0]), 0, 1)
    if body.mean() < _LEAST_BODY:
        return np.zeros(_SIDE * _SIDE, np.float32)
    small = shades.astype(np.float64)
    for axis in (0, 1):
        small = _averaged(small, axis, _frame(body.sum(axis=1 - axis, dtype=np.float64)))
    small -= scipy.ndimage.gaussian_filter(small, _SHADING_PIXELS, mode="nearest")
    small -= small.mean()
    norm = float(np.linalg.norm(small))
    return (small / norm if norm > 1e-3 else small * 0).astype(np.float32).ravel()


def _frame(profile: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the edges of the pixels along one axis, from the body's profile along it."""
    # Moments, not a bounding box: the edge of a table or one noisy pixel would move the box.
    places = np.arange(len(profile)) + 0.5
    middle = float(np.average(places, weights=profile))
    sd = float(np.sqrt(np.average((places - middle) ** 2, weights=profile)))
    reach = _HALF_WIDTH_SD * max(sd, 0.5)
    return np.linspace(middle - reach, middle + reach, _SIDE + 1)


def _averaged(
    shades: NDArray[np.float64], axis: int, edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Average between edges along an axis; beyond the image it is black."""
    rows = np.moveaxis(shades, axis, 0)
    sums = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)])
    inside = np.clip(edges, 0, len(rows))
    below = np.minimum(inside.astype(int), len(rows) - 1)
    at_edges = sums[below] + (inside - below)[:, None] * (sums[below + 1] - sums[below])
    return np.moveaxis(np.diff(at_edges, axis=0) / np.diff(edges)[:, None], 0, axis)


def _candidates(looks: Sequence[Look | None], known: Sequence[int]) -> list[tuple[int, int]]:
    """Find pairs whose middle slabs occur in each other, by matrix products of a bounded size."""
    pairs = set()
    blocks = [known[k : k + _BLOCK] for k in range(0, len(known), _BLOCK)]
    for block in blocks:
        ours = [_middles(looks[k]) for k in block]
        owners = np.repeat(block, [len(each) for each in ours])
        anchors = np.concatenate(ours)
        for other in blocks:
            theirs = [_floats(looks[k]) for k in other]
            starts = np.cumsum([0, *(len(each) for each in theirs[:-1])])
            best = np.maximum.reduceat(anchors @ np.concatenate(theirs).T, starts, axis=1)
            for row, column in zip(*np.nonzero(best >= _MIDDLE_ALIKE), strict=True):
                first, second = int(owners[row]), int(other[column])
                if first != second:
                    pairs.add((min(first, second), max(first, second)))
    return sorted(pairs)


def _floats(given: Look | None) -> NDArray[np.float32]:
    assert given is not None
    return given.astype(np.float32)


def _middles(given: Look | None) -> NDArray[np.float32]:
    """Return the middle slab, and one that lies half a slab from it."""
    slabs = _floats(given)
    middle = len(slabs) // 2
    between = _finer(slabs[max(0, middle - 1) : middle + 1])
    return between[1:] if len(between) > 1 else between


def _finer(slabs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put slabs between slabs, so that offsets of less than a slab can be tried."""
    places = np.arange((len(slabs) - 1) * _SHIFTS_PER_SLAB + 1) / _SHIFTS_PER_SLAB
    below = places.astype(int)
    above = np.minimum(below + 1, len(slabs) - 1)
    share = (places - below)[:, None].astype(np.float32)
    mixed = slabs[below] * (1 - share) + slabs[above] * share
    return mixed / np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), np.float32(1e-6))


def _best_offset(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Slide one stack of slabs along the other, in steps of half a slab."""
    products = first @ _finer(second).T
    rows = np.arange(len(first))
    needed = max(_FEWEST_SLABS, _LEAST_OVERLAP * min(len(first), len(second)))
    best = -1.0
    for offset in range(-_SHIFTS_PER_SLAB * len(first) + 1, products.shape[1]):
        columns = rows * _SHIFTS_PER_SLAB + offset
        met = (columns >= 0) & (columns < products.shape[1])
        if np.count_nonzero(met) >= needed:
            best = max(best, float(products[rows[met], columns[met]].mean()))
    return best
