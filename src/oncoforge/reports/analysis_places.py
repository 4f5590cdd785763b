"""Where lesions lie in their organ: the organ's box from three sides, and in space."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes

from oncoforge.reports.analysis_panels import Lesions, colours, dots
from oncoforge.reports.panels import FAINT, INK

_AXES: Final = ("location_x", "location_y", "location_z")
_ENDS: Final = ("LR", "PA", "IS")

PLANES: Final = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}
"""Which axes of the patient run across and up in each plane."""

_MARGIN = 0.16


def projection(axes: Axes, lesions: Lesions, plane: str) -> None:
    """Draw the organ's box from one side: right of the patient on the left, as in radiology.

    In the sagittal plane anterior is on the left.
    """
    across, up = PLANES[plane]
    points = _points(lesions)
    axes.set_title(
        f"Places, {plane}", color=INK, fontsize=9.5, loc="left", pad=7, family="DejaVu Sans"
    )
    axes.scatter(points[:, across], points[:, up], **_dots(lesions))
    low, high = -_MARGIN, 1 + _MARGIN
    axes.set_xlim(
        max(high, points[:, across].max() + 0.08), min(low, points[:, across].min() - 0.08)
    )
    axes.set_ylim(min(low, points[:, up].min() - 0.08), max(high, points[:, up].max() + 0.08))
    axes.set_box_aspect(1)
    axes.set_facecolor("none")
    axes.plot([0, 1, 1, 0, 0], [0, 0, 1, 1, 0], color=FAINT, linewidth=0.8)
    for third in (1 / 3, 2 / 3):
        axes.plot([third, third], [0, 1], color="#2a2f35", linewidth=0.6, zorder=0)
        axes.plot([0, 1], [third, third], color="#2a2f35", linewidth=0.6, zorder=0)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    for x, y, letter in (
        (1.07, 0.5, _ENDS[across][1]),
        (-0.07, 0.5, _ENDS[across][0]),
        (0.5, 1.07, _ENDS[up][1]),
        (0.5, -0.07, _ENDS[up][0]),
    ):
        axes.text(
            x, y, letter, color=INK, fontsize=9, ha="center", va="center", family="DejaVu Sans"
        )


def in_space(axes: Any, lesions: Lesions) -> None:
    """Draw the organ's box in space, seen from the patient's front and a little from above."""
    points = _points(lesions)
    axes.set_facecolor("none")
    axes.set_axis_off()
    for axis in range(3):
        for one in (0, 1):
            for other in (0, 1):
                edge = np.empty((2, 3))
                edge[:, axis] = 0, 1
                edge[:, [a for a in range(3) if a != axis]] = one, other
                axes.plot(*edge.T, color=FAINT, linewidth=0.7)
    # Threads to the floor, or depth could not be told.
    for x, y, z in points:
        axes.plot([x, x], [y, y], [0, z], color="#4a525b", linewidth=0.6)
    axes.scatter(*points.T, depthshade=True, **_dots(lesions))
    # Each letter lies beyond the face that it names.
    for place, letter in (
        ((-0.14, 0.5, 0), "L"),
        ((1.14, 0.5, 0), "R"),
        ((0.5, 1.14, 0), "A"),
        ((0.5, -0.14, 0), "P"),
        ((0.5, 0.5, 1.1), "S"),
    ):
        axes.text(
            *place, letter, color=INK, fontsize=9, ha="center", va="center", family="DejaVu Sans"
        )
    axes.view_init(elev=16, azim=66)
    axes.set_box_aspect((1, 1, 1), zoom=1.05)
    axes.set(xlim=(0, 1), ylim=(0, 1), zlim=(0, 1))


def _points(lesions: Lesions) -> Any:
    return np.array([[getattr(row, name) for name in _AXES] for row in lesions], float)


def _dots(lesions: Lesions) -> dict[str, Any]:
    return {
        "s": dots(lesions),
        "c": colours(lesions),
        "alpha": 0.75 if len(lesions) < 100 else 0.45,
        "linewidths": 0.5,
        "edgecolors": "#101214",
    }
