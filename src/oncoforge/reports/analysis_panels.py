"""The single plots of an analysis: sizes, places, shapes, contrast."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from oncoforge.reports.panels import FAINT, INK, LESION, ORGAN
from oncoforge.reports.wording import number
from oncoforge.synthesis.masks.sizes import SIZES

if TYPE_CHECKING:
    from oncoforge.analysis.rows import CaseRow, LesionRow

Lesions = Sequence["LesionRow"]
Cases = Sequence["CaseRow"]

GRID: Final = "#2a2f35"
SIDES: Final = {"right": LESION, "left": ORGAN, "": LESION}
"""Colour of each side; the two differ for every common kind of colour vision."""

_DIAMETERS_MM = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500)
_BIN_RATIO = 2 ** (1 / 3)
"""Three bins of the histogram of sizes are a doubling of the diameter."""

_LARGEST_DOT = 260.0
_SMALLEST_DOT = 7.0


def style(axes: Axes, title: str, across: str = "", up: str = "") -> None:
    """Dress axes for the dark sheet."""
    axes.set_title(title, color=INK, fontsize=9.5, loc="left", pad=7, family="DejaVu Sans")
    axes.set_xlabel(across, color=FAINT, fontsize=8, family="DejaVu Sans")
    axes.set_ylabel(up, color=FAINT, fontsize=8, family="DejaVu Sans")
    axes.set_facecolor("none")
    axes.tick_params(colors=FAINT, labelsize=7.5, length=2.5, labelfontfamily="DejaVu Sans")
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(FAINT)
        spine.set_linewidth(0.6)
    axes.grid(True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def dots(lesions: Lesions) -> list[float]:
    """Return the area of each lesion's dot: as its cross-section, to the largest of all."""
    largest = max((row.equivalent_diameter_mm for row in lesions), default=1.0)
    return [
        max(_SMALLEST_DOT, _LARGEST_DOT * (row.equivalent_diameter_mm / largest) ** 2)
        for row in lesions
    ]


def colours(lesions: Lesions) -> list[str]:
    """Return the colour of each lesion's side."""
    return [SIDES[row.side] for row in lesions]


def _dot_style(lesions: Lesions) -> dict[str, Any]:
    return {
        "s": dots(lesions),
        "c": colours(lesions),
        "alpha": 0.75 if len(lesions) < 100 else 0.45,
        "linewidths": 0.5,
        "edgecolors": "#101214",
    }


def _of_diameter(axes: Axes, lesions: Lesions) -> None:
    """Set up a logarithmic axis of diameters, marked where they are."""
    values = [row.equivalent_diameter_mm for row in lesions]
    low, high = min(values) / 1.25, max(values) * 1.25
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    marks = [mm for mm in _DIAMETERS_MM if low <= mm <= high]
    # So many labels fit; every second or third of the round numbers is enough for a wide range.
    axes.set_xticks(marks[:: math.ceil(len(marks) / 8)])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda mm, _: f"{mm:g}"))


def sizes(axes: Axes, lesions: Lesions) -> None:
    """Draw how many lesions there are of each diameter, and where the generator's classes part."""
    style(axes, "Size", "equivalent diameter (mm)", "lesions")
    values = np.array([row.equivalent_diameter_mm for row in lesions])
    _of_diameter(axes, lesions)
    first = math.floor(math.log(values.min(), _BIN_RATIO))
    last = math.ceil(math.log(values.max() * 1.0001, _BIN_RATIO))
    edges = _BIN_RATIO ** np.arange(first, max(last, first + 1) + 1)
    axes.hist(
        values, bins=edges.tolist(), color=LESION, alpha=0.85, edgecolor="#101214", linewidth=0.8
    )
    axes.set_xlim(min(axes.get_xlim()[0], edges[0]), max(axes.get_xlim()[1], edges[-1]))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_ylim(0, axes.get_ylim()[1] * 1.14)
    _mark_classes(axes)


def _mark_classes(axes: Axes) -> None:
    low, high = axes.get_xlim()
    diameters = [2.0 * one.radius_mm for one in SIZES.values()]
    # A lesion is of the class that is nearest on a scale of ratios.
    borders = [math.sqrt(a * b) for a, b in pairwise(diameters)]
    for border in borders:
        if low < border < high:
            axes.axvline(border, color=FAINT, linewidth=0.7, linestyle=(0, (4, 3)))
    for name, left, right in zip(SIZES, [low, *borders], [*borders, high], strict=True):
        left, right = max(left, low), min(right, high)
        if right / left > 1.25:
            axes.text(
                math.sqrt(left * right),
                0.985,
                name,
                transform=axes.get_xaxis_transform(),
                color=FAINT,
                fontsize=7.5,
                ha="center",
                va="top",
                family="DejaVu Sans",
            )


