"""One picture of one slice: the CT or its change, outlines, sides of the patient, a scale bar."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from oncoforge.reports.planes import Field, Section

INK = "#e8e8e8"
FAINT = "#9a9a9a"
PAPER = "#101214"
LESION = "#ffb000"
ORGAN = "#7fd4ff"

# Dark where nothing changed, so that the eye goes to the change and not to a white page.
# Blue and orange stay apart for every common kind of colour vision.
CHANGE = LinearSegmentedColormap.from_list(
    "change", ["#c9ecff", "#3aa0ff", "#12447f", "#16181b", "#8a3b10", "#ff8a2b", "#ffe9c4"]
)

_SCALE_BARS_MM = (1, 2, 5, 10, 20, 50, 100, 200, 500)


def words(where: Any, x: float, y: float, text: str, **style: Any) -> None:
    """Write on a figure or on axes; a dollar sign in the text is no formula."""
    style = {"color": INK, "fontsize": 8, "family": "DejaVu Sans", "usetex": False, **style}
    if isinstance(where, Axes):
        style.setdefault("transform", where.transAxes)
        # A dark rim keeps small letters readable on bone.
        style.setdefault("path_effects", [withStroke(linewidth=1.2, foreground="black", alpha=0.6)])
    where.text(x, y, text, parse_math=False, **style)


def frame(axes: Axes, field: Field) -> None:
    """Set axes up to show a field and nothing else."""
    axes.set_xlim(field.left, field.right)
    axes.set_ylim(field.bottom, field.top)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_facecolor("black")
    for spine in axes.spines.values():
        spine.set_visible(False)


def paint(
    axes: Axes, section: Section, pixels: NDArray[np.float32], field: Field, **style: Any
) -> None:
    """Draw the pixels of a slice at their places in mm.

    `style` goes to `imshow`: the colour map, its ends, and how pixels are interpolated.
    """
    axes.imshow(pixels, extent=section.extent_mm, origin="upper", aspect="auto", **style)
    frame(axes, field)


def paint_ct(
    axes: Axes,
    section: Section,
    pixels: NDArray[np.float32],
    field: Field,
    window: tuple[float, float],
    *,
    enlarged: bool,
) -> None:
    """Draw the pixels of a slice, HU, in the greys of a window."""
    low, high = window
    # Enlarged pixels are smoothed as at a workstation; a shrunken slice is filtered instead.
    smooth = "bicubic" if enlarged else "antialiased"
    paint(axes, section, pixels, field, cmap="gray", vmin=low, vmax=high, interpolation=smooth)


def outline_lesions(axes: Axes, section: Section, width: float) -> None:
    """Draw a thin line around every lesion of a slice."""
    for ident in np.unique(section.instances):
        if ident:
            _outline(axes, section, section.instances == ident, LESION, width, 1.0)


def name_lesions(axes: Axes, section: Section, *, but: Field | None = None) -> None:
    """Write the id of every lesion of a slice on top of it.

    Parameters
    ----------
    axes
        Shows the slice; ids beyond its edges are left out.
    section
        The slice.
    but
        Leave out the lesions whose top lies in this field, which another picture shows.
    """
    left, right = axes.get_xlim()
    shown = Field(left, right, *axes.get_ylim())
    style = {"transform": axes.transData, "color": LESION, "fontsize": 7, "clip_on": True}
    for ident in np.unique(section.instances):
        if not ident:
            continue
        rows, columns = np.nonzero(section.instances == ident)
        top = rows.min()
        x = float(section.x_mm[columns[rows == top]].mean())
        y = float(section.y_mm[top]) + section.pixel_mm[1] / 2
        if shown.holds(x, y) and not (but and but.holds(x, y)):
            words(axes, x, y, str(ident), ha="center", va="bottom", **style)


def outline_organ(axes: Axes, section: Section, width: float) -> None:
    """Draw a faint line around the organ."""
    if section.organ.any():
        _outline(axes, section, section.organ, ORGAN, width, 0.55)


def _outline(
    axes: Axes, section: Section, mask: NDArray[np.bool_], color: str, width: float, alpha: float
) -> None:
    rows, columns = (np.flatnonzero(mask.any(axis=a)) for a in (1, 0))
    # One empty pixel all around closes the line at the scan's edge and of a lone pixel.
    inner = np.pad(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1)
    dx, dy = section.pixel_mm
    x = section.x_mm[columns[0]] - dx * (np.arange(inner.shape[1]) - 1)
    y = section.y_mm[rows[0]] - dy * (np.arange(inner.shape[0]) - 1)
    axes.contour(
        x, y, inner.astype(np.float32), levels=[0.5], colors=[color], linewidths=width, alpha=alpha
    )


def letters(axes: Axes, section: Section) -> None:
    """Write the sides of the patient at the edges of a picture."""
    left, right, top, bottom = section.plane.letters
    places = {left: (0.025, 0.5), right: (0.975, 0.5), top: (0.5, 0.97), bottom: (0.5, 0.03)}
    for letter, (x, y) in places.items():
        across = "left" if x < 0.3 else "right" if x > 0.7 else "center"
        along = "bottom" if y < 0.3 else "top" if y > 0.7 else "center"
        words(axes, x, y, letter, ha=across, va=along, fontsize=8, color=INK)


def scale_bar(axes: Axes, field: Field) -> None:
    """Draw a bar of a round number of mm, at most a third of the picture wide."""
    fitting = [mm for mm in _SCALE_BARS_MM if mm <= field.width / 3]
    length = fitting[-1] if fitting else _SCALE_BARS_MM[0]
    share = length / field.width
    axes.add_patch(
        Rectangle((0.035, 0.04), share, 0.008, transform=axes.transAxes, color=INK, linewidth=0)
    )
    words(axes, 0.035 + share / 2, 0.06, f"{length} mm", ha="center", va="bottom", fontsize=7)


def mark(axes: Axes, field: Field) -> None:
    """Draw where another picture's field lies."""
    axes.add_patch(
        Rectangle(
            (field.right, field.bottom),
            field.width,
            field.height,
            fill=False,
            edgecolor=INK,
            linewidth=0.7,
        )
    )
