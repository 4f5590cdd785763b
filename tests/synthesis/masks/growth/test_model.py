"""The mask model: how many tumours, where, how large, and what is said of those left out."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.synthesis.base import LesionMask, LesionPlan
from oncoforge.synthesis.masks.growth.clock import diameter_after, steps_for
from oncoforge.synthesis.masks.growth.model import GrowthModel
from oncoforge.synthesis.masks.growth.plan import GrowthPlan
from oncoforge.synthesis.masks.sizes import SIZE_NAMES, SIZES
from oncoforge.synthesis.scene import Scene, make_scene
from oncoforge.synthesis.tissue import Tissue


def draw(scene, seed=0, **wishes):
    """Plans as `GrowthPlan`s, and what was left out."""
    plans, skipped = GrowthModel(**wishes).draw(scene, np.random.default_rng(seed))
    return [GrowthPlan(**plan.mask) for plan in plans], skipped


def make(scene, seed=0, **wishes):
    """Masks of all lesions, and the plans of them; earlier ones are in the way of later ones."""
    model = GrowthModel(**wishes)
    plans, _ = model.draw(scene, np.random.default_rng(seed))
    masks = []
    for number, mask in enumerate(model.render(scene, plans), start=1):
        if isinstance(mask, LesionMask):
            scene.instances[mask.box][mask.inside] = number
        masks.append(mask)
    return masks, [GrowthPlan(**plan.mask) for plan in plans]


def diameter(scene, mask):
    volume = mask.inside.sum() * math.prod(scene.spacing)
    return (6 * volume / np.pi) ** (1 / 3)


# --- Draws ---------------------------------------------------------------------------------------

WISHES = [
    {},
    {"size": "mix"},
    {"diameter_mm": 12.0, "count": 4},
    {"per_lesion": True, "place": "inside", "min_distance_mm": 3.0},
    {"levels_hu": None, "smooth_mm": 1.5, "steps": None, "necrosis_steps": None},
    {"acceptance": (1.0, 1.0, 1.0), "neighbours": 28, "count": 9},
    {"place": "band", "avoid_vessels": True, "at_mm": ((20.0, 20.0, 20.0),), "count": 3},
]


@pytest.mark.parametrize("wishes", WISHES)
def test_the_same_rng_draws_the_same_lesions(small_scan, wishes):
    model = GrowthModel(**wishes)
    scene = make_scene(*small_scan)
    one, other, third = (model.draw(scene, np.random.default_rng(s)) for s in (1, 1, 2))
    assert one == other
    assert one != third


@pytest.mark.parametrize("wishes", WISHES)
def test_plans_are_plain_data(small_scan, wishes):
    model = GrowthModel(**wishes)
    scene = make_scene(*small_scan)
    plans, _ = model.draw(scene, np.random.default_rng(3))
    assert plans
    masks = list(model.render(scene, plans))
    again = [LesionPlan(p.kind, json.loads(json.dumps(p.mask))) for p in plans]
    for mask, same in zip(masks, model.render(scene, again), strict=True):
        if isinstance(mask, str):
            assert mask == same
            continue
        assert mask.box == same.box
        np.testing.assert_array_equal(mask.inside, same.inside)
        np.testing.assert_array_equal(mask.density.filled, same.density.filled)


def test_a_scan_has_one_to_nine_lesions_as_published(block):
    scene = block(20)
    counts = [len(draw(scene, seed)[0]) for seed in range(300)]
    assert set(counts) == set(range(1, 10))


@pytest.mark.parametrize("count", [1, 4, 12])
@pytest.mark.parametrize("more", [{}, {"size": "small"}, {"size": "mix"}, {"diameter_mm": 5.0}])
def test_the_count_asked_for_is_planned(block, count, more):
    assert len(draw(block(30), count=count, **more)[0]) == count


@pytest.mark.parametrize("size", SIZES)
def test_a_size_stops_at_its_diameters_and_has_its_count(block, size):
    low, high = (2 * int(f * SIZES[size].radius_mm) for f in (0.75, 1.25))
    counts = set()
    for seed in range(40):
        plans, _ = draw(block(20), seed, size=size)
        counts.add(len(plans))
        assert all(low - 1e-9 <= p.diameter_mm <= high + 1e-9 for p in plans)
    assert min(counts) >= SIZES[size].count[0]
    assert max(counts) <= SIZES[size].count[1]


@pytest.mark.parametrize("size", SIZE_NAMES)
def test_every_size_class_can_be_asked_for(block, size):
    plans, _ = draw(block(20), size=size)
    assert plans
    assert all(p.diameter_mm for p in plans)


def test_a_diameter_holds_for_all_lesions(block):
    plans, _ = draw(block(30), diameter_mm=17.5, size="tiny", count=5)
    assert {p.diameter_mm for p in plans} == {17.5}


def test_lesions_of_a_scan_are_of_one_age_as_published(block):
    for seed in range(10):
        plans, _ = draw(block(20), seed, count=6)
        assert len({p.steps for p in plans}) == 1
        assert plans[0].diameter_mm is None


def test_steps_are_drawn_from_their_range_both_ends_included(block):
    steps = [draw(block(12), seed, steps=(5, 8), count=1)[0][0].steps for seed in range(60)]
    assert set(steps) == {5, 6, 7, 8}
    assert {p.steps for p in draw(block(12), steps=33)[0]} == {33}


def test_each_lesion_can_have_an_age_of_its_own(block):
    plans, _ = draw(block(20), count=12, per_lesion=True)
    assert len({p.steps for p in plans}) > 6


@pytest.mark.parametrize("pitch", [1.0, 2.0])
def test_steps_scale_with_the_organ_where_they_are_not_set(block, pitch):
    longest = []
    for across in (20, 40, 80):
        scene = block(across, spacing=(1.0, 1.0, 2.0))
        wishes = {"steps": None, "count": 1, "pitch_mm": pitch}
        steps = [draw(scene, seed, **wishes)[0][0].steps for seed in range(60)]
        assert min(steps) >= 5
        longest.append(max(steps))
        organ = (6 * 2 * across**3 / np.pi) ** (1 / 3)
        most = min(max(steps_for(0.45 * organ / pitch), 5), 149)
        assert 0.85 * most <= max(steps) <= most
    assert longest == sorted(longest)


def test_no_organ_is_so_large_that_steps_exceed_the_published(block):
    scene = block(100, spacing=(4.0, 4.0, 4.0))
    steps = [draw(scene, seed, steps=None, count=1)[0][0].steps for seed in range(40)]
    assert 120 < max(steps) <= 149


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), chance=st.sampled_from([0.0, 1.0]))
def test_a_cluster_is_three_to_nine_seeds_near_the_first(block, seed, chance):
    plans, _ = draw(block(40), seed, clustered=chance, count=4, pitch_mm=2.0)
    for plan in plans:
        more = len(plan.cores_mm) - 1
        assert (3 <= more <= 9) if chance else more == 0
        away = np.abs(np.subtract(plan.cores_mm, plan.cores_mm[0]))
        assert away.max() <= 20.0


def test_a_third_of_the_foci_are_clusters_as_published(block):
    cores = [len(p.cores_mm) for s in range(60) for p in draw(block(12), s, count=8)[0]]
    assert np.mean(np.array(cores) > 1) == pytest.approx(1 / 3, abs=0.07)


def test_only_lesions_that_grow_long_enough_die(block):
    for steps, dies in ((50, False), (51, True)):
        plans, _ = draw(block(20), steps=steps, necrosis=1.0, count=6)
        assert {p.necrosis for p in plans} == {dies}
    plans, _ = draw(block(20), steps=120, necrosis=0.0, count=6)
    assert {p.necrosis for p in plans} == {False}


def test_large_is_a_third_of_the_longest_where_it_is_not_set(block):
    for steps, dies in ((39, False), (45, True)):
        plans, _ = draw(block(20), steps=(steps, 120), count=200, per_lesion=True,
                        necrosis=1.0, necrosis_steps=None)  # fmt: skip
        assert {p.necrosis for p in plans if p.steps <= 40} <= {False}
        assert {p.necrosis for p in plans if p.steps > 40} == {True}
        assert any(p.steps <= 40 for p in plans) != dies


def test_a_lesion_that_stops_at_a_size_is_large_by_that_size(block):
    limit = diameter_after(50)
    for across, dies in ((limit - 2, False), (limit + 2, True)):
        plans, _ = draw(block(20), diameter_mm=float(across), necrosis=1.0, count=3)
        assert {p.necrosis for p in plans} == {dies}


def test_half_of_the_large_lesions_die_as_published(block):
    dead = [p.necrosis for s in range(40) for p in draw(block(12), s, steps=80, count=8)[0]]
    assert np.mean(dead) == pytest.approx(0.5, abs=0.1)


def test_a_part_of_the_organ_gets_its_part_of_the_lesions(block):
    whole = block(20)
    half = Scene(whole.image, whole.organ, whole.spacing, whole.box, share=0.5)
    counts = [len(draw(half, seed)[0]) for seed in range(200)]
    assert np.mean(counts) == pytest.approx(2.5, abs=0.5)
    assert min(counts) == 1


def test_settings_of_tissue_and_rules_reach_every_plan(block):
    wishes = {
        "levels_hu": (50.0, 60.0, 170.0),
        "smooth_mm": 1.25,
        "acceptance": (0.9, 0.2, 0.0),
        "neighbours": 28,
        "pitch_mm": 1.5,
    }
    for plan in draw(block(20), count=3, **wishes)[0]:
        assert {name: getattr(plan, name) for name in wishes} == wishes


def test_levels_come_from_the_organ_where_they_are_not_set(scan):
    plans, _ = draw(make_scene(*scan), levels_hu=None, smooth_mm=1.5, count=2)
    for plan in plans:
        low, middle, wall = plan.levels_hu
        assert 100 < low < middle < wall < 160


# --- Places --------------------------------------------------------------------------------------


def test_lesions_start_where_the_user_wants_them(block):
    scene = block(60, start=(5, 0, 9))
    at = ((20.2, 30.0, 29.0), (50.0, 31.4, 50.0))
    plans, _ = draw(scene, at_mm=at)
    assert [p.cores_mm[0] for p in plans] == [(20.0, 30.0, 29.0), (50.0, 31.0, 50.0)]
    masks, _ = make(scene, at_mm=at, steps=25, clustered=0.0)
    for mask, point in zip(masks, at, strict=True):
        corner = [s.start for s in mask.box]
        centre = scene.to_mm(np.argwhere(mask.inside).mean(axis=0) + corner)
        assert np.linalg.norm(centre - point) < 1.5


def test_positions_come_first_and_the_count_fills_up(block):
    plans, _ = draw(block(40), at_mm=((7.0, 8.0, 9.0),), count=4)
    assert len(plans) == 4
    assert plans[0].cores_mm[0] == (7.0, 8.0, 9.0)


def test_a_vessel_that_the_user_points_at_still_grows(block):
    scene = block(50)
    scene.image[22:29] = 250
    (mask,), _ = make(scene, at_mm=((25.0, 25.0, 25.0),), steps=150, clustered=0.0)
    assert mask.inside.sum() > 100
    assert mask.inside[tuple(25 - s.start for s in mask.box)]


def test_a_place_off_the_organ_is_left_out_and_said(block):
    masks, _ = make(block(20), at_mm=((10.0, 10.0, 10.0), (300.0, 10.0, 10.0)), steps=20)
    assert isinstance(masks[0], LesionMask)
    assert "left out: it would start outside the organ" in masks[1]


def test_an_organ_of_walls_has_no_plan_and_one_reason(block):
    plans, skipped = draw(block(20, 250.0), count=7)
    assert plans == []
    assert len(skipped) == 1
    assert "160 HU" in skipped[0]


def test_an_empty_organ_has_no_plan_and_one_reason():
    nothing = np.zeros((9, 9, 9))
    scene = make_scene(nothing.astype(np.float32), nothing.astype(bool), (1.0, 1.0, 1.0))
    plans, skipped = draw(scene)
    assert plans == []
    assert skipped == ["The organ mask is empty, so there is no place for a lesion."]


@pytest.mark.parametrize("place", ["anywhere", "inside", "band"])
def test_the_few_places_among_walls_are_used(block, place):
    scene = block(40, 250.0)
    scene.image[11:13, 30, 17] = 100
    plans, skipped = draw(scene, count=5, place=place)
    assert not skipped
    assert {p.cores_mm[0] for p in plans} <= {(11.0, 30.0, 17.0), (12.0, 30.0, 17.0)}


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.7, 5.0)])
def test_lesions_keep_their_distance_or_are_left_out(block, spacing):
    scene = block([int(60 / s) for s in spacing], spacing=spacing)
    plans, skipped = draw(scene, size="small", count=30, min_distance_mm=4.0)
    assert len(plans) + len(skipped) == 30
    assert 2 <= len(plans) < 30
    for n, one in enumerate(plans):
        for other in plans[:n]:
            gap = math.dist(one.cores_mm[0], other.cores_mm[0])
            assert gap >= (one.diameter_mm + other.diameter_mm) / 2 + 4.0 - 1e-6


def test_an_inside_place_is_as_deep_as_the_lesion_is_wide(block):
    scene = block(60)
    plans, _ = draw(scene, diameter_mm=20.0, place="inside", margin=1.0, count=20)
    for plan in plans:
        assert min(plan.cores_mm[0]) >= 9
        assert max(plan.cores_mm[0]) <= 50


# --- Sizes ---------------------------------------------------------------------------------------

GRIDS = [(1.0, 1.0, 1.0), (0.7, 0.7, 5.0), (2.0, 2.0, 2.0)]
"""Voxels that are the lattice's, thick slices, and coarse cubes."""

