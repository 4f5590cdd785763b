"""Round numbers to mark an axis with."""

from __future__ import annotations

import math


def ticks(high: float, most: int, least_step: float = 0.0) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten, from 0 until `high` is reached.

    Parameters
    ----------
    high
        Largest value that the axis must show; the last mark is the first at or beyond it.
    most
        Steps between marks at most; four or more.
    least_step
        A step that is not gone below, such as 1 for counts.
    """
    step = _round_up(max(high / most, least_step, 1e-6))
    # A hair less, so that 0.3 / 0.1 is three steps and not four.
    steps = max(math.ceil(high / step - 1e-9), 1)
    return [round(step * n, 9) for n in range(steps + 1)]


def _round_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= value * (1 - 1e-9))


def digits(marks: list[float]) -> int:
    """Return how many decimals it takes to tell the marks of an axis apart."""
    return max(0, -math.floor(math.log10(marks[1] - marks[0]) + 1e-9))