def per_case(axes: Axes, cases: Cases) -> None:
    """Draw how many cases have how many lesions."""
    style(axes, "Lesions per case", "lesions", "cases")
    counts = [row.lesions for row in cases]
    largest = max(counts)
    if largest <= 12:
        often = Counter(counts)
        axes.bar(range(largest + 1), [often[n] for n in range(largest + 1)], 0.8, color=LESION)
        axes.set_xticks(range(largest + 1))
        axes.set_xlim(-0.6, max(largest, 2) + 0.6)
    else:
        axes.hist(counts, bins=24, range=(-0.5, largest + 0.5), color=LESION)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(False, axis="x")


def burden(axes: Axes, cases: Cases) -> None:
    """Draw which part of the organ the tumours take up."""
    style(axes, "Burden", "part of the organ (%)", "cases with lesions")
    values = [100 * row.burden_fraction for row in cases if row.lesions]
    if not any(0 < value < 100 for value in values):
        empty(axes, "no organ labelled around the tumours")
        return
    axes.hist(values, bins=20, range=(0, max(values)), color=LESION, edgecolor="#101214")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))


def roundness(axes: Axes, lesions: Lesions) -> None:
    """Draw sphericity against diameter."""
    style(axes, "Sphericity", "equivalent diameter (mm)", "1 is a sphere")
    values = [row.sphericity for row in lesions]
    axes.scatter([r.equivalent_diameter_mm for r in lesions], values, **_dot_style(lesions))
    _of_diameter(axes, lesions)
    axes.set_ylim(min(0.5, min(values) - 0.05), 1.04)


def axis_ratios(axes: Axes, lesions: Lesions) -> None:
    """Draw how long the three axes are to each other, with the names of the corners."""
    style(axes, "Axes", "middle / major", "minor / middle")
    across = [row.middle_axis_mm / row.major_axis_mm for row in lesions]
    up = [row.minor_axis_mm / row.middle_axis_mm for row in lesions]
    axes.scatter(across, up, **_dot_style(lesions))
    low = min(0.3, min(across) - 0.03, min(up) - 0.03)
    axes.set_xlim(low, 1.03)
    axes.set_ylim(low, 1.06)
    corners = (
        (0.97, 0.98, "round", "right"),
        (0.03, 0.98, "long", "left"),
        (0.97, 0.04, "flat", "right"),
    )
    for x, y, name, side in corners:
        _note(axes, x, y, name, ha=side, va="top" if y > 0.5 else "bottom")


def bulging(axes: Axes, lesions: Lesions) -> None:
    """Draw which part of a lesion lies outside its organ's hull, against diameter."""
    style(axes, "Outside the organ's hull", "equivalent diameter (mm)", "part of the lesion (%)")
    known = [row for row in lesions if row.exophytic_fraction is not None]
    if not known:
        empty(axes, "no organ labelled around the tumours")
        return
    values = [100 * (row.exophytic_fraction or 0.0) for row in known]
    axes.scatter([r.equivalent_diameter_mm for r in known], values, **_dot_style(known))
    _of_diameter(axes, known)
    axes.set_ylim(-4, 104)


def depth(axes: Axes, lesions: Lesions) -> None:
    """Draw how deep centres lie in the organ, against diameter."""
    style(axes, "Depth of the centre", "equivalent diameter (mm)", "to the organ's surface (mm)")
    known = [row for row in lesions if row.organ_distance_mm is not None]
    if not known:
        empty(axes, "no organ labelled around the tumours")
        return
    values = [row.organ_distance_mm or 0.0 for row in known]
    axes.scatter([r.equivalent_diameter_mm for r in known], values, **_dot_style(known))
    _of_diameter(axes, known)
    axes.set_ylim(-0.05 * max(values) - 0.1, 1.1 * max(values) + 0.1)


def contrast(axes: Axes, lesions: Lesions) -> None:
    """Draw how much darker or brighter lesions are than the organ around them."""
    style(axes, "Contrast to the organ around", "HU", "lesions")
    values = [row.contrast_hu for row in lesions if row.contrast_hu is not None]
    axes.hist(values, bins=min(24, max(6, len(values) // 4)), color=LESION, edgecolor="#101214")
    axes.axvline(0.0, color=FAINT, linewidth=0.8)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda hu, _: number(hu)))


def empty(axes: Axes, why: str) -> None:
    """Say in place of a plot why there is none."""
    axes.grid(False)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel("")
    axes.set_ylabel("")
    _note(axes, 0.5, 0.5, why, ha="center", va="center")


def _note(axes: Axes, x: float, y: float, text: str, **place: Any) -> None:
    axes.text(
        x,
        y,
        text,
        transform=axes.transAxes,
        color=FAINT,
        fontsize=7.5,
        family="DejaVu Sans",
        **place,
    )
