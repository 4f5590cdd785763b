"""Displacement fields: clamped cubic splines through random control points."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from oncoforge.synthesis.masks.deformation import (
    PLANES,
    draw_planes,
    plane_field,
    spline_weights,
    volume_table,
)

WIDE = np.full(3, 100.0)
"""Semi-axes (mm) over which a field of a few mm is far from folding."""


def test_passes_are_in_the_published_order():
    assert PLANES == ((0, 1), (1, 2), (0, 2))


@pytest.mark.parametrize("points", [3, 4])
def test_weights_are_those_of_the_clamped_cubic_spline(points):
    # A cubic B-spline that is mirrored at its ends is the cubic spline with no slope there.
    at = np.linspace(0, 1, 601)
    spline = CubicSpline(np.linspace(0, 1, points), np.eye(points), bc_type="clamped")
    np.testing.assert_allclose(spline_weights(points, at), spline(at), atol=2e-4)


@pytest.mark.parametrize("points", [3, 4])
def test_weights_sum_to_one_and_hold_still_beyond_the_ends(points):
    at = np.array([-3.0, -0.1, 0.0, 0.3, 1.0, 1.1, 4.0])
    weights = spline_weights(points, at)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(weights[[0, 1]], weights[[2, 2]], atol=1e-12)
    np.testing.assert_allclose(weights[[5, 6]], weights[[4, 4]], atol=1e-12)


def test_a_planar_field_passes_through_its_control_points():
    points = draw_planes(3.0, seed=5)[1]
    even = np.linspace(0, 1, 3)
    np.testing.assert_allclose(plane_field(points, even, even), points, atol=1e-9)


@pytest.mark.parametrize("sigma", [0.5, 4.0])
def test_control_points_are_normal_with_the_sigma_asked_for(sigma):
    drawn = np.concatenate([draw_planes(sigma, seed).ravel() for seed in range(200)])
    assert drawn.size == 200 * 3 * 2 * 9
    assert drawn.std() == pytest.approx(sigma, rel=0.04)
    assert abs(drawn.mean()) < 0.06 * sigma
    inside = np.mean(np.abs(drawn) < sigma)
    assert inside == pytest.approx(0.683, abs=0.02)


def test_volume_field_moves_each_axis_as_much_as_two_planar_passes():
    corners = [volume_table(2.0, seed, WIDE)[::16, ::16, ::16] for seed in range(60)]
    assert np.std(corners) == pytest.approx(2.0 * np.sqrt(2), rel=0.1)


def test_volume_field_is_a_spline_through_four_points_along_each_axis():
    table = volume_table(2.0, seed=1, radii=WIDE).astype(float)
    n = table.shape[0]
    weights = CubicSpline(np.linspace(0, 1, 4), np.eye(4), bc_type="clamped")(np.linspace(0, 1, n))
    project = weights @ np.linalg.pinv(weights)
    for axis in range(3):
        smooth = np.moveaxis(np.tensordot(project, table, (1, axis)), 0, axis)
        np.testing.assert_allclose(smooth, table, atol=0.01)


def test_fields_depend_on_their_seed_alone():
    np.testing.assert_array_equal(draw_planes(1.0, 7), draw_planes(1.0, 7))
    np.testing.assert_array_equal(volume_table(1.0, 7, WIDE), volume_table(1.0, 7, WIDE))
    assert not np.array_equal(draw_planes(1.0, 7), draw_planes(1.0, 8))
    assert not np.array_equal(volume_table(1.0, 7, WIDE), volume_table(1.0, 8, WIDE))
    np.testing.assert_allclose(draw_planes(2.0, 7), 2 * draw_planes(1.0, 7))


@pytest.mark.parametrize("seed", range(8))
def test_a_strong_volume_field_does_not_fold(seed):
    radii = np.array([12.0, 16.0, 20.0])
    table = volume_table(8.0, seed, radii).astype(float)
    pitch = 4 * radii / (table.shape[0] - 1)
    slopes = np.gradient(table, *pitch, axis=(0, 1, 2))  # slopes[axis][..., component]
    jacobian = np.eye(3) + np.stack(slopes, axis=-1)
    assert np.linalg.det(jacobian).min() > 0
