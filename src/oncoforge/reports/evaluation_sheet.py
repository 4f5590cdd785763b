"""One picture of how well models do on one organ and its tumours."""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from oncoforge.reports import evaluation_panels as panel
from oncoforge.reports import panels
from oncoforge.reports.evaluation_view import OrganView, WorstView
from oncoforge.reports.panels import FAINT, INK, LESION, ORGAN, PAPER, words
from oncoforge.reports.planes import field

MOST_WORST: Final = 5
"""Cases that are pictured."""

_WIDTH_IN, _DPI = 13.0, 120
_HEAD_IN, _ROW_IN, _FOOT_IN = 1.25, 3.05, 0.2
_PLOT_IN, _SIDE_IN, _PICTURE_IN = 2.35, 0.62, 2.3
_LEAST_MM = 70.0


def draw(view: OrganView, title: str, caption: str) -> bytes:
    """Draw the sheet of one organ.

    Parameters
    ----------
    view
        The organ.
    title, caption
        The two lines at the top.

    Returns
    -------
    bytes
        A PNG, without dates; the same rows give the same bytes.
    """
    pictured = 0.55 + _PICTURE_IN + 0.55 if view.worst else 0.0
    height = _HEAD_IN + 2 * _ROW_IN + pictured + _FOOT_IN
    height = round(height * _DPI) / _DPI
    figure = Figure(figsize=(_WIDTH_IN, height), dpi=_DPI, facecolor=PAPER)
    canvas = FigureCanvasAgg(figure)
    words(figure, 0.03, 1 - 0.22 / height, title, fontsize=14, weight="bold", va="top")
    words(figure, 0.03, 1 - 0.56 / height, caption, fontsize=9.5, color=FAINT, va="top")
    _legend(figure, view, height)
    plots: tuple[Any, ...] = (
        lambda axes: panel.agreement(axes, view, "dice", "Dice of every case"),
        lambda axes: panel.agreement(axes, view, "nsd", "NSD of every case"),
        lambda axes: panel.outcomes(axes, view),
        lambda axes: panel.by_size(axes, view),
        lambda axes: panel.sensitivity(axes, view),
        lambda axes: panel.volumes(axes, view),
    )
    column = (_WIDTH_IN - 0.3) / 3
    for place, plot in enumerate(plots):
        left = 0.1 + (place % 3) * column + _SIDE_IN
        top = _HEAD_IN + (place // 3) * _ROW_IN
        plot(_axes(figure, height, left, top, column - _SIDE_IN - 0.25, _PLOT_IN))
    if view.worst:
        _worst(figure, view, height, _HEAD_IN + 2 * _ROW_IN + 0.2)
    buffer = io.BytesIO()
    # The writer's name and version are all that matplotlib adds by itself.
    canvas.print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def _axes(figure: Any, height: float, left: float, top: float, wide: float, high: float) -> Any:
    bottom = height - top - high
    return figure.add_axes((left / _WIDTH_IN, bottom / height, wide / _WIDTH_IN, high / height))


def _legend(figure: Any, view: OrganView, height: float) -> None:
    marks = [
        Line2D([], [], linestyle="", markersize=7, marker=panel.marker(n), color=panel.colour(n))
        for n in range(len(view.models))
    ]
    figure.legend(
        marks,
        list(view.models),
        loc="upper right",
        bbox_to_anchor=(0.985, 1 - 0.12 / height),
        ncols=min(len(marks), 4),
        frameon=False,
        labelcolor=INK,
        prop={"family": "DejaVu Sans", "size": 9.5},
    )


def _worst(figure: Any, view: OrganView, height: float, top: float) -> None:
    """Draw the row of the cases with the least agreement."""
    words(
        figure,
        0.03,
        1 - top / height,
        f"Least agreement of {view.models[0]}",
        fontsize=9.5,
        va="top",
    )
    keys = ((ORGAN, "truth"), (LESION, "prediction"))
    figure.legend(
        [Line2D([], [], color=colour, linewidth=2) for colour, _ in keys],
        [name for _, name in keys],
        loc="upper left",
        bbox_to_anchor=(0.235, 1 - (top - 0.1) / height),
        ncols=2,
        frameon=False,
        labelcolor=INK,
        prop={"family": "DejaVu Sans", "size": 8.5},
    )
    step = (_WIDTH_IN - 0.7) / MOST_WORST
    for place, one in enumerate(view.worst[:MOST_WORST]):
        left = 0.39 + place * step
        axes = _axes(figure, height, left, top + 0.3, _PICTURE_IN, _PICTURE_IN)
        _picture(axes, one)
        under = 1 - (top + 0.3 + _PICTURE_IN + 0.06) / height
        words(figure, left / _WIDTH_IN, under, one.title, fontsize=8.5, va="top")
        words(
            figure,
            left / _WIDTH_IN,
            under - 0.17 / height,
            one.words,
            fontsize=8,
            color=FAINT,
            va="top",
        )


def _picture(axes: Any, one: WorstView) -> None:
    """Draw a slice with both outlines, around what they enclose; all of it without any."""
    section = one.section
    marked = section.organ | (section.instances > 0)
    if not marked.any():
        marked = np.ones_like(marked)
    rows, columns = marked.any(axis=1), marked.any(axis=0)
    x, y = section.x_mm[columns], section.y_mm[rows]
    size = max(1.5 * max(float(x[0] - x[-1]), float(y[0] - y[-1])), _LEAST_MM)
    focus = [0.0, 0.0, 0.0]
    focus[section.plane.across] = float(x[0] + x[-1]) / 2
    focus[section.plane.up] = float(y[0] + y[-1]) / 2
    frame = field(section, (focus[0], focus[1], focus[2]), size, size)
    if one.window is None:
        panels.paint(
            axes,
            section,
            section.after,
            frame,
            cmap="gray",
            vmin=0,
            vmax=1,
            interpolation="nearest",
        )
    else:
        panels.paint_ct(axes, section, section.after, frame, one.window, enlarged=True)
    panels.outline_organ(axes, section, 2.6)
    panels.outline_lesions(axes, section, 1.2)
    panels.scale_bar(axes, frame)
    panels.letters(axes, section)
