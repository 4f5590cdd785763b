"""Shapes: exact where undeformed, the published deformation where deformed, mm on every grid."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.synthesis.base import LesionMask, LesionPlan
from oncoforge.synthesis.masks.deformation import PLANES, draw_planes, volume_table
from oncoforge.synthesis.masks.ellipsoid import Ellipsoid, Ellipsoids
from oncoforge.synthesis.masks.sizes import SIZES
from oncoforge.synthesis.scene import Scene

ONE_MM = (1.0, 1.0, 1.0)
THICK = (0.7, 0.9, 2.5)


def open_scene(shape, spacing=ONE_MM):
    """A scene that is organ everywhere."""
    box = tuple(slice(0, n) for n in shape)
    return Scene(np.zeros(shape, np.float32), np.ones(shape, bool), spacing, box)


def voxels_of(ellipsoid, spacing=ONE_MM, shape=None):
    """Render one ellipsoid alone, as bool (x, y, z); without a shape, in the middle."""
    if shape is None:
        half = np.ceil(2.6 * max(ellipsoid.radii_mm) / np.array(spacing)).astype(int)
        shape = tuple(2 * half + 1)
        middle = tuple(float(h * s) for h, s in zip(half, spacing, strict=True))
        ellipsoid = Ellipsoid(**asdict(ellipsoid) | {"centre_mm": middle})
    scene = open_scene(shape, spacing)
    (mask,) = Ellipsoids().render(scene, [LesionPlan("any", asdict(ellipsoid))])
    whole = np.zeros(shape, bool)
    if isinstance(mask, LesionMask):
        assert mask.inside.any(axis=(1, 2))[[0, -1]].all()  # the box is tight
        whole[mask.box] = mask.inside
    return whole


def strictly_inside(shape, spacing, centre_mm, radii, matrix):
    """The ellipsoid's equation at every voxel centre; rows of `matrix` are its axes."""
    where = np.moveaxis(np.indices(shape), 0, -1) * spacing - centre_mm
    return (((where @ matrix.T) / radii) ** 2).sum(axis=-1) < 1


RADII = st.tuples(*[st.floats(1.0, 9.0)] * 3)
SPACINGS = st.one_of(st.just(ONE_MM), st.tuples(*[st.floats(0.5, 4.0)] * 3))


@settings(max_examples=60, deadline=None)
@given(
    radii=RADII,
    spacing=SPACINGS,
    centre=st.tuples(*[st.floats(-5, 35)] * 3),
    turn=st.one_of(st.none(), st.integers(0, 2**31)),
)
def test_an_undeformed_ellipsoid_is_its_equation_voxel_by_voxel(radii, spacing, centre, turn):
    turned = Rotation.identity() if turn is None else Rotation.random(rng=turn)
    quaternion = tuple(float(q) for q in turned.as_quat())
    shape = (24, 21, 18)
    drawn = voxels_of(Ellipsoid(centre, radii, quaternion, elastic="none"), spacing, shape)
    matrix = turned.as_matrix().T
    loose = strictly_inside(shape, spacing, centre, np.array(radii) * (1 + 1e-9), matrix)
    tight = strictly_inside(shape, spacing, centre, np.array(radii) * (1 - 1e-9), matrix)
    assert not (tight & ~drawn).any()
    assert not (drawn & ~loose).any()


@pytest.mark.parametrize("radii", [(3, 4, 5), (6, 10, 8), (12, 20, 15), (24, 40, 33)])
def test_whole_semi_axes_exclude_their_poles_as_published(radii):
    drawn = voxels_of(Ellipsoid((0, 0, 0), radii, elastic="none"))
    at = np.argwhere(drawn)
    np.testing.assert_array_equal(np.ptp(at, axis=0) + 1, 2 * np.array(radii) - 1)


@pytest.mark.parametrize("radii", [(6, 10, 8), (12, 20, 15), (24, 40, 33)])
@pytest.mark.parametrize("spacing", [ONE_MM, THICK, (0.5, 0.5, 0.5)])
def test_volume_is_four_thirds_pi_abc(radii, spacing):
    drawn = voxels_of(Ellipsoid((0, 0, 0), radii, elastic="none"), spacing)
    volume = drawn.sum() * np.prod(spacing)
    assert volume == pytest.approx(4 / 3 * np.pi * np.prod(radii), rel=0.025)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("spacing", [ONE_MM, (0.8, 0.8, 1.6)])
