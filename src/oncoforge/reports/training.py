"""Pictures of a validation: what the network saw, the truth, and what it predicts."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image as Pillow

from oncoforge.reports import panels
from oncoforge.reports.planes import AXIAL, CORONAL, Field, Plane, Section, cut, field
from oncoforge.reports.sheet import Sheet

Mask = NDArray[np.bool_]
Spacing = tuple[float, float, float]

_PANEL_IN, _GAP_IN, _EDGE_IN = 1.75, 0.05, 0.08
_HEAD_IN, _TITLE_IN = 0.36, 0.4
_PANELS: Final = 4
_BARE: Final = 1
"""The panel without outlines."""

_CLOSE_LEAST_MM = 60.0
_CLOSE_TIMES = 1.8
_WIDE, _THIN = 2.2, 1.0
"""Of the truth's outline and the prediction's, so that both are seen where they agree."""

_GREYS: Final = 96
_SHADES: Final = 6
"""Of the file, which is half the size that way: greys, and of outlines over black to white."""


@dataclass(frozen=True)
class ShownCase:
    """A case of a validation, to be drawn.

    Parameters
    ----------
    case, words
        Its id, and how well it is predicted.
    image
        (X, Y, Z), HU, RAS+.
    truth, prediction
        (X, Y, Z), bool: the tumours, or where a network knows none, the organs.
    organ
        (X, Y, Z), bool: what is framed where there is neither; may be empty.
    spacing
        mm.
    """

    case: str
    words: str
    image: NDArray[np.float32]
    truth: Mask
    prediction: Mask
    organ: Mask
    spacing: Spacing


def draw(cases: Sequence[ShownCase], title: str, window: tuple[float, float]) -> bytes:
    """Draw cases below each other, each through its largest true lesion.

    From left to right: the axial slice, the part of it around the lesion without and with
    outlines, and the coronal one. Without a true lesion it is the largest predicted one, else the
    organ, else the middle.

    Parameters
    ----------
    cases
        One or more.
    title
        The line at the top.
    window
        HU shown from black to white.

    Returns
    -------
    bytes
        A PNG of few colours; the same values give the same bytes.
    """
    row = _TITLE_IN + _PANEL_IN
    width = 2 * _EDGE_IN + _PANELS * _PANEL_IN + (_PANELS - 1) * _GAP_IN
    sheet = Sheet(width, _HEAD_IN + len(cases) * row + _EDGE_IN)
    sheet.text(_EDGE_IN, 0.14, title, fontsize=10, weight="bold", va="top")
    _key(sheet, width)
    for place, case in enumerate(cases):
        _draw_case(sheet, case, _HEAD_IN + place * row, window)
    return _png(sheet)


def _key(sheet: Sheet, width: float) -> None:
    """Say which outline is which, at the right end of the first line."""
    left = width - _EDGE_IN
    for name, colour in (("prediction", panels.LESION), ("truth", panels.ORGAN)):
        style = {"fontsize": 8.5, "va": "top", "ha": "right", "weight": "bold"}
        sheet.text(left, 0.15, name, color=colour, **style)
        left -= 0.085 * len(name) + 0.12


def _draw_case(sheet: Sheet, case: ShownCase, top: float, window: tuple[float, float]) -> None:
    sheet.text(_EDGE_IN, top + 0.06, case.case, fontsize=8.5, va="top")
    sheet.text(_EDGE_IN, top + 0.21, case.words, fontsize=7.5, color=panels.FAINT, va="top")
    focus = _focus(case)
    (axial, close), (coronal, beside) = (_cut(case, focus, plane) for plane in (AXIAL, CORONAL))
    shown = ((axial, _whole(axial)), (axial, close), (axial, close), (coronal, beside))
    for place, (seen, frame) in enumerate(shown):
        left = _EDGE_IN + place * (_PANEL_IN + _GAP_IN)
        axes = sheet.panel(left, top + _TITLE_IN, _PANEL_IN, _PANEL_IN)
        panels.paint_ct(axes, seen, seen.after, frame, window, enlarged=place > 0)
        if place != _BARE:
            thinner = 1.0 if place else 0.5
            panels.outline_organ(axes, seen, _WIDE * thinner)
            panels.outline_lesions(axes, seen, _THIN * thinner)
            panels.letters(axes, seen)
        if not place:
            panels.mark(axes, close)
        panels.scale_bar(axes, frame)


def _focus(case: ShownCase) -> Mask:
    """Return the largest part of what matters most; everything, if there is nothing."""
    for mask in (case.truth, case.prediction, case.organ):
        if mask.any():
            largest = np.zeros_like(mask)
            box = scipy.ndimage.find_objects(mask.view(np.uint8))[0]
            parts, _ = scipy.ndimage.label(mask[box], np.ones((3, 3, 3)))
            largest[box] = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
            return largest
    return np.ones(case.image.shape, np.bool_)


def _cut(case: ShownCase, focus: Mask, plane: Plane) -> tuple[Section, Field]:
    """Cut a case where a part of it is widest, and frame that part.

    The truth takes the place of the organ in the slice, the prediction that of the lesions.
    """
    others = tuple(axis for axis in range(3) if axis != plane.normal)
    index = int(np.argmax(np.count_nonzero(focus, axis=others)))
    pixels = cut(case.image, plane, index)
    seen = Section.of(
        plane,
        case.spacing,
        after=pixels,
        before=pixels,
        organ=cut(case.truth, plane, index),
        instances=cut(case.prediction, plane, index).astype(np.uint16),
    )
    return seen, _close(seen, cut(focus, plane, index))


def _whole(seen: Section) -> Field:
    return _around(seen, np.ones(seen.organ.shape, np.bool_), 0.0, 1.0)


def _close(seen: Section, part: Mask) -> Field:
    near, whole = _around(seen, part, _CLOSE_LEAST_MM, _CLOSE_TIMES), _whole(seen)
    return near if near.width < whole.width else whole


def _around(seen: Section, part: Mask, least_mm: float, times: float) -> Field:
    """Frame a part of a slice with a square."""
    rows, columns = np.nonzero(part)
    x, y = seen.x_mm[columns], seen.y_mm[rows]
    sides = (float(np.ptp(at)) + mm for at, mm in zip((x, y), seen.pixel_mm, strict=True))
    side = max(least_mm, times * max(sides))
    point = [0.0, 0.0, 0.0]
    point[seen.plane.across] = float(x.min() + x.max()) / 2
    point[seen.plane.up] = float(y.min() + y.max()) / 2
    return field(seen, (point[0], point[1], point[2]), side, side)


def _png(sheet: Sheet) -> bytes:
    palette = Pillow.new("P", (1, 1))
    palette.putpalette(_palette())
    few = Pillow.fromarray(sheet.pixels()).quantize(palette=palette, dither=Pillow.Dither.NONE)
    buffer = io.BytesIO()
    few.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _palette() -> bytes:
    """Return red, green and blue of greys, and of both outlines as they fade into greys."""
    greys = np.linspace(0, 255, _GREYS)[:, None].repeat(3, axis=1)
    lines = 255 * np.array([to_rgb(panels.ORGAN), to_rgb(panels.LESION)])[:, None, None]
    under = np.linspace(0, 255, _SHADES)[None, :, None, None]
    share = np.linspace(1 / _SHADES, 1, _SHADES)[None, None, :, None]
    mixed = (lines[:, :, None] * share + under * (1 - share)).reshape(-1, 3)
    return np.rint(np.concatenate([greys, mixed])).astype(np.uint8).tobytes()
