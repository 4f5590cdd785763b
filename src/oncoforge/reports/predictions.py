"""Pictures of predictions: a case in three panels, and all cases on one sheet."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from oncoforge import anatomy
from oncoforge.reports import panels
from oncoforge.reports.planes import AXIAL, CORONAL, Field, Plane, Section, cut, field
from oncoforge.reports.sheet import Sheet
from oncoforge.reports.wording import count, volume

Labels = NDArray[np.uint8]
Spacing = tuple[float, float, float]

_PANEL_IN = 2.3
_GAP_IN, _TOP_IN, _EDGE_IN = 0.05, 0.5, 0.05
_CLOSE_LEAST_MM = 60.0
_CLOSE_TIMES = 1.6
_WIDE: Final = 2
"""Cases beside each other on a sheet."""

_MOST: Final = 120
"""More cases than a picture can hold: the sheet shows the first ones."""


def draw(
    image: NDArray[np.float32],
    labels: Labels,
    spacing: Spacing,
    case: str,
    classes: Sequence[str],
    volumes_mm3: Mapping[str, float],
) -> bytes:
    """Draw a case: the axial slice with the most tumour, a part of it, and the coronal one.

    Without a tumour, the slices with the most of the organs; without these, the middle ones.

    Parameters
    ----------
    image
        (X, Y, Z), HU, RAS+.
    labels
        Predicted: oncoforge labels, of which even ones are tumours.
    spacing
        mm.
    case
        Its id.
    classes
        Names of what was looked for.
    volumes_mm3
        By class.

    Returns
    -------
    bytes
        A PNG; the same values give the same bytes.
    """
    organs = [name.removesuffix("_tumor") for name in classes if name != "background"]
    window = anatomy.organ(organs[0]).window if organs else (-160.0, 240.0)
    numbers = [anatomy.organ(name).tumor_label for name in organs]
    tumors = np.array([n for n in dict.fromkeys(numbers) if n], dtype=np.uint8)
    sheet = Sheet(2 * _EDGE_IN + 3 * _PANEL_IN + 2 * _GAP_IN, _TOP_IN + _PANEL_IN + _EDGE_IN)
    sheet.text(2 * _EDGE_IN, 0.07, case, fontsize=9, weight="bold", va="top")
    sheet.text(2 * _EDGE_IN, 0.27, _words(volumes_mm3), fontsize=7.5, va="top")
    sections = {p: _section(image, labels, spacing, p, tumors) for p in (AXIAL, CORONAL)}
    left = _EDGE_IN
    for plane, close in ((AXIAL, False), (AXIAL, True), (CORONAL, False)):
        axes = sheet.panel(left, _TOP_IN, _PANEL_IN, _PANEL_IN)
        seen = sections[plane]
        frame = _close(seen) if close else _whole(seen)
        panels.paint_ct(axes, seen, seen.after, frame, window, enlarged=close)
        panels.outline_organ(axes, seen, 0.8)
        panels.outline_lesions(axes, seen, 0.9)
        if not close:
            panels.letters(axes, seen)
        panels.scale_bar(axes, frame)
        left += _PANEL_IN + _GAP_IN
    return sheet.png()


def stitch(pictures: Sequence[Path]) -> bytes:
    """Put the pictures of cases on one sheet, in their order, and say how many there are."""
    shown = pictures[:_MOST]
    tiles = [np.asarray(Pillow.open(path).convert("RGB")) for path in shown]
    height, width = (max(tile.shape[axis] for tile in tiles) for axis in (0, 1))
    columns = min(_WIDE, len(tiles))
    rows = -(-len(tiles) // columns)
    whole = np.full((rows * height, columns * width, 3), 16, dtype=np.uint8)
    for number, tile in enumerate(tiles):
        top, left = number // columns * height, number % columns * width
        whole[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    head = Sheet(columns * width / 150, 0.34)
    more = f" of {len(pictures)}" if len(shown) < len(pictures) else ""
    words = f"{count(len(shown), 'case')}{more} · blue: organ · orange: tumour · not for diagnosis"
    head.text(0.1, 0.17, words, fontsize=8, va="center")
    top_line = head.pixels()[:, : whole.shape[1]]
    buffer = io.BytesIO()
    Pillow.fromarray(np.concatenate([top_line, whole])).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _words(volumes_mm3: Mapping[str, float]) -> str:
    found = [f"{_plain(name)} {volume(mm3)}" for name, mm3 in volumes_mm3.items() if mm3]
    missing = [_plain(name) for name, mm3 in volumes_mm3.items() if not mm3]
    parts = [", ".join(found)] if found else []
    return " · ".join([*parts, *([f"no {', no '.join(missing)}"] if missing else [])])


def _plain(name: str) -> str:
    """Write the name of a class as people do."""
    return name.replace("_tumor", " tumour")


def _section(
    image: NDArray[np.float32],
    labels: Labels,
    spacing: Spacing,
    plane: Plane,
    tumors: NDArray[np.uint8],
) -> Section:
    index = _index(labels, plane, tumors)
    seen, pixels = cut(labels, plane, index), cut(image, plane, index)
    return Section.of(
        plane,
        spacing,
        after=pixels,
        before=pixels,
        organ=seen > 0,
        instances=np.isin(seen, tumors).astype(np.uint16),
    )


def _index(labels: Labels, plane: Plane, tumors: NDArray[np.uint8]) -> int:
    """Choose the slice with the most tumour, else with the most labels, else the middle one."""
    tumor = np.zeros(256, dtype=np.bool_)
    tumor[tumors] = True
    slices = np.moveaxis(labels, plane.normal, 0)
    for wanted in (tumor, np.arange(256) > 0):
        areas = [np.count_nonzero(wanted[one]) for one in slices]
        if any(areas):
            return int(np.argmax(areas))
    return len(slices) // 2


def _whole(seen: Section) -> Field:
    left, right, bottom, top = seen.extent_mm
    side = max(left - right, top - bottom)
    return field(seen, _middle(seen, np.ones(seen.organ.shape, bool)), side, side)


def _close(seen: Section) -> Field:
    """Frame the tumour of a slice, else its organ."""
    mask = seen.instances > 0 if seen.instances.any() else seen.organ
    if not mask.any():
        return _whole(seen)
    rows, columns = np.nonzero(mask)
    across = (np.ptp(columns) + 1) * seen.pixel_mm[0]
    along = (np.ptp(rows) + 1) * seen.pixel_mm[1]
    side = max(_CLOSE_LEAST_MM, _CLOSE_TIMES * float(max(across, along)))
    return field(seen, _middle(seen, mask), side, side)


def _middle(seen: Section, mask: NDArray[np.bool_]) -> Any:
    """Return the middle of a mask's box as a point of the scan, mm."""
    rows, columns = np.nonzero(mask)
    point = [0.0, 0.0, 0.0]
    point[seen.plane.across] = float(seen.x_mm[columns].min() + seen.x_mm[columns].max()) / 2
    point[seen.plane.up] = float(seen.y_mm[rows].min() + seen.y_mm[rows].max()) / 2
    return tuple(point)
