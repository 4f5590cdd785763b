"""Frames of organs: sides told apart, coordinates there and back, any mask at all."""

from __future__ import annotations

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

import oncoforge as of
from oncoforge.organ_frame import PAIRED, frames, mirrored

SHAPE = (60, 30, 40)


def _kidneys(left: bool = True, right: bool = True) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[8:18, 10:20, 5:25] = left
    mask[40:52, 8:20, 3:30] = right
    return mask


def test_an_organ_without_sides_has_its_box_from_edge_to_edge_of_its_voxels():
    mask = np.zeros((10, 10, 10), bool)
    mask[2:5, 3:4, 0:10] = True
    (frame,) = frames(mask, (2.0, 1.0, 3.0), "liver")
    assert frame.side == ""
    assert frame.low_mm == (3.0, 2.5, -1.5)
    assert frame.high_mm == (9.0, 3.5, 28.5)
    assert mask[frame.slices].all()
    assert mask[frame.slices].sum() == mask.sum()


def test_an_empty_mask_has_no_frame():
    assert frames(np.zeros(SHAPE, bool), (1, 1, 1), "kidney") == ()


def test_left_comes_before_right_and_each_has_its_own_box():
    left, right = frames(_kidneys(), (1.0, 1.0, 1.0), "kidney")
    assert (left.side, right.side) == ("left", "right")
    assert (left.low_vox, left.high_vox) == ((8, 10, 5), (18, 20, 25))
    assert (right.low_vox, right.high_vox) == ((40, 8, 3), (52, 20, 30))


def test_a_lone_side_is_told_by_the_middle_of_the_scan_or_of_the_patient():
    (left,) = frames(_kidneys(right=False), (1.0, 1.0, 1.0), "kidney")
    (right,) = frames(_kidneys(left=False), (1.0, 1.0, 1.0), "kidney")
    assert (left.side, right.side) == ("left", "right")
    # A scan that shows only one half of the patient.
    (frame,) = frames(_kidneys(right=False), (1.0, 1.0, 1.0), "kidney", middle_mm=2.0)
    assert frame.side == "right"


def test_a_kidney_in_pieces_is_one_side_and_flecks_are_none():
    mask = _kidneys(right=False)
    mask[:, :, 14] = False  # cut apart by what is not labelled
    mask[55, 25, 35] = True  # a fleck on the other side
    assert len(frames(mask, (1.0, 1.0, 1.0), "kidney")) == 1


def test_sides_that_are_joined_are_cut_where_they_are_thinnest():
    mask = _kidneys()
    mask[8:52, 12:14, 10:12] = True  # a horseshoe kidney
    left, right = frames(mask, (1.0, 1.0, 1.0), "kidney")
    assert left.high_vox[0] <= right.low_vox[0]
    assert 18 <= left.high_vox[0] <= 40


def test_lungs_of_the_phantom_have_two_sides_and_its_liver_one():
    case = of.make_phantom(spacing_mm=(6, 6, 6)).case()
    for organ, number in (("lung", 2), ("kidney", 2), ("liver", 1), ("pancreas", 1)):
        found = frames(case.parenchyma(organ), case.spacing, organ)
        assert len(found) == number, organ
        if number == 2:
            # RAS+: the left of the patient has the lower x.
            assert found[0].high_mm[0] < found[1].high_mm[0]


@settings(max_examples=200, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 24)] * 3),
    fill=st.floats(0.001, 1),
    seed=st.integers(0, 2**31),
    organ=st.sampled_from([*sorted(PAIRED), "liver"]),
    spacing=st.tuples(*[st.floats(0.3, 6)] * 3),
)
def test_any_mask_has_frames_that_together_hold_it(shape, fill, seed, organ, spacing):
    mask = np.random.default_rng(seed).random(shape) < fill
    found = frames(mask, spacing, organ)
    held = np.zeros(shape, bool)
    for frame in found:
        assert mask[frame.slices].any()
        assert (frame.size_mm > 0).all()
        held[frame.slices] = True
    assert not (_more_than_flecks(mask) & ~held).any()
    assert bool(found) == mask.any()
    assert len(found) <= (2 if organ in PAIRED else 1)


@given(
    point=st.tuples(*[st.floats(-500, 500)] * 3),
    side=st.sampled_from(["left", "right", ""]),
)
def test_coordinates_go_there_and_back_and_a_mirror_undoes_itself(point, side):
    (frame, _) = frames(_kidneys(), (0.7, 1.3, 2.5), "kidney")
    np.testing.assert_allclose(frame.to_mm(frame.to_unit(point)), point, atol=1e-9)
    np.testing.assert_allclose(mirrored(mirrored(point, side), side), point, atol=1e-9)
    np.testing.assert_allclose(frame.to_unit(frame.low_mm), 0, atol=1e-12)
    np.testing.assert_allclose(frame.to_unit(frame.high_mm), 1, atol=1e-12)


def test_a_mirror_runs_from_medial_to_lateral_on_both_sides():
    left, right = frames(_kidneys(), (1.0, 1.0, 1.0), "kidney")
    # The most lateral point: lowest x on the left, highest on the right.
    assert mirrored(left.to_unit((left.low_mm[0], 0, 0)), "left")[0] == pytest.approx(1)
    assert mirrored(right.to_unit((right.high_mm[0], 0, 0)), "right")[0] == pytest.approx(1)


def _more_than_flecks(mask):
    """The components of at least half a percent of a mask, found independently."""
    labels, _ = scipy.ndimage.label(mask)
    counts = np.bincount(labels.ravel())
    counts[0] = 0
    return mask & (counts[labels] >= min(0.005 * counts.sum(), counts.max()))


def test_a_fleck_far_away_does_not_move_the_frame():
    mask = np.zeros((60, 50, 40), bool)
    mask[10:25, 20:35, 10:30] = mask[38:52, 20:35, 10:30] = True
    clean = frames(mask, (1, 1, 2), "kidney")
    mask[1, 2, 2] = mask[58, 48, 39] = True
    assert frames(mask, (1, 1, 2), "kidney") == clean
    one = np.zeros((30, 30, 30), bool)
    one[5:20, 5:20, 5:20] = True
    whole = frames(one, (1, 1, 1), "liver")
    one[29, 29, 29] = True
    assert frames(one, (1, 1, 1), "liver") == whole
