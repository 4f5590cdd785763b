"""Histograms of one number for each case, as bars to draw in SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from oncoforge.reports.wording import count, number

_WIDTH: Final = 340
_HEIGHT: Final = 150
_LEFT: Final = 10
_RIGHT: Final = 330
_TOP: Final = 10
_BASE: Final = 112
_MOST_BINS: Final = 24
_MOST_TICKS: Final = 5
_GAP: Final = 1.0
_LEAST_HEIGHT: Final = 2.0  # one case among thousands is still seen


@dataclass(frozen=True)
class Bar:
    """One bar: its place in the drawing, and what it stands for."""

    x: float
    y: float
    width: float
    height: float
    about: str


@dataclass(frozen=True)
class BarTick:
    """A mark on the axis: where it is drawn, and its words."""

    x: float
    text: str


@dataclass(frozen=True)
class Chart:
    """A histogram, ready to draw; lengths are in the units of the drawing.

    Parameters
    ----------
    name
        What is counted, with its unit.
    about
        Its range and median in words.
    bars, ticks
        What to draw.
    """

    name: str
    about: str
    bars: tuple[Bar, ...]
    ticks: tuple[BarTick, ...]
    width: int = _WIDTH
    height: int = _HEIGHT
    left: int = _LEFT
    right: int = _RIGHT
    base: int = _BASE


def chart(name: str, values: Sequence[float]) -> Chart | None:
    """Count values into bars of a round width; None if there are none that are finite."""
    known = np.array([value for value in values if math.isfinite(value)], np.float64)
    if not known.size:
        return None
    low, high = float(known.min()), float(known.max())
    step = _round_up(max((high - low) / (_MOST_BINS - 2), 1e-3, abs(high) * 1e-3))
    first, last = math.floor(low / step), math.floor(high / step) + 1
    # A lone value stands in the middle of an axis, not on a bar as wide as the picture.
    spare = max(0, 8 - (last - first)) // 2
    first, last = first - spare, last + spare
    places = np.clip(np.floor(known / step + 1e-9).astype(int) - first, 0, last - first - 1)
    counts = np.bincount(places, minlength=last - first)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    scale = (_RIGHT - _LEFT) / (last - first)
    bars = tuple(
        Bar(
            round(_LEFT + k * scale + _GAP / 2, 1),
            round(_BASE - height, 1),
            round(scale - _GAP, 1),
            round(height, 1),
            f"{number((first + k) * step, digits)} to {number((first + k + 1) * step, digits)}: "
            f"{count(int(n), 'case')}",
        )
        for k, n in enumerate(counts)
        if n
        for height in [max((_BASE - _TOP) * n / counts.max(), _LEAST_HEIGHT)]
    )
    every = _round_up((last - first) / _MOST_TICKS)
    marks = range(math.ceil(first / every), math.floor(last / every) + 1)
    ticks = tuple(
        BarTick(
            round(_LEFT + (mark * every - first) * scale, 1), number(mark * every * step, digits)
        )
        for mark in marks
    )
    middle = number(float(np.median(known)), digits)
    about = f"{number(low, digits)} to {number(high, digits)}, median {middle}"
    return Chart(name, f"{about}; {count(known.size, 'case')}", bars, ticks)


def _round_up(value: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten; whole for what is above one."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= value * (1 - 1e-9))
