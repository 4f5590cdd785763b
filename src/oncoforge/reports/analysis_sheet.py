"""One picture of all that was measured of one organ's tumours."""

from __future__ import annotations

import io
from typing import Any, Final

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from oncoforge.reports import analysis_panels as panel
from oncoforge.reports.analysis_panels import SIDES, Cases, Lesions
from oncoforge.reports.analysis_places import PLANES, in_space, projection
from oncoforge.reports.panels import FAINT, INK, PAPER, words

_WIDTH_IN, _HEIGHT_IN, _DPI = 13.0, 10.6, 120

_COLUMNS: Final = (0.052, 0.302, 0.552, 0.802)
_COLUMN, _ROW = 0.178, 0.19
_MIDDLE, _BOTTOM = 0.335, 0.062
_TOP = 0.605


def draw(lesions: Lesions, cases: Cases, title: str, caption: str) -> bytes:
    """Draw the sheet of one organ.

    Parameters
    ----------
    lesions, cases
        Its rows.
    title, caption
        The two lines at the top.

    Returns
    -------
    bytes
        A PNG, without dates; the same rows give the same bytes.
    """
    figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), dpi=_DPI, facecolor=PAPER)
    canvas = FigureCanvasAgg(figure)
    words(figure, 0.03, 0.978, title, fontsize=14, weight="bold", va="top")
    words(figure, 0.03, 0.948, caption, fontsize=9.5, color=FAINT, va="top")
    if lesions:
        _places(figure, lesions)
        _sizes(figure, lesions, cases)
        _shapes(figure, lesions)
    else:
        words(figure, 0.5, 0.5, "No tumours.", fontsize=12, color=FAINT, ha="center")
    buffer = io.BytesIO()
    # The writer's name and version are all that matplotlib adds by itself.
    canvas.print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def _add(figure: Any, left: float, bottom: float, width: float, height: float) -> Any:
    return figure.add_axes((left, bottom, width, height))


def _places(figure: Any, lesions: Lesions) -> None:
    known = [row for row in lesions if row.location_x is not None]
    if not known:
        axes = _add(figure, 0.05, _TOP, 0.9, 0.28)
        panel.style(axes, "Places")
        panel.empty(axes, "The maps hold tumours but not the organ around them.")
        return
    words(figure, 0.03, _TOP + 0.2705, "Places in the organ's box", fontsize=9.5)
    space = figure.add_axes((0.012, _TOP - 0.05, 0.28, 0.34), projection="3d")
    in_space(space, known)
    for plane, left in zip(PLANES, (0.318, 0.548, 0.778), strict=True):
        projection(_add(figure, left, _TOP, 0.205, 0.27), known, plane)
    _legend(figure, known)


def _legend(figure: Any, lesions: Lesions) -> None:
    sides = sorted({row.side for row in lesions} - {""}, reverse=True)
    if not sides:
        return
    marks = [
        Line2D([], [], linestyle="", marker="o", markersize=7, color=SIDES[side]) for side in sides
    ]
    figure.legend(
        marks,
        [f"{side} ({sum(row.side == side for row in lesions)})" for side in sides],
        loc="upper right",
        bbox_to_anchor=(0.985, 0.985),
        ncols=2,
        frameon=False,
        labelcolor=INK,
        prop={"family": "DejaVu Sans", "size": 9},
    )


def _sizes(figure: Any, lesions: Lesions, cases: Cases) -> None:
    panel.sizes(_add(figure, _COLUMNS[0], _MIDDLE, _COLUMN + 0.25, _ROW), lesions)
    for left, draw_cases in ((_COLUMNS[2], panel.per_case), (_COLUMNS[3], panel.burden)):
        axes = _add(figure, left, _MIDDLE, _COLUMN, _ROW)
        if cases:
            draw_cases(axes, cases)
        else:
            panel.style(axes, "Cases")
            panel.empty(axes, "no table of cases")


def _shapes(figure: Any, lesions: Lesions) -> None:
    seen = any(row.contrast_hu is not None for row in lesions)
    last = panel.contrast if seen else panel.depth
    for left, draw_shape in zip(
        _COLUMNS, (panel.roundness, panel.axis_ratios, panel.bulging, last), strict=True
    ):
        draw_shape(_add(figure, left, _BOTTOM, _COLUMN, _ROW), lesions)
