"""Voxels of each label: all counted, some drawn, evenly and the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoforge.store import voxels
from oncoforge.store.voxels import Voxels, encode


def _random(shape, seed, most=6):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, most, shape, dtype=np.uint8)
    return labels, rng.random(shape) < 0.3


def _flat(points, shape):
    return np.ravel_multi_index(points.T, shape)


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[st.integers(1, 9)] * 3), st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_counts_are_exact_and_locations_are_of_their_label(shape, seed, most):
    labels, bright = _random(shape, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(voxels, "MOST", most)
        found = Voxels.of(encode(labels, bright), np.random.default_rng(seed))
    for label in range(8):
        for only in (False, True):
            mask = (labels == label) & (bright | (not only))
            assert found.counts.get((label, only), 0) == np.count_nonzero(mask)
            if not mask.any():
                assert (label, only) not in found.locations
                continue
            points = found.locations[label, only]
            assert len(points) == min(most, np.count_nonzero(mask))
            assert mask[tuple(points.T)].all()
            assert len(np.unique(_flat(points, shape))) == len(points)


def test_every_voxel_of_a_label_is_as_likely(monkeypatch):
    monkeypatch.setattr(voxels, "MOST", 60)
    labels, bright = _random((9, 8, 7), 0, most=2)
    codes = encode(labels, bright)
    often = np.zeros(labels.size)
    draws = 400
    for seed in range(draws):
        found = Voxels.of(codes, np.random.default_rng(seed)).locations[1, False]
        often[_flat(found, labels.shape)] += 1
    number = np.count_nonzero(labels)
    expected = draws * 60 / number
    own = often.reshape(labels.shape)[labels == 1]
    assert own.sum() == draws * 60
    # Of a hypergeometric draw; five standard deviations of several hundred counts.
    deviation = np.sqrt(expected * (1 - 60 / number))
    assert np.abs(own - expected).max() < 5 * deviation
    np.testing.assert_allclose(own.var(), deviation**2, rtol=0.3)


def test_the_same_generator_draws_the_same_whatever_the_memory_order():
    labels, bright = _random((30, 20, 40), 1)
    codes = encode(labels, bright)
    one = Voxels.of(codes, np.random.default_rng(3))
    two = Voxels.of(np.asfortranarray(codes), np.random.default_rng(3))
    other = Voxels.of(codes, np.random.default_rng(4))
    assert one.counts == two.counts == other.counts
    for group, points in one.locations.items():
        np.testing.assert_array_equal(points, two.locations[group])


def test_no_more_than_ten_thousand_are_kept():
    codes = encode(np.ones((40, 30, 20), np.uint8), np.zeros((40, 30, 20), bool))
    found = Voxels.of(codes, np.random.default_rng(0))
    assert found.counts == {(1, False): 24000}
    assert len(found.locations[1, False]) == 10_000
