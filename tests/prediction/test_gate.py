"""Where an organ can be: a margin in mm around its mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import oncoforge as of
from oncoforge.errors import InputError
from oncoforge.prediction.gate import around
from oncoforge.prediction.windows import plan_windows


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.integers(1, 14)] * 3),
    st.tuples(*[st.sampled_from([0.5, 1.0, 1.7, 3.0])] * 3),
    st.floats(0, 9),
    st.integers(0, 2**32 - 1),
)
def test_around_is_every_voxel_within_the_distance(shape, spacing, margin_mm, seed):
    mask = np.random.default_rng(seed).random(shape) < 0.02
    grown = around(mask, spacing, margin_mm)
    if not mask.any():
        assert not grown.any()
        return
    distance = ndimage.distance_transform_edt(~mask, sampling=spacing)
    clear = np.abs(distance - margin_mm) > 1e-3  # neither way by rounding
    np.testing.assert_array_equal(grown[clear], (distance <= margin_mm)[clear])


def test_a_distance_of_exactly_the_margin_belongs_to_it():
    mask = np.zeros((21, 21, 21), bool)
    mask[10, 10, 10] = True
    grown = around(mask, (0.7, 0.7, 0.7), 4.2)
    assert grown[4, 10, 10]
    assert not grown[3, 10, 10]


def test_no_margin_is_the_mask_itself():
    mask = np.random.default_rng(0).random((9, 8, 7)) < 0.3
    np.testing.assert_array_equal(around(mask, (1, 2, 3), 0), mask)
    with pytest.raises(InputError, match="margin_mm is -1"):
        around(mask, (1, 2, 3), -1)


@pytest.mark.slow
@pytest.mark.parametrize("overlap", [0.5, 0.75])
def test_a_liver_at_1_mm_needs_two_fifths_of_the_windows_at_most(data_dir, overlap):
    folder = data_dir / "ct_abdomen"
    case = of.read_case(folder / "image.nii.gz", folder / "totalsegmentator_labels.nii.gz")
    factors = np.rint(np.multiply(case.shape, case.spacing)) / case.shape
    liver = ndimage.zoom(case.organ("liver").astype(np.float32), factors, order=1) > 0.5
    near = around(liver, (1.0, 1.0, 1.0), 10.0)
    windows = plan_windows(liver.shape, (96, 96, 96), overlap, near)
    assert windows.total / len(windows.starts) >= 2.5
