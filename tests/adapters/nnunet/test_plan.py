"""What nnU-Net's plans say: intensities there and back, directions, and what cannot be done."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoforge.adapters.nnunet.plan import Intensities, Plan
from oncoforge.errors import InputError

from .conftest import HIGH, LOW, MEAN, STD, configuration_of, plans_of

CT = Intensities(LOW, HIGH, MEAN, STD)


@given(st.lists(st.floats(-1024, 3071, width=32), min_size=1, max_size=20))
def test_normalised_values_are_nnunets_and_lead_back_to_clipped_hu(values):
    hu = np.array(values, np.float32)
    expected = (np.minimum(np.maximum(hu.astype(float), LOW), HIGH) - MEAN) / STD
    np.testing.assert_allclose(CT.from_hu(hu), expected, atol=1e-5)
    assert CT.from_hu(hu).dtype == CT.to_hu(hu).dtype == np.float32
    np.testing.assert_allclose(CT.to_hu(CT.from_hu(hu)), np.clip(hu, LOW, HIGH), atol=1e-4)


def test_values_that_were_not_normalised_are_hu():
    plan = Plan.of(plans_of(), configuration_of(normalization_schemes=["NoNormalization"]))
    hu = np.array([-1000, 0, 3000], np.float32)
    np.testing.assert_array_equal(plan.intensities.to_hu(hu), hu)
    np.testing.assert_array_equal(plan.intensities.from_hu(hu), hu)


def test_the_plan_is_read():
    plan = Plan.of(
        plans_of(transpose_forward=[1, 0, 2]),
        configuration_of(spacing=[3, 1, 2], patch_size=[8, 16, 12]),
    )
    assert (plan.spacing, plan.patch, plan.transpose) == ((3, 1, 2), (8, 16, 12), (1, 0, 2))
    assert plan.intensities == CT


FLAT = {"mean": 0.5, "std": 0.1, "percentile_00_5": 0.0, "percentile_99_5": 1.0}


@pytest.mark.parametrize(
    ("plans", "configuration", "said"),
    [
        ({}, {"patch_size": [64, 64], "spacing": [1, 1]}, "trains on planes; train 3d_fullres"),
        ({}, {"previous_stage": "3d_lowres"}, "second stage of a cascade"),
        ({}, {"normalization_schemes": ["CTNormalization"] * 2}, "2 channels"),
        ({}, {"normalization_schemes": ["ZScoreNormalization"]}, "cannot be turned back into HU"),
        ({"foreground_intensity_properties_per_channel": {"0": FLAT}}, {}, "from 0 to 1, which is"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(plans, configuration, said):
    with pytest.raises(InputError, match=said):
        Plan.of(plans_of(**plans), configuration_of(**configuration))


@pytest.mark.parametrize("transpose", list(permutations(range(3))))
def test_directions_follow_the_axes_of_the_arrays(transpose):
    plan = Plan.of(plans_of(transpose_forward=list(transpose)), configuration_of())
    # A scan whose x runs to the head, y to the left, and z to the front; LPS in columns.
    columns = np.array([[0, 1, 0], [0, 0, -1], [1, 0, 0]], float)
    read_by_nnunet = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], float)  # z, y, x, in RAS
    found = plan.directions({"sitk_stuff": {"direction": columns.ravel()}})
    np.testing.assert_allclose(found.T, read_by_nnunet[list(transpose)])


def test_the_later_affine_of_nibabel_holds():
    plan = Plan.of(plans_of(), configuration_of())
    stuff = {"original_affine": np.diag([-2.0, -2, 3, 1])}
    found = plan.directions({"nibabel_stuff": stuff})
    np.testing.assert_allclose(found, np.diag([-1.0, -1, 1])[:, ::-1])
    stuff["reoriented_affine"] = np.diag([2.0, 2, 3, 1])
    np.testing.assert_allclose(plan.directions({"nibabel_stuff": stuff}), np.eye(3)[:, ::-1])


def test_a_reader_that_keeps_no_directions_is_taken_for_the_usual_ones():
    plan = Plan.of(plans_of(), configuration_of())
    usual = {"sitk_stuff": {"direction": np.eye(3).ravel()}}
    np.testing.assert_array_equal(plan.directions({}), plan.directions(usual))
