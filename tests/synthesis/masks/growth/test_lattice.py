"""The lattice: from the scan to points of its own and back, in mm, on every grid."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from oncoforge.synthesis.masks.growth.lattice import Lattice
from oncoforge.synthesis.scene import Scene

GRIDS = [(1.0, 1.0, 1.0), (0.7, 0.7, 5.0), (3.0, 3.0, 3.0), (0.5, 0.5, 0.5), (0.8, 1.3, 2.5)]
OFFSET = (7, 0, 3)


def random_scene(spacing, shape=(23, 19, 11), start=OFFSET, seed=0):
    rng = np.random.default_rng(seed)
    box = tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))
    image = rng.normal(100, 30, shape).astype(np.float32)
    return Scene(image, rng.random(shape) < 0.6, spacing, box)


def voxel_of(scene, points, pitch):
    """Index into the scene's arrays of the voxel that each point (n, 3) lies in, and how near to
    a face of it."""
    exact = np.asarray(points) * pitch / np.asarray(scene.spacing)
    face = np.abs(exact - np.floor(exact) - 0.5).min(axis=-1)
    return np.floor(exact + 0.5).astype(int) - [s.start for s in scene.box], face


SCENES = st.builds(
    random_scene,
    st.tuples(*[st.sampled_from([0.5, 0.6, 0.7, 1.0, 1.2, 2.0, 2.5, 3.0, 5.0])] * 3),
    st.tuples(*[st.integers(2, 12)] * 3),
    st.tuples(*[st.integers(0, 300)] * 3),
)
PITCHES = st.sampled_from([0.5, 0.7, 1.0, 1.5, 2.0])


@settings(max_examples=80, deadline=None)
@given(scene=SCENES, pitch=PITCHES)
def test_limits_hold_the_points_that_lie_in_the_box_and_no_others(scene, pitch):
    low, high = Lattice(scene, pitch).limits()
    for axis in range(3):
        around = np.arange(low[axis] - 3, high[axis] + 3)
        voxel, _ = voxel_of(scene, np.repeat(around[:, None], 3, axis=1), pitch)
        exact = around * pitch / scene.spacing[axis]
        clear = np.abs(exact - np.floor(exact) - 0.5) > 1e-9
        inside = (voxel[:, axis] >= 0) & (voxel[:, axis] < scene.organ.shape[axis])
        assume(inside.any())  # voxels finer than the points may hold none
        within = (around >= low[axis]) & (around < high[axis])
        np.testing.assert_array_equal(within[clear], inside[clear])


@settings(max_examples=60, deadline=None)
@given(scene=SCENES, pitch=PITCHES)
def test_a_point_is_of_the_voxel_that_it_lies_in(scene, pitch):
    lattice = Lattice(scene, pitch)
    low, high = lattice.limits()
    high = np.minimum(high, low + 14)
    scene.instances[:] = np.random.default_rng(1).integers(0, 3, scene.organ.shape)
    points = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), axis=-1)
    voxel, face = voxel_of(scene, points, pitch)
    clear = (face > 1e-9) & (voxel >= 0).all(axis=-1) & (voxel < scene.organ.shape).all(axis=-1)
    at = tuple(voxel[clear].T)
    np.testing.assert_array_equal(lattice.organ(low, high)[clear], scene.organ[at])
    np.testing.assert_array_equal(lattice.free(low, high)[clear], scene.instances[at] == 0)


@settings(max_examples=40, deadline=None)
@given(scene=SCENES, pitch=PITCHES)
def test_hu_between_voxels_is_interpolated(scene, pitch):
    lattice = Lattice(scene, pitch)
    low, high = lattice.limits()
    high = np.minimum(high, low + 14)
    points = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"))
    start = np.array([s.start for s in scene.box])
    where = points * pitch / np.reshape(scene.spacing, (3, 1, 1, 1)) - start.reshape(3, 1, 1, 1)
    expected = ndimage.map_coordinates(scene.image, where, order=1, mode="nearest")
    found = lattice.hu(low, high)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_a_scan_of_the_lattices_own_voxels_is_taken_as_it_is():
    scene = random_scene((1.0, 1.00005, 0.99998))
    lattice = Lattice(scene)
    assert lattice.is_grid
    low, high = lattice.limits()
    assert low.tolist() == list(OFFSET)
    np.testing.assert_array_equal(lattice.hu(low, high), scene.image)
    np.testing.assert_array_equal(lattice.organ(low, high), scene.organ)
    whole = tuple(slice(0, n) for n in scene.organ.shape)
    assert lattice.box_of(low, high) == whole
    np.testing.assert_array_equal(lattice.to_grid(scene.image, low, whole), scene.image)
    assert lattice.voxels(17) == 17


@settings(max_examples=40, deadline=None)
@given(
    start=st.tuples(*[st.integers(0, 20)] * 3),
    low=st.tuples(*[st.integers(-4, 30)] * 3),
    size=st.tuples(*[st.integers(1, 12)] * 3),
)
def test_on_its_own_grid_a_field_is_only_moved(start, low, size):
    scene = random_scene((1.0, 1.0, 1.0), (13, 12, 11), start)
    lattice = Lattice(scene)
    field = np.random.default_rng(0).random(size).astype(np.float32) + 1
    box = lattice.box_of(low, np.add(low, size))
    shift = np.subtract(low, start)
    met = (shift < scene.organ.shape).all() and (np.add(shift, size) > 0).all()
    assert (box is not None) == met
    if box is None:
        return
    whole = np.zeros((60, 60, 60), np.float32)
    whole[tuple(slice(a + 5, a + 5 + n) for a, n in zip(low, size, strict=True))] = field
    mine = whole[tuple(slice(a + 5, a + 5 + n) for a, n in zip(start, (13, 12, 11), strict=True))]
    np.testing.assert_array_equal(lattice.to_grid(field, low, box), mine[box])
    mine[box] = 0
    assert not mine.any()  # nothing of it lies beyond its box


@pytest.mark.parametrize("pitch", [1.0, 2.0])
@pytest.mark.parametrize("spacing", GRIDS)
def test_a_smoothed_scan_does_not_depend_on_the_window(spacing, pitch):
    scene = random_scene(spacing, (30, 28, 20))
    lattice = Lattice(scene, pitch)
    low, high = lattice.limits()
    whole = lattice.hu(low, high, 1.5)
    for part in ((0.0, 0.4), (0.3, 0.6), (0.7, 1.0)):
        first, last = (low + np.floor((high - low) * p).astype(int) for p in part)
        last = np.maximum(last, first + 1)
        cut = tuple(slice(a, b) for a, b in zip(first - low, last - low, strict=True))
        np.testing.assert_allclose(lattice.hu(first, last, 1.5), whole[cut], atol=0.02)


@pytest.mark.parametrize("spacing", GRIDS)
def test_what_lies_outside_the_organ_does_not_bleed_in(spacing):
    scene = random_scene(spacing, (30, 28, 20))
    scene.image[:] = np.where(scene.organ, 100, -1000)
    lattice = Lattice(scene)
    smooth = lattice.hu(*lattice.limits(), 2.0)
    np.testing.assert_allclose(smooth[lattice.organ(*lattice.limits())], 100, atol=0.1)


def ball(radius, room=3):
    reach = math.ceil(radius) + room
    x, y, z = np.ogrid[-reach : reach + 1, -reach : reach + 1, -reach : reach + 1]
    return (x * x + y * y + z * z <= radius * radius).astype(np.float32)


@pytest.mark.parametrize("pitch", [1.0, 0.8])
@pytest.mark.parametrize("radius", [4, 8])
@pytest.mark.parametrize("spacing", GRIDS)
def test_a_field_keeps_its_volume_and_place_on_every_grid(spacing, radius, pitch):
    shape = tuple(int(70 / s) for s in spacing)
    scene = Scene(
        np.zeros(shape, np.float32),
        np.ones(shape, bool),
        spacing,
        tuple(slice(a, a + n) for a, n in zip(OFFSET, shape, strict=True)),
    )
    lattice = Lattice(scene, pitch)
    field = ball(radius)
    middle = lattice.nearest(scene.to_mm(np.array(shape) / 2))
    low = middle - field.shape[0] // 2
    box = lattice.box_of(low, low + field.shape)
    assert box is not None
    found = lattice.to_grid(field, low, box)
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-6
    volume = found.sum(dtype=float) * math.prod(spacing)
    assert volume == pytest.approx(field.sum() * pitch**3, rel=0.04)
    corner = [s.start for s in box]
    centre = scene.to_mm(np.array(ndimage.center_of_mass(found)) + corner)
    np.testing.assert_allclose(centre, middle * pitch, atol=0.15)


@pytest.mark.parametrize("spacing", GRIDS)
def test_the_box_of_points_holds_all_that_a_field_on_them_reaches(spacing):
    shape = tuple(int(60 / s) for s in spacing)
    scene = random_scene(spacing, shape)
    lattice = Lattice(scene)
    whole = tuple(slice(0, n) for n in shape)
    low = lattice.nearest(scene.to_mm(np.array(shape) / 2)) - 6
    field = np.pad(np.ones((11, 11, 11), np.float32), 1)
    found = lattice.to_grid(field, low, whole)
    found[lattice.box_of(low, low + field.shape)] = 0
    assert found.max() < 0.03  # but for the tail of the filter


@pytest.mark.parametrize("spacing", [(0.5, 0.5, 0.5), (0.7, 0.7, 0.7), (0.4, 0.9, 1.0)])
def test_a_smooth_field_comes_back_from_finer_voxels(spacing):
    shape = tuple(int(40 / s) for s in spacing)
    points = np.stack(np.meshgrid(*[np.arange(25)] * 3, indexing="ij"))
    field = np.exp(-(((points - 12) / 5.0) ** 2).sum(axis=0)).astype(np.float32)
    blank = Scene(
        np.zeros(shape, np.float32),
        np.ones(shape, bool),
        spacing,
        tuple(slice(a, a + n) for a, n in zip((2, 5, 0), shape, strict=True)),
    )
    low = np.array([9, 8, 7])
    there = Lattice(blank).to_grid(field, low, tuple(slice(0, n) for n in shape))
    scene = Scene(there, blank.organ, spacing, blank.box)
    back = Lattice(scene).hu(low, low + 25)
    np.testing.assert_allclose(back, field, atol=0.05)


@settings(max_examples=60, deadline=None)
@given(
    point=st.tuples(*[st.floats(-100, 500)] * 3),
    pitch=st.floats(0.1, 5.0),
)
def test_the_nearest_point_is_within_half_a_pitch(point, pitch):
    found = Lattice(random_scene((1.0, 1.0, 1.0)), pitch).nearest(point)
    assert found.dtype == np.int64
    assert np.abs(found * pitch - point).max() <= pitch / 2 * (1 + 1e-6)


@settings(max_examples=60, deadline=None)
@given(points=st.integers(0, 10**6), spacing=st.sampled_from(GRIDS), pitch=PITCHES)
def test_so_many_voxels_have_the_volume_of_so_many_points(points, spacing, pitch):
    voxels = Lattice(random_scene(spacing), pitch).voxels(points)
    volume = points * pitch**3
    assert abs(voxels * math.prod(spacing) - volume) <= math.prod(spacing) / 2 + 1e-6 * volume
