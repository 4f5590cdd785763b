"""Tissue: levels and walls that follow the organ, whatever its contrast and noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoforge.errors import InputError
from oncoforge.synthesis.scene import make_scene
from oncoforge.synthesis.smoothing import smooth_inside
from oncoforge.synthesis.tissue import Tissue, levels_of

ONE_MM = (1.0, 1.0, 1.0)


def vessel_tree(shape, spacing, radius_mm=3.5, apart_mm=22.0, start=(0, 0, 0)):
    """Tubes along z."""
    x, y = (np.arange(n) * s + a for n, s, a in list(zip(shape, spacing, start, strict=True))[:2])
    near = [((c % apart_mm) - apart_mm / 2) ** 2 for c in (x, y)]
    return np.broadcast_to((np.add.outer(*near) <= radius_mm**2)[..., None], shape)


def liver(spacing=ONE_MM, hu=100.0, noise=15.0, enhanced=60.0, seed=0):
    """An organ with vessels brighter than it, in fat: the scene, and where its vessels are."""
    shape = tuple(int(72 / s) for s in spacing)
    axes = [((np.arange(n) - n / 2) * s / 34) ** 2 for n, s in zip(shape, spacing, strict=True)]
    organ = sum(np.ix_(*axes)) < 1
    tubes = vessel_tree(shape, spacing) & organ
    image = np.where(organ, hu, -100.0) + enhanced * tubes
    image = image + np.random.default_rng(seed).normal(0, noise, shape)
    scene = make_scene(image.astype(np.float32), organ, spacing)
    return scene, tubes[scene.box]


@settings(max_examples=25, deadline=None)
@given(shift=st.integers(-1000, 1000), smooth=st.sampled_from([0.0, 1.0, 2.0]))
def test_a_shift_of_all_hu_shifts_the_levels(scan, shift, smooth):
    cut = (slice(30, 70),) * 3
    plain = make_scene(scan.image[cut], scan.organ[cut], scan.spacing)
    moved = make_scene(scan.image[cut] + np.float32(shift), scan.organ[cut], scan.spacing)
    expected = np.array(levels_of(plain, smooth)) + shift
    np.testing.assert_allclose(levels_of(moved, smooth), expected, atol=0.05)


@pytest.mark.parametrize("smooth", [0.0, 1.5])
@pytest.mark.parametrize("noise", [5.0, 15.0, 25.0, 40.0])
def test_walls_begin_above_the_noise(noise, smooth):
    scene, _ = liver(noise=noise, enhanced=0.0)
    walls = levels_of(scene, smooth)[2]
    seen = scene.image
    if smooth:
        seen = smooth_inside(scene.image, scene.organ, scene.spacing, smooth)
    assert (seen[scene.organ] >= walls).mean() < 0.01


@pytest.mark.parametrize("spacing", [ONE_MM, (0.7, 0.7, 5.0), (2.0, 2.0, 2.0)])
@pytest.mark.parametrize("phase_hu", [-20.0, 40.0, 110.0, 200.0])
def test_vessels_are_walls_in_every_phase(phase_hu, spacing):
    scene, tubes = liver(spacing, phase_hu, noise=15.0)
    smooth = 1.5
    low, middle, wall = levels_of(scene, smooth)
    seen = smooth_inside(scene.image, scene.organ, scene.spacing, smooth)
    axis = vessel_tree(scene.organ.shape, spacing, 1.5, start=scene.origin_mm) & tubes
    assert axis.any()
    assert (seen[axis] >= wall).mean() > 0.9
    assert (seen[scene.organ & ~tubes] >= wall).mean() < 0.06
    assert phase_hu < low < middle < wall < phase_hu + 60


@pytest.mark.parametrize("smooth", [0.0, 1.5])
def test_levels_are_even_steps_above_the_median(scan, smooth):
    scene = make_scene(*scan)
    low, middle, wall = levels_of(scene, smooth)
    assert middle - low == pytest.approx(wall - middle)
    assert 2 * low - middle == pytest.approx(np.median(scan.image[scan.organ]), abs=1.0)
    # Of noise alone: one standard deviation of 15 HU as it is, and the least of 10 HU if smoothed.
    assert middle - low == pytest.approx(15 if smooth == 0 else 10, abs=0.7)


def test_a_part_of_the_organ_tells_its_levels(scan):
    # The eight blocks that are smoothed stand for the organ.
    lumps = np.random.default_rng(0).normal(0, 1, scan.organ.shape).astype(np.float32)
    lumps = smooth_inside(lumps, np.ones_like(scan.organ), scan.spacing, 4.0)
    scene = make_scene(scan.image + 25 * lumps / lumps.std(), scan.organ, scan.spacing)
    values = smooth_inside(scene.image, scene.organ, scene.spacing, 1.5)[scene.organ]
    middle = np.median(values)
    step = 1.4826 * np.median(np.abs(values - middle))
    expected = middle + step * np.array([1, 2, 3])
    np.testing.assert_allclose(levels_of(scene, 1.5), expected, atol=0.25 * step)


@pytest.mark.parametrize("smooth", [0.0, 1.5])
@pytest.mark.parametrize("voxels", [1, 2, 7])
def test_the_smallest_organ_has_levels(voxels, smooth):
    organ = np.zeros((9, 9, 9), bool)
    organ.reshape(-1)[np.linspace(3, 700, voxels).astype(int)] = True
    image = np.full(organ.shape, 77, np.float32)
    found = levels_of(make_scene(image, organ, (0.7, 0.7, 5.0)), smooth)
    np.testing.assert_allclose(found, (87, 97, 107), atol=0.01)


@pytest.mark.parametrize("levels", [(2, 1, 3), (1, 3, 2), (1, 2, float("nan"))])
def test_levels_that_do_not_ascend_are_refused(levels):
    with pytest.raises(InputError, match="levels_hu ascend"):
        Tissue(levels)


@pytest.mark.parametrize("smooth", [-0.1, 11.0, float("nan")])
def test_a_filter_that_makes_no_sense_is_refused(smooth):
    with pytest.raises(InputError, match="smooth_mm is from 0 to 10 mm"):
        Tissue((1.0, 2.0, 3.0), smooth)


def test_levels_may_fall_together():
    assert Tissue((100.0, 100.0, 100.0)).levels_hu == (100.0, 100.0, 100.0)
