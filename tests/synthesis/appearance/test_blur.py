"""Softening a mask is scipy's Gaussian filter, on a box that grows by the filter's reach."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from oncoforge.synthesis.appearance.blur import TRUNCATE, soften

SIGMA = st.one_of(st.just(0.0), st.floats(1e-6, 0.2), st.floats(0.2, 5.0))


def by_scipy(mask, sigma, pad):
    wide = np.pad(mask.astype(float), [(p, p) for p in pad])
    return ndimage.gaussian_filter(wide, sigma, mode="constant", truncate=TRUNCATE)


@settings(max_examples=120, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 14)] * 3),
    sigma=st.tuples(SIGMA, SIGMA, SIGMA),
    fill=st.floats(0, 1),
    seed=st.integers(0, 2**31),
)
def test_softening_is_the_gaussian_filter_of_scipy(shape, sigma, fill, seed):
    mask = np.random.default_rng(seed).random(shape) < fill
    soft, pad = soften(mask, sigma)
    assert pad == tuple(int(4 * s + 0.5) for s in sigma)
    assert soft.shape == tuple(n + 2 * p for n, p in zip(shape, pad, strict=True))
    np.testing.assert_allclose(soft, by_scipy(mask, sigma, pad), atol=1e-6)


@pytest.mark.parametrize("sigma", [(1.0, 1.0, 1.0), (2.5, 2.5, 0.8), (0.3, 0.0, 4.0)])
def test_softening_a_lesion_of_any_memory_layout(sigma):
    x, y, z = np.ogrid[-9:10, -12:13, -7:8]
    ball = (x / 9) ** 2 + (y / 12) ** 2 + (z / 7) ** 2 < 1
    expected, pad = soften(ball, sigma)
    np.testing.assert_allclose(expected, by_scipy(ball, sigma, pad), atol=1e-6)
    np.testing.assert_array_equal(soften(np.asfortranarray(ball), sigma)[0], expected)
    np.testing.assert_array_equal(soften(ball[::-1][::-1], sigma)[0], expected)


def test_softening_moves_a_masks_weight_and_keeps_its_sum():
    mask = np.random.default_rng(0).random((20, 18, 16)) < 0.5
    soft, _ = soften(mask, (1.5, 2.0, 0.7))
    assert soft.dtype == np.float32
    assert soft.min() >= 0
    assert soft.max() <= 1 + 1e-6
    assert soft.sum(dtype=float) == pytest.approx(mask.sum(), rel=1e-5)


def test_no_softening_at_sigma_0():
    mask = np.random.default_rng(0).random((5, 6, 7)) < 0.5
    soft, pad = soften(mask, (0.0, 0.0, 0.0))
    assert pad == (0, 0, 0)
    np.testing.assert_array_equal(soft, mask)
