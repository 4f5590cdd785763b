from __future__ import annotations

import re

import numpy as np
import pytest

from oncoforge.reports.histogram import histogram


def heights(curve, drawing):
    """Heights of the steps of a curve, in the units of the drawing."""
    return drawing.base - np.array([float(y) for y in re.findall(r"V([\d.]+)H", curve.path)])


def test_curves_know_their_mean_and_spread(make_view):
    view = make_view()
    before, after, lesion = histogram(view).curves
    assert before.mean_hu == pytest.approx(50, abs=0.5)
    assert before.sd_hu == pytest.approx(10, abs=0.5)
    assert after.mean_hu < before.mean_hu
    assert lesion.mean_hu == pytest.approx(view.lesions[0]["mean_hu"], abs=1e-3)


def test_every_region_has_the_same_area_so_that_small_lesions_show(make_view):
    drawing = histogram(make_view())
    areas = [heights(curve, drawing).sum() for curve in drawing.curves]
    assert areas == pytest.approx([areas[0]] * 3, rel=0.03)


def test_the_steps_span_the_axis_and_ticks_are_round(make_view):
    drawing = histogram(make_view())
    for curve in drawing.curves:
        assert len(heights(curve, drawing)) <= 90
        assert curve.path.endswith(f"H{drawing.right:.1f}V{drawing.base}")
    assert len(drawing.ticks) >= 3
    assert all(tick.hu % 5 == 0 for tick in drawing.ticks)


def test_a_flat_organ_has_a_histogram(make_view):
    box = (slice(0, 10),) * 3
    flat = np.full((10, 10, 10), 7.0, np.float32)
    view = make_view(shape=(10, 10, 10), centres=(), box=box, image=flat, before=flat)
    drawing = histogram(view)
    assert [curve.sd_hu for curve in drawing.curves] == [0, 0]
