"""Smoothing inside an organ: a Gaussian in mm that does not look outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from oncoforge.synthesis.smoothing import smooth_inside

GRIDS = [(1.0, 1.0, 1.0), (0.7, 0.7, 5.0), (0.5, 0.5, 0.5)]


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(100, 20, shape).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(outside=st.floats(-1000, 3000), sigma=st.floats(0.3, 3.0), spacing=st.sampled_from(GRIDS))
def test_nothing_outside_the_organ_bleeds_in(outside, sigma, spacing):
    organ = noise((14, 13, 12), 1) < 105
    image = noise(organ.shape)
    changed = np.where(organ, image, np.float32(outside))
    one, other = (smooth_inside(i, organ, spacing, sigma) for i in (image, changed))
    np.testing.assert_array_equal(one[organ], other[organ])


@settings(max_examples=30, deadline=None)
@given(hu=st.floats(-1000, 1000), sigma=st.floats(0.3, 3.0), spacing=st.sampled_from(GRIDS))
def test_an_even_organ_stays_as_it_is(hu, sigma, spacing):
    organ = noise((14, 13, 12), 2) < 105
    image = np.where(organ, np.float32(hu), np.float32(-5000))
    smooth = smooth_inside(image, organ, spacing, sigma)
    np.testing.assert_allclose(smooth[organ], np.float32(hu), rtol=1e-4, atol=0.02)


@pytest.mark.parametrize("spacing", GRIDS)
def test_where_all_is_organ_it_is_the_gaussian(spacing):
    image = noise((20, 22, 24))
    smooth = smooth_inside(image, np.ones(image.shape, bool), spacing, 1.5)
    expected = ndimage.gaussian_filter(image.astype(float), 1.5 / np.array(spacing))
    np.testing.assert_allclose(smooth, expected, atol=0.01)


def test_each_voxel_is_the_weighted_mean_of_the_organ_about_it():
    spacing, sigma = (0.8, 1.0, 2.5), 1.2
    organ = noise((15, 14, 12), 3) < 100
    image = noise(organ.shape)
    smooth = smooth_inside(image, organ, spacing, sigma)
    where = np.argwhere(organ) * spacing
    # Away from the array's edge, where the filter mirrors the organ.
    inner = np.argwhere(organ & np.pad(np.ones((3, 4, 6), bool), ((6, 6), (5, 5), (3, 3))))
    assert len(inner) > 10
    for voxel in inner:
        away = ((where - voxel * spacing) ** 2).sum(axis=1)
        weight = np.exp(-away / (2 * sigma**2))
        expected = (weight * image[organ]).sum() / weight.sum()
        assert smooth[tuple(voxel)] == pytest.approx(expected, abs=0.5)


def test_noise_is_smoothed_alike_in_mm_on_fine_and_coarse_grids():
    spread = []
    for s in (0.5, 1.0):
        rng = np.random.default_rng(0)
        n = int(40 / s)
        # White noise of the same density per mm.
        image = rng.normal(0, 20 * s**-1.5, (n, n, n)).astype(np.float32)
        spread.append(smooth_inside(image, np.ones(image.shape, bool), (s, s, s), 2.0).std())
    assert spread[0] == pytest.approx(spread[1], rel=0.15)


def test_the_scan_itself_is_left_alone():
    image, organ = noise((8, 8, 8)), noise((8, 8, 8), 1) < 100
    image.setflags(write=False)
    organ.setflags(write=False)
    assert smooth_inside(image, organ, GRIDS[0], 1.0).dtype == np.float32
