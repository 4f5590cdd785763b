from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from oncoforge import anatomy
from oncoforge.errors import GridMismatchError, InputError, UnknownNameError

LABELS = np.array([0, 1, 2, 3, 4, 65, 75], np.uint8)
MAPS = hnp.arrays(np.uint8, hnp.array_shapes(), elements=st.sampled_from(list(anatomy.NAMES)))
BEARERS = st.sampled_from([o for o in anatomy.ORGANS.values() if o.tumor_label is not None])


def test_oncoforge_is_what_it_was():
    assert anatomy.restyle(LABELS, "oncoforge", "liver") is LABELS
    assert anatomy.restyle(LABELS.astype(np.int64), "oncoforge", "liver").dtype == np.uint8


def test_organ_tumor_is_one_and_two():
    assert anatomy.restyle(LABELS, "organ-tumor", "liver").tolist() == [0, 1, 2, 0, 0, 0, 0]
    assert anatomy.restyle(LABELS, "organ-tumour", "pancreas").tolist() == [0, 0, 0, 1, 2, 0, 0]


def test_tumor_only_is_one():
    assert anatomy.restyle(LABELS, "tumor-only", "liver").tolist() == [0, 0, 1, 0, 0, 0, 0]
    assert anatomy.restyle(LABELS, "Tumor_Only", "liver").dtype == np.uint8


@given(MAPS, BEARERS)
def test_organ_tumor_there_and_back_keeps_the_organ_and_drops_the_rest(labels, organ):
    out = anatomy.restyle(labels, "organ-tumor", organ)
    back = anatomy.convention("organ-tumor", organ).to_oncoforge(out)
    kept = np.isin(labels, [organ.label, organ.tumor_label])
    assert np.array_equal(back, np.where(kept, labels, 0))


@given(MAPS, BEARERS)
def test_tumor_only_is_the_two_of_organ_tumor(labels, organ):
    both = anatomy.restyle(labels, "organ-tumor", organ)
    assert np.array_equal(anatomy.restyle(labels, "tumor-only", organ), both == 2)


@pytest.mark.parametrize(
    ("highest", "dtype"), [(0, np.uint8), (255, np.uint8), (256, np.uint16), (65535, np.uint16)]
)
def test_instances_pass_through_in_the_smallest_type(highest, dtype):
    instances = np.array([0, 0, highest, 0, 0, 0, 0])
    out = anatomy.restyle(LABELS, "instances", "liver", instances)
    assert out.dtype == dtype
    assert np.array_equal(out, instances)


def test_instances_must_be_given():
    with pytest.raises(InputError, match="needs the lesion numbers"):
        anatomy.restyle(LABELS, "instances", "liver")


def test_instances_must_be_on_the_same_grid():
    with pytest.raises(GridMismatchError, match=r"\(7,\) and \(3,\)"):
        anatomy.restyle(LABELS, "instances", "liver", np.zeros(3, int))


@pytest.mark.parametrize("instances", [np.full(7, -1), np.full(7, 65536), np.full(7, 0.5)])
def test_instances_must_be_numbers_that_fit(instances):
    with pytest.raises(InputError, match="Instances are"):
        anatomy.restyle(LABELS, "instances", "liver", instances)


def test_an_unknown_style_is_an_error_that_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match=r"no label style 'tumors-only'.*'tumor-only'"):
        anatomy.restyle(LABELS, "tumors-only", "liver")


@pytest.mark.parametrize("style", anatomy.STYLES)
def test_the_organ_must_exist(style):
    with pytest.raises(UnknownNameError, match="no organ"):
        anatomy.restyle(LABELS, style, "livr", np.zeros(7, int))


@pytest.mark.parametrize("style", ["organ-tumor", "tumor-only"])
def test_the_organ_must_hold_tumours(style):
    with pytest.raises(InputError, match="aorta holds no tumours"):
        anatomy.restyle(LABELS, style, "aorta")


def test_labels_of_another_convention_are_an_error():
    with pytest.raises(InputError, match="found 117"):
        anatomy.restyle(np.array([0, 1, 117]), "organ-tumor", "liver")
