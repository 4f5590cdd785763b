from __future__ import annotations

import re

import numpy as np
import pytest

from oncoforge.reports.growth_chart import growth_chart
from oncoforge.reports.ticks import digits, ticks


def row(ident, diameters, **others):
    growth = [
        {"step": step, "volume_mm3": mm**3, "diameter_mm": mm} for step, mm in enumerate(diameters)
    ]
    return {"id": ident, "growth": growth, "necrotic_fraction": 0.0} | others


def places(line):
    """Points of a line, (n, 2)."""
    return np.array(re.findall(r"([\d.]+) ([\d.]+)", line.path), float)


def test_without_growth_there_is_no_chart():
    assert growth_chart([]) is None
    assert growth_chart([{"id": 1}, {"id": 2, "growth": []}]) is None


def test_a_growing_lesion_has_a_line_that_rises_all_the_way():
    (line,) = growth_chart([row(1, np.sqrt(np.arange(300)))]).lines
    x, y = places(line).T
    assert len(x) == 300
    assert (np.diff(x) > 0).all()
    assert (np.diff(y) <= 0).all()
    assert y[-1] < y[0] - 100


def test_a_line_passes_where_the_axes_say():
    chart = growth_chart([row(1, np.linspace(0, 20, 101))])
    points = {step: y for step, (_, y) in enumerate(places(chart.lines[0]))}
    heights = {float(tick.text): tick.place for tick in chart.diameters}
    steps = {int(tick.text): tick.place for tick in chart.steps}
    assert points[50] == pytest.approx(heights[10.0], abs=0.1)
    assert points[100] == pytest.approx(heights[20.0], abs=0.1)
    assert places(chart.lines[0])[40][0] == pytest.approx(steps[40], abs=0.1)
    assert steps[100] == chart.right


def test_the_largest_twelve_are_drawn_and_the_note_says_so():
    chart = growth_chart([row(ident, [0.0, ident]) for ident in range(1, 16)])
    assert [line.name for line in chart.lines] == [f"lesion {n}" for n in range(15, 3, -1)]
    assert chart.note == "The 12 largest of 15 lesions are drawn."


@pytest.mark.parametrize("ends", [[10.0] * 12, list(np.linspace(9, 10, 12)), [0.1] * 11 + [10.0]])
def test_names_never_meet_nor_leave_the_drawing(ends):
    chart = growth_chart([row(ident, [0.0, 0.05, end]) for ident, end in enumerate(ends, 1)])
    y = np.sort([line.y for line in chart.lines])
    assert (np.diff(y) > 11).all()
    assert y[0] >= chart.top - 0.1
    assert y[-1] <= chart.base + 0.1


def test_names_stand_at_the_ends_of_their_lines():
    chart = growth_chart([row(1, [0.0, 5.0, 10.0]), row(2, [0.0, 4.0])])
    for line in chart.lines:
        assert (line.x, line.y) == tuple(places(line)[-1])


def test_a_growth_of_one_step_is_a_dot():
    (line,) = growth_chart([row(1, [3.0])]).lines
    assert line.path.endswith("h0")
    flat = growth_chart([row(1, [0.0])])
    assert [tick.text for tick in flat.diameters] == ["0.0", "0.1"]


@pytest.mark.parametrize("high", [0.3, 1.0, 7.2, 29.0, 120.0, 999.0])
def test_ticks_are_round_and_reach_the_end(high):
    marks = ticks(high, 5)
    step = marks[1]
    assert marks == pytest.approx([step * n for n in range(len(marks))])
    assert marks[-2] < high <= marks[-1]
    assert len(marks) <= 6
    assert f"{step:e}"[0] in "125"
    assert len({f"{mark:.{digits(marks)}f}" for mark in marks}) == len(marks)


def test_counts_have_no_ticks_between_them():
    assert ticks(3, 8, least_step=1) == [0, 1, 2, 3]
    assert ticks(0, 8, least_step=1) == [0, 1]