def test_rotation_turns_the_voxels_and_keeps_their_number(seed, spacing):
    turn = Rotation.random(rng=seed)
    radii = np.array([9.0, 14.0, 20.0])
    drawn = voxels_of(
        Ellipsoid((0, 0, 0), tuple(radii), tuple(turn.as_quat()), elastic="none"), spacing
    )
    assert drawn.sum() * np.prod(spacing) == pytest.approx(4 / 3 * np.pi * radii.prod(), rel=0.02)
    covariance = np.cov(np.argwhere(drawn).T * np.array(spacing)[:, None])
    matrix = turn.as_matrix()
    expected = matrix @ np.diag(radii**2 / 5) @ matrix.T
    np.testing.assert_allclose(covariance, expected, atol=0.02 * radii.max() ** 2 / 5)


def clamped(points, n):
    """Control points (..., k, k) joined by a clamped cubic spline, at n even places each way."""
    even = np.linspace(0, 1, points.shape[-1])
    line = CubicSpline(even, np.eye(len(even)), bc_type="clamped")(np.linspace(0, 1, n[0]))
    other = CubicSpline(even, np.eye(len(even)), bc_type="clamped")(np.linspace(0, 1, n[1]))
    return line @ points @ other.T


def deformed_by_scipy(radii, points):
    """The published deformation, slowly: three passes, each resampling the whole local box."""
    n = 4 * np.array(radii) + 1
    centre = 2.0 * np.array(radii)
    solid = strictly_inside(tuple(n), ONE_MM, centre, radii, np.eye(3)).astype(np.uint8)
    for pair, control in zip(PLANES, points, strict=True):
        moved = np.indices(solid.shape).astype(float)
        for axis, move in zip(pair, clamped(control, n[list(pair)]), strict=True):
            (third,) = {0, 1, 2} - set(pair)
            moved[axis] += np.expand_dims(move, third)
        solid = ndimage.map_coordinates(solid, moved, order=0, mode="constant")
    return solid > 0


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["tiny", "small", "medium", "large"])
def test_deformation_in_planes_is_what_scipy_makes_of_the_same_control_points(name, seed):
    rng = np.random.default_rng([seed, 1])
    radii = [int(r) for r in SIZES[name].draw_radii(rng)]
    sigma = SIZES[name].draw_sigma(rng)
    centre = tuple(2.0 * r for r in radii)
    shape = tuple(4 * r + 1 for r in radii)
    drawn = voxels_of(Ellipsoid(centre, tuple(radii), sigma_mm=sigma, seed=seed), ONE_MM, shape)
    slow = deformed_by_scipy(radii, draw_planes(sigma, seed))
    assert slow.sum() > 50
    assert dice(drawn, slow) > 0.97


@pytest.mark.parametrize("seed", range(4))
def test_deformation_in_volume_reads_the_ellipsoid_at_displaced_places(seed):
    radii, sigma = np.array([10, 14, 12]), 3.0
    shape = tuple(4 * radii + 1)
    table = volume_table(sigma, seed, radii.astype(float)).astype(float)
    where = np.indices(shape).astype(float)
    scale = (np.array(table.shape[:3]) - 1) / (np.array(shape) - 1)
    cells = where * scale[:, None, None, None]
    moved = [
        where[axis] + ndimage.map_coordinates(table[..., axis], cells, order=1) for axis in range(3)
    ]
    value = sum(((m - 2 * r) / r) ** 2 for m, r in zip(moved, radii, strict=True))
    centre = tuple(2.0 * radii)
    drawn = voxels_of(
        Ellipsoid(centre, tuple(radii), elastic="volume", sigma_mm=sigma, seed=seed), ONE_MM, shape
    )
    assert dice(drawn, value < 1) > 0.995


