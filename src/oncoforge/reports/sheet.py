"""The sheet that pictures of slices are laid out on: heading, footer, colour bar, and the file."""

from __future__ import annotations

import io
import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from oncoforge.reports import panels
from oncoforge.reports.wording import number

DPI = 150

NOTE = "Synthetic. Not for diagnosis."

# Margins: room for the row names, the colour bar, the heading and the footer, inches.
LEFT_IN = 0.42
RIGHT_IN = 0.7
TOP_IN = 0.98
BOTTOM_IN = 0.34


class Sheet:
    """A dark figure, laid out in inches from its top left corner.

    Parameters
    ----------
    width_in, height_in
        Its size.
    """

    def __init__(self, width_in: float, height_in: float) -> None:
        # Whole pixels, or the renderer would round and the places of panels with it.
        self.width, self.height = (round(inch * DPI) / DPI for inch in (width_in, height_in))
        self.figure = Figure(figsize=(self.width, self.height), dpi=DPI, facecolor=panels.PAPER)
        self.canvas = FigureCanvasAgg(self.figure)

    def panel(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add axes."""
        bottom = self.height - top - height
        return self.figure.add_axes(
            (left / self.width, bottom / self.height, width / self.width, height / self.height)
        )

    def text(self, left: float, top: float, text: str, **style: object) -> None:
        """Write; `style` as for `panels.words`."""
        panels.words(self.figure, left / self.width, 1 - top / self.height, text, **style)

    def heading(self, title: str, caption: str) -> None:
        """Write the two lines at the top."""
        title = textwrap.shorten(title, int(7.5 * self.width), placeholder=" …")
        self.text(LEFT_IN, 0.16, title, fontsize=13, weight="bold", va="top")
        self.text(LEFT_IN, 0.46, caption, fontsize=9, va="top")

    def footer(self, window: tuple[float, float]) -> None:
        """Write how to read the picture at the bottom; `window` in HU."""
        low, high = (number(hu) for hu in window)
        note = f"CT window {low} to {high} HU  ·  radiological convention  ·  "
        self.text(
            LEFT_IN, self.height - 0.12, note + NOTE, fontsize=6.5, color=panels.FAINT, va="bottom"
        )

    def colour_bar(self, left: float, top: float, height: float, limit: float) -> None:
        """Draw the scale of the differences, from `-limit` to `limit` HU."""
        axes = self.panel(left, top, 0.1, height)
        scale = ScalarMappable(Normalize(-limit, limit), panels.CHANGE)
        bar = self.figure.colorbar(scale, cax=axes)
        ticks = [-limit, -limit / 2, 0.0, limit / 2, limit]
        bar.set_ticks(ticks, labels=[number(hu) for hu in ticks])
        bar.outline.set_visible(False)
        axes.tick_params(colors=panels.INK, labelsize=7, length=2, labelfontfamily="DejaVu Sans")
        self.text(left, top - 0.08, "HU", fontsize=8, va="bottom")

    def pixels(self) -> NDArray[np.uint8]:
        """Return the picture as (rows, columns, 3), red, green and blue."""
        self.canvas.draw()
        return np.asarray(self.canvas.buffer_rgba())[..., :3].copy()

    def png(self) -> bytes:
        """Return the picture, free of dates and of the writer's name."""
        buffer = io.BytesIO()
        # The writer's name and version are all that matplotlib adds by itself.
        self.canvas.print_png(buffer, metadata={"Software": None})
        return buffer.getvalue()
