"""Cellular tumours: how large they grow, by which tissue, what dies, and what can be asked for."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import numpy as np
import pytest
from scipy import ndimage, stats

import oncoforge as of
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.synthesis.cellular import PRESETS, Cellular, Settings
from oncoforge.synthesis.masks.sizes import SIZES

TABLE = {5: 2.4, 10: 3.7, 20: 7.2, 30: 11.6, 50: 20.5, 80: 34.4, 100: 43.7, 149: 67.0}
"""Diameter, mm, by steps in uniform tissue: of another program of the published rules."""

TABLE_2 = {20: 5.8, 50: 15.7, 80: 26.1}
TABLE_3 = {20: 3.0, 50: 8.1, 80: 14.2}
"""The same in tissue of level 2 and 3, if it resists as the paper says."""

AROUND = np.ones((3, 3, 3), bool)


def block(n, hu=100.0, noise=0.0, spacing=(1.0, 1.0, 1.0)):
    """An image that is all organ."""
    image = np.full((n, n, n), hu) + noise * np.random.default_rng(0).normal(size=(n, n, n))
    return image.astype(np.float32), np.ones((n, n, n), bool), spacing


def grow(scan, seed=0, **changes):
    return Cellular(**{"foci": 1} | changes)(*scan, np.random.default_rng(seed))


def drawn(scan, n, **changes):
    synth = Cellular(**changes)
    rng = np.random.default_rng(5)
    return [synth.draw(*scan, rng) for _ in range(n)]


def fingerprint(out) -> str:
    digest = hashlib.sha256(out.image.tobytes() + out.instances().tobytes())
    digest.update(json.dumps(out.recipe.to_dict()).encode())
    digest.update(repr(out.lesions).encode())
    return digest.hexdigest()


# Growth.


@pytest.mark.parametrize("preset", ["liver", "released"])
@pytest.mark.parametrize("steps", TABLE)
def test_one_focus_becomes_one_lesion_of_the_published_diameter(preset, steps):
    scan = block(int(1.3 * TABLE[steps]) + 14)
    for seed in range(3):
        out = grow(scan, seed, preset=preset, steps=steps)
        (lesion,) = out.lesions
        assert lesion.diameter_mm == pytest.approx(TABLE[steps], rel=0.15)
        assert ndimage.label(out.tumor, AROUND)[1] <= (1 if preset == "liver" else 9)


@pytest.mark.parametrize(("hu", "table"), [(130.0, TABLE_2), (150.0, TABLE_3)])
@pytest.mark.parametrize("steps", [20, 50, 80])
def test_denser_tissue_holds_a_lesion_back(hu, table, steps):
    scan = block(60, hu)
    sizes = [
        grow(scan, seed, steps=steps).lesions[0].diameter_mm
        for seed in range(6 if steps == 80 else 24)  # the young ones scatter by 12 % and more
    ]
    assert np.median(sizes) == pytest.approx(table[steps], rel=0.15)


@pytest.mark.parametrize("hu", [100.0, 130.0, 150.0])
def test_released_growth_minds_no_tissue_but_walls(hu):
    (lesion,) = grow(block(44, hu), preset="released", steps=50).lesions
    assert lesion.diameter_mm == pytest.approx(TABLE[50], rel=0.15)


def test_a_lesion_stays_on_its_seed_unless_released():
    for preset, drift in (("liver", 0.0), ("released", 1.6)):
        places = []
        for seed in range(4):
            out = grow(block(70), seed, preset=preset, steps=80)
            start = out.recipe.lesions[0].mask["cores_mm"][0]
            places.append(np.subtract(out.lesions[0].centre_mm, start))
        assert np.mean(places, axis=0)[0] == pytest.approx(drift, abs=0.6)
        np.testing.assert_allclose(np.mean(places, axis=0)[1:], -drift / 2, atol=0.6)


def test_a_lesion_goes_round_what_is_bright_and_takes_its_time_through_it():
    image, organ, spacing = block(60)
    image[30:, :, :] = 300
    synth = Cellular(steps=60, foci=1, at_mm=((24.0, 30.0, 30.0),))
    tumor = synth(image, organ, spacing, np.random.default_rng(0)).tumor
    before, behind = tumor[:30].sum(), tumor[30:].sum()
    assert 0 < behind < 0.1 * before
    assert np.argwhere(tumor)[:, 0].max() < 30 + 8


def test_growth_rows_run_from_the_seed_to_the_lesion():
    for changes in ({"steps": 60}, {"diameter_mm": 20.0}, {"size": "small"}):
        (lesion,) = grow(block(50), **changes).lesions
        rows = lesion.growth.rows()
        assert [row["step"] for row in rows] == list(range(len(rows)))
        volumes = [row["volume_mm3"] for row in rows]
        assert volumes == sorted(volumes)
        assert volumes[0] <= 2
        assert volumes[-1] == lesion.volume_mm3 == lesion.voxels
        assert rows[-1]["diameter_mm"] == pytest.approx(lesion.diameter_mm)
        if "steps" in changes:
            assert len(rows) == 61


def test_fewer_steps_are_the_same_tumour_when_it_was_younger():
    scan = block(60)
    recipe = grow(scan, steps=60, necrosis=0.0).recipe.to_dict()
    older = Cellular().apply(*scan, recipe)
    for steps in (50, 30, 10, 0):
        recipe["lesions"][0]["mask"]["steps"] = steps
        younger = Cellular().apply(*scan, recipe)
        assert not (younger.tumor & ~older.tumor).any()
        (lesion,) = older.lesions
        assert younger.lesions[0].volume_mm3 == lesion.growth.volumes_mm3[steps]
        older = younger


@pytest.mark.parametrize("spacing", [(0.7, 0.7, 0.7), (2.0, 2.0, 2.0), (0.8, 0.8, 3.0)], ids=str)
def test_a_lesion_has_its_size_in_mm_on_every_grid(spacing):
    shape = [round(48 / s) for s in spacing]
    organ = np.ones(shape, bool)
    image = np.full(shape, 100, np.float32)
    at = ((24.0, 24.0, 24.0),)
    for steps in (30, 50, 80):
        synth = Cellular(steps=steps, foci=1, at_mm=at)
        (lesion,) = synth(image, organ, spacing, np.random.default_rng(1)).lesions
        assert lesion.diameter_mm == pytest.approx(TABLE[steps], rel=0.15)
        assert np.linalg.norm(np.subtract(lesion.centre_mm, at[0])) < 1.5 + max(spacing) / 2


def test_nothing_changes_beyond_the_next_voxel_of_a_lesion(scan):
    for preset in ("liver", "pancreas", "kidney", "released"):
        out = Cellular(preset=preset)(*scan, np.random.default_rng(4))
        assert out.lesions
        beyond = ~ndimage.binary_dilation(out.tumor, AROUND)
        assert out.image[beyond].tobytes() == scan.image[beyond].tobytes()
        assert (out.image != scan.image)[out.tumor].mean() > 0.99


def test_mature_tumour_is_darker_by_about_half_the_contrast():
    scan = block(60, noise=8.0)
    parts = []
    for seed in range(6):
        out = grow(scan, seed, steps=50, necrosis=0.0)
        deep = ndimage.distance_transform_edt(out.tumor) > 4
        change = (out.image - scan[0])[deep].mean()
        parts.append(change / out.recipe.lesions[0].appearance["contrast_hu"])
    # The texture averages one half in its whole tile, and a little more or less in one tumour.
    assert 0.35 < min(parts) < max(parts) < 0.7
    assert 0.45 < np.mean(parts) < 0.58


# Death.


@pytest.mark.parametrize("steps", [51, 80, 100])
def test_a_large_lesion_dies_by_the_published_part(steps):
    scan = block(64)
    parts = [
        grow(scan, seed, steps=steps, necrosis=1.0).lesions[0].growth.necrotic_fraction
        for seed in range(6)
    ]
    assert 0.2 < np.mean(parts) <= 0.35
    assert 0.1 < min(parts) <= max(parts) <= 0.35


def test_dead_tumour_is_tumour_and_darker():
    scan = block(60)
    alive, dead = (grow(scan, 2, steps=80, necrosis=part) for part in (0.0, 1.0))
    np.testing.assert_array_equal(alive.tumor, dead.tumor)
    assert alive.lesions[0].growth.necrotic_fraction == 0
    change = dead.image - alive.image
    assert (change[~ndimage.binary_dilation(alive.tumor, AROUND)] == 0).all()
    assert change.max() <= 0
    darker = change < -30
    part = dead.lesions[0].growth.necrotic_fraction
    assert darker.sum() == pytest.approx(part * dead.tumor.sum(), rel=0.2)
    assert dead.lesions[0].mean_hu < alive.lesions[0].mean_hu - 8
    # It is the middle that dies.
    depth = ndimage.distance_transform_edt(dead.tumor)
    assert depth[darker].mean() > 1.2 * depth[dead.tumor & ~darker].mean()


def test_half_of_the_large_lesions_die_and_no_small_one(small_scan):
    for preset, limit in (("liver", 50), ("pancreas", 30), ("kidney", 30)):
        plans = [p.mask for r in drawn(small_scan, 150, preset=preset) for p in r.lesions]
        large = [mask["necrosis"] for mask in plans if mask["steps"] > limit]
        assert 0.42 < np.mean(large) < 0.58
        assert not any(mask["necrosis"] for mask in plans if mask["steps"] <= limit)


# What is drawn.


def test_presets_hold_the_published_numbers():
    for name, levels, longest, limit, vessel, bright in (
        ("liver", (120, 140, 160), 149, 50, 110 / 160, 140 / 160),
        ("pancreas", (120, 140, 160), 79, 30, 110 / 160, 140 / 160),
        ("kidney", (160, 180, 200), 79, 30, 150 / 200, 180 / 200),
    ):
        preset = PRESETS[name]
        assert preset.levels_hu == levels
        assert (preset.steps, preset.necrosis_steps) == ((5, longest), limit)
        assert (preset.vessel_keep, preset.bright_keep) == (vessel, bright)
        assert preset.contrast_hu == (-145, -65)
        assert preset.necrosis_hu == (-110, -90)
        assert preset.acceptance == (1.0, 0.3, 0.1)
        assert (preset.necrosis, preset.clustered, preset.count) == (0.5, 1 / 3, None)
        assert preset.smooth_mm == 0.0
        assert preset.mass_effect is None
    assert (PRESETS["pancreas"].fat_hu, PRESETS["pancreas"].fat_gain) == (65, (1, 2))
    assert PRESETS["liver"].fat_hu is PRESETS["kidney"].fat_hu is None
    assert PRESETS["kidney"].blur_mm == 0 < PRESETS["liver"].blur_mm
    assert PRESETS["released"].acceptance == (1.0, 1.0, 1.0)
    assert PRESETS["released"].neighbours == 28
    assert all(preset.neighbours == 27 for n, preset in PRESETS.items() if n != "released")


@pytest.mark.parametrize("preset", ["liver", "pancreas", "kidney"])
def test_published_steps_are_uniform_and_shared_by_a_scan(small_scan, preset):
    recipes = drawn(small_scan, 200, preset=preset)
    steps = [{p.mask["steps"] for p in r.lesions} for r in recipes]
    assert all(len(one) == 1 for one in steps)
    low, high = PRESETS[preset].steps
    values = [one.pop() for one in steps]
    assert low <= min(values) <= max(values) <= high
    assert stats.kstest(values, "uniform", (low - 0.5, high - low + 1)).pvalue > 1e-4


def test_published_counts_are_uniform_from_1_to_9_and_a_third_are_clusters(small_scan):
    recipes = drawn(small_scan, 400)
    counts = Counter(len(r.lesions) for r in recipes)
    assert set(counts) == set(range(1, 10))
    assert stats.chisquare([counts[n] for n in range(1, 10)]).pvalue > 1e-4
    cores = [len(p.mask["cores_mm"]) for r in recipes for p in r.lesions]
    assert np.mean([n > 1 for n in cores]) == pytest.approx(1 / 3, abs=0.05)
    assert {n for n in cores if n > 1} == set(range(4, 11))


def test_a_cluster_is_one_lesion_wider_than_one_of_a_single_seed(scan):
    alone, cluster = (
        Cellular(steps=30, count=1, clustered=part, at_mm=((50.0, 44.0, 41.0),))(
            *scan, np.random.default_rng(3)
        )
        for part in (0.0, 1.0)
    )
    assert len(alone.lesions) == len(cluster.lesions) == 1
    assert cluster.lesions[0].diameter_mm > 1.2 * alone.lesions[0].diameter_mm


def test_seeds_lie_in_the_organ_and_never_in_a_wall(scan):
    image = scan.image.copy()
    image[:, :, 40:] = np.where(scan.organ, 250, image)[:, :, 40:]
    for recipe in drawn(scan._replace(image=image), 30, steps=9):
        for plan in recipe.lesions:
            x, y, z = (round(c) for c in plan.mask["cores_mm"][0])
            assert scan.organ[x, y, z]
            assert image[x, y, z] < 160


def test_lesions_of_the_realistic_preset_differ_and_keep_their_distance(scan):
    lesions = [
        grow(scan, seed, foci=None, count=6, preset="realistic", mass_effect=None)
        for seed in range(4)
    ]
    for out in lesions:
        assert len({p.mask["steps"] for p in out.recipe.lesions}) > 1
        for i, one in enumerate(out.lesions):
            for other in out.lesions[:i]:
                gap = np.linalg.norm(np.subtract(one.centre_mm, other.centre_mm))
                assert gap > 0.8 * (one.diameter_mm + other.diameter_mm) / 2


# What can be asked for.


@pytest.mark.parametrize("which", ["scan", "thick_scan"])
@pytest.mark.parametrize("preset", PRESETS)
def test_the_diameter_asked_for_is_measured(which, preset, request):
    scan = request.getfixturevalue(which)
    middle = tuple((n // 2) * s for n, s in zip(scan.organ.shape, scan.spacing, strict=True))
    for seed in range(3):
        out = grow(
            scan, seed, foci=None, preset=preset, diameter_mm=26.0, at_mm=(middle,), clustered=0.0
        )
        (lesion,) = out.lesions
        assert lesion.diameter_mm == pytest.approx(26.0, rel=0.05)
        assert np.linalg.norm(np.subtract(lesion.centre_mm, middle)) < 5


@pytest.mark.parametrize("size", SIZES)
def test_a_size_class_brings_its_diameters_and_counts(small_scan, size):
    recipes = drawn(small_scan, 60, size=size)
    low, high = SIZES[size].count
    assert {len(r.lesions) for r in recipes} <= set(range(low, high + 1))
    plans = [p for r in recipes for p in r.lesions]
    assert {p.kind for p in plans} == {size}
    radius = SIZES[size].radius_mm
    diameters = np.array([p.mask["diameter_mm"] for p in plans])
    assert 1.5 * radius - 2 <= diameters.min() < diameters.max() <= 2.5 * radius
    assert diameters.mean() == pytest.approx(2 * radius, rel=0.1)


def test_lesions_grown_by_steps_are_named_by_the_nearest_size(small_scan):
    for steps, kind in ((10, "tiny"), (40, "small"), (80, "medium"), (149, "large")):
        (recipe,) = drawn(small_scan, 1, steps=steps, count=1)
        assert recipe.lesions[0].kind == kind


@pytest.mark.parametrize("count", [1, 4, 12])
def test_foci_and_count_are_so_many_lesions(small_scan, count):
    for recipe in drawn(small_scan, 5, steps=9, count=count):
        assert len(recipe.lesions) == count
    for recipe in drawn(small_scan, 5, steps=9, foci=count):
        assert [len(p.mask["cores_mm"]) for p in recipe.lesions] == [1] * count


def test_a_focus_is_as_deep_in_the_organ_as_it_will_be_wide(scan):
    depth = ndimage.distance_transform_edt(scan.organ)
    for recipe in drawn(scan, 10, steps=50, foci=1):
        (plan,) = recipe.lesions
        x, y, z = (round(c) for c in plan.mask["cores_mm"][0])
        assert depth[x, y, z] > TABLE[50] / 2 - 2


def test_lesions_start_where_they_are_asked_to_even_in_a_wall(scan):
    at = ((30.0, 40.0, 40.0), (65.0, 44.0, 41.0))
    image = scan.image.copy()
    image[65, 44, 41] = 400
    out = grow(scan._replace(image=image), foci=None, at_mm=at, steps=30, clustered=0.0)
    assert len(out.lesions) == 2
    for lesion, place in zip(out.lesions, at, strict=True):
        assert np.linalg.norm(np.subtract(lesion.centre_mm, place)) < 2
    more = grow(scan, foci=None, at_mm=at, steps=9, count=5)
    assert len(more.recipe.lesions) == 5


def test_adaptive_levels_suit_any_organ_where_published_ones_find_no_tissue():
    bone = block(40, 420.0, noise=40.0)
    for preset in ("liver", "kidney", "released"):
        out = grow(bone, preset=preset, steps=30)
        assert out.lesions == ()
        (reason,) = out.skipped
        assert "adaptive" in reason
        assert out.image.tobytes() == bone[0].tobytes()
    for preset in ("adaptive", "realistic"):
        (lesion,) = grow(bone, preset=preset, diameter_mm=15.0, mass_effect=None).lesions
        assert lesion.diameter_mm == pytest.approx(15, rel=0.1)


@pytest.mark.parametrize("phase", ["arterial", "non-contrast"])
def test_adaptive_tumours_grow_in_every_kind_of_organ(phase):
    case = of.make_phantom(seed=0, spacing_mm=(3, 3, 3), phase=phase).case()
    for organ in ("liver", "kidney", "spleen", "lung", "vertebra", "pancreas"):
        for preset in ("adaptive", "realistic"):
            made = of.synthesize(
                case, organ, "cellular", preset=preset, diameter_mm=12.0, count=2, seed=1
            )
            assert len(made.synthesis.lesions) == 2, organ
            mask = case.organ(organ)
            np.testing.assert_array_equal(made.image[~mask], case.image[~mask])
            for lesion in made.synthesis.lesions:
                assert lesion.diameter_mm == pytest.approx(12, rel=0.15), organ


def test_adaptive_sizes_follow_the_organ():
    for n, most in ((24, 0.45), (60, 0.45), (100, 0.45)):
        organ = n * (6 / np.pi) ** (1 / 3)
        (lesion,) = [
            max(
                (grow(block(n), seed, preset="adaptive").lesions[0] for seed in range(8)),
                key=lambda lesion: lesion.diameter_mm,
            )
        ]
        assert 0.2 * organ < lesion.diameter_mm < 1.1 * most * organ


def test_adaptive_sizes_are_those_of_the_whole_organ_in_a_patch_of_it():
    image, organ, spacing = block(80, noise=10.0)
    part = (slice(0, 40),) * 3

    def longest(box, share):
        synth, rng = Cellular(preset="adaptive"), np.random.default_rng(0)
        recipes = [synth.draw(image[box], organ[box], spacing, rng, share=share) for _ in range(60)]
        return max(plan.mask["steps"] for recipe in recipes for plan in recipe.lesions)

    assert longest(part, 1 / 8) == pytest.approx(longest(np.s_[:, :, :], 1.0), rel=0.1)


def test_every_preset_is_chosen_by_its_organ():
    for organ in ("liver", "pancreas", "kidney"):
        assert Cellular.preset_for(organ) == organ
    for organ in ("spleen", "lung", "vertebra"):
        assert Cellular.preset_for(organ) == "adaptive"


# Mass effect and capsule.


def test_mass_effect_pushes_the_organ_about_the_lesion_and_nothing_far_away():
    scan = block(70, noise=8.0)
    still, pushed = (
        grow(scan, 1, steps=50, mass_effect=effect, necrosis=0.0) for effect in (None, (0.5, 0.5))
    )
    assert still.recipe.lesions[0].mask == pushed.recipe.lesions[0].mask
    far = ndimage.distance_transform_edt(~still.tumor)
    ring, away = (far > 1.8) & (far < 2.5), far > 6
    assert (pushed.image != still.image)[ring].mean() > 0.7
    assert (still.image == scan[0])[ring].all()
    assert (pushed.image == scan[0])[away].all()
    assert len(pushed.lesions) == 1


def test_a_rim_brightens_the_edge_of_a_lesion():
    scan = block(60)
    plain, rimmed = (grow(scan, 1, steps=60, rim=rim, necrosis=0.0) for rim in (0.0, 1.0))
    np.testing.assert_array_equal(plain.tumor, rimmed.tumor)
    change = rimmed.image - plain.image
    depth = ndimage.distance_transform_edt(plain.tumor)
    assert change.min() >= 0
    assert change[(depth > 0) & (depth <= 2)].mean() > 3
    assert np.abs(change[depth > 6]).max() < 0.5


def test_a_floor_holds_for_dead_tumour_too():
    scan = block(70, 40.0, noise=10.0)
    for seed in range(4):
        out = grow(scan, seed, preset="realistic", diameter_mm=40.0, necrosis=1.0, mass_effect=None)
        assert out.lesions[0].growth.necrotic_fraction > 0.2
        deep = ndimage.distance_transform_edt(out.tumor) > 8
        assert out.image[deep].mean() > -15


# The device.


def on(device, scan, **changes):
    return Cellular(preset="realistic", count=4, device=device, **changes)(
        *scan, np.random.default_rng(3)
    )


@pytest.mark.parametrize("preset", ["liver", "released"])
def test_pytorch_gives_the_same_bytes(scan, preset):
    pytest.importorskip("torch")
    outs = [
        Cellular(preset=preset, steps=55, count=3, necrosis=1.0, device=device)(
            *scan, np.random.default_rng(3)
        )
        for device in ("cpu", "cpu:0")
    ]
    assert outs[0].lesions
    assert max(lesion.growth.necrotic_fraction for lesion in outs[0].lesions) > 0
    assert fingerprint(outs[0]) == fingerprint(outs[1])


def test_the_device_is_not_in_the_recipe(scan):
    pytest.importorskip("torch")
    there = on("cpu:0", scan, size="small")
    assert fingerprint(there) == fingerprint(on("cpu", scan, size="small"))
    assert "device" not in json.dumps(there.recipe.to_dict())
    assert "device" not in Settings.__dataclass_fields__


@pytest.mark.gpu
def test_a_gpu_gives_the_same_bytes(scan, thick_scan):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    for each in (scan, thick_scan):
        for changes in ({"size": "mix"}, {"steps": 70, "necrosis": 1.0}):
            assert fingerprint(on("cuda", each, **changes)) == fingerprint(
                on("cpu", each, **changes)
            )


@pytest.mark.parametrize("device", ["quantum", "cuda:99", "", "meta"])
def test_a_device_that_is_not_there_is_refused_in_a_sentence(device):
    pytest.importorskip("torch")
    with pytest.raises(InputError, match=r"[Dd]evice.*[.]$"):
        Cellular(device=device)


def test_a_gpu_that_is_not_there_is_refused_in_a_sentence():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("it is there")
    with pytest.raises(InputError, match="cuda"):
        Cellular(device="cuda")


# Settings.


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ({"size": "medum"}, "medium"),
        ({"preset": "livre"}, "liver"),
        ({"step": 5}, "steps"),
        ({"contrast": (-100, -50)}, "contrast_hu"),
        ({"place": "insde"}, "inside"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(small_scan, wrong, meant):
    with pytest.raises(UnknownNameError, match=f"'{meant}'"):
        Cellular(**wrong)(*small_scan, np.random.default_rng(0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": "small", "steps": 30},
        {"diameter_mm": 20.0, "steps": (5, 9)},
        {"foci": 2, "count": 2},
        {"foci": 0},
        {"count": 0},
        {"count": 1, "at_mm": ((1, 2, 3), (4, 5, 6))},
        {"foci": 1, "at_mm": ((1, 2, 3), (4, 5, 6))},
        {"diameter_mm": -3.0},
        {"steps": 0},
        {"steps": (9, 5)},
        {"steps": (5, 9, 12)},
        {"steps": 10**6},
        {"steps": 2.5},
        {"clustered": 1.5},
        {"necrosis": -0.1},
        {"necrosis_steps": -1},
        {"margin": -1.0},
        {"min_distance_mm": -1.0},
        {"levels_hu": (160.0, 140.0, 120.0)},
        {"levels_hu": (120.0, 140.0)},
        {"smooth_mm": -1.0},
        {"acceptance": (0.0, 0.3, 0.1)},
        {"acceptance": (1.0, 0.3, 1.1)},
        {"neighbours": 26},
        {"pitch_mm": 0.0},
        {"pitch_mm": 100.0},
        {"contrast_hu": (10, -10)},
        {"rim": 7.0},
        {"vessel_keep": 2.0},
        {"mass_effect": (0.2, 1.5)},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused_in_a_sentence(wrong):
    with pytest.raises(InputError, match=r"[.]$"):
        Cellular(**wrong)


def test_every_setting_changes_something(small_scan):
    rng = np.random.default_rng(0)
    tubes = ndimage.binary_dilation(rng.random(small_scan.organ.shape[:2]) < 0.02, iterations=2)
    image = small_scan.image + 80 * tubes[..., None]
    image -= 160 * (rng.random(small_scan.organ.shape) < 0.1)
    image = np.where(small_scan.organ, image, small_scan.image).astype(np.float32)

    def made(**changes):
        synth = Cellular(**changes)
        return synth(image, *small_scan[1:], np.random.default_rng(3)).image.tobytes()

    base = {"steps": 32, "rim": 1.0, "necrosis": 1.0, "necrosis_steps": 10, "fat_hu": 40.0}
    base |= {"min_distance_mm": 1.0, "count": 3, "clustered": 0.0, "place": "inside"}
    changes = {
        "count": 2, "at_mm": ((20.0, 20.0, 20.0),), "steps": (30, 34), "clustered": 1.0,
        "per_lesion": True, "place": "anywhere", "margin": 0.9, "avoid_vessels": True,
        "min_distance_mm": 9.0, "necrosis": 0.0, "necrosis_steps": 40,
        "levels_hu": (100.0, 110.0, 120.0), "smooth_mm": 1.0, "acceptance": (0.8, 0.3, 0.1),
        "neighbours": 28, "pitch_mm": 1.5, "contrast_hu": (-30.0, -20.0), "hyperdense": 1.0,
        "rim": 0.0, "rim_hu": (90.0, 95.0), "fill_hu": (0.0, 5.0), "floor_hu": 80.0,
        "necrosis_hu": (-30.0, -20.0), "vessel_keep": 0.3, "bright_keep": 0.3, "blur_mm": 0.0,
        "fat_hu": None, "fat_gain": (3.0, 4.0), "mass_effect": (0.5, 0.6),
    }  # fmt: skip
    assert set(Settings.__dataclass_fields__) - set(changes) == {"size", "diameter_mm"}
    plain = made(**base)
    for name, value in changes.items():
        assert made(**base | {name: value}) != plain, name
    del base["steps"]
    assert len({made(**base, size=size) for size in ("tiny", "small")}) == 2
    assert len({made(**base, diameter_mm=mm) for mm in (8.0, 9.0)}) == 2


def test_growth_ends_with_the_lesion_even_where_lesions_meet():
    image, organ, spacing = block(70)
    synth = Cellular(steps=60, count=6, clustered=0.3)
    out = synth(image, organ, spacing, np.random.default_rng(4))
    assert len(out.lesions) > 2
    for lesion in out.lesions:
        assert lesion.growth.volumes_mm3[-1] == lesion.volume_mm3


@pytest.mark.parametrize(
    ("organ_mm", "spacing", "wanted", "words"),
    [(30, 1.0, 80.0, "no more room"), (40, 4.0, 1.0, "no smaller"), (60, 1.0, 20.0, None)],
)
def test_a_size_that_is_not_reached_is_remarked(organ_mm, spacing, wanted, words):
    shape = (round(organ_mm / spacing),) * 3
    image, organ = np.full(shape, 100, np.float32), np.ones(shape, bool)
    synth = Cellular(diameter_mm=wanted, count=1, clustered=0.0)
    out = synth(image, organ, (spacing,) * 3, np.random.default_rng(0))
    assert len(out.lesions) == 1
    if words is None:
        assert out.remarks == ()
    else:
        (remark,) = out.remarks
        assert f"A lesion of {wanted:.1f} mm came to" in remark
        assert words in remark


def test_lesions_with_a_size_start_deep_enough():
    image, organ, spacing = block(60)
    synth = Cellular(diameter_mm=20.0, count=1, clustered=0.0)
    for seed in range(10):
        plan = synth.draw(image, organ, spacing, np.random.default_rng(seed)).lesions[0]
        depth = np.minimum(plan.mask["cores_mm"][0], 59 - np.array(plan.mask["cores_mm"][0]))
        assert depth.min() >= 5
