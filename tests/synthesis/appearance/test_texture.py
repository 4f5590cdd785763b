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


def test_on_a_1_mm_grid_the_texture_is_the_tile_itself(scan):
    lesion = ellipsoid(scan, (50, 44, 41), 20)
    soft = ndimage.gaussian_filter(lesion.astype(float), PLAIN.edge_mm, mode="constant")
    at = [
        (np.arange(n) + int(o)) % TILE for n, o in zip(lesion.shape, PLAIN.offset_mm, strict=True)
    ]
    texture = tile(*PLAIN.texture)[np.ix_(*at)] / LEVELS
    expected = scan.image + scan.organ * PLAIN.contrast_hu * texture * soft
    np.testing.assert_allclose(painted(scan, lesion, PLAIN), expected, atol=2e-3)


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


def test_a_larger_part_is_a_larger_core(scan):
    lesion = ellipsoid(scan, (50, 44, 41), 20)
    sums = [
        with_and_without(scan, lesion, core_hu=-30.0, core_part=part)[0].sum()
        for part in (0.2, 0.4, 0.6, 0.8)
    ]
    assert sums == sorted(sums, reverse=True)
    assert sums[-1] < 3 * sums[0]


def test_a_core_is_made_in_a_lesion_that_fills_the_whole_organ():
    organ = np.zeros((11, 11, 11), bool)
    organ[3:8, 3:8, 3:8] = True
    image = np.random.default_rng(0).normal(100, 15, organ.shape).astype(np.float32)
    scene = make_scene(image, organ, (1.0, 1.0, 1.0))
    before = image.copy()
    whole = LesionMask((slice(0, 5),) * 3, np.ones((5, 5, 5), bool))
    paint = Paint((6.0, 4.0), (0.0, 0.0, 0.0), 0.0, 1.0, core_hu=-30.0, core_part=0.5)
    Textured().paint(scene, whole, asdict(paint))
    assert image[5, 5, 5] < before[5, 5, 5] - 5


def test_a_core_may_take_the_whole_lesion():
    organ = np.ones((5, 5, 5), bool)
    image = np.random.default_rng(0).normal(100, 15, organ.shape).astype(np.float32)
    whole = LesionMask((slice(0, 5),) * 3, organ)
    paint = Paint((6.0, 4.0), (0.0, 0.0, 0.0), 0.0, 1.0, core_hu=-30.0, core_part=1.0)
    before = image.copy()
    Textured().paint(make_scene(image, organ, (1.0, 1.0, 1.0)), whole, asdict(paint))
    assert np.isfinite(image).all()
    assert (image < before).all()


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


def test_filling_at_the_organs_edge_is_not_misled_by_what_lies_beyond(scan):
    noise = np.random.default_rng(0).normal(-800, 30, scan.organ.shape)
    lung = scan._replace(image=np.where(scan.organ, noise, 300).astype(np.float32))
    lesion = ellipsoid(lung, (12, 44, 41), 12)
    paint = Paint((6.0, 4.0), (0.0, 0.0, 0.0), 0.0, edge_mm=1.0, fill_hu=20.0)
    deep = ndimage.distance_transform_edt(np.pad(lesion, 1))[1:-1, 1:-1, 1:-1] > 4
    assert deep.sum() > 300
    assert painted(lung, lesion, paint)[deep].mean() == pytest.approx(20, abs=15)


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


def test_a_floor_far_below_changes_nothing(scan):
    scene, plans = make_scene(*scan), [LesionPlan("small", {})] * 5
    drawn = [
        Textured(core=1.0, per_lesion=True, floor_hu=floor).draw(
            scene, plans, np.random.default_rng(0)
        )
        for floor in (None, -1000.0)
    ]
    assert drawn[0] == drawn[1]


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


def test_the_ten_textures_are_equally_likely():
    drawn = [tuple(looks(seed=seed)[0]["texture"]) for seed in range(1000)]
    counts = [drawn.count(tuple(map(float, pair))) for pair in TEXTURES]
    assert sum(counts) == 1000
    assert stats.chisquare(counts).pvalue > 1e-4


def test_offsets_cover_the_tile():
    offsets = np.array([looks(seed=seed)[0]["offset_mm"] for seed in range(600)])
    assert (offsets == np.rint(offsets)).all()
    assert 0 <= offsets.min() < 5
    assert TILE - 5 <= offsets.max() < TILE


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
