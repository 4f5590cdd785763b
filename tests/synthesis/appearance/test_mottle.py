"""Mottle: the texture that the bank holds, wherever a lesion lies and whatever its voxels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from oncoforge.errors import InputError
from oncoforge.synthesis.appearance.bank import LEVELS, TEXTURES, TILE, tile
from oncoforge.synthesis.appearance.mottle import Mottle, draw_mottle
from oncoforge.synthesis.scene import make_scene

TEXTURE = (6.0, 4.0)


def scene_of(shape, spacing, start=(0, 0, 0)):
    """A scene whose organ's box begins at a voxel of its scan."""
    organ = np.zeros(np.add(shape, start), bool)
    organ[tuple(slice(s, None) for s in start)] = True
    return make_scene(np.zeros(organ.shape, np.float32), organ, spacing)


def by_scipy(shape, spacing, start, mottle):
    """The texture at every voxel, in double precision."""
    voxel = np.indices(shape).reshape(3, -1) + np.array(start)[:, None]
    place = voxel * np.array(spacing)[:, None] + np.array(mottle.offset_mm)[:, None]
    values = tile(*mottle.texture) / LEVELS
    return ndimage.map_coordinates(values, place % TILE, order=1, mode="grid-wrap").reshape(shape)


STEP = st.floats(0.3, 6.0)


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    spacing=st.one_of(st.just((1.0, 1.0, 1.0)), st.tuples(STEP, STEP, STEP)),
    start=st.tuples(*[st.integers(0, 5)] * 3),
    offset=st.tuples(*[st.floats(0, TILE)] * 3),
    scale=st.floats(-300, 300),
    shift=st.floats(-1, 1),
)
def test_mottle_is_the_texture_at_its_place_in_mm(shape, spacing, start, offset, scale, shift):
    mottle = Mottle(TEXTURE, offset)
    soft = np.random.default_rng(0).random(shape).astype(np.float32)
    box = tuple(slice(0, n) for n in shape)
    found = mottle.times(scene_of(shape, spacing, start), box, soft, scale, shift)
    expected = scale * (by_scipy(shape, spacing, start, mottle) + shift) * soft
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_on_a_1_mm_grid_the_texture_is_the_tile_itself():
    shape, offset = (30, 20, 10), (110.0, 120.0, 127.0)
    found = Mottle(TEXTURE, offset).times(
        scene_of(shape, (1.0, 1.0, 1.0)),
        tuple(slice(0, n) for n in shape),
        np.ones(shape, np.float32),
        LEVELS,
    )
    at = [(np.arange(n) + int(o)) % TILE for n, o in zip(shape, offset, strict=True)]
    np.testing.assert_allclose(found, tile(*TEXTURE)[np.ix_(*at)], rtol=1e-6)


def test_a_lesion_shows_the_same_texture_in_whatever_box_it_is_painted():
    mottle = Mottle(TEXTURE, (3.0, 4.5, 5.0))
    scene = scene_of((12, 12, 12), (0.8, 1.0, 2.0))
    whole = mottle.times(scene, (slice(0, 12),) * 3, np.ones((12, 12, 12), np.float32), 100.0)
    box = (slice(3, 9), slice(5, 12), slice(0, 4))
    part = mottle.times(scene, box, np.ones((6, 7, 4), np.float32), 100.0)
    np.testing.assert_allclose(part, whole[box], atol=1e-3)


def test_the_ten_textures_are_equally_likely():
    rng = np.random.default_rng(0)
    drawn = [draw_mottle(rng)["texture"] for _ in range(1000)]
    counts = [drawn.count(tuple(map(float, pair))) for pair in TEXTURES]
    assert sum(counts) == 1000
    assert stats.chisquare(counts).pvalue > 1e-4


def test_offsets_cover_the_tile():
    rng = np.random.default_rng(0)
    offsets = np.array([draw_mottle(rng)["offset_mm"] for _ in range(600)])
    assert (offsets == np.rint(offsets)).all()
    assert 0 <= offsets.min() < 5
    assert TILE - 5 <= offsets.max() < TILE


@pytest.mark.parametrize(
    "wrong", [((6.0, 5.0), (0.0, 0.0, 0.0)), (TEXTURE, (0.0, TILE + 1.0, 0.0))]
)
def test_a_mottle_that_is_not_in_the_bank_is_refused(wrong):
    with pytest.raises(InputError):
        Mottle(*wrong)
