from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from oncoforge.anatomy.relabel import UNKNOWN, relabel, table_of
from oncoforge.errors import InputError

MAPPING = {0: 0, 1: 5, 2: 6, 117: 74, 254: 1}
TABLE = table_of(MAPPING)


def one_by_one(labels):
    return np.array([MAPPING.get(v, UNKNOWN) for v in labels.ravel().tolist()], np.uint8)


DTYPES = st.one_of(
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(sizes=(32, 64)),
    hnp.boolean_dtypes(),
)


@given(DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0))))
def test_a_map_is_translated_as_voxel_by_voxel(labels):
    found, unknown = relabel(labels, TABLE)
    assert found.dtype == np.uint8
    assert found.shape == labels.shape
    assert np.array_equal(found.ravel(), one_by_one(labels))
    assert bool(unknown) == bool((found == UNKNOWN).any())


@pytest.mark.parametrize("offset", [256, 65536, 2**32])
def test_a_value_that_only_looks_small_in_a_byte_is_unknown(offset):
    found, unknown = relabel(np.array([1, 1 + offset]), TABLE)
    assert found.tolist() == [5, UNKNOWN]
    assert unknown == [1 + offset]


def test_negative_values_and_fractions_are_unknown():
    assert relabel(np.array([-1, -255, 0], np.int16), TABLE)[1] == [-255, -1]
    assert relabel(np.array([1.0, 1.5]), TABLE)[1] == [1.5]
    assert relabel(np.array([np.inf, 0.0]), TABLE)[1] == [np.inf]


@pytest.mark.parametrize("order", ["C", "F"])
def test_slabs_follow_the_memory_of_the_map(order, monkeypatch):
    monkeypatch.setattr("oncoforge.anatomy.relabel._SLAB_VOXELS", 50)
    labels = np.asarray(np.random.default_rng(0).integers(0, 3, (7, 8, 9)), order=order)
    found, _ = relabel(labels, TABLE)
    assert np.array_equal(found, one_by_one(labels).reshape(labels.shape))
    assert found.flags[f"{order}_CONTIGUOUS"]


@pytest.mark.parametrize(
    "cut", [np.s_[::2, ::-1, 1:], np.s_[..., 0], np.s_[None, ::3]], ids=["strided", "slice", "new"]
)
def test_views_need_not_be_contiguous(cut):
    labels = np.random.default_rng(0).integers(0, 3, (9, 8, 7))[cut]
    found, _ = relabel(labels, TABLE)
    assert np.array_equal(found, one_by_one(labels).reshape(labels.shape))


def test_a_broadcast_map_is_translated_in_full():
    found, _ = relabel(np.broadcast_to(np.int16(2), (4, 5, 6)), TABLE)
    assert found.shape == (4, 5, 6)
    assert np.all(found == 6)


@pytest.mark.parametrize("shape", [(256, 256, 128), (1, 256, 256, 128)])
def test_a_wide_map_is_not_copied_whole(shape):
    labels = np.ones(shape, np.int64)
    tracemalloc.start()
    found, _ = relabel(labels, TABLE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < found.nbytes + 16 * 2**20


def test_the_map_itself_is_left_alone():
    labels = np.array([0, 1, 2], np.uint8)
    labels.flags.writeable = False
    found, _ = relabel(labels, TABLE)
    assert labels.tolist() == [0, 1, 2]
    assert found.tolist() == [0, 5, 6]


@pytest.mark.parametrize("labels", [np.array(["liver"]), np.array([1j]), np.array([None])])
def test_what_is_no_number_is_an_error(labels):
    with pytest.raises(InputError, match="one whole number per voxel"):
        relabel(labels, TABLE)


def test_only_a_dozen_unknown_values_are_gathered():
    assert 0 < len(relabel(np.arange(1000, 100_000), TABLE)[1]) <= 24
