"""Shading by density of growth: the published sum, and what becomes of vessels, fat and noise."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from scipy import ndimage, stats

from oncoforge.errors import InputError, OncoforgeError
from oncoforge.synthesis.appearance.bank import LEVELS, TILE, tile
from oncoforge.synthesis.appearance.density import Shade, Shaded
from oncoforge.synthesis.base import Density, LesionMask, LesionPlan
from oncoforge.synthesis.cellular import PRESETS
from oncoforge.synthesis.scene import bounding_box, make_scene

NO_VESSELS = (900.0, 950.0, 990.0)
PLAIN = Shade((6.0, 4.0), (11.0, 120.0, 77.0), contrast_hu=-105.0, levels_hu=NO_VESSELS)
MIDDLE = (50.0, 44.0, 41.0)


def shade(**changes):
    return Shade(**asdict(PLAIN) | changes)


def grown(scan, centre_mm=MIDDLE, radius_mm=20.0, edge_mm=3.0):
    """How far a round lesion fills each voxel of the scan: 1 inside, falling to 0 at its edge."""
    axes = [
        (np.arange(n) * s - c) ** 2
        for n, s, c in zip(scan.organ.shape, scan.spacing, centre_mm, strict=True)
    ]
    depth = radius_mm - np.sqrt(sum(np.ix_(*axes)))
    return np.clip(depth / edge_mm, 0, 1).astype(np.float32)


def painted(scan, filled, look, dead=None, model=None):
    """Paint a lesion that fills the voxels of the whole scan so far; the image after."""
    image = scan.image.copy()
    scene = make_scene(image, scan.organ, scan.spacing)
    here = bounding_box(filled[scene.box] > 0)
    # A voxel of nothing all round, as growth leaves it.
    shape = scene.organ.shape
    box = tuple(slice(max(s.start - 1, 0), min(s.stop + 1, n)) for s, n in zip(here, shape))  # noqa: B905
    part = filled[scene.box][box]
    necrosis = None if dead is None else dead[scene.box][box]
    inside = (part > 0.3) & scene.organ[box]
    mask = LesionMask(box, inside, Density(box, part.copy(), necrosis))
    parameters = look if isinstance(look, dict) else asdict(look)
    (model or Shaded()).paint(scene, mask, parameters)
    return image


def texture_of(scan, look):
    """The texture at every voxel, in double precision."""
    where = np.indices(scan.organ.shape).reshape(3, -1)
    position = where * np.array(scan.spacing)[:, None] + np.array(look.offset_mm)[:, None]
    values = ndimage.map_coordinates(
        tile(*look.texture) / LEVELS, position % TILE, order=1, mode="grid-wrap"
    )
    return values.reshape(scan.organ.shape)


@pytest.mark.parametrize("which", ["scan", "thick_scan"])
@pytest.mark.parametrize("offset", [(0.0, 0.0, 0.0), (127.0, 3.0, 64.0), (0.3, 127.6, 5.5)])
def test_shading_is_the_published_sum_on_any_grid(which, offset, request):
    scan = request.getfixturevalue(which)
    look = shade(texture=(9.0, 7.0), offset_mm=offset, contrast_hu=-137.0, necrosis_hu=-95.0)
    filled = grown(scan, (35.0, 52.0, 47.0), 18.0)
    dead = grown(scan, (38.0, 50.0, 47.0), 9.0)
    texture = texture_of(scan, look)
    expected = scan.image + scan.organ * texture * (-137.0 * filled - 95.0 * dead)
    np.testing.assert_allclose(painted(scan, filled, look, dead), expected, atol=0.01)


def test_without_death_there_is_no_term_of_death(scan):
    filled = grown(scan)
    alive = painted(scan, filled, shade(necrosis_hu=-95.0))
    np.testing.assert_array_equal(alive, painted(scan, filled, shade(necrosis_hu=0.0)))


def test_nothing_beyond_the_organ_or_the_lesion_is_painted(scan):
    filled = grown(scan, (10.0, 44.0, 41.0), 15.0)
    look = shade(levels_hu=(80.0, 90.0, 100.0), vessel_keep=0.5, blur_mm=2.0)
    image = painted(scan, filled, look)
    beyond = ~scan.organ | (filled == 0)
    assert image[beyond].tobytes() == scan.image[beyond].tobytes()
    assert (image[~beyond] != scan.image[~beyond]).mean() > 0.95


def test_the_scans_noise_stays_and_is_not_rounded(scan):
    filled = grown(scan)
    deep = filled == 1
    change = painted(scan, filled, PLAIN) - scan.image
    assert abs(np.corrcoef(change[deep], scan.image[deep])[0, 1]) < 0.05
    assert (painted(scan, filled, PLAIN)[deep] % 1 != 0).mean() > 0.9


# Vessels, bright tissue and fat.


def even(scan, hu):
    """The scan with every voxel of the organ at one HU."""
    return scan._replace(image=np.where(scan.organ, np.float32(hu), scan.image))


@pytest.mark.parametrize("keep", [0.6875, 0.75, 0.2, 1.0])
@pytest.mark.parametrize("zero", [0.0, -40.0])
def test_vessels_keep_their_part_where_the_lesion_is_grown(scan, keep, zero):
    look = shade(contrast_hu=0.0, levels_hu=(120, 140, 160), vessel_keep=keep, zero_hu=zero)
    filled = grown(scan, edge_mm=8.0)
    image = painted(even(scan, 180.0), filled, look)
    kept = zero + keep * (180.0 - zero)
    # As published, a vessel is one thing or the other: half-grown tumour has taken it over.
    np.testing.assert_allclose(image[scan.organ & (filled > 0.63)], kept, atol=1e-3)
    np.testing.assert_allclose(image[scan.organ & (filled < 0.37)], 180.0, atol=1e-3)


@pytest.mark.parametrize("keep", [0.875, 0.5])
def test_bright_tissue_keeps_its_part_by_degrees(scan, keep):
    look = shade(contrast_hu=0.0, levels_hu=(120, 140, 160), bright_keep=keep)
    filled = grown(scan, edge_mm=8.0)
    image = painted(even(scan, 150.0), filled, look)
    expected = 150.0 * (1 + (keep - 1) * filled.astype(float))
    np.testing.assert_allclose(image[scan.organ], expected[scan.organ], atol=1e-3)


@pytest.mark.parametrize("hu", [90.0, 130.0, 150.0, 155.0])
def test_there_is_no_step_at_the_edge_of_a_lesion_in_any_tissue(scan, hu):
    filled = grown(scan, edge_mm=8.0)
    liver = PRESETS["liver"]
    look = shade(
        levels_hu=liver.levels_hu, vessel_keep=liver.vessel_keep, bright_keep=liver.bright_keep
    )
    tissue = even(scan, hu)
    change = np.abs(painted(tissue, filled, look) - tissue.image)[scan.organ]
    faint = (filled > 0)[scan.organ] & (filled < 0.1)[scan.organ]
    assert change[faint].max() < 0.1 * (105 + hu / 8)
    assert change[filled[scan.organ] == 1].min() > 10


@pytest.mark.parametrize(
    ("hu", "level"), [(119.9, 1), (120.0, 1), (139.9, 1), (140.0, 3), (159.9, 3), (160.0, "vessel")]
)
def test_what_is_bright_and_what_is_a_vessel_begins_at_its_level(scan, hu, level):
    look = shade(contrast_hu=0.0, levels_hu=(120, 140, 160), bright_keep=0.9, vessel_keep=0.5)
    filled = grown(scan)
    image = painted(even(scan, hu), filled, look)
    keep = {1: 1.0, 3: 0.9, "vessel": 0.5}[level]
    np.testing.assert_allclose(image[filled == 1], keep * hu, rtol=1e-5)


def test_noise_does_not_make_vessels_where_the_scan_is_smoothed(scan):
    filled = grown(scan)
    noisy = scan._replace(image=scan.image + np.float32(30) * (scan.image - 100) / 15)
    look = {"contrast_hu": 0.0, "levels_hu": (120, 140, 160), "vessel_keep": 0.5}
    sharp, smooth = (painted(noisy, filled, shade(**look, smooth_mm=s)) for s in (0.0, 2.5))
    deep = filled == 1
    assert (sharp != noisy.image)[deep].mean() > 0.05
    assert (smooth != noisy.image)[deep].mean() < 0.001


def test_fat_is_filled_by_the_published_sum(scan):
    fatty = np.random.default_rng(3).random(scan.organ.shape) < 0.3
    sick = scan._replace(image=np.where(fatty & scan.organ, np.float32(-70), scan.image))
    look = shade(fat_hu=65.0, fat_gain=1.4)
    filled = grown(sick)
    inside = scan.organ & (filled > 0)
    mean = sick.image[inside].mean(dtype=float)
    texture = texture_of(sick, look)
    fat = inside & (sick.image <= 65)
    gain = texture * filled * (-105.0 * inside + 1.4 * mean * fat)
    np.testing.assert_allclose(painted(sick, filled, look), sick.image + gain, atol=0.01)


def test_an_organ_of_fat_alone_is_not_made_darker_by_filling_it(scan):
    filled = grown(scan)
    fat = even(scan, -90.0)
    look = shade(contrast_hu=0.0, fat_hu=65.0, fat_gain=2.0)
    np.testing.assert_allclose(painted(fat, filled, look)[scan.organ], -90.0, atol=1e-3)


def test_blur_takes_the_noise_from_vessels_and_bright_tissue_alone(scan):
    tube = np.zeros(scan.organ.shape, bool)
    tube[44:54, 40:50, :] = True
    sick = scan._replace(image=scan.image + np.float32(80) * (tube & scan.organ))
    filled = grown(sick)
    look = {"levels_hu": (120, 145, 160), "vessel_keep": 0.6875, "bright_keep": 0.875}
    sharp, soft = (painted(sick, filled, shade(**look, blur_mm=b)) for b in (0.0, 1.0))
    special = (sick.image >= 145) & (filled >= 0.5)
    np.testing.assert_array_equal(sharp[~special], soft[~special])
    deep = ndimage.binary_erosion(tube, iterations=3) & (filled == 1) & special
    assert deep.sum() > 100
    assert soft[deep].std() < 0.5 * sharp[deep].std()
    assert soft[deep].mean() == pytest.approx(sharp[deep].mean(), abs=4)


# What a lesion may show besides.


@pytest.mark.parametrize("which", ["scan", "thick_scan"])
def test_a_rim_is_a_bright_shell_at_the_surface(which, request):
    scan = request.getfixturevalue(which)
    filled = grown(scan, edge_mm=1.0)
    change = painted(scan, filled, shade(rim_hu=50.0)) - painted(scan, filled, PLAIN)
    lesion = (filled > 0.3) & scan.organ
    depth = ndimage.distance_transform_edt(lesion, sampling=scan.spacing)
    height = ndimage.distance_transform_edt(~lesion, sampling=scan.spacing)
    assert change.min() > -1e-3
    assert change.max() <= 50.0 + 1e-3
    assert change[(depth > 0) & (depth < 2)].mean() > 15
    assert change[depth > 10].max() < 0.5
    assert change[height > 8].max() < 0.5
    assert (change[~scan.organ] == 0).all()


@pytest.mark.parametrize("wanted", [-650.0, 30.0, -50.0])
def test_filling_reaches_the_wanted_hu_in_a_lung_and_hides_its_vessels(scan, wanted):
    vessel = np.zeros(scan.organ.shape, bool)
    vessel[49:52, 40:43, :] = True
    air = np.where(vessel, 40, np.random.default_rng(0).normal(-800, 40, scan.organ.shape))
    lung = scan._replace(image=np.where(scan.organ, air, 50).astype(np.float32))
    filled = grown(lung, radius_mm=16.0)
    look = shade(levels_hu=(-700, -600, -500), vessel_keep=0.1, blur_mm=1.0, fill_hu=wanted)
    deep = ndimage.distance_transform_edt(filled == 1) > 2
    image = painted(lung, filled, look)
    assert image[deep].mean() == pytest.approx(wanted, abs=10)
    assert image[deep & vessel].mean() == pytest.approx(wanted, abs=60)
    assert image[deep & ~vessel].std() == pytest.approx(30, abs=15)  # the lung's noise stays


def test_a_mask_that_knows_no_density_is_softened(scan):
    lesion = grown(scan) > 0.5
    image = scan.image.copy()
    scene = make_scene(image, scan.organ, scan.spacing)
    box = bounding_box(lesion[scene.box])
    Shaded().paint(scene, LesionMask(box, lesion[scene.box][box]), asdict(PLAIN))
    soft = ndimage.gaussian_filter(lesion.astype(float), 0.7, mode="constant")
    expected = scan.image + scan.organ * -105.0 * texture_of(scan, PLAIN) * soft
    np.testing.assert_allclose(image, expected, atol=0.05)


# What is drawn.


def looks(scan, n=1, seed=0, **changes):
    plans = [LesionPlan("small", {}) for _ in range(n)]
    return Shaded(**changes).draw(make_scene(*scan), plans, np.random.default_rng(seed))


def test_published_contrasts_are_uniform_in_their_ranges(small_scan):
    drawn = [looks(small_scan, seed=seed)[0] for seed in range(500)]
    for name, low, width in (("contrast_hu", -145, 80), ("necrosis_hu", -110, 20)):
        values = [one[name] for one in drawn]
        assert stats.kstest(values, "uniform", (low, width)).pvalue > 1e-4
    assert all(one["rim_hu"] == 0 and one["fill_hu"] is None for one in drawn)
    assert all(one["fat_hu"] is None and one["fat_gain"] == 0 for one in drawn)


def test_one_scan_shares_its_look_unless_lesions_differ(small_scan):
    for seed in range(10):
        shared = looks(small_scan, 6, seed)
        assert all(one == shared[0] for one in shared)
    own = looks(small_scan, 6, per_lesion=True)
    assert len({one["contrast_hu"] for one in own}) == len({one["necrosis_hu"] for one in own}) == 6


@pytest.mark.parametrize("part", [0.0, 0.3, 1.0])
def test_effects_occur_as_often_as_asked_and_in_their_ranges(small_scan, part):
    drawn = looks(small_scan, 1500, hyperdense=part, rim=part, fill_hu=(-20, 30), fat_hu=65.0)
    assert np.mean([one["contrast_hu"] > 0 for one in drawn]) == pytest.approx(part, abs=0.05)
    rims = [one["rim_hu"] for one in drawn if one["rim_hu"]]
    assert len(rims) / len(drawn) == pytest.approx(part, abs=0.05)
    assert all(20 <= hu <= 60 for hu in rims)
    assert all(-20 <= one["fill_hu"] <= 30 and 1 <= one["fat_gain"] <= 2 for one in drawn)


def test_levels_are_those_asked_for_or_those_of_the_organ(small_scan):
    (asked,) = looks(small_scan, levels_hu=(150.0, 160.0, 170.0))
    assert asked["levels_hu"] == (150.0, 160.0, 170.0)
    assert asked["zero_hu"] == 0.0
    for shift in (0, 150):
        bright = small_scan._replace(image=small_scan.image + np.float32(shift))
        (look,) = looks(bright, levels_hu=None)
        # Noise of 15 HU about 100: steps of 15 above the middle, and nothing 8 below the walls.
        np.testing.assert_allclose(look["levels_hu"], np.add((115, 130, 145), shift), atol=3)
        assert look["zero_hu"] == pytest.approx(145 + shift - 8 * 15, abs=10)


@pytest.mark.parametrize("level", [30.0, 60.0, 100.0])
def test_a_floor_keeps_darker_lesions_above_it_and_still_darker_than_the_organ(scan, level):
    filled = grown(scan)
    deep = ndimage.distance_transform_edt(filled == 1) > 2
    dim = scan._replace(image=scan.image - 100 + np.float32(level))
    for seed in range(8):
        (look,) = looks(dim, seed=seed, floor_hu=0.0, rim=1.0)
        mean = painted(dim, filled, look)[deep].mean()
        assert -12 < mean < dim.image[deep].mean() - 4
        assert 0 <= look["rim_hu"] <= -look["contrast_hu"] / 2


def test_a_floor_far_below_changes_nothing(small_scan):
    drawn = [looks(small_scan, 4, per_lesion=True, floor_hu=floor) for floor in (None, -1000.0)]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("change", [{"edge_mm": 1.0}, {"levels": (1, 2, 3)}, {"levels_hu": (1, 2)}])
def test_parameters_of_something_else_are_refused(scan, change):
    with pytest.raises(OncoforgeError):
        painted(scan, grown(scan), asdict(PLAIN) | change)


def test_a_recipe_that_lacks_a_parameter_is_refused(scan):
    without = {name: value for name, value in asdict(PLAIN).items() if name != "levels_hu"}
    with pytest.raises(InputError, match="lacks a shading parameter"):
        painted(scan, grown(scan), without)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"rim": 1.5}, "probability"),
        ({"hyperdense": -0.1}, "probability"),
        ({"vessel_keep": 1.1}, "probability"),
        ({"bright_keep": -0.1}, "probability"),
        ({"contrast_hu": (10, -10)}, "range"),
        ({"necrosis_hu": (10, -10)}, "range"),
        ({"necrosis_hu": (-1e5, 0)}, "necrosis_hu"),
        ({"fat_gain": (2, 1)}, "range"),
        ({"fill_hu": (5, 1)}, "range"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(wrong, sentence):
    with pytest.raises(InputError, match=sentence):
        Shaded(**wrong)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"fat_gain": (0, 11)}, "fat_gain"),
        ({"levels_hu": (160.0, 140.0, 120.0)}, "ascend"),
        ({"smooth_mm": -1.0}, "smooth_mm"),
        ({"smooth_mm": 11.0}, "smooth_mm"),
        ({"blur_mm": -1.0}, "blur_mm"),
        ({"blur_mm": 11.0}, "blur_mm"),
        ({"fat_hu": 1e5}, "HU"),
    ],
    ids=str,
)
def test_settings_beyond_their_limits_are_refused_before_any_scan(wrong, sentence):
    with pytest.raises(InputError, match=sentence):
        Shaded(**wrong)