def test_a_turned_deformation_is_the_upright_one_turned():
    # A quarter turn about z carries the grid onto itself.
    upright = Ellipsoid((0, 0, 0), (9.0, 14.0, 11.0), elastic="volume", sigma_mm=2.0, seed=4)
    quarter = tuple(float(q) for q in Rotation.from_euler("z", 90, degrees=True).as_quat())
    turned = Ellipsoid(**asdict(upright) | {"quaternion": quarter})
    assert dice(voxels_of(turned), np.rot90(voxels_of(upright), axes=(0, 1))) > 0.99


@pytest.mark.parametrize("mode", ["planes", "volume"])
@pytest.mark.parametrize("name", ["tiny", "small", "medium", "large"])
def test_deformation_keeps_the_volume_on_average(name, mode):
    rng = np.random.default_rng(2)
    ratios = []
    for seed in range(40 if name != "large" else 16):
        radii = SIZES[name].draw_radii(rng)
        shape = Ellipsoid(
            (0, 0, 0), tuple(radii), elastic=mode, sigma_mm=SIZES[name].draw_sigma(rng), seed=seed
        )
        still = Ellipsoid((0, 0, 0), tuple(radii), elastic="none")
        ratios.append(voxels_of(shape).sum() / voxels_of(still).sum())
    # The mean of 40 draws scatters by a few percent.
    assert 0.85 < np.mean(ratios) < 1.1
    assert np.std(ratios) > 0.01


@pytest.mark.parametrize("mode", ["planes", "volume", "none"])
@pytest.mark.parametrize("seed", range(3))
def test_size_in_mm_is_the_same_on_every_grid(mode, seed):
    shape = Ellipsoid((0, 0, 0), (14.0, 18.0, 16.0), elastic=mode, sigma_mm=3.0, seed=seed)
    diameters = [
        (6 * voxels_of(shape, s).sum() * np.prod(s) / np.pi) ** (1 / 3)
        for s in (ONE_MM, (0.6, 0.6, 0.6), THICK, (1.0, 1.0, 4.0))
    ]
    assert max(diameters) / min(diameters) < 1.04


def test_units_of_voxels_make_the_same_voxels_on_every_grid():
    def count(spacing, units):
        model = Ellipsoids(size="medium", count=3, units=units, elastic="none")
        scene = open_scene((100, 100, 100), spacing)
        plans, _ = model.draw(scene, np.random.default_rng(3))
        return [voxels_of(Ellipsoid(**p.mask), spacing).sum() for p in plans], plans

    one, _ = count(ONE_MM, "mm")
    thick, plans = count(THICK, "vox")
    # A pole that falls on a voxel may be in or out by the last bit of a product.
    np.testing.assert_allclose(thick, one, atol=8)
    radii = np.array([p.mask["radii_mm"] for p in plans]) / THICK
    np.testing.assert_allclose(radii, np.rint(radii), atol=1e-9)
    assert 12 <= radii.min() <= radii.max() <= 20


@pytest.mark.parametrize("spacing", [ONE_MM, THICK])
@pytest.mark.parametrize("elastic", ["none", "planes", "volume"])
@pytest.mark.parametrize("diameter", [12.0, 23.5, 40.0])
def test_the_diameter_asked_for_is_reached(diameter, elastic, spacing):
    model = Ellipsoids(diameter_mm=diameter, count=4, elastic=elastic, rotate=elastic == "volume")
    scene = open_scene((60, 60, 60), spacing)
    plans, _ = model.draw(scene, np.random.default_rng(7))
    assert len(plans) == 4
    for plan in plans:
        volume = voxels_of(Ellipsoid(**plan.mask), spacing).sum() * np.prod(spacing)
        assert (6 * volume / np.pi) ** (1 / 3) == pytest.approx(diameter, rel=0.03)


