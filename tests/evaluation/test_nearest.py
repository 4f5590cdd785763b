"""Nearest points are the nearest, however many there are and however far."""

from __future__ import annotations

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoforge.evaluation.nearest import SIDE, Points, distances, points_of

SPACINGS = ((1.0, 1.0, 1.0), (0.7, 0.7, 5.0), (3.0, 0.5, 1.1))


def _points(marks: np.ndarray, corner=(0, 0, 0)) -> Points:
    return points_of(marks.astype(np.uint8), np.array(corner))


def _brute(points: Points, others: Points, spacing) -> np.ndarray:
    """Look at every pair, rounding as `distances` says it does."""
    apart = (points.places[:, None].astype(float) - others.places) * spacing
    x, y, z = np.moveaxis(apart**2, -1, 0)
    return np.sqrt((x + y + z).min(axis=1))


@st.composite
def _sets(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = SIDE * np.array(draw(st.tuples(*[st.integers(1, 4)] * 3)))
    marks = rng.integers(1, 255, shape) * (
        rng.random(shape) < draw(st.sampled_from([0, 0.02, 0.5]))
    )
    marks[tuple(rng.integers(0, shape))] = 7
    return _points(marks, draw(st.tuples(*[st.integers(0, 6)] * 3)))


@settings(max_examples=200, deadline=None)
@given(_sets(), _sets(), st.sampled_from(SPACINGS))
def test_distances_are_those_of_looking_at_every_pair(points, others, spacing):
    np.testing.assert_array_equal(
        distances(points, others, spacing), _brute(points, others, spacing)
    )


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("shares", [(0.3, 0.3), (0.01, 0.0001), (0.0001, 0.5)])
def test_distances_of_larger_sets(spacing, shares):
    rng = np.random.default_rng(0)
    marks = [rng.random((60, 48, 64)) < share for share in shares]
    one, other = map(_points, marks)
    expected = scipy.ndimage.distance_transform_edt(~marks[1], sampling=spacing)
    np.testing.assert_allclose(
        distances(one, other, spacing), expected[tuple(one.places.T)], rtol=1e-14
    )


def test_points_are_collected_block_by_block():
    rng = np.random.default_rng(1)
    marks = rng.integers(0, 3, (8, 4, 12)).astype(np.uint8)
    found = _points(marks, (5, 0, 2))
    assert len(found.places) == np.count_nonzero(marks)
    at = tuple((found.places - SIDE * np.array((5, 0, 2))).T)
    np.testing.assert_array_equal(found.values, marks[at])
    number = np.ravel_multi_index(tuple(np.array(at) // SIDE), (2, 1, 3))
    np.testing.assert_array_equal(np.bincount(number, minlength=6), np.diff(found.start))
    assert (np.diff(number) >= 0).all()
