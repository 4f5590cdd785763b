"""Patches lie in the volume where they can, and where they are wanted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoforge.errors import InputError
from oncoforge.training.data.channels import foreground_of, tumor_labels
from oncoforge.training.data.places import Places, region_at
from oncoforge.training.settings import SamplingSettings

LIVER, TUMOR = 1, 2


@pytest.fixture
def places(liver):
    def make(patch=(9, 9, 9), **sampling):
        pipeline = liver(patch=patch)
        return Places(
            SamplingSettings(**sampling),
            pipeline.patch,
            foreground_of(pipeline),
            tumor_labels(pipeline),
        )

    return make


def _middles(places, case, number=200):
    """Return the labels in the middle of patches that were not moved by the volume's border."""
    regions = [places.draw(case, np.random.default_rng(n)) for n in range(number)]
    labels = case.labels((0, 0, 0), case.shape)
    free = [
        r for r in regions if all(0 < a < w - 9 for a, w in zip(r.start, case.shape, strict=True))
    ]
    return np.array([labels[tuple(a + 4 for a in r.start)] for r in free])


@settings(max_examples=80, deadline=None)
@given(
    st.tuples(*[st.integers(1, 20)] * 3),
    st.tuples(*[st.integers(1, 12)] * 3),
    st.tuples(*[st.integers(0, 30)] * 3),
    st.integers(0, 4),
)
def test_a_region_is_the_part_of_a_patch_that_there_is(shape, patch, at, margin):
    start = tuple(
        min(a, w - n) if w >= n else -((n - w) // 2)
        for a, n, w in zip(at, patch, shape, strict=True)
    )
    region = region_at(start, patch, shape)
    volume = np.random.default_rng(0).random(shape)
    part = volume[tuple(slice(a, a + n) for a, n in zip(region.start, region.size, strict=True))]
    filled = np.pad(part, region.missing)
    assert filled.shape == patch
    ends = [
        (max(n - w, 0) // 2, max(n - w, 0) - max(n - w, 0) // 2)
        for n, w in zip(patch, shape, strict=True)
    ]
    whole = np.pad(volume, ends)
    first = [max(a, 0) for a in start]
    np.testing.assert_array_equal(
        filled, whole[tuple(slice(a, a + n) for a, n in zip(first, patch, strict=True))]
    )
    wide, core = region.wider((margin,) * 3, shape)
    around = volume[tuple(slice(a, a + n) for a, n in zip(wide.start, wide.size, strict=True))]
    np.testing.assert_array_equal(around[core], part)


def test_patches_are_centred_on_what_the_odds_say(places, stored):
    case = stored("ill", tumor=True)
    held = _middles(places(foreground=1, tumor=0, background=0), case)
    assert set(held) == {LIVER, TUMOR}
    assert set(_middles(places(foreground=0, tumor=1, background=0), case)) == {TUMOR}
    assert set(_middles(places(foreground=0, tumor=0, background=1), case)) == {0}
    both = _middles(places(foreground=1, tumor=0, background=1), case, 600)
    assert 0.2 < (both == 0).mean() < 0.8


def test_organ_and_tumour_are_drawn_by_their_voxels(places, stored):
    case = stored("ill", tumor=True)
    held = _middles(places(foreground=1, background=0), case, 1500)
    part = case.voxels[TUMOR] / (case.voxels[TUMOR] + case.voxels[LIVER])
    # Middles near the border of the volume are not counted, and the tumour is in its middle.
    assert part * 0.7 < (held == TUMOR).mean() < part * 2


def test_a_case_without_what_was_drawn_gives_the_next_best(places, stored):
    healthy, other = stored("well"), stored("other", organ=9)
    assert set(_middles(places(foreground=0, tumor=1, background=0), healthy)) == {LIVER}
    middles = _middles(places(foreground=1, background=0), other)
    assert set(middles) <= {0, 9}


def test_background_is_bright_body_and_not_air(places, stored):
    case = stored("well")
    hu = case.image((0, 0, 0), case.shape)
    chosen = places(foreground=0, background=1)
    for n in range(100):
        region = chosen.draw(case, np.random.default_rng(n))
        if all(0 < a < w - 9 for a, w in zip(region.start, case.shape, strict=True)):
            assert hu[tuple(a + 4 for a in region.start)] > -175


def test_patches_stay_in_the_volume_however_they_are_moved(places, stored):
    case = stored("well")
    for n in range(100):
        region = places((30, 9, 31), jitter=1.0).draw(case, np.random.default_rng(n))
        assert region.size == (30, 9, 31)
        assert not np.any(region.missing)
        assert all(
            0 <= a <= w - s for a, s, w in zip(region.start, region.size, case.shape, strict=True)
        )


def test_jitter_moves_the_centre_off_the_organ(places, stored):
    case = stored("well")
    still = [places(background=0).draw(case, np.random.default_rng(n)).start for n in range(40)]
    moved = [
        places(background=0, jitter=0.5).draw(case, np.random.default_rng(n)).start
        for n in range(40)
    ]
    away = np.abs(np.array(still) - np.array(moved))
    assert 0 < away.max() <= 3  # a quarter of 9 voxels to either side, rounded
    assert set(_middles(places(background=0, jitter=1.0), case)) == {0, LIVER}


def test_patches_of_healthy_cases_hold_as_much_organ_as_was_asked_for(places, stored):
    case = stored("well")
    without, with_least = (
        [
            np.count_nonzero(case.labels(r.start, r.size))
            for n in range(60)
            for r in [
                places((15, 15, 15), least_foreground_mm=least).draw(case, np.random.default_rng(n))
            ]
        ]
        for least in (None, 7.0)
    )
    ball = 4 / 3 * np.pi * 7.0**3
    assert min(without) < ball / 2
    assert np.mean(np.array(with_least) > ball) > 0.9
    assert min(with_least) > 4 / 3 * np.pi * 5.0**3 / 2


def test_tries_end_with_the_best_of_them(places, stored):
    case = stored("well")
    chosen = places((5, 5, 5), least_foreground_mm=40.0, tries=7, foreground=0)
    region = chosen.draw(case, np.random.default_rng(0))
    assert region.size == (5, 5, 5)
    other = stored("other", organ=9)
    assert chosen.draw(other, np.random.default_rng(0)).size == (5, 5, 5)


def test_cases_with_tumours_are_not_asked_for_organ(places, stored):
    case = stored("ill", tumor=True)
    plain, asked = (
        [
            places(background=1, least_foreground_mm=r).draw(case, np.random.default_rng(n)).start
            for n in range(20)
        ]
        for r in (None, 20.0)
    )
    assert plain == asked


@pytest.mark.parametrize(
    ("sampling", "sentence"),
    [
        ({"foreground": 0, "background": 0}, "are odds"),
        ({"foreground": -1}, "are odds"),
        ({"background": float("inf")}, "are odds"),
        ({"jitter": 1.5}, "sampling.jitter"),
        ({"tries": 0}, "sampling.tries"),
        ({"least_foreground_mm": 0.0}, "least_foreground_mm"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(places, sampling, sentence):
    with pytest.raises(InputError, match=sentence):
        places(**sampling)
