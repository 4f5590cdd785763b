"""Distributions of places: their moments, and what is none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from oncoforge.errors import InputError
from oncoforge.synthesis.masks.prior.places import Mixture, RotatedEllipsoid, draw_unit

MIDDLE = (0.5, 0.5, 0.5)


def _plain(matrix):
    return tuple(map(tuple, np.asarray(matrix, float).tolist()))


def _draw(location, number=4000):
    rng = np.random.default_rng(0)
    return np.array([location.draw_one(rng) for _ in range(number)])


def test_a_mixture_has_its_weights_means_and_covariances():
    turned = Rotation.from_euler("zyx", [30, 20, 10], degrees=True).as_matrix()
    spread = turned @ np.diag([0.03, 0.01, 0.002]) @ turned.T
    mixture = Mixture(
        (0.3, 0.7), ((-5.0, 0.2, 0.3), (5.0, 0.6, 0.7)), (_plain(spread), _plain(spread / 2))
    )
    points = _draw(mixture)
    first = points[:, 0] < 0
    assert first.mean() == pytest.approx(0.3, abs=0.03)
    np.testing.assert_allclose(points[first].mean(axis=0), (-5.0, 0.2, 0.3), atol=0.02)
    np.testing.assert_allclose(np.cov(points[first].T), spread, atol=0.003)
    np.testing.assert_allclose(np.cov(points[~first].T), spread / 2, atol=0.002)


def test_a_rotated_ellipsoid_is_filled_evenly_and_really_rotated():
    turned = Rotation.from_euler("z", 35, degrees=True).as_matrix()
    radii = np.array([0.4, 0.2, 0.1])
    points = _draw(RotatedEllipsoid(MIDDLE, _plain(turned.T), tuple(radii)))
    inside = np.linalg.norm((points - MIDDLE) @ turned / radii, axis=1)
    assert inside.max() <= 1
    # Evenly: the cube of the radius is uniform, and the variance a fifth of the squared radius.
    np.testing.assert_allclose(
        np.quantile(inside**3, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.03
    )
    expected = turned @ np.diag(radii**2 / 5) @ turned.T
    np.testing.assert_allclose(np.cov(points.T), expected, atol=0.002)
    assert abs(np.cov(points.T)[0, 1]) > 0.005


def test_points_lie_in_the_frame_whatever_was_fitted():
    wide = Mixture((1.0,), (MIDDLE,), (_plain(4 * np.eye(3)),))
    far = Mixture((1.0,), ((3.0, 0.5, -2.0),), (_plain(0.01 * np.eye(3)),))
    rng = np.random.default_rng(1)
    for location in (wide, far):
        points = np.array([draw_unit(location, rng) for _ in range(200)])
        assert points.min() > 0
        assert points.max() < 1


def test_weights_as_people_round_them_can_be_drawn_from():
    third = (0.3333333,) * 3
    mixture = Mixture(third, (MIDDLE,) * 3, (_plain(0.01 * np.eye(3)),) * 3)
    assert np.isfinite(mixture.draw_one(np.random.default_rng(0))).all()


@pytest.mark.parametrize(
    ("weights", "means", "covariances"),
    [
        ((), (), ()),
        ((1.0,), (MIDDLE, MIDDLE), (_plain(np.eye(3)),)),
        ((0.5, 0.4), (MIDDLE,) * 2, (_plain(np.eye(3)),) * 2),
        ((1.5, -0.5), (MIDDLE,) * 2, (_plain(np.eye(3)),) * 2),
        ((1.0,), (MIDDLE,), (_plain(-np.eye(3)),)),
        ((1.0,), (MIDDLE,), (_plain(np.zeros((3, 3))),)),
        ((1.0,), (MIDDLE,), (_plain([[1, 0.5, 0], [0, 1, 0], [0, 0, 1]]),)),
    ],
)
def test_what_is_no_mixture_is_an_error(weights, means, covariances):
    with pytest.raises(InputError):
        Mixture(weights, means, covariances)


@pytest.mark.parametrize(
    ("axes", "radii"),
    [
        (np.eye(3), (0.1, 0.0, 0.1)),
        (np.eye(3), (0.1, -0.1, 0.1)),
        (2 * np.eye(3), (0.1, 0.1, 0.1)),
        ([[1, 0, 0], [1, 0, 0], [0, 0, 1]], (0.1, 0.1, 0.1)),
    ],
)
def test_what_is_no_ellipsoid_is_an_error(axes, radii):
    with pytest.raises(InputError):
        RotatedEllipsoid(MIDDLE, _plain(axes), radii)
