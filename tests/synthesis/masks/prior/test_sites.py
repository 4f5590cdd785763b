"""Where lesions of a prior come to lie: in the frame that their organ will have with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoforge.organ_frame import Frame
from oncoforge.synthesis.masks.prior.places import Mixture
from oncoforge.synthesis.masks.prior.sites import LEAST_INSIDE, Sites, centre_for, draw_wishes
from oncoforge.synthesis.scene import make_scene

UNIT = st.floats(0.05, 0.95)


@given(
    unit=st.tuples(UNIT, UNIT, UNIT),
    half=st.tuples(*[st.floats(0.5, 80)] * 3),
    size=st.tuples(*[st.floats(20, 200)] * 3),
    low=st.tuples(*[st.floats(-100, 100)] * 3),
)
def test_the_box_of_organ_and_lesion_puts_the_lesion_where_it_was_drawn(unit, half, size, low):
    low, half, size, unit = map(np.array, (low, half, size, unit))
    high = low + size
    frame = Frame("", tuple(low), tuple(high), (0, 0, 0), (1, 1, 1))
    centre = centre_for(unit, half, frame)
    first, last = np.minimum(low, centre - half), np.maximum(high, centre + half)
    reached = (centre - first) / (last - first)
    # A lesion wider than the organ can only be in the middle of their box, or beyond one end.
    np.testing.assert_allclose(reached, unit, atol=1e-5)


def test_a_small_lesion_lies_where_its_coordinates_are_in_the_organ_alone():
    frame = Frame("", (0.0, 0.0, 0.0), (100.0, 50.0, 80.0), (0, 0, 0), (1, 1, 1))
    centre = centre_for((0.5, 0.2, 0.75), (1.0, 1.0, 1.0), frame)
    np.testing.assert_allclose(centre, (50, 10, 60), atol=1e-6)


def test_one_wider_than_its_organ_lies_in_the_middle():
    frame = Frame("", (0.0,) * 3, (40.0,) * 3, (0, 0, 0), (1, 1, 1))
    np.testing.assert_allclose(centre_for((0.5,) * 3, (60.0,) * 3, frame), 20.0, atol=1e-5)


@pytest.fixture(scope="module")
def kidneys():
    """Two of 60 x 60 x 100 mm, apart."""
    x, y, z = np.ogrid[:110, :34, :54]
    organ = np.zeros((110, 34, 54), bool)
    for middle in (25, 84):
        organ |= ((x - middle) / 15) ** 2 + ((y - 17) / 15) ** 2 + ((z - 27) / 25) ** 2 < 1
    image = np.where(organ, 100, -100).astype(np.float32)
    return make_scene(image, organ, (2.0, 2.0, 2.0))


def _narrow(prior, place, right, **more):
    spread = tuple(map(tuple, (1e-4 * np.eye(3)).tolist()))
    return replace(prior, location=Mixture((1.0,), (place,), (spread,)), right=right, **more)


def _place(prior, scene, seed, diameter=8.0):
    rng = np.random.default_rng(seed)
    (wish,) = draw_wishes(prior, scene, 1, diameter, rng)
    return Sites(prior, scene).find(wish, rng)


def test_sides_are_chosen_as_often_as_fitted_and_evenly_if_not_fitted(kidneys, organ_prior):
    for right, expected in ((0.9, 0.9), (0.2, 0.2), (None, 0.5)):
        prior = _narrow(organ_prior, (0.5, 0.5, 0.5), right)
        on_the_right = [_place(prior, kidneys, seed)[0] > 110 for seed in range(150)]
        assert np.mean(on_the_right) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("symmetric", [True, False])
def test_the_left_is_the_right_in_a_mirror_where_so_fitted(kidneys, organ_prior, symmetric):
    place = (0.7, 0.5, 0.5)
    right = _place(_narrow(organ_prior, place, 1.0, symmetric=symmetric), kidneys, 0)
    left = _place(_narrow(organ_prior, place, 0.0, symmetric=symmetric), kidneys, 0)
    assert right[0] > 168
    assert (left[0] < 50) == symmetric


def test_no_site_has_less_in_its_organ_than_the_least(kidneys, organ_prior):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        sites = Sites(organ_prior, kidneys)
        for wish in draw_wishes(organ_prior, kidneys, None, None, rng):
            centre = sites.find(wish, rng)
            if centre is None:
                continue
            box, inside = wish.at(centre).voxels(kidneys)
            assert (inside & kidneys.organ[box]).sum() >= LEAST_INSIDE / 2 * inside.sum()


def test_wishes_come_largest_first_and_as_many_as_asked_for(kidneys, organ_prior):
    wishes = draw_wishes(organ_prior, kidneys, 7, None, np.random.default_rng(1))
    volumes = [wish.volume_mm3 for wish in wishes]
    assert len(volumes) == 7
    assert volumes == sorted(volumes, reverse=True)
    # Where lesions stay inside, nothing is asked of what lies outside.
    assert {wish.outside for wish in wishes} == {None}


def test_lesions_keep_apart_where_they_can(kidneys, organ_prior):
    rng = np.random.default_rng(0)
    sites = Sites(organ_prior, kidneys)
    wishes = draw_wishes(organ_prior, kidneys, 3, 8.0, rng)
    centres = [sites.find(wish, rng) for wish in wishes]
    gaps = [np.linalg.norm(a - b) for i, a in enumerate(centres) for b in centres[:i]]
    assert min(gaps) >= 8.0
