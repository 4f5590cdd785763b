"""Masks are cut down to their voxels, wherever those are and however the array lies in memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoforge.errors import InputError
from oncoforge.evaluation.masks import part_of, shared_voxels


def _layouts(mask: np.ndarray) -> list[np.ndarray]:
    locked = mask.copy()
    locked.flags.writeable = False
    return [
        mask,
        np.asfortranarray(mask),
        mask.transpose(1, 2, 0).copy().transpose(2, 0, 1),
        mask[:, ::-1].copy()[:, ::-1],
        np.pad(mask, 3)[3:-3, 3:-3, 3:-3],
        np.repeat(mask, 2, axis=2)[..., ::2],
        locked,
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.integers(1, 12)] * 3), st.sampled_from([0, 0.01, 0.3, 1]), st.integers(0, 999)
)
def test_a_part_holds_all_voxels_in_the_smallest_box(shape, share, seed):
    mask = np.random.default_rng(seed).random(shape) < share
    for layout in _layouts(mask):
        part = part_of(layout, "mask")
        assert part.voxels == mask.sum()
        if not part.voxels:
            assert part.array.size == 0
            continue
        back = np.zeros(shape, bool)
        where = tuple(map(slice, part.origin, np.add(part.origin, part.array.shape)))
        back[where] = part.array
        np.testing.assert_array_equal(back, mask)
        for axis in range(3):
            ends = np.moveaxis(part.array, axis, 0)[[0, -1]]
            assert ends.any(axis=(1, 2)).all()


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.integers(1, 12)] * 3), st.integers(0, 2**32 - 1))
def test_shared_voxels_are_counted_wherever_the_parts_are(shape, seed):
    rng = np.random.default_rng(seed)
    one, other = rng.random((2, *shape)) < rng.choice([0.05, 0.4])
    parts = part_of(one, "one"), part_of(other, "other")
    assert shared_voxels(*parts) == (one & other).sum()
    empty = part_of(np.zeros(shape), "empty")
    assert shared_voxels(parts[0], empty) == 0


def test_true_is_any_byte_of_a_boolean_but_zero():
    ones = np.zeros((4, 5, 6), np.uint8)
    ones[1:3, 2:4, 1:5] = 255
    part = part_of(ones.view(np.bool_), "pred")
    assert (part.voxels, part.origin, part.array.shape) == (16, (1, 2, 1), (2, 2, 4))
    with pytest.raises(InputError, match="values besides 0 and 1"):
        part_of(ones, "pred")
