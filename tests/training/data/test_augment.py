"""Changes are MONAI's, drawn as often and as widely as the published chains draw them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoforge.errors import InputError
from oncoforge.training.data.augment import Change, check_augmentation, draw_change
from oncoforge.training.settings import AugmentationSettings

PATCH = (5, 5, 4)


@settings(max_examples=40, deadline=None)
@given(
    st.sets(st.integers(0, 2)),
    st.integers(0, 3),
    st.floats(0.9, 1.1),
    st.floats(-0.1, 0.1),
    st.integers(0, 2**31),
)
def test_a_change_is_what_monai_makes_of_it(axes, turns, factor, offset, seed):
    from monai import transforms as mt

    values = np.random.default_rng(seed).random(PATCH).astype(np.float32)
    change = Change(tuple(sorted(axes)), turns, factor, offset)
    mine = change.turn(values).copy()
    change.tone(mine)

    theirs = torch.from_numpy(values.copy())[None]
    for axis in sorted(axes):
        theirs = mt.Flip(axis)(theirs)
    if turns:
        theirs = mt.Rotate90(turns)(theirs)
    theirs = mt.ScaleIntensity(minv=None, maxv=None, factor=factor - 1)(theirs)
    theirs = mt.ShiftIntensity(offset)(theirs)
    np.testing.assert_allclose(mine, np.asarray(theirs)[0], atol=1e-6)


def test_changes_are_drawn_as_often_as_published():
    given = AugmentationSettings()
    drawn = [draw_change(given, (96, 96, 96), np.random.default_rng(n)) for n in range(4000)]
    for axis in range(3):
        assert np.mean([axis in one.flipped for one in drawn]) == pytest.approx(0.2, abs=0.025)
    assert np.mean([one.turns > 0 for one in drawn]) == pytest.approx(0.2, abs=0.025)
    for turns in (1, 2, 3):
        assert np.mean([one.turns == turns for one in drawn]) == pytest.approx(0.2 / 3, abs=0.015)
    factors = np.array([one.factor for one in drawn])
    offsets = np.array([one.offset for one in drawn])
    assert np.mean(factors != 1) == pytest.approx(0.15, abs=0.02)
    assert np.mean(offsets != 0) == pytest.approx(0.15, abs=0.02)
    assert 0.9 <= factors.min() < 0.91
    assert 1.09 < factors.max() <= 1.1
    assert -0.1 <= offsets.min() < -0.09
    assert 0.09 < offsets.max() <= 0.1


def test_flips_of_one_axis_say_nothing_of_another():
    drawn = [
        draw_change(AugmentationSettings(flip=0.5), PATCH, np.random.default_rng(n))
        for n in range(2000)
    ]
    flips = np.array([[axis in one.flipped for axis in range(3)] for one in drawn], float)
    assert np.abs(np.corrcoef(flips.T) - np.eye(3)).max() < 0.08


def test_image_and_label_are_turned_alike():
    labels = np.random.default_rng(0).integers(0, 3, PATCH).astype(np.uint8)
    change = Change((0, 2), 3, 1.05, -0.02)
    np.testing.assert_array_equal(change.turn(labels), change.turn(labels * 1.0).astype(np.uint8))


def test_a_patch_that_is_no_square_keeps_its_size():
    always = AugmentationSettings(rotate90=1.0)
    for n in range(50):
        change = draw_change(always, (6, 5, 4), np.random.default_rng(n))
        assert change.turn(np.zeros((6, 5, 4))).shape == (6, 5, 4)
        assert change.turns == 2


def test_no_probability_is_no_change():
    never = AugmentationSettings(0.0, 0.0, 0.1, 0.0, 0.1, 0.0)
    assert all(draw_change(never, PATCH, np.random.default_rng(n)) == Change() for n in range(50))


@pytest.mark.parametrize(
    ("setting", "value"),
    [("flip", 1.5), ("rotate90", -0.1), ("scale_probability", float("nan")), ("scale", -1.0)],
)
def test_a_setting_that_makes_no_sense_is_named(setting, value):
    with pytest.raises(InputError, match=f"augmentation.{setting} is"):
        check_augmentation(AugmentationSettings(**{setting: value}))
