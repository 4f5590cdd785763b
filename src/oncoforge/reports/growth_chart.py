"""Diameters of grown lesions against step, as lines to draw in SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from oncoforge.reports.ticks import digits, ticks
from oncoforge.reports.wording import count, number

_WIDTH, _HEIGHT = 500, 256
_LEFT, _RIGHT, _TOP, _BASE = 34, 424, 28, 208
_MOST_LINES = 12
_NAME_HEIGHT, _NAME_WIDTH = 13.0, 68.0
_NEAR = 20.0
"""Names of lines that end this near to each other stand in one column."""


@dataclass(frozen=True)
class Line:
    """The growth of one lesion.

    Parameters
    ----------
    name
        As written at its end.
    about
        Its end in words.
    path
        SVG path data, in the units of the drawing.
    x, y
        Where the name stands: at the line's end, moved where names would meet.
    """

    name: str
    about: str
    path: str
    x: float
    y: float


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where it is drawn, and its number."""

    place: float
    text: str


@dataclass(frozen=True)
class GrowthChart:
    """Diameters against step, ready to draw; lengths are in the units of the drawing.

    Parameters
    ----------
    lines
        The largest lesions, the largest first.
    steps, diameters
        Marks on the axes.
    note
        What the drawing leaves out, and what is necrotic: sentences, or nothing.
    """

    lines: tuple[Line, ...]
    steps: tuple[Tick, ...]
    diameters: tuple[Tick, ...]
    note: str
    width: int = _WIDTH
    height: int = _HEIGHT
    left: int = _LEFT
    right: int = _RIGHT
    top: int = _TOP
    base: int = _BASE


def growth_chart(lesions: Sequence[Mapping[str, Any]]) -> GrowthChart | None:
    """Return the chart of the lesions that grew step by step, or None if there is none.

    Parameters
    ----------
    lesions
        Rows as in :class:`oncoforge.reports.synthesis_view.SynthesisView`.
    """
    grown = [row for row in lesions if row.get("growth")]
    if not grown:
        return None
    grown.sort(key=lambda row: float(row["growth"][-1]["diameter_mm"]), reverse=True)
    drawn = grown[:_MOST_LINES]
    points = [point for row in drawn for point in row["growth"]]
    last = max(int(point["step"]) for point in points)
    across = ticks(last, 8, least_step=1)
    along = ticks(max(float(point["diameter_mm"]) for point in points), 5, least_step=0.1)
    scale = _Scale(max(float(last), 1.0), along[-1])
    return GrowthChart(
        _apart([_line(row, scale) for row in drawn]),
        tuple(Tick(scale.x(n), number(n)) for n in across if n <= scale.last),
        tuple(Tick(scale.y(mm), number(mm, digits(along))) for mm in along),
        _note(grown, len(drawn)),
    )


@dataclass(frozen=True)
class _Scale:
    """Places in the drawing for steps up to `last` and diameters up to `largest` mm."""

    last: float
    largest: float

    def x(self, step: float) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * step / self.last, 1)

    def y(self, diameter_mm: float) -> float:
        return round(_BASE - (_BASE - _TOP) * diameter_mm / self.largest, 1)


def _line(row: Mapping[str, Any], scale: _Scale) -> Line:
    places = [(scale.x(p["step"]), scale.y(float(p["diameter_mm"]))) for p in row["growth"]]
    end = row["growth"][-1]
    name = f"lesion {row['id']}"
    about = f"{name}: {number(end['diameter_mm'], 1)} mm at step {number(end['step'])}"
    # A line of no length is a dot, thanks to its round ends.
    path = "M" + "L".join(f"{x} {y}" for x, y in places) + ("h0" if len(places) == 1 else "")
    return Line(name, about, path, *places[-1])


def _apart(lines: list[Line]) -> tuple[Line, ...]:
    """Move names that would meet away from each other, in the order of their lines' ends."""
    x = [max(o.x for o in lines if abs(o.x - line.x) < _NEAR) for line in lines]
    y = [line.y for line in lines]
    pairs = list(combinations(sorted(range(len(lines)), key=y.__getitem__), 2))
    for _ in range(200):
        for upper, lower in pairs:
            overlap = _NAME_HEIGHT - (y[lower] - y[upper])
            if overlap > 0 and abs(x[upper] - x[lower]) < _NAME_WIDTH:
                y[upper] -= overlap / 2
                y[lower] += overlap / 2
        y = [min(max(each, float(_TOP)), float(_BASE)) for each in y]
    return tuple(
        replace(line, x=at, y=round(height, 1))
        for line, at, height in zip(lines, x, y, strict=True)
    )


def _note(grown: Sequence[Mapping[str, Any]], drawn: int) -> str:
    sentences = []
    if len(grown) > drawn:
        sentences.append(f"The {drawn} largest of {count(len(grown), 'lesion')} are drawn.")
    necrotic = [row for row in grown if float(row.get("necrotic_fraction") or 0.0) > 0]
    if necrotic:
        shares = [f"{_percent(r['necrotic_fraction'])} of lesion {r['id']}" for r in necrotic]
        more = len(shares) - _MOST_LINES
        named = shares[:_MOST_LINES] + ([f"some of {count(more, 'more')}"] if more > 0 else [])
        listed = ", ".join(named[:-1]) + (" and " if len(named) > 1 else "") + named[-1]
        sentences.append(f"Necrotic in the end: {listed}, by volume.")
    return " ".join(sentences)


def _percent(share: float) -> str:
    # The space is one at which no line breaks.
    return f"{number(100 * share) if share >= 0.01 else 'under 1'}\N{NO-BREAK SPACE}%"