def test_a_part_of_the_lesions_are_spheres():
    scene = open_scene((60, 60, 60))

    def draw(part):
        model = Ellipsoids(size="medium", count=40, spheres=part, rotate=True)
        return model.draw(scene, np.random.default_rng(1))[0]

    shapes = [Ellipsoid(**plan.mask) for plan in draw(0.25)]
    round_ = [s for s in shapes if len(set(s.radii_mm)) == 1 and s.elastic == "none"]
    assert 4 <= len(round_) <= 17
    assert all(s.sigma_mm == 0 for s in round_)
    volume = voxels_of(round_[0], ONE_MM).sum()
    assert volume == pytest.approx(4 / 3 * np.pi * round_[0].radii_mm[0] ** 3, rel=0.02)
    assert all(plan.mask["elastic"] == "none" for plan in draw(1.0))
    assert all(plan.mask["elastic"] == "planes" for plan in draw(0.0))
    with pytest.raises(InputError, match="spheres is a part"):
        Ellipsoids(spheres=1.5)


def test_lesions_are_where_the_user_wants_them():
    at = ((30.3, 31.0, 29.0), (80.0, 75.5, 40.2), (60.0, 30.0, 70.0))
    model = Ellipsoids(size="small", at_mm=at)
    scene = open_scene((110, 100, 90))
    plans, _ = model.draw(scene, np.random.default_rng(0))
    masks = list(model.render(scene, plans))
    for mask, point in zip(masks, at, strict=True):
        centroid = np.argwhere(mask.inside).mean(axis=0) + [s.start for s in mask.box]
        assert np.linalg.norm(centroid - point) < 1.0


def test_positions_come_first_and_the_count_fills_up():
    model = Ellipsoids(size="small", at_mm=((30.0, 31.0, 29.0),), count=4)
    plans, _ = model.draw(open_scene((110, 100, 90)), np.random.default_rng(0))
    assert len(plans) == 4
    assert np.linalg.norm(np.subtract(plans[0].mask["centre_mm"], (30.0, 31.0, 29.0))) < 6.0
    assert len({tuple(p.mask["centre_mm"]) for p in plans}) == 4


@pytest.mark.parametrize("size", [*SIZES, "mix", "random"])
def test_the_count_asked_for_is_planned(size):
    scene = open_scene((60, 60, 60))
    for count in (1, 2, 7):
        plans, _ = Ellipsoids(size=size, count=count).draw(scene, np.random.default_rng(count))
        assert len(plans) == count
        assert {p.kind for p in plans} <= set(SIZES)


def test_lesions_never_share_a_voxel():
    model = Ellipsoids(size="medium", at_mm=((30.0, 30.0, 30.0), (36.0, 30.0, 30.0)))
    scene = open_scene((60, 60, 60))
    plans, _ = model.draw(scene, np.random.default_rng(0))
    taken = np.zeros(scene.organ.shape, int)
    for number, mask in enumerate(model.render(scene, plans), start=1):
        taken[mask.box] += mask.inside
        scene.instances[mask.box][mask.inside] = number
    assert taken.max() == 1


def test_a_lesion_that_is_mostly_outside_is_left_out_if_so_wanted():
    scene = open_scene((60, 60, 60))
    for least, kept in ((0.0, [True, True]), (0.4, [True, True]), (0.7, [False, True])):
        plans = [
            LesionPlan("small", asdict(Ellipsoid(at, (8, 8, 8), elastic="none", min_inside=least)))
            for at in ((0.0, 30.0, 30.0), (30.0, 30.0, 30.0))
        ]
        masks = list(Ellipsoids().render(scene, plans))
        assert [isinstance(m, LesionMask) for m in masks] == kept
        assert all("left out" in m for m in masks if isinstance(m, str))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"count": 0}, "count is 0"),
        ({"count": -3}, "count is -3"),
        ({"diameter_mm": 0.0}, "between 0 and 500"),
        ({"diameter_mm": -1.0}, "between 0 and 500"),
        ({"diameter_mm": 1e6}, "between 0 and 500"),
        ({"diameter_mm": float("nan")}, "between 0 and 500"),
        ({"count": 1, "at_mm": ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))}, "2 positions"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(wrong, sentence):
    with pytest.raises(InputError, match=sentence):
        Ellipsoids(**wrong)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [({"elastic": "plane"}, "planes"), ({"units": "voxel"}, "vox"), ({"size": "hugemix"}, "mix")],
)
def test_unknown_names_are_answered_with_the_nearest(wrong, meant):
    with pytest.raises(UnknownNameError, match=f"'{meant}'"):
        Ellipsoids(**wrong)
