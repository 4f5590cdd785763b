"""From the lattice to voxels: in the organ, clear of other lesions, and of the tumour's volume."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from oncoforge.synthesis.masks.growth.fill import fill
from oncoforge.synthesis.masks.growth.plan import GrowthPlan, backend
from oncoforge.synthesis.scene import make_scene

CPU = backend("cpu")
GRIDS = [
    (1.0, 1.0, 1.0),
    (0.7, 0.7, 5.0),
    (3.0, 3.0, 3.0),
    (0.5, 0.5, 0.5),
    (0.8, 1.3, 2.5),
    (2.0, 2.0, 2.0),
]


def round_organ(spacing, across_mm=50.0, room_mm=8.0, hu=100.0):
    """A ball of organ, off the scan's corner."""
    shape = [int((across_mm + 2 * room_mm) / s) for s in spacing]
    away = sum(
        np.ix_(*[((np.arange(n) - n / 2) * s) ** 2 for n, s in zip(shape, spacing, strict=True)])
    )
    organ = away < (across_mm / 2) ** 2
    return make_scene(np.full(shape, hu, np.float32), organ, spacing)


def middle_of(scene):
    return tuple(float(x) for x in scene.to_mm(np.array(scene.organ.shape) / 2))


def grown_in(scene, at=None, steps=40, **more):
    drawn = GrowthPlan((at or middle_of(scene),), steps, (120.0, 140.0, 160.0), seed=5, **more)
    return drawn.grow(scene, CPU)


def points_of(scene, grown):
    """The tumour's lattice points in the organ, and the scene's voxel that each lies in."""
    points = np.argwhere(grown.population > 0) + grown.low
    exact = points * grown.lattice.pitch_mm / np.array(scene.spacing)
    return points, np.floor(exact + 0.5).astype(int) - [s.start for s in scene.box]


def whole(scene, mask):
    found = np.zeros(scene.organ.shape, bool)
    found[mask.box] = mask.inside
    return found


@pytest.mark.parametrize("steps", [12, 40, 70])
@pytest.mark.parametrize("spacing", GRIDS)
def test_voxels_have_the_volume_of_the_lattices_points(spacing, steps):
    scene = round_organ(spacing)
    at = tuple(np.add(middle_of(scene), (14.0, 3.0, -5.0)))  # steps 70: into the surface
    grown = grown_in(scene, at, steps)
    mask = fill(scene, grown)
    points, _ = points_of(scene, grown)
    voxel = math.prod(spacing)
    assert abs(mask.inside.sum() * voxel - len(points)) <= max(voxel / 2, 1e-6 * len(points)) or (
        mask.inside.sum() == 1
    )


@pytest.mark.parametrize("spacing", GRIDS)
def test_voxels_are_where_the_points_are(spacing):
    scene = round_organ(spacing)
    grown = grown_in(scene, steps=60)
    mask = fill(scene, grown)
    points, _ = points_of(scene, grown)
    centre = scene.to_mm(np.argwhere(whole(scene, mask)).mean(axis=0))
    np.testing.assert_allclose(centre, points.mean(axis=0), atol=0.15 * max(spacing))


