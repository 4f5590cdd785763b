"""Shapes from a prior: as large as drawn wherever there is room, turned, uneven, in one piece."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation

from oncoforge.errors import InputError
from oncoforge.synthesis.masks.prior.shape import FittedShape
from oncoforge.synthesis.scene import make_scene

UPRIGHT = (0.0, 0.0, 0.0, 1.0)


def _scene(organ, spacing=(1.0, 1.0, 1.0)):
    return make_scene(np.zeros(organ.shape, np.float32), organ, spacing)


def _shape(centre, axes, quaternion=UPRIGHT, **more):
    return FittedShape(centre, axes, quaternion, 4 / 3 * math.pi * math.prod(axes), **more)


def _marked(scene, shape):
    whole = np.zeros(scene.organ.shape, bool)
    box, inside = shape.voxels(scene)
    whole[box] = inside
    return whole


@settings(max_examples=40, deadline=None)
@given(
    spacing=st.tuples(*[st.floats(0.6, 2.5)] * 3),
    ratios=st.tuples(st.floats(0.4, 1), st.floats(0.4, 1)),
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    unevenness=st.sampled_from([0.0, 0.1, 0.2]),
    seed=st.integers(0, 99),
)
def test_the_volume_is_the_one_drawn_on_any_grid(spacing, ratios, angles, unevenness, seed):
    axes = (10.0, 10.0 * max(ratios), 10.0 * min(ratios))
    shape = tuple(math.ceil(44 / s) for s in spacing)
    centre = tuple((n - 1) / 2 * s for n, s in zip(shape, spacing, strict=True))
    four = tuple(Rotation.from_euler("xyz", angles, degrees=True).as_quat().tolist())
    drawn = _shape(centre, axes, four, unevenness=unevenness, seed=seed)
    marked = _marked(_scene(np.ones(shape, bool), spacing), drawn)
    voxel = math.prod(spacing)
    assert marked.sum() * voxel == pytest.approx(drawn.volume_mm3, rel=0.03, abs=voxel)
    assert ndimage.label(marked)[1] == 1


def test_axes_are_turned_as_the_quaternion_says():
    turned = Rotation.from_euler("zy", [40, 25], degrees=True)
    drawn = _shape((30.0, 30.0, 30.0), (16.0, 9.0, 6.0), tuple(turned.as_quat().tolist()))
    points = np.argwhere(_marked(_scene(np.ones((61, 61, 61), bool)), drawn))
    # The covariance of an evenly filled ellipsoid: a fifth of its squared axes.
    axes = turned.as_matrix()
    expected = axes @ np.diag(np.square([16.0, 9.0, 6.0]) / 5) @ axes.T
    np.testing.assert_allclose(np.cov(points.T), expected, atol=0.6)
    assert abs(expected[0, 1]) > 5  # so an upright one would fail
    np.testing.assert_allclose(points.mean(axis=0), 30, atol=0.1)
    reach = np.abs(points - 30).max(axis=0)
    np.testing.assert_allclose(drawn.half_extents(), reach, atol=1.1)


def test_unevenness_moves_the_surface_and_its_seed_chooses_how():
    scene = _scene(np.ones((50, 50, 50), bool))
    even, a, b = (
        _marked(scene, _shape((25.0,) * 3, (12.0,) * 3, unevenness=u, seed=s))
        for u, s in ((0.0, 0), (0.15, 1), (0.15, 2))
    )
    assert 0.03 < (even != a).sum() / even.sum() < 0.5
    assert (a != b).any()
    again = _marked(scene, _shape((25.0,) * 3, (12.0,) * 3, unevenness=0.15, seed=1))
    np.testing.assert_array_equal(a, again)


@pytest.mark.parametrize("opening", [14, 15, 17, 40])
@pytest.mark.parametrize("thick", [1, 2, 4])
def test_the_volume_is_kept_past_an_obstacle_and_never_exceeded(opening, thick):
    room = np.ones((80, 80, 80), bool)
    room[40 - thick : 40, : 40 + opening] = False
    drawn = _shape((40.0, 40.0, 40.0), (12.0, 12.0, 12.0))
    marked = _marked(_scene(room), drawn)
    assert not (marked & ~room).any()
    assert marked.sum() == pytest.approx(drawn.volume_mm3, rel=0.035)
    assert ndimage.label(marked)[1] == 1


def test_where_there_is_no_room_it_takes_what_there_is():
    room = np.zeros((40, 40, 40), bool)
    room[18:22, 18:22, 18:22] = True
    marked = _marked(_scene(room), _shape((19.5,) * 3, (5.0, 5.0, 5.0)))
    assert marked.all()  # the scene is the box of the room
    assert _shape((300.0, 0.0, 0.0), (5.0, 5.0, 5.0)).voxels(_scene(room)) is None


def test_other_lesions_are_obstacles():
    scene = _scene(np.ones((40, 40, 40), bool))
    scene.instances[:20] = 1
    marked = _marked(scene, _shape((20.0, 20.0, 20.0), (6.0, 6.0, 6.0)))
    assert not marked[:20].any()
    assert marked.sum() == pytest.approx(4 / 3 * math.pi * 6**3, rel=0.035)


@pytest.mark.parametrize(
    "wrong",
    [
        {"centre_mm": (1e9, 0.0, 0.0)},
        {"axes_mm": (0.0, 1.0, 1.0)},
        {"axes_mm": (1e4, 1.0, 1.0)},
        {"volume_mm3": 0.0},
        {"volume_mm3": -1.0},
        {"quaternion": (0.0, 0.0, 0.0, 0.0)},
        {"quaternion": (1.0, 1.0, 0.0, 0.0)},
        {"unevenness": 0.9},
        {"seed": -1},
        {"touches": 2.0},
    ],
)
def test_what_is_no_shape_is_an_error(wrong):
    usual = {
        "centre_mm": (0.0,) * 3,
        "axes_mm": (1.0,) * 3,
        "quaternion": UPRIGHT,
        "volume_mm3": 4.0,
    }
    with pytest.raises(InputError):
        FittedShape(**usual | wrong)
