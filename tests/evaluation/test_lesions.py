"""Which predicted lesion is which true one: by hand, and for any masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.evaluation.lesions import BINS, match, size_bin

SHAPE = (40, 24, 12)


def _boxes(*boxes: tuple[int, int, int, int, int, int]) -> np.ndarray:
    """Return a mask of boxes: x from, x to, y from, y to, z from, z to."""
    mask = np.zeros(SHAPE, bool)
    for a, b, c, d, e, f in boxes:
        mask[a:b, c:d, e:f] = True
    return mask


def _counts(found) -> tuple[int, int, int]:
    """Return found, missed and false positives."""
    return int(found.found.sum()), int((~found.found).sum()), int(found.false.sum())


def test_the_same_mask_finds_every_lesion():
    mask = _boxes((2, 6, 2, 6, 2, 6), (10, 20, 2, 12, 2, 8), (30, 31, 20, 21, 5, 6))
    found = match(mask, mask)
    assert _counts(found) == (3, 0, 0)
    assert found.truth.voxels.tolist() == [600, 64, 1]  # the largest first
    assert found.partner.tolist() == [0, 1, 2]
    assert [found.iou(n) for n in range(3)] == [1, 1, 1]
    for flags in (found.merged, found.split, found.fragment, found.false):
        assert not flags.any()
    np.testing.assert_allclose(found.truth.centres_vox[1], (3.5, 3.5, 3.5))


def test_an_overlap_is_measured_as_by_hand():
    found = match(_boxes((0, 10, 0, 10, 0, 1)), _boxes((5, 15, 0, 10, 0, 1)))
    assert found.iou(0) == pytest.approx(50 / 150)
    assert found.dice(0) == pytest.approx(100 / 200)
    assert found.covered.tolist() == [0.5]
    assert found.inside.tolist() == [0.5]


def test_of_two_lesions_under_one_blob_one_is_found_and_the_other_merged():
    truth = _boxes((2, 10, 2, 10, 2, 8), (12, 18, 2, 10, 2, 8))
    blob = _boxes((2, 18, 2, 10, 2, 8))
    found = match(truth, blob)
    assert _counts(found) == (1, 1, 0)
    assert found.found.tolist() == [True, False]  # the larger has the larger IoU
    assert found.merged.tolist() == [False, True]
    assert found.covered.tolist() == [1, 1]


def test_of_a_lesion_in_two_parts_one_is_found_and_the_other_a_fragment():
    truth = _boxes((2, 18, 2, 10, 2, 8))
    parts = _boxes((2, 11, 2, 10, 2, 8), (12, 18, 2, 10, 2, 8), (30, 34, 2, 6, 2, 6))
    found = match(truth, parts)
    assert _counts(found) == (1, 0, 2)
    assert found.split.tolist() == [True]
    assert found.false.tolist() == [False, True, True]
    assert found.fragment.tolist() == [False, True, False]  # the last lies nowhere near


def test_lesions_that_touch_at_a_corner_are_one():
    truth = _boxes((2, 6, 2, 6, 2, 6), (6, 10, 6, 10, 6, 10))
    assert len(match(truth, truth).truth) == 1


def test_pairs_are_chosen_for_the_largest_sum_and_not_one_by_one():
    # Greedily, the long blob would go to the first lesion (IoU 7/15); then the second lesion and
    # the short blob are left alone. Together 1/5 and 1/3 are more.
    truth = _boxes((0, 10, 0, 1, 0, 1), (11, 15, 0, 1, 0, 1))
    blobs = _boxes((3, 15, 0, 1, 0, 1), (0, 2, 0, 1, 0, 1))
    found = match(truth, blobs)
    assert found.partner.tolist() == [1, 0]
    assert [found.iou(n) for n in (0, 1)] == pytest.approx([1 / 5, 1 / 3])


def test_a_brush_is_not_enough_to_be_found():
    truth = _boxes((0, 10, 0, 1, 0, 1))
    assert _counts(match(truth, _boxes((9, 19, 0, 1, 0, 1)))) == (0, 1, 1)  # IoU 1 / 19
    assert _counts(match(truth, _boxes((8, 18, 0, 1, 0, 1)))) == (1, 0, 0)  # IoU 2 / 18
    # More than the part, and not just as much: IoU 0.1 exactly.
    assert _counts(match(truth, _boxes((0, 1, 0, 1, 0, 1)))) == (0, 1, 1)
    assert _counts(match(truth, _boxes((0, 1, 0, 1, 0, 1)), overlap=0.09)) == (1, 0, 0)


def test_the_rule_of_the_predecessors_looks_at_the_part_of_each_lesion():
    truth = _boxes((2, 10, 2, 10, 2, 8), (12, 18, 2, 10, 2, 8), (30, 40, 0, 1, 0, 1))
    blob = _boxes((2, 18, 2, 10, 2, 8), (30, 31, 0, 20, 0, 12))
    found = match(truth, blob, rule="predecessors")
    # One blob finds two; a tenth of the third is not more than a tenth.
    assert found.found.tolist() == [True, True, False]
    assert found.false.tolist() == [False, True]
    assert found.partner.tolist() == [0, 0, -1]


def test_specks_are_neither_looked_for_nor_false():
    truth = _boxes((2, 8, 2, 8, 2, 8), (20, 22, 2, 4, 2, 3))  # 216 voxels, and 4
    own = _boxes((2, 8, 2, 8, 2, 8), (20, 22, 2, 4, 2, 3), (30, 31, 2, 4, 2, 3))  # 216, 4 and 2
    assert _counts(match(truth, own)) == (2, 0, 1)
    assert _counts(match(truth, own, min_voxels=4)) == (2, 0, 0)
    assert _counts(match(truth, own, min_voxels=5)) == (1, 0, 0)
    # What lies on a true speck is no false positive, even if it is larger.
    larger = _boxes((20, 23, 2, 5, 2, 3))
    assert _counts(match(truth, larger, min_voxels=5)) == (0, 1, 0)


def test_empty_masks():
    mask, none = _boxes((2, 8, 2, 8, 2, 8)), np.zeros(SHAPE, bool)
    for rule in ("one-to-one", "predecessors"):
        assert _counts(match(none, none, rule=rule)) == (0, 0, 0)
        assert _counts(match(mask, none, rule=rule)) == (0, 1, 0)
        assert _counts(match(none, mask, rule=rule)) == (0, 0, 1)


MASKS = hnp.arrays(bool, (7, 6, 5), elements=st.sampled_from([False, False, False, True]))


@given(truth=MASKS, own=MASKS, least=st.integers(1, 4))
def test_every_lesion_is_in_one_pair_at_most(truth, own, least):
    found = match(truth, own, min_voxels=least)
    taken = found.partner[found.partner >= 0]
    assert len(set(taken.tolist())) == len(taken)
    np.testing.assert_array_equal(found.found, found.partner >= 0)
    assert not found.false[taken].any()
    assert all(found.iou(n) > 0.1 for n in np.flatnonzero(found.found))
    assert not (found.merged & found.found).any()
    assert not (found.split & ~found.found).any()
    assert not (found.fragment & ~found.false).any()
    if least == 1:  # every predicted lesion is a partner or false
        assert len(taken) + found.false.sum() == len(found.predicted)


@given(truth=MASKS, own=MASKS)
def test_swapping_truth_and_prediction_swaps_misses_and_false_positives(truth, own):
    one, other = match(truth, own), match(own, truth)
    assert one.found.sum() == other.found.sum()
    assert (~one.found).sum() == other.false.sum()
    sums = [sum(m.iou(n) for n in np.flatnonzero(m.found)) for m in (one, other)]
    assert sums[0] == pytest.approx(sums[1])


@given(truth=MASKS, own=MASKS)
def test_no_other_pairs_have_a_larger_sum(truth, own):
    import itertools

    found = match(truth, own)
    together = found.truth.voxels[:, None] + found.predicted.voxels - found.shared
    iou = np.where(found.shared / together > 0.1, found.shared / together, 0)
    if iou.size == 0 or max(iou.shape) > 6:
        return
    wide = iou if iou.shape[0] <= iou.shape[1] else iou.T
    best = max(
        sum(wide[n, column] for n, column in enumerate(columns))
        for columns in itertools.permutations(range(wide.shape[1]), wide.shape[0])
    )
    assert sum(found.iou(n) for n in np.flatnonzero(found.found)) == pytest.approx(best)


def test_a_lower_edge_belongs_to_its_bin():
    sizes = {0.1: 0, 4.999: 0, 5: 1, 9.999: 1, 10: 2, 19.999: 2, 20: 3, 49.999: 3, 50: 4, 400: 4}
    assert {mm: BINS.index(size_bin(mm)) for mm in sizes} == sizes


def test_wrong_arguments_are_sentences():
    mask = np.zeros((3, 3, 3), bool)
    with pytest.raises(UnknownNameError, match="did you mean 'one-to-one'"):
        match(mask, mask, rule="one to one")
    with pytest.raises(InputError, match="on one grid"):
        match(mask, mask[:2])
    with pytest.raises(InputError, match="overlap is 1"):
        match(mask, mask, overlap=1)
    with pytest.raises(InputError, match="min_voxels is 0"):
        match(mask, mask, min_voxels=0)