@pytest.mark.parametrize("spacing", GRIDS)
def test_a_tumour_stays_in_the_organ_and_clear_of_other_lesions(spacing):
    scene = round_organ(spacing)
    scene.instances[: scene.organ.shape[0] // 2] = 7
    grown = grown_in(scene, tuple(np.add(middle_of(scene), (8.0, 12.0, 0.0))), steps=60)
    mask = fill(scene, grown)
    assert scene.organ[mask.box][mask.inside].all()
    assert not scene.instances[mask.box][mask.inside].any()
    _, voxels = points_of(scene, grown)
    free = (scene.instances[tuple(voxels.T)] == 0).sum()
    assert free < len(voxels)
    volume = mask.inside.sum() * math.prod(spacing)
    assert abs(volume - free) <= math.prod(spacing) / 2 + 1e-6 * free


@pytest.mark.parametrize("spacing", GRIDS)
def test_the_box_of_a_mask_is_tight(spacing):
    mask = fill(*(lambda s: (s, grown_in(s)))(round_organ(spacing)))
    for axis in range(3):
        planes = mask.inside.any(axis=tuple({0, 1, 2} - {axis}))
        assert planes[0]
        assert planes[-1]


@pytest.mark.parametrize("steps", [0, 1, 5])
@pytest.mark.parametrize("spacing", [(0.7, 0.7, 5.0), (3.0, 3.0, 3.0), (1.0, 1.0, 10.0)])
def test_the_smallest_tumour_takes_a_voxel_of_thick_slices(spacing, steps):
    scene = round_organ(spacing)
    for shift in np.linspace(0, 5, 6):
        grown = grown_in(scene, tuple(np.array(middle_of(scene)) + shift), steps)
        assert fill(scene, grown).inside.sum() >= 1


@pytest.mark.parametrize("spacing", GRIDS)
def test_density_runs_from_nothing_outside_to_full_inside(spacing):
    scene = round_organ(spacing)
    mask = fill(scene, grown_in(scene, steps=70, necrosis=True))
    filled = np.zeros(scene.organ.shape, np.float32)
    filled[mask.density.box] = mask.density.filled
    assert filled.dtype == np.float32
    assert filled.min() >= 0
    assert filled.max() <= 1 + 1e-5
    inside = whole(scene, mask)
    deep = ndimage.distance_transform_edt(inside, sampling=spacing) > 7
    far = ndimage.distance_transform_edt(~inside, sampling=spacing) > 2 + 1.5 * max(spacing)
    assert far.any()
    assert filled[far].max() < 0.02
    if deep.any():
        assert filled[deep].min() > 0.9
    assert filled[inside].mean() > 0.6


@pytest.mark.parametrize("steps", [6, 30, 60])
def test_at_1_mm_density_reaches_one_voxel_and_no_further(steps):
    scene = round_organ((1.0, 1.0, 1.0))
    mask = fill(scene, grown_in(scene, steps=steps))
    filled = np.zeros(scene.organ.shape, np.float32)
    filled[mask.density.box] = mask.density.filled
    near = ndimage.binary_dilation(whole(scene, mask), np.ones((3, 3, 3)))
    np.testing.assert_array_equal(filled > 0, near)


def test_at_1_mm_the_mask_is_what_is_occupied():
    scene = round_organ((1.0, 1.0, 1.0))
    grown = grown_in(scene, steps=50)
    _, voxels = points_of(scene, grown)
    expected = np.zeros(scene.organ.shape, bool)
    expected[tuple(voxels.T)] = True
    np.testing.assert_array_equal(whole(scene, fill(scene, grown)), expected)


def test_at_1_mm_density_is_the_population_through_the_published_filter():
    scene = round_organ((1.0, 1.0, 1.0))
    grown = grown_in(scene, steps=40)
    mask = fill(scene, grown)
    state = np.zeros(np.array(scene.organ.shape) + 40)
    corner = np.array(grown.low) - [s.start for s in scene.box] + 20
    state[tuple(slice(a, a + n) for a, n in zip(corner, grown.population.shape, strict=True))] = (
        grown.population / 10
    )
    kernel = np.einsum("i,j,k->ijk", *[np.array([1, 2, 1]) / 4] * 3)
    expected = ndimage.convolve(state, kernel, mode="constant")[20:-20, 20:-20, 20:-20]
    np.testing.assert_allclose(mask.density.filled, expected[mask.density.box], atol=1e-6)


@pytest.mark.parametrize("spacing", GRIDS)
def test_necrosis_is_part_of_what_is_there(spacing):
    scene = round_organ(spacing)
    grown = grown_in(scene, steps=70, necrosis=True)
    mask = fill(scene, grown)
    filled, dead = mask.density.filled, mask.density.necrosis
    assert dead.shape == filled.shape
    assert dead.min() >= 0
    assert (dead <= filled + 1e-5).all()
    assert dead.max() > 0.5
    points, _ = points_of(scene, grown)
    inside = grown.dead
    assert mask.growth.necrotic_fraction == pytest.approx(inside.sum() / len(points))
    assert dead.sum() * math.prod(spacing) == pytest.approx(inside.sum(), rel=0.1)


def test_nothing_has_died_where_nothing_dies():
    scene = round_organ((1.0, 1.0, 1.0))
    mask = fill(scene, grown_in(scene))
    assert mask.density.necrosis is None
    assert mask.growth.necrotic_fraction == 0


@pytest.mark.parametrize("pitch", [1.0, 2.0])
def test_growth_is_told_in_mm(pitch):
    scene = round_organ((2.0, 2.0, 2.0))
    grown = grown_in(scene, steps=18, pitch_mm=pitch)
    volumes = fill(scene, grown).growth.volumes_mm3
    assert len(volumes) == 19
    np.testing.assert_allclose(volumes, grown.volumes * pitch**3)
    assert all(type(v) is float for v in volumes)


@pytest.mark.parametrize("spacing", GRIDS)
def test_nothing_is_left_of_a_tumour_inside_other_lesions(spacing):
    scene = round_organ(spacing)
    grown = grown_in(scene)
    scene.instances[:] = 3
    assert fill(scene, grown) is None


def test_nothing_is_left_of_a_tumour_outside_the_organ():
    # In the organ's box, and off the organ: a corner, for instance.
    scene = round_organ((1.0, 1.0, 1.0))
    grown = grown_in(scene, tuple(scene.origin_mm + 1), steps=3)
    assert fill(scene, grown) is None
