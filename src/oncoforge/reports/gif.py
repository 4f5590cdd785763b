"""Animated GIFs of CT: one palette for the whole film, with greys as fine as it can hold."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image

from oncoforge.reports.panels import LESION, ORGAN, PAPER

GREYS = 216
"""Greys of the palette, from black to white; the rest of its 256 colours are for the overlays."""

_UNCHANGED = 255
"""The transparent entry: a pixel that stays as it was."""


@cache
def palette() -> NDArray[np.uint8]:
    """Return the 256 colours, (256, 3): greys, paper, blends of the outlines, the transparent one.

    All differ, and none depends on what is shown.
    """
    ramp = np.linspace(0, 255, GREYS)[:, None] * np.ones(3)
    orange = _blends(LESION, (0.25, 0.5, 0.75))
    # The organ's line is faint wherever it is drawn.
    blue = _blends(ORGAN, (0.2, 0.4, 0.6))
    colours = [ramp, _rgb(PAPER)[None], orange, blue, np.array([[255.0, 0.0, 255.0]])]
    return np.rint(np.concatenate(colours)).astype(np.uint8)


def _rgb(colour: str) -> NDArray[np.float64]:
    return 255 * np.array(to_rgb(colour))


def _blends(colour: str, shares: Sequence[float]) -> NDArray[np.float64]:
    """Return 19 colours: `colour` over greys by each of three shares, and by itself."""
    under = np.linspace(0, 255, 6)
    ink = _rgb(colour)
    mixed = [(1 - a) * g + a * ink for a in shares for g in under]
    return np.array([*mixed, ink])


def indices(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the nearest colour of the palette for each pixel, without dithering.

    Parameters
    ----------
    picture
        (rows, columns, 3).

    Returns
    -------
    (rows, columns): never the transparent colour.
    """
    red, green, blue = (picture[..., band] for band in range(3))
    grey = (red == green) & (green == blue)
    paper = (picture == palette()[GREYS]).all(axis=2)
    # Nearly every pixel is one or the other; few colours are left, each to be found only once.
    others = ~(grey | paper)
    colours, where = np.unique(picture[others], axis=0, return_inverse=True)
    shown = _nearest(np.arange(256)[:, None].repeat(3, axis=1))[red]
    shown[paper] = GREYS
    shown[others] = _nearest(colours)[where]
    return shown


def _nearest(colours: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the entry of the palette that is nearest to each colour, (n, 3)."""
    known = palette()[:_UNCHANGED].astype(np.int32)
    away = ((colours.astype(np.int32)[:, None] - known) ** 2).sum(axis=2)
    return away.argmin(axis=1).astype(np.uint8)


def encode(pictures: Sequence[NDArray[np.uint8]], durations_ms: Sequence[int]) -> bytes:
    """Write a film that runs for ever.

    Parameters
    ----------
    pictures
        (rows, columns, 3), all of one size, each different from the one before.
    durations_ms
        How long each stays; GIF counts in steps of 10 ms.
    """
    colours = palette().tobytes()
    shown = [indices(picture) for picture in pictures]
    frames = []
    for place, frame in enumerate(shown):
        # Pixels that stay are left transparent, which packs to a fraction of their size.
        stays = frame == shown[place - 1] if place else np.zeros_like(frame, np.bool_)
        image = Image.fromarray(np.where(stays, np.uint8(_UNCHANGED), frame))
        image.putpalette(colours)
        frames.append(image)
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=frames[1:],
        duration=list(durations_ms),
        loop=0,
        palette=colours,  # one global table, instead of one for each frame
        transparency=_UNCHANGED,
        disposal=1,
    )
    return buffer.getvalue()
