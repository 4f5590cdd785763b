"""What is done with masks: on hand-made ones, and against the steps that were published."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.prediction.postprocess import POSTPROCESSES, find

LIVER = ("background", "liver", "liver_tumor")
MM = (1.0, 1.0, 1.0)


def _map(shape=(60, 50, 40)):
    return np.zeros(shape, np.uint8)


@pytest.fixture
def liver():
    """A liver of 20 x 20 x 20 with a tumour of 6 x 6 x 6 in it."""
    labels = _map()
    labels[5:25, 5:25, 5:25] = 1
    labels[10:16, 10:16, 10:16] = 2
    return labels


def _published(labels):
    """The evaluation of SyntheticTumors, step by step (specification 3.5)."""
    pieces, number = ndimage.label(labels == 1)
    made = np.zeros_like(labels)
    if not number:
        return made
    sizes = np.bincount(pieces.ravel())[1:]
    main = pieces == 1 + sizes.argmax()
    made[main] = 1
    near = ndimage.binary_dilation(main, iterations=30)
    made[(labels == 2) & near] = 2
    return made


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_synthetictumors_is_what_was_published(seed):
    rng = np.random.default_rng(seed)
    labels = _map((70, 66, 50))
    for label in (1, 1, 2, 2, 2):
        corner = rng.integers(0, (60, 56, 40))
        size = rng.integers(1, 10, 3)
        labels[tuple(slice(c, c + n) for c, n in zip(corner, size, strict=True))] = label
    made = find("synthetictumors")(labels, (0.7, 0.7, 5.0), LIVER)
    np.testing.assert_array_equal(made, _published(labels))


def test_synthetictumors_counts_steps_from_face_to_face():
    labels = _map((60, 60, 60))
    labels[5, 5, 5] = 1
    labels[35, 5, 5] = labels[20, 20, 5] = labels[15, 15, 15] = 2  # 30 steps each
    labels[36, 5, 8] = labels[20, 21, 5] = 2  # 34 and 31
    made = find("synthetictumors")(labels, MM, LIVER)
    assert np.count_nonzero(made == 2) == 3
    assert made[35, 5, 5] == made[20, 20, 5] == made[15, 15, 15] == 2


def test_synthetictumors_without_a_liver_leaves_nothing():
    labels = _map()
    labels[3:9, 3:9, 3:9] = 2
    assert not find("synthetictumors")(labels, MM, LIVER).any()


def test_pixel2cancer_does_nothing(liver):
    for name in ("pixel2cancer", "none"):
        made = find(name)(liver, MM, LIVER)
        np.testing.assert_array_equal(made, liver)
        assert made is not liver


def test_difftumor_takes_the_organ_from_a_mask(liver):
    mask = np.zeros(liver.shape, bool)
    mask[8:30, 8:30, 8:12] = True
    made = find("difftumor")(liver, MM, LIVER, mask)
    assert set(np.unique(made)) == {0, 1, 2}
    np.testing.assert_array_equal(made > 0, mask)
    np.testing.assert_array_equal(made == 2, (liver == 2) & mask)


def test_difftumor_can_drop_what_is_below_3_mm():
    labels = _map((40, 30, 30))
    mask = np.ones(labels.shape, bool)
    labels[2:7, 2:7, 2:7] = 2  # 125 mm3: a radius of 3.1 mm
    labels[20:24, 20:24, 20:26] = 2  # 96 mm3: 2.8 mm
    labels[24, 24, 26] = 2  # touches it by a corner
    kept = find("difftumor_3mm")(labels, MM, LIVER, mask)
    assert np.count_nonzero(kept == 2) == 125
    assert kept[21, 21, 21] == 1
    assert np.count_nonzero(find("difftumor")(labels, MM, LIVER, mask) == 2) == 125 + 97
    # 4.2 times the volume a voxel: both are large enough then.
    both = find("difftumor_3mm")(labels, (1.2, 1.0, 3.5), LIVER, mask)
    assert np.count_nonzero(both == 2) == 125 + 97


def test_difftumor_without_a_mask_is_told(liver):
    with pytest.raises(InputError, match="--organs"):
        find("difftumor")(liver, MM, LIVER)
    both = (*LIVER, "kidney", "kidney_tumor")
    with pytest.raises(InputError, match="one organ and its tumour"):
        find("difftumor")(liver, MM, both, liver > 0)


def test_freetumor_keeps_tumours_only(liver):
    liver[30:33, 30:33, 30:33] = 6
    classes = (*LIVER, "kidney", "kidney_tumor")
    made = find("freetumor")(liver, MM, classes)
    np.testing.assert_array_equal(made == 2, liver == 2)
    np.testing.assert_array_equal(made == 6, liver == 6)
    assert not np.isin(made, (1, 5)).any()


def test_ours_keeps_the_organ_with_the_tumours_near_it(liver):
    liver[40:44, 40:44, 30:34] = 1  # another piece of liver
    liver[44:50, 40:46, 30:36] = 2  # with a tumour of its own, far away
    liver[29:34, 10:15, 10:15] = 2  # 5 mm from the liver
    made = find("oncoforge")(liver, MM, LIVER)
    assert not made[36:].any()
    assert (made[29:34, 10:15, 10:15] == 2).all()
    np.testing.assert_array_equal(made[:36], liver[:36])
    strict = find("oncoforge").having(keep_within_mm=7)(liver, MM, LIVER)
    assert (strict[29:32, 10:15, 10:15] == 2).all()  # 5, 6 and 7 mm from its last voxel
    assert not strict[32:].any()


def test_ours_never_cuts_a_tumour_that_is_attached():
    labels = _map()
    labels[5:15, 10:30, 10:30] = 1
    labels[15:55, 10:30, 10:30] = 2  # 40 mm out of the organ
    np.testing.assert_array_equal(find("oncoforge")(labels, MM, LIVER), labels)


def test_ours_measures_in_mm():
    labels = _map()
    labels[5:25, 5:25, 5:10] = 1
    labels[10:15, 10:15, 13:15] = 2  # 4 slices from the organ
    assert (find("oncoforge")(labels, (1, 1, 2.5), LIVER) == 2).sum() == 25  # at 10 mm, and 12.5
    assert (find("oncoforge")(labels, (1, 1, 5), LIVER) == 2).sum() == 0


def test_ours_turns_specks_in_the_organ_into_organ(liver):
    liver[20, 20, 20] = 2
    liver[26, 10, 10] = 2  # outside of it
    made = find("oncoforge")(liver, MM, LIVER)
    assert made[20, 20, 20] == 1
    assert made[26, 10, 10] == 0
    assert (made == 2).sum() == 6**3
    all_kept = find("oncoforge").having(min_volume_mm3=0)(liver, MM, LIVER)
    np.testing.assert_array_equal(all_kept, liver)
    coarse = find("oncoforge")(liver, (3, 3, 4), LIVER)  # a voxel of 36 mm3 is no speck
    assert (coarse == 2).sum() == 6**3 + 2


def test_ours_keeps_both_kidneys_and_no_third():
    classes = ("background", "kidney", "kidney_tumor")
    labels = _map()
    labels[2:12, 2:12, 2:20] = 5
    labels[40:50, 2:12, 2:18] = 5
    labels[45:48, 4:8, 18:22] = 6
    labels[25:30, 40:45, 30:38] = 5  # 200 voxels: a tenth of the largest and more
    made = find("oncoforge")(labels, MM, classes)
    assert not made[20:35].any()
    np.testing.assert_array_equal(made[:20], labels[:20])
    np.testing.assert_array_equal(made[35:], labels[35:])
    labels[40:50] = 0  # one kidney is gone: a fleck does not take its place
    labels[25:30, 40:45, 30:36] = 0
    alone = find("oncoforge")(labels, MM, classes)
    assert not alone[20:].any()
    assert alone[:20].any()


def test_ours_without_the_organ():
    labels = _map()
    labels[5:15, 5:15, 5:15] = 12
    labels[30, 30, 30] = 12
    # A network that has no colon cannot say where it is.
    made = find("oncoforge")(labels, MM, ("background", "colon_tumor"))
    assert (made == 12).sum() == 1000
    assert not find("oncoforge")(labels, MM, ("background", "colon", "colon_tumor")).any()


@pytest.mark.parametrize("name", POSTPROCESSES)
def test_an_empty_map_stays_empty_and_the_given_one_as_it_is(name, liver):
    mask = np.zeros(liver.shape, bool)
    empty = find(name)(_map(), MM, LIVER, mask)
    assert (empty.dtype, empty.any()) == (np.uint8, False)
    before = liver.copy()
    find(name)(liver, MM, LIVER, liver > 0)
    np.testing.assert_array_equal(liver, before)


@pytest.mark.parametrize("name", [n for n in POSTPROCESSES if "difftumor" not in n])
def test_treating_a_map_twice_changes_nothing_more(name, liver):
    liver[40:44, 40:44, 30:34] = 1
    liver[24:27, 10:15, 10:15] = 2
    once = find(name)(liver, MM, LIVER)
    np.testing.assert_array_equal(find(name)(once, MM, LIVER), once if name != "synthetictumors"
                                  else _published(once))  # fmt: skip


def test_names_and_settings_are_checked():
    with pytest.raises(UnknownNameError, match="did you mean 'synthetictumors'"):
        find("synthetictumor")
    with pytest.raises(UnknownNameError, match="no setting of the post-processing none"):
        find("none").having(volume=3)
    with pytest.raises(InputError, match="--min-volume belongs to --postprocess oncoforge"):
        find("none").having(min_volume_mm3=3)
    with pytest.raises(InputError, match="keep_within_mm is -1"):
        find("oncoforge").having(keep_within_mm=-1)
    assert find("oncoforge").record() == {
        "name": "oncoforge", "keep_within_mm": 10.0, "min_volume_mm3": 30.0,
    }  # fmt: skip
    assert find("difftumor_3mm").record() == {"name": "difftumor_3mm", "min_radius_mm": 3.0}
