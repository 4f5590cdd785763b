"""Distances: right near the surface, smooth where two shapes meet."""

from __future__ import annotations

import numpy as np
import pytest

from oncoforge.phantom.shapes import ellipsoid, frame, smooth_max, smooth_min, smooth_step


def test_ellipsoid_is_a_distance_near_its_surface() -> None:
    zero = np.zeros(5)
    steps = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    assert ellipsoid(30.0 + steps, zero, zero, (30.0, 20.0, 10.0)) == pytest.approx(steps, abs=0.3)
    assert ellipsoid(zero, zero, 10.0 + steps, (30.0, 20.0, 10.0)) == pytest.approx(steps, abs=0.5)


def test_the_centre_of_an_ellipsoid_is_inside() -> None:
    zero = np.zeros(1)
    assert ellipsoid(zero, zero, zero, (30.0, 20.0, 10.0))[0] < -5.0


def test_blends_differ_from_the_sharp_ones_only_near_the_crease() -> None:
    a, b = np.array([0.0, 0.0, 5.0]), np.array([0.0, 9.0, 0.0])
    assert smooth_max(a, b, 4.0) == pytest.approx([1.0, 9.0, 5.0])
    assert smooth_min(a, b, 4.0) == pytest.approx([-1.0, 0.0, 0.0])


def test_smooth_step_works_in_both_directions() -> None:
    t = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    assert smooth_step(0.0, 1.0, t) == pytest.approx([0, 0, 0.5, 1, 1])
    assert smooth_step(1.0, 0.0, t) == pytest.approx([1, 1, 0.5, 0, 0])


def test_a_frame_goes_there_and_back() -> None:
    place = frame([1.0, 2.0, 3.0], [1.0, 0.2, 0.0], [0.1, 0.0, 1.0])
    local = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, 4.0]])
    world = place.world(local)
    assert np.stack(place.local(*world.T), axis=-1) == pytest.approx(local, abs=1e-6)
    assert place.axes @ place.axes.T == pytest.approx(np.eye(3))
