"""The film of growing lesions: three planes side by side, their size, and the size over time."""

from __future__ import annotations

import textwrap

from matplotlib.axes import Axes

from oncoforge.reports import gif, panels
from oncoforge.reports.growth_view import Frame, GrowthView
from oncoforge.reports.planes import PLANES, field
from oncoforge.reports.sheet import DPI, NOTE, Sheet
from oncoforge.reports.ticks import digits, ticks
from oncoforge.reports.wording import number

FRAME_MS = 120
LAST_MS = 2000

WIDTH_IN = 5.0
EDGE_IN = 0.12
GAP_IN = 0.05
TOP_IN = 0.5
BOTTOM_IN = 1.3
PANEL_IN = (WIDTH_IN - 2 * EDGE_IN - 2 * GAP_IN) / 3
"""Width of one picture of a slice, inches."""

_ASPECTS = (0.4, 1.3)
"""Lowest and highest pictures, as parts of their width: the marks still have room, and the film
still fits on a screen."""


def draw(view: GrowthView) -> bytes:
    """Draw a growth as an animated GIF; the same view gives the same bytes."""
    pictures = [_sheet(view, frame).pixels() for frame in view.frames]
    return gif.encode(pictures, [FRAME_MS] * (len(pictures) - 1) + [LAST_MS])


def field_mm(view: GrowthView) -> tuple[float, float]:
    """Return the width and the height of all three pictures, mm: the whole crop, at one scale."""
    width = max(view.size_mm[:2])
    height = max(view.size_mm[1:])
    lowest, highest = _ASPECTS
    width = max(width, height / highest)
    return width, max(height, width * lowest)


def _sheet(view: GrowthView, frame: Frame) -> Sheet:
    width_mm, height_mm = field_mm(view)
    panel_height = PANEL_IN * height_mm / width_mm
    sheet = Sheet(WIDTH_IN, TOP_IN + panel_height + BOTTOM_IN)
    title = textwrap.shorten(view.title, 62, placeholder=" …")
    sheet.text(EDGE_IN, 0.09, title, fontsize=9, weight="bold", va="top")
    for column, plane in enumerate(PLANES):
        left = EDGE_IN + column * (PANEL_IN + GAP_IN)
        section = view.section(frame, plane)
        shown = field(section, view.focus_mm, width_mm, height_mm)
        axes = sheet.panel(left, TOP_IN, PANEL_IN, panel_height)
        enlarged = PANEL_IN * DPI * min(section.pixel_mm) > width_mm
        panels.paint_ct(axes, section, section.after, shown, view.window, enlarged=enlarged)
        panels.outline_organ(axes, section, 0.5)
        panels.outline_lesions(axes, section, 0.6)
        panels.letters(axes, section)
        sheet.text(left + PANEL_IN / 2, TOP_IN - 0.04, plane.name, ha="center", va="bottom")
        if column == 0:
            panels.scale_bar(axes, shown)
    _numbers(sheet, view, frame, TOP_IN + panel_height)
    left = EDGE_IN + PANEL_IN + GAP_IN + 0.3
    curve = sheet.panel(left, TOP_IN + panel_height + 0.3, WIDTH_IN - left - 0.2, 0.54)
    _curve(curve, view, frame)
    low, high = (number(hu) for hu in view.window)
    note = f"CT window {low} to {high} HU  ·  {NOTE}"
    style = {"fontsize": 6, "color": panels.FAINT, "va": "bottom"}
    sheet.text(EDGE_IN, sheet.height - 0.06, note, **style)
    return sheet


def _numbers(sheet: Sheet, view: GrowthView, frame: Frame, top: float) -> None:
    """Write the step and the size at the left below the slices, `top` inches down."""
    clock = f"step {number(frame.step)} of {number(view.frames[-1].step)}"
    together = " in all" if view.several and frame.volume else ""
    sheet.text(EDGE_IN, top + 0.12, clock, va="top")
    sheet.text(EDGE_IN, top + 0.3, frame.diameter, fontsize=13, weight="bold", va="top")
    sheet.text(EDGE_IN, top + 0.6, frame.volume + together, fontsize=10, va="top")


def _curve(axes: Axes, view: GrowthView, frame: Frame) -> None:
    """Draw the diameter of the largest lesion until now bright, and all of it faint."""
    steps = [each.step for each in view.frames]
    diameters = [each.diameter_mm for each in view.frames]
    now = next(place for place, each in enumerate(view.frames) if each is frame)
    axes.plot(steps, diameters, color=panels.FAINT, linewidth=0.8, alpha=0.6)
    axes.plot(steps[: now + 1], diameters[: now + 1], color=panels.LESION, linewidth=1.2)
    axes.plot(steps[now], diameters[now], "o", color=panels.LESION, markersize=4, clip_on=False)
    across, along = ticks(max(steps), 6, least_step=1), ticks(max(diameters), 4, least_step=0.1)
    axes.set_xlim(0, max(steps[-1], across[1]))
    axes.set_ylim(0, along[-1])
    inside = [mark for mark in across if mark <= axes.get_xlim()[1]]
    axes.set_xticks(inside, [number(mark) for mark in inside])
    # The curve is lower than more numbers are together.
    marks = [along[0], along[-1]]
    axes.set_yticks(marks, [number(mark, digits(along)) for mark in marks])
    axes.set_facecolor(panels.PAPER)
    axes.tick_params(
        colors=panels.FAINT, labelsize=6.5, length=2, pad=2, labelfontfamily="DejaVu Sans"
    )
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(panels.FAINT)
    style = {"fontsize": 6.5, "color": panels.FAINT}
    name = "diameter of the largest lesion (mm)" if view.several else "diameter (mm)"
    panels.words(axes, 0.0, 1.12, name, ha="left", va="bottom", **style)
    panels.words(axes, 1.0, -0.46, "step", ha="right", va="top", **style)
