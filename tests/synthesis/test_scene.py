"""The organ's box: where it is, and how its voxels and millimetres convert."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from oncoforge.errors import InputError
from oncoforge.synthesis.scene import Scene, bounding_box, check_hu, make_scene

MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=3, max_dims=3, max_side=7))


def in_layout(array, layout):
    """The same values in another memory layout."""
    if layout == "F":
        return np.asfortranarray(array)
    if layout == "strided":
        wide = np.zeros([2 * n for n in array.shape], array.dtype)
        wide[::2, ::2, ::2] = array
        return wide[::2, ::2, ::2]
    if layout == "reversed":
        return array[::-1, :, ::-1].copy()[::-1, :, ::-1]
    return np.ascontiguousarray(array)


@settings(deadline=None)
@given(mask=MASKS, layout=st.sampled_from(["C", "F", "strided", "reversed"]))
def test_bounding_box_is_first_and_last_true_voxel_in_any_memory_layout(mask, layout):
    box = bounding_box(in_layout(mask, layout))
    at = np.argwhere(mask)
    if len(at) == 0:
        assert box is None
    else:
        low, high = at.min(axis=0), at.max(axis=0) + 1
        assert box == tuple(slice(a, b) for a, b in zip(low, high, strict=True))


def test_voxels_and_millimetres_are_inverse_and_counted_from_the_scans_first_voxel(thick_scan):
    scene = make_scene(*thick_scan)
    start = np.array([s.start for s in scene.box])
    assert (start > 0).all()
    voxels = np.random.default_rng(0).uniform(0, 20, (50, 3))
    np.testing.assert_allclose(scene.to_mm(voxels), (voxels + start) * thick_scan.spacing)
    np.testing.assert_allclose(scene.to_voxel(scene.to_mm(voxels)), voxels, atol=1e-9)


def test_scene_is_a_view_so_that_painting_writes_through(scan):
    image = scan.image.copy()
    scene = make_scene(image, scan.organ, scan.spacing)
    scene.image[...] = 7
    assert (image[scene.box] == 7).all()


@given(
    low=st.tuples(*[st.integers(-20, 20)] * 3),
    size=st.tuples(*[st.integers(0, 20)] * 3),
)
def test_clip_keeps_the_indices_that_exist(low, size):
    shape = (5, 6, 7)
    scene = Scene(np.zeros(shape, np.float32), np.ones(shape, bool), (1.0, 1.0, 1.0), ())
    high = [a + n for a, n in zip(low, size, strict=True)]
    kept = [
        [i for i in range(a, b) if 0 <= i < n] for a, b, n in zip(low, high, shape, strict=True)
    ]
    box = scene.clip(low, high)
    if not all(kept):
        assert box is None
    else:
        assert [list(range(s.start, s.stop)) for s in box] == kept


@settings(deadline=None)
@given(mask=MASKS, most=st.integers(1, 50))
def test_sample_of_an_organ_holds_its_values_only_and_some_of_them(mask, most):
    image = np.random.default_rng(0).normal(100, 30, mask.shape).astype(np.float32)
    image[~mask] = -5000
    scene = Scene(image, mask, (1.0, 1.0, 1.0), ())
    values = scene.organ_sample(most)
    assert (values != -5000).all()
    assert values.size > 0 or not mask.any()


def test_sample_of_a_large_organ_is_small_and_representative(scan):
    scene = make_scene(*scan)
    values = scene.organ_sample(5_000)
    inside = scan.image[scan.organ]
    assert 500 < values.size < 20_000
    assert abs(values.mean() - inside.mean()) < 4 * inside.std() / np.sqrt(values.size)


def test_empty_organ_gives_an_empty_scene(scan):
    scene = make_scene(scan.image, np.zeros_like(scan.organ), scan.spacing)
    assert scene.is_empty
    assert not make_scene(*scan).is_empty


@pytest.mark.parametrize("scale", [1 / 400, 1 / 100])
def test_an_image_scaled_to_0_1_is_refused(scan, scale):
    scaled = np.clip(scan.image * np.float32(scale), 0, 1)
    with pytest.raises(InputError, match="not HU"):
        check_hu(make_scene(scaled, scan.organ, scan.spacing))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_organ_without_numbers_is_refused(scan, value):
    image = np.where(scan.organ, np.float32(value), scan.image)
    image[50] = 100
    with pytest.raises(InputError, match="NaN or infinite"):
        check_hu(make_scene(image, scan.organ, scan.spacing))


@pytest.mark.parametrize("level", [-850, -100, 0, 60, 1500])
def test_any_tissue_with_the_noise_of_a_ct_is_taken(scan, level):
    check_hu(make_scene(scan.image - 100 + np.float32(level), scan.organ, scan.spacing))


def test_an_empty_organ_has_no_values_to_refuse(scan):
    check_hu(make_scene(scan.image / 1000, np.zeros_like(scan.organ), scan.spacing))