SIZED = [
    *itertools.product([5.0, 10.0, 20.0, 40.0, 60.0], GRIDS),
    *itertools.product([5.0, 10.0, 20.0], [(0.5, 0.5, 0.5)]),
]


def room_for(block, wanted, spacing, hu):
    """An organ with room for one lesion in its middle, and its middle, mm."""
    across = 1.35 * wanted + 16
    scene = block([int(across / s) + 1 for s in spacing], hu, spacing, (3, 0, 5))
    return scene, tuple(float(x) for x in scene.to_mm(np.array(scene.organ.shape) // 2))


@pytest.mark.parametrize("hu", [100.0, 130.0, 150.0], ids=["level 1", "level 2", "level 3"])
@pytest.mark.parametrize(("wanted", "spacing"), SIZED)
def test_lesions_reach_their_diameter_on_every_grid_and_in_all_tissue(block, wanted, spacing, hu):
    scene, middle = room_for(block, wanted, spacing, hu)
    (mask,), _ = make(scene, diameter_mm=wanted, at_mm=(middle,), clustered=0.0)
    # Half a step of growth, or half a voxel of volume, is nothing that can be helped.
    step = np.diff([0.0, *mask.growth.volumes_mm3])[-1] / 2 + math.prod(spacing) / 2
    slope = np.pi / 2 * wanted**2
    assert abs(diameter(scene, mask) - wanted) <= max(0.08 * wanted, step / slope)


def test_a_cluster_stops_at_its_diameter_too(block):
    for seed in range(5):
        (mask,), _ = make(block(60), seed, diameter_mm=25.0, at_mm=((30.0,) * 3,), clustered=1.0)
        assert diameter(block(60), mask) == pytest.approx(25, rel=0.08)


@pytest.mark.parametrize("steps", [20, 50, 80])
def test_steps_grow_their_diameter(block, steps):
    scene = block(60)
    (mask,), _ = make(scene, steps=steps, at_mm=((30.0,) * 3,), clustered=0.0)
    assert diameter(scene, mask) == pytest.approx(diameter_after(steps), rel=0.08)


def test_lesions_never_share_a_voxel(block):
    scene = block(50)
    taken = np.zeros(scene.organ.shape, int)
    masks, _ = make(scene, count=6, steps=50)
    for mask in masks:
        if isinstance(mask, LesionMask):
            taken[mask.box] += mask.inside
    assert taken.max() == 1


def test_lesions_take_the_tissue_as_it_was_before_any_of_them(block):
    # Painting goes on between masks: what it changes is no tissue that later lesions grow in.
    scene = block(40)
    model = GrowthModel(steps=30, count=2, at_mm=((12.0,) * 3, (28.0,) * 3), clustered=0.0)
    plans, _ = model.draw(scene, np.random.default_rng(0))
    second = list(model.render(scene, plans))[1]
    masks = []
    for mask in model.render(scene, plans):
        scene.image[:] = 300.0
        masks.append(mask)
    np.testing.assert_array_equal(masks[1].inside, second.inside)


# --- Wishes that make no sense -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"count": 0}, "count is 0"),
        ({"count": 10**6}, "count is 1000000"),
        ({"count": 1, "at_mm": ((1.0,) * 3, (2.0,) * 3)}, "2 positions"),
        ({"diameter_mm": 0.0}, "diameter is 0 mm"),
        ({"diameter_mm": 500.0}, "diameter is 500 mm"),
        ({"diameter_mm": float("nan")}, "diameter is nan mm"),
        ({"steps": 0}, "steps is a number"),
        ({"steps": -5}, "steps is a number or a range"),
        ({"steps": 10**6}, "steps is a number or a range"),
        ({"steps": (9, 5)}, "steps is a number or a range"),
        ({"steps": (0, 5)}, "steps is a number or a range"),
        ({"clustered": -0.1}, "clustered is a probability"),
        ({"clustered": 1.1}, "clustered is a probability"),
        ({"necrosis": 2.0}, "necrosis is a probability"),
        ({"necrosis": float("nan")}, "necrosis is a probability"),
        ({"margin": -1.0}, "margin"),
        ({"min_distance_mm": -1.0}, "min_distance_mm"),
        ({"necrosis_steps": -1}, "necrosis_steps"),
        ({"pitch_mm": 0.0}, "pitch_mm is from"),
        ({"pitch_mm": 100.0}, "pitch_mm is from"),
        ({"levels_hu": (140.0, 120.0, 160.0)}, "levels_hu ascend"),
        ({"levels_hu": (1.0, 2.0, float("nan"))}, "levels_hu ascend"),
        ({"smooth_mm": -0.5}, "smooth_mm is from"),
        ({"smooth_mm": 50.0}, "smooth_mm is from"),
        ({"acceptance": (1.0, 2.0, 0.1)}, "acceptance holds"),
        ({"neighbours": 6}, "neighbours is 27 or 28"),
    ],
)
def test_wishes_that_make_no_sense_are_refused_by_name(wrong, sentence):
    with pytest.raises(InputError, match=sentence):
        GrowthModel(**wrong)


def test_an_unknown_size_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="'medium'"):
        GrowthModel(size="medum")


def test_an_unknown_place_is_answered_with_the_nearest(block):
    with pytest.raises(UnknownNameError, match="'inside'"):
        draw(block(12), place="insid")


def test_a_recipe_with_an_unknown_parameter_is_refused(block):
    model = GrowthModel(count=1)
    (plan,), _ = model.draw(block(20), np.random.default_rng(0))
    with pytest.raises(UnknownNameError, match="'diameter_mm'"):
        list(model.render(block(20), [LesionPlan("small", plan.mask | {"diametre_mm": 3.0})]))
    with pytest.raises(InputError, match="steps"):
        list(model.render(block(20), [LesionPlan("small", plan.mask | {"steps": 10**9})]))


def test_levels_of_a_plan_are_those_of_its_tissue(block):
    (plan,), _ = draw(block(20), count=1)
    assert plan.tissue == Tissue((120.0, 140.0, 160.0), 0.0)
