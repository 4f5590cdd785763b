"""A small picture of one case: an axial and a coronal slice, with what is labelled outlined."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

SIDE: Final = 112
"""Height of a picture, and width of each of its two halves, pixels."""

_WINDOW_HU: Final = (-160.0, 240.0)
_GREYS: Final = 40
_ORGAN, _TUMOUR = (127, 212, 255), (255, 176, 0)  # as in the other reports
_LABEL_GREYS: Final = 70, 150
"""Without an image, label maps are filled: from this grey to that one."""


def tile(
    image: NDArray[np.float32] | None,
    labels: NDArray[Any] | None,
    spacing: tuple[float, float, float],
    tumours: Sequence[int] = (),
    hu: bool = True,
) -> bytes:
    """Draw one case.

    Parameters
    ----------
    image
        (X, Y, Z) in RAS+ order; None to draw the label map alone.
    labels
        On the same grid; None to draw the image alone.
    spacing
        In mm.
    tumours
        Label values to outline in orange; others are blue.
    hu
        Show the soft-tissue window; otherwise from the 1st to the 99th percentile.

    Returns
    -------
    bytes
        A PNG with a palette, ``2 * SIDE`` by ``SIDE`` pixels: on the left the axial slice with the
        most tumour (without any, with the most labels; without these, the middle one), on the
        right the coronal one.

    Raises
    ------
    ValueError
        If there is neither image nor label map.
    """
    given = image if image is not None else labels
    if given is None:
        raise ValueError("A tile needs an image or a label map.")
    window = _WINDOW_HU if hu or image is None else _percentiles(image)
    panels = []
    for normal in (2, 1):
        index = _index(labels, normal, given.shape, tumours)
        across, up = (axis for axis in range(3) if axis != normal)
        size = _size(given.shape[across] * spacing[across], given.shape[up] * spacing[up])
        cut = None if image is None else _seen(np.take(image, index, axis=normal))
        marks = None if labels is None else _seen(np.take(labels, index, axis=normal))
        panels.append(_panel(cut, marks, size, window, tumours))
    sheet = np.zeros((SIDE, 2 * SIDE, 3), np.uint8)
    for half, panel in enumerate(panels):
        rows, columns = panel.shape[:2]
        top, left = (SIDE - rows) // 2, half * SIDE + (SIDE - columns) // 2
        sheet[top : top + rows, left : left + columns] = panel
    return _png(sheet)


def _seen(plane: NDArray[Any]) -> NDArray[Any]:
    """Turn a slice (right to left, up) as it is looked at: the patient's right on the left."""
    return plane[::-1, ::-1].T


def _index(
    labels: NDArray[Any] | None, normal: int, shape: tuple[int, ...], tumours: Sequence[int]
) -> int:
    """Choose the slice with the most tumour, else with the most labels, else the middle one."""
    others = tuple(axis for axis in range(3) if axis != normal)
    masks = () if labels is None else (np.isin(labels, tumours), labels > 0)
    for mask in masks:
        area = np.count_nonzero(mask, axis=others)
        if area.any():
            return int(area.argmax())
    return shape[normal] // 2


def _size(width_mm: float, height_mm: float) -> tuple[int, int]:
    """Return columns and rows of a slice that fills the panel without being distorted."""
    scale = SIDE / max(width_mm, height_mm)
    return max(1, round(width_mm * scale)), max(1, round(height_mm * scale))


def _percentiles(image: NDArray[np.float32]) -> tuple[float, float]:
    low, high = np.percentile(image[::2, ::2, ::2], (1, 99))
    return float(low), float(high) if high > low else float(low) + 1.0


def _panel(
    cut: NDArray[np.float32] | None,
    marks: NDArray[Any] | None,
    size: tuple[int, int],
    window: tuple[float, float],
    tumours: Sequence[int],
) -> NDArray[np.uint8]:
    small = None if marks is None else _resized(marks.astype(np.int32), size, nearest=True)
    if cut is not None:
        low, high = window
        shades = np.clip((cut - low) / (high - low), 0, 1).astype(np.float32)
        grey = np.rint(_resized(shades, size) * _GREYS) * (255 / _GREYS)
    else:
        assert small is not None
        low_grey, high_grey = _LABEL_GREYS
        largest = max(int(small.max()), 1)
        grey = np.where(small > 0, low_grey + (high_grey - low_grey) * small / largest, 0)
    colours = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    if small is not None:
        tumour = np.isin(small, tumours)
        colours[_rim(small)] = _ORGAN
        colours[_rim(tumour.astype(np.int32))] = _TUMOUR
    return colours


def _resized(plane: NDArray[Any], size: tuple[int, int], nearest: bool = False) -> NDArray[Any]:
    way = Pillow.Resampling.NEAREST if nearest else Pillow.Resampling.HAMMING
    return np.asarray(Pillow.fromarray(np.ascontiguousarray(plane)).resize(size, way))


def _rim(labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return the labelled pixels with another value beside them."""
    padded = np.pad(labels, 1)
    rim = np.zeros(labels.shape, bool)
    for down, right in ((0, 1), (2, 1), (1, 0), (1, 2)):
        rim |= padded[down : down + labels.shape[0], right : right + labels.shape[1]] != labels
    return rim & (labels > 0)


def _png(colours: NDArray[np.uint8]) -> bytes:
    """Write a picture of few colours: with a palette, which is a third of the size."""
    flat = colours.reshape(-1, 3).astype(np.int64)
    codes, places = np.unique(flat @ (65536, 256, 1), return_inverse=True)
    palette = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8)
    picture = Pillow.fromarray(places.reshape(colours.shape[:2]).astype(np.uint8), "P")
    picture.putpalette(palette.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
