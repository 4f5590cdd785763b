"""Painting: the published sum, voxel by voxel, and the effects that it left out."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from scipy import ndimage, stats

from oncoforge.errors import InputError
from oncoforge.synthesis.appearance.bank import LEVELS, TEXTURES, TILE, tile
from oncoforge.synthesis.appearance.texture import Paint, Textured
from oncoforge.synthesis.base import LesionMask, LesionPlan
from oncoforge.synthesis.scene import make_scene

PLAIN = Paint(texture=(6.0, 4.0), offset_mm=(11.0, 120.0, 77.0), contrast_hu=-100.0, edge_mm=1.5)


def ellipsoid(scan, centre_mm, radius_mm):
    """A ball in the whole scan, within its organ."""
    axes = [
        (np.arange(n) * s - c) ** 2
        for n, s, c in zip(scan.organ.shape, scan.spacing, centre_mm, strict=True)
    ]
    return (sum(np.ix_(*axes)) < radius_mm**2) & scan.organ


def painted(scan, lesion, paint):
    """Paint one lesion, given as a mask of the whole scan; the image after."""
    image = scan.image.copy()
    scene = make_scene(image, scan.organ, scan.spacing)
    at = np.argwhere(lesion[scene.box])
    box = tuple(slice(a, b + 1) for a, b in zip(at.min(axis=0), at.max(axis=0), strict=True))
    Textured().paint(scene, LesionMask(box, lesion[scene.box][box]), asdict(paint))
    return image


def published(scan, lesion, paint):
    """``I + contrast T W`` inside the organ: all in double precision on the whole scan."""
    sigma = np.array(paint.edge_mm) / scan.spacing
    soft = ndimage.gaussian_filter(lesion.astype(float), sigma, mode="constant")
    where = np.indices(scan.organ.shape).reshape(3, -1)
    position = where * np.array(scan.spacing)[:, None] + np.array(paint.offset_mm)[:, None]
    texture = ndimage.map_coordinates(
        tile(*paint.texture) / LEVELS, position % TILE, order=1, mode="grid-wrap"
    ).reshape(scan.organ.shape)
    return scan.image + scan.organ * paint.contrast_hu * texture * soft


@pytest.mark.parametrize("texture", [(3.0, 7.0), (15.0, 4.0)])
@pytest.mark.parametrize("which", ["scan", "thick_scan"])
@pytest.mark.parametrize("offset", [(0.0, 0.0, 0.0), (127.0, 3.0, 64.0), (0.3, 127.6, 5.5)])
def test_painting_is_the_published_sum_on_any_grid(which, texture, offset, request):
    scan = request.getfixturevalue(which)
    paint = Paint(texture, offset, contrast_hu=-120.0, edge_mm=1.3)
    lesion = ellipsoid(scan, (35.0, 52.0, 47.0), 17.0)
    np.testing.assert_allclose(
        painted(scan, lesion, paint), published(scan, lesion, paint), atol=0.01
    )


@pytest.mark.parametrize("edge", [0.0, 0.05, 4.0])
def test_any_edge_is_the_published_sum(thick_scan, edge):
    paint = Paint((9.0, 4.0), (1.0, 2.0, 3.0), contrast_hu=-120.0, edge_mm=edge)
    lesion = ellipsoid(thick_scan, (18.0, 44.0, 45.0), 12.0)
    expected = published(thick_scan, lesion, paint)
    np.testing.assert_allclose(painted(thick_scan, lesion, paint), expected, atol=0.01)


def test_nothing_outside_the_organ_is_painted(scan):
    lesion = ellipsoid(scan, (8, 44, 41), 15)
    assert 0 < lesion.sum() < 10_000
    image = painted(scan, lesion, PLAIN)
    assert image[~scan.organ].tobytes() == scan.image[~scan.organ].tobytes()
    assert (image != scan.image).any()


def test_mean_change_of_a_lesion_is_about_half_its_contrast(scan):
    lesion = ellipsoid(scan, (50, 44, 41), 25)
    for texture in TEXTURES:
        paint = Paint(texture, (5.0, 6.0, 7.0), contrast_hu=-100.0, edge_mm=1.0)
        change = (painted(scan, lesion, paint) - scan.image)[lesion].mean()
        assert -56 < change < -38


def with_and_without(scan, lesion, **effect):
    """What an effect adds, and each voxel's depth (mm) below the lesion's surface."""
    plain = asdict(PLAIN)
    change = painted(scan, lesion, Paint(**plain | effect)) - painted(scan, lesion, PLAIN)
    depth = ndimage.distance_transform_edt(lesion, sampling=scan.spacing)
    height = ndimage.distance_transform_edt(~lesion, sampling=scan.spacing)
    return change, np.where(lesion, depth, -height)


@pytest.mark.parametrize("which", ["scan", "thick_scan"])
def test_a_rim_is_a_bright_shell_at_the_surface(which, request):
    scan = request.getfixturevalue(which)
    change, depth = with_and_without(scan, ellipsoid(scan, (48, 44, 45), 20), rim_hu=50.0)
    shell = np.abs(depth) < 1.5
    assert change.min() > -1e-3
    assert change[shell].mean() > 5
    assert change[depth > 10].max() < 0.5
    assert change[depth < -8].max() < 0.5
    assert change.max() <= 50.0 + 1e-3


def test_a_core_darkens_the_middle_and_not_the_surface(scan):
    lesion = ellipsoid(scan, (50, 44, 41), 20)
    change, depth = with_and_without(scan, lesion, core_hu=-30.0, core_part=0.5)
    assert change.max() < 1e-3
    assert change[depth > 15].mean() == pytest.approx(-30, abs=1)
    assert np.abs(change[(depth > 0) & (depth < 3)]).max() < 1
    half = (depth > 10) & (depth <= 11)
    assert -27 < change[half].mean() < -8


@pytest.mark.parametrize("wanted", [-650.0, 30.0, -50.0])
def test_filling_reaches_the_wanted_hu_in_a_lung(scan, wanted):
    noise = np.random.default_rng(0).normal(-800, 60, scan.organ.shape)
    lung = scan._replace(image=np.where(scan.organ, noise, 50).astype(np.float32))
    lesion = ellipsoid(lung, (50, 44, 41), 15)
    paint = Paint((6.0, 4.0), (0.0, 0.0, 0.0), 0.0, edge_mm=1.0, fill_hu=wanted)
    depth = ndimage.distance_transform_edt(lesion)
    image = painted(lung, lesion, paint)
    assert image[depth > 4].mean() == pytest.approx(wanted, abs=8)
    assert image[depth > 4].std() < 70  # the lung's noise stays, its air does not


@pytest.mark.parametrize("level", [30.0, 60.0, 100.0])
def test_a_floor_keeps_darker_lesions_above_it_and_still_darker_than_the_organ(scan, level):
    lesion = ellipsoid(scan, (50, 44, 41), 20)
    deep = ndimage.distance_transform_edt(lesion) > 4
    dim = scan._replace(image=scan.image - 100 + np.float32(level))
    model = Textured(floor_hu=0.0, core=1.0)
    plans = [LesionPlan("small", {})]
    for seed in range(8):
        look = model.draw(make_scene(*dim), plans, np.random.default_rng(seed))[0]
        mean = painted(dim, lesion, Paint(**look))[deep].mean()
        assert -12 < mean < dim.image[deep].mean() - 4


def looks(n=1, seed=0, **changes):
    plans = [LesionPlan("small", {}) for _ in range(n)]
    return Textured(**changes).draw(None, plans, np.random.default_rng(seed))


def test_one_scan_shares_texture_contrast_and_edge_unless_lesions_differ():
    names = ("texture", "offset_mm", "contrast_hu", "edge_mm")
    for seed in range(20):
        shared = looks(6, seed)
        assert all(one[name] == shared[0][name] for one in shared for name in names)
    own = looks(6, per_lesion=True)
    assert len({one["contrast_hu"] for one in own}) == len({one["edge_mm"] for one in own}) == 6


def test_published_contrast_and_edge_are_uniform_in_their_ranges():
    drawn = [looks(seed=seed)[0] for seed in range(600)]
    for name, low, width in (("contrast_hu", -145, 80), ("edge_mm", 1, 1)):
        values = [one[name] for one in drawn]
        assert stats.kstest(values, "uniform", (low, width)).pvalue > 1e-4
    assert all(one["rim_hu"] == one["core_hu"] == 0 and one["fill_hu"] is None for one in drawn)


@pytest.mark.parametrize("part", [0.0, 0.3, 1.0])
def test_effects_occur_as_often_as_asked(part):
    drawn = looks(2000, hyperdense=part, rim=part, core=part)
    for happened in (
        [one["contrast_hu"] > 0 for one in drawn],
        [one["rim_hu"] != 0 for one in drawn],
        [one["core_hu"] != 0 for one in drawn],
    ):
        assert np.mean(happened) == pytest.approx(part, abs=0.04)


def test_effects_stay_in_their_ranges():
    drawn = looks(
        500,
        rim=1.0,
        core=1.0,
        rim_hu=(10, 12),
        core_hu=(-9, -7),
        core_part=(0.2, 0.25),
        fill_hu=(-20, 30),
        hyperdense=1.0,
        contrast_hu=(-50, -40),
    )
    for name, low, high in (
        ("rim_hu", 10, 12),
        ("core_hu", -9, -7),
        ("core_part", 0.2, 0.25),
        ("fill_hu", -20, 30),
        ("contrast_hu", 40, 50),
    ):
        values = [one[name] for one in drawn]
        assert low <= min(values) <= max(values) <= high


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"rim": 1.5}, "probability"),
        ({"core": -0.1}, "probability"),
        ({"hyperdense": 2.0}, "probability"),
        ({"contrast_hu": (10, -10)}, "range"),
        ({"edge_mm": (1, 2, 3)}, "range"),
        ({"fill_hu": (5, 1)}, "range"),
        ({"edge_mm": (-1, 2)}, "edge_mm"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, sentence):
    with pytest.raises(InputError, match=sentence):
        Textured(**wrong)
