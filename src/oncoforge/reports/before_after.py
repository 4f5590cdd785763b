"""The picture of one synthesis: three planes, before, after and what changed."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from oncoforge.reports import panels
from oncoforge.reports.planes import PLANES, Field, Section, field, section
from oncoforge.reports.sheet import BOTTOM_IN, LEFT_IN, RIGHT_IN, TOP_IN, Sheet
from oncoforge.reports.synthesis_view import SynthesisView, Vector
from oncoforge.reports.wording import DASH, count, number, volume

PANEL_IN = 2.55
"""Width of one picture of a slice, inches."""

_GAP_IN = 0.07
_LOWEST_ASPECT = 0.3
"""Rows of very thin scans are kept this high, so that their marks still have room."""

_ZOOM_LEAST_MM = 50.0
_ZOOM_DIAMETERS = 3.0
_CHANGE_LEAST_HU = 10.0


@dataclass(frozen=True)
class _Row:
    """One plane: its slice, and the fields of the whole picture and of the close one."""

    section: Section
    whole: Field
    close: Field

    @property
    def height_in(self) -> float:
        return PANEL_IN * self.whole.height / self.whole.width


def draw(view: SynthesisView) -> bytes:
    """Draw a synthesis as a PNG; the same view gives the same bytes.

    With lesions: one row for each plane through the centre of the largest one, with the whole slice
    and, close up, before, after and difference. Without: the three planes through the organ.
    """
    rows = _rows(view)
    largest = view.largest
    return _without_lesions(view, rows) if largest is None else _with_lesions(view, rows, largest)


def _rows(view: SynthesisView) -> list[_Row]:
    voxel = view.focus()
    focus_mm: Vector = tuple(i * mm for i, mm in zip(voxel, view.spacing, strict=True))  # type: ignore[assignment]
    size_mm = [n * mm for n, mm in zip(view.image.shape, view.spacing, strict=True)]
    # A long scan shows as much of its length as of its width: the rest is far from the organ.
    whole_mm = max(size_mm[:2])
    diameter = float(view.largest["diameter_mm"]) if view.largest else 0.0
    close_mm = min(max(_ZOOM_LEAST_MM, _ZOOM_DIAMETERS * diameter), whole_mm)
    rows = []
    for plane in PLANES:
        cut = section(view, plane, voxel[plane.normal])
        aspect = max(min(1.0, size_mm[plane.up] / mm) for mm in (whole_mm, close_mm))
        aspect = max(aspect, _LOWEST_ASPECT) if view.lesions else 1.0
        fields = (field(cut, focus_mm, mm, mm * aspect) for mm in (whole_mm, close_mm))
        rows.append(_Row(cut, *fields))
    return rows


def _with_lesions(view: SynthesisView, rows: list[_Row], largest: Mapping[str, Any]) -> bytes:
    width = LEFT_IN + 4 * PANEL_IN + 4 * _GAP_IN + RIGHT_IN
    height = TOP_IN + sum(row.height_in + _GAP_IN for row in rows) + BOTTOM_IN
    sheet = Sheet(width, height)
    sheet.heading(view.title, _caption(largest, len(view.lesions)))
    limit = _change_limit(rows)
    columns: dict[str, Callable[[Axes, SynthesisView, _Row], None]] = {
        "after, whole slice": _draw_whole,
        "before": _draw_before,
        "after": _draw_after,
        "difference": partial(_draw_change, limit=limit),
    }
    top = TOP_IN
    for row in rows:
        left = LEFT_IN
        for name, drawer in columns.items():
            drawer(sheet.panel(left, top, PANEL_IN, row.height_in), view, row)
            if row is rows[0]:
                sheet.text(left + PANEL_IN / 2, top - 0.08, name, ha="center", va="bottom")
            # The whole slice stands a little apart from the three that belong together.
            left += PANEL_IN + (_GAP_IN if left > LEFT_IN else 2 * _GAP_IN)
        middle = top + row.height_in / 2
        name = row.section.plane.name
        sheet.text(LEFT_IN - 0.12, middle, name, ha="right", va="center", rotation=90)
        top += row.height_in + _GAP_IN
    sheet.colour_bar(width - RIGHT_IN + 0.09, TOP_IN, top - _GAP_IN - TOP_IN, limit)
    sheet.footer(view.window)
    return sheet.png()


def _without_lesions(view: SynthesisView, rows: list[_Row]) -> bytes:
    width = 2 * LEFT_IN + 3 * PANEL_IN + 2 * _GAP_IN
    reasons = _reasons(view.skipped)
    below = 0.17 * len(reasons) + (0.2 if reasons else 0.0)
    sheet = Sheet(width, TOP_IN + PANEL_IN + below + BOTTOM_IN)
    where = "the organ's middle" if view.organ.any() else "the middle of the scan"
    sheet.heading(view.title, f"No lesion was placed; this is the scan at {where}.")
    for column, row in enumerate(rows):
        left = LEFT_IN + column * (PANEL_IN + _GAP_IN)
        axes = sheet.panel(left, TOP_IN, PANEL_IN, PANEL_IN)
        _draw_ct(axes, view, row, row.whole, "after")
        panels.outline_organ(axes, row.section, 0.8)
        panels.letters(axes, row.section)
        panels.scale_bar(axes, row.whole)
        name = row.section.plane.name
        sheet.text(left + PANEL_IN / 2, TOP_IN - 0.08, name, ha="center", va="bottom")
    for line, reason in enumerate(reasons):
        sheet.text(LEFT_IN, TOP_IN + PANEL_IN + 0.2 + 0.17 * line, reason, va="top")
    sheet.footer(view.window)
    return sheet.png()


def _reasons(skipped: Sequence[str], most: int = 3) -> list[str]:
    """Return the lines that say why there is no lesion."""
    lines: list[str] = []
    for reason in skipped[:most]:
        lines += textwrap.wrap(f"• {reason}", 120, subsequent_indent="   ")
    if len(skipped) > most:
        lines.append(f"• and {len(skipped) - most} more")
    return lines


def _caption(row: Mapping[str, Any], total: int) -> str:
    contrast = number(row["contrast_hu"])
    parts = [
        f"Lesion {row['id']} ({row['kind']})",
        f"{number(row['diameter_mm'], 1)} mm",
        volume(float(row["volume_mm3"])),
    ]
    if contrast != DASH:
        parts.append(f"contrast {contrast} HU")
    which = f"the largest of {count(total, 'lesion')}" if total > 1 else "the only lesion"
    return ",  ".join(parts) + f"  ·  {which}"


def _change_limit(rows: list[_Row]) -> float:
    """Return the HU at the ends of the colour scale: round, and hardly ever exceeded close up."""
    changed = [_change_close_up(row) for row in rows]
    values = np.concatenate([c[c > 0] for c in changed])
    high = float(np.percentile(values, 99)) if values.size else 0.0
    high = max(high, _CHANGE_LEAST_HU)
    step = 10.0 ** math.floor(math.log10(high))
    return math.ceil(high / step) * step


def _change_close_up(row: _Row) -> NDArray[np.float32]:
    """Return the size of the change, HU, in the part of a slice that the close pictures show."""
    x, y, close = row.section.x_mm, row.section.y_mm, row.close
    columns = (x <= close.left) & (x >= close.right)
    rows = (y <= close.top) & (y >= close.bottom)
    change = row.section.after - row.section.before
    return np.abs(change[np.ix_(rows, columns)])


def _draw_ct(axes: Axes, view: SynthesisView, row: _Row, shown: Field, which: str) -> None:
    pixels = row.section.after if which == "after" else row.section.before
    enlarged = shown is row.close
    panels.paint_ct(axes, row.section, pixels, shown, view.window, enlarged=enlarged)


def _draw_whole(axes: Axes, view: SynthesisView, row: _Row) -> None:
    _draw_ct(axes, view, row, row.whole, "after")
    panels.outline_organ(axes, row.section, 0.6)
    panels.outline_lesions(axes, row.section, 0.6)
    if len(view.lesions) > 1:
        panels.name_lesions(axes, row.section, but=row.close)
    panels.mark(axes, row.close)
    panels.letters(axes, row.section)
    panels.scale_bar(axes, row.whole)


def _draw_before(axes: Axes, view: SynthesisView, row: _Row) -> None:
    _draw_ct(axes, view, row, row.close, "before")
    panels.scale_bar(axes, row.close)


def _draw_after(axes: Axes, view: SynthesisView, row: _Row) -> None:
    _draw_ct(axes, view, row, row.close, "after")
    panels.outline_organ(axes, row.section, 0.7)
    panels.outline_lesions(axes, row.section, 0.8)
    if len(view.lesions) > 1:
        panels.name_lesions(axes, row.section)


def _draw_change(axes: Axes, _: SynthesisView, row: _Row, *, limit: float) -> None:
    change = row.section.after - row.section.before
    panels.paint(
        axes,
        row.section,
        change,
        row.close,
        cmap=panels.CHANGE,
        vmin=-limit,
        vmax=limit,
        interpolation="bilinear",
    )
    panels.outline_organ(axes, row.section, 0.7)
