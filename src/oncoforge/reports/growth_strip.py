"""The strip of growing lesions: axial slices close up, from the first frame to the last."""

from __future__ import annotations

import numpy as np

from oncoforge.reports import panels
from oncoforge.reports.growth_view import Frame, GrowthView
from oncoforge.reports.planes import AXIAL, field
from oncoforge.reports.sheet import BOTTOM_IN, LEFT_IN, TOP_IN, Sheet
from oncoforge.reports.wording import number

PANEL_IN = 2.4
"""Width of one picture of a slice, inches; few pictures are larger."""

GAP_IN = 0.14
NAME_IN = 0.32
"""Room above a row of pictures for their steps and sizes."""

_WIDTH_LEAST_IN = 5.6
"""The heading and the footer need this much."""

_ZOOM_LEAST_MM = 40.0
_ZOOM_DIAMETERS = 2.0


def draw(view: GrowthView) -> bytes:
    """Draw a growth as a PNG; the same view gives the same bytes."""
    frames = chosen(view)
    columns = len(frames) if len(frames) < 6 else len(frames) // 2
    rows = len(frames) // columns
    between = (columns - 1) * GAP_IN
    panel = max(PANEL_IN, (_WIDTH_LEAST_IN - 2 * LEFT_IN - between) / columns)
    top = TOP_IN - 0.05
    height = top + rows * panel + (rows - 1) * NAME_IN + BOTTOM_IN
    sheet = Sheet(2 * LEFT_IN + columns * panel + between, height)
    sheet.heading(view.title, _caption(view))
    for place, frame in enumerate(frames):
        row, column = divmod(place, columns)
        left, down = LEFT_IN + column * (panel + GAP_IN), top + row * (panel + NAME_IN)
        _draw(sheet, view, frame, left, down, panel)
        sheet.text(left, down - 0.06, f"step {number(frame.step)}", va="bottom", weight="bold")
        sheet.text(left + panel, down - 0.06, frame.diameter, ha="right", va="bottom")
    sheet.footer(view.window)
    return sheet.png()


def chosen(view: GrowthView) -> list[Frame]:
    """Return the frames to show: eight, else six, else all, spread evenly from first to last."""
    there = len(view.frames)
    shown = 8 if there >= 8 else min(there, 6)
    return [view.frames[place] for place in np.rint(np.linspace(0, there - 1, shown)).astype(int)]


def _caption(view: GrowthView) -> str:
    first, last = view.frames[0], view.frames[-1]
    which = f"the {'largest ' if view.several else ''}lesion and its diameter"
    when = f"steps {number(first.step)} to {number(last.step)}"
    return f"Axial slice through {which}" + (f", {when}" if last is not first else "")


def _draw(
    sheet: Sheet, view: GrowthView, frame: Frame, left: float, top: float, panel: float
) -> None:
    """Draw one slice, `panel` inches wide and high."""
    diameter = max(each.diameter_mm for each in view.frames)
    size_mm = min(max(_ZOOM_LEAST_MM, _ZOOM_DIAMETERS * diameter), max(view.size_mm[:2]))
    section = view.section(frame, AXIAL)
    shown = field(section, view.focus_mm, size_mm, size_mm)
    axes = sheet.panel(left, top, panel, panel)
    panels.paint_ct(axes, section, section.after, shown, view.window, enlarged=True)
    panels.outline_organ(axes, section, 0.7)
    panels.outline_lesions(axes, section, 0.8)
    # All pictures have one scale and one direction, so that marks on the first are enough.
    if frame is view.frames[0]:
        panels.letters(axes, section)
        panels.scale_bar(axes, shown)
