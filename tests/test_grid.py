"""Grids: geometry without voxels."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.affines import voxel_sizes
from nibabel.orientations import aff2axcodes, inv_ornt_aff, io_orientation
from scipy.spatial.transform import Rotation

from oncoforge.errors import InputError
from oncoforge.grid import Grid

ORIENTATIONS = [
    (order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)
]


def affine_of(order, signs, spacing=(0.7, 0.8, 2.5), angles=(0, 0, 0), origin=(-10, 20, 30)):
    affine = np.eye(4)
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    affine[:3, :3] = turn @ np.eye(3)[:, list(order)] * signs * np.asarray(spacing)
    affine[:3, 3] = origin
    return affine


def test_there_are_48_orientations():
    codes = {Grid((2, 3, 4), affine_of(*each)).axis_codes for each in ORIENTATIONS}
    assert len(codes) == 48


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_each_voxel_keeps_its_place_in_the_patient(order, signs):
    grid = Grid((2, 3, 4), affine_of(order, signs, angles=(5, -8, 12)))
    ras = grid.ras()
    stored = np.arange(24).reshape(grid.shape)
    array = grid.to_ras(stored)
    assert array.shape == ras.shape
    assert ras.axis_codes == "RAS"
    assert "".join(aff2axcodes(grid.affine)) == grid.axis_codes
    nibabels = grid.affine @ inv_ornt_aff(io_orientation(grid.affine), grid.shape)
    np.testing.assert_allclose(ras.affine, nibabels, atol=1e-12)
    for index in np.ndindex(*grid.shape):
        there = np.rint(ras.to_voxel(grid.to_world(index))).astype(int)
        assert array[tuple(there)] == stored[index]
    np.testing.assert_array_equal(grid.from_ras(array), stored)
    np.testing.assert_allclose(ras.to_voxel(ras.to_world([1.5, 2, 3])), [1.5, 2, 3])


@settings(max_examples=200, deadline=None)
@given(
    angles=st.tuples(*[st.sampled_from([0, 30, 45, 60, 90, 135]) | st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.1, 10)] * 3),
    orientation=st.sampled_from(ORIENTATIONS),
)
def test_any_rotation_becomes_ras_and_stays_so(angles, spacing, orientation):
    grid = Grid((3, 4, 5), affine_of(*orientation, spacing=spacing, angles=angles))
    ras = grid.ras()
    assert ras.is_ras()
    assert sorted(ras.shape) == sorted(grid.shape)
    np.testing.assert_allclose(sorted(ras.spacing), sorted(voxel_sizes(grid.affine)))
    ours, theirs = (sorted(np.round(g.corners(), 6).tolist()) for g in (grid, ras))
    np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_a_difference_says_what_differs():
    grid = Grid((10, 10, 10), np.diag([1, 1, 2, 1]))
    assert grid.difference(grid) is None
    assert grid.difference(Grid((10, 10, 10), np.diag([1.00005, 1, 2, 1]))) is None
    shape = grid.difference(Grid((10, 10, 9), np.diag([1, 1, 2, 1])))
    assert shape == "its shape is 10 x 10 x 9, not 10 x 10 x 10 voxels"
    spacing = grid.difference(Grid((10, 10, 10), np.diag([1, 1, 3, 1])))
    assert spacing == "its spacing is 1 x 1 x 3, not 1 x 1 x 2 mm"
    moved = np.diag([1.0, 1, 2, 1])
    moved[:3, 3] = (3, 0, -4)
    origin = grid.difference(Grid((10, 10, 10), moved))
    assert origin == "its origin is 5 mm away (3, 0, -4 mm in R, A, S)"
    turned = affine_of((0, 1, 2), (1, 1, 1), (1, 1, 2), (0, 0, 10), (0, 0, 0))
    assert grid.difference(Grid((10, 10, 10), turned)) == "its axes are turned by 10 degrees"


def test_a_small_difference_is_told_by_the_corner_that_moves_most():
    grid = Grid((500, 500, 500), np.eye(4))
    assert grid.difference(Grid((500, 500, 500), np.diag([1.00001, 1, 1, 1]))) is None
    assert "spacing" in grid.difference(Grid((500, 500, 500), np.diag([1.001, 1, 1, 1])))


@pytest.mark.parametrize(
    ("shape", "affine", "sentence"),
    [
        ((0, 2, 2), np.eye(4), "at least one voxel"),
        ((2, 2), np.eye(4), "three axes"),
        ((2, 2, 2), np.eye(3), "4 x 4"),
        ((2, 2, 2), np.diag([1, 0, 1, 1]), "spacing must be above 0"),
        ((2, 2, 2), np.diag([1, np.nan, 1, 1]), "NaN"),
        ((2, 2, 2), np.diag([1, 1, 1, 2]), "last row"),
        ((2, 2, 2), [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], "singular"),
    ],
)
def test_a_grid_that_cannot_place_voxels_is_refused(shape, affine, sentence):
    with pytest.raises(InputError, match=sentence):
        Grid(shape, np.asarray(affine, dtype=float))


def test_the_affine_is_a_private_copy():
    affine = np.eye(4)
    grid = Grid((2, 2, 2), affine)
    affine[0, 0] = 5
    assert grid.spacing == (1, 1, 1)
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 0] = 5
