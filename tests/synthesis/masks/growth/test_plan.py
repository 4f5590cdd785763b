"""Plans: a tumour as drawn grows the same on every grid, to its size, and dies in its middle."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from oncoforge.errors import InputError
from oncoforge.fields import build
from oncoforge.synthesis.masks.growth.plan import GrowthPlan, backend

CPU = backend("cpu")
LEVELS = (120.0, 140.0, 160.0)


def plan(*cores, steps=40, **more):
    return GrowthPlan(cores or ((20.0, 20.0, 20.0),), steps, **({"levels_hu": LEVELS} | more))


def diameter(grown):
    volume = grown.volumes[-1] * grown.lattice.pitch_mm**3
    return (6 * volume / np.pi) ** (1 / 3)


def occupied(grown):
    """Lattice indices of all that is occupied."""
    return np.argwhere(grown.population) + grown.low


def test_a_plan_survives_json():
    one = plan((1.0, 2.0, 3.0), (4.0, 5.5, 6.0), diameter_mm=12.5, necrosis=True, seed=2**31 - 1)
    assert build(GrowthPlan, json.loads(json.dumps(asdict(one))), "parameter") == one


def test_a_plan_grows_the_same_tumour_each_time(block):
    one, other = (plan(seed=3).grow(block(41), CPU) for _ in range(2))
    np.testing.assert_array_equal(one.population, other.population)
    assert (plan(seed=4).grow(block(41), CPU).volumes != one.volumes).any()


def test_a_tumour_starts_at_its_focus(block):
    scene = block(41, start=(30, 0, 5))
    grown = plan((47.0, 11.0, 19.0), steps=25, seed=1).grow(scene, CPU)
    np.testing.assert_allclose(occupied(grown).mean(axis=0), (47, 11, 19), atol=1.0)


@pytest.mark.parametrize("spacing", [(0.7, 0.7, 5.0), (2.0, 2.0, 2.0), (0.5, 0.5, 0.5)])
def test_a_tumour_is_the_same_on_every_grid(block, spacing):
    fine = block(49)
    other = block([int(49 / s) + 1 for s in spacing], spacing=spacing)
    one, two = (plan((24.0, 24.0, 24.0), seed=2).grow(s, CPU) for s in (fine, other))
    np.testing.assert_array_equal(occupied(one), occupied(two))
    np.testing.assert_array_equal(one.volumes, two.volumes)


def test_a_coarser_lattice_makes_the_tumour_as_much_larger(block):
    grown = [
        plan((40.0, 40.0, 40.0), steps=30, pitch_mm=pitch).grow(block(81), CPU)
        for pitch in (1.0, 2.0)
    ]
    assert diameter(grown[1]) == pytest.approx(2 * diameter(grown[0]), rel=0.1)


@pytest.mark.parametrize("wanted", [3.0, 10.0, 20.0, 33.3])
@pytest.mark.parametrize("hu", [100.0, 130.0, 150.0])
def test_growth_stops_at_the_diameter_asked_for(block, wanted, hu):
    grown = plan((25.0,) * 3, steps=400, diameter_mm=wanted, seed=1).grow(block(51, hu), CPU)
    volumes = grown.volumes
    half = np.diff(volumes)[-1] / 2 + 1
    assert abs(volumes[-1] - np.pi / 6 * wanted**3) <= 2 * half
    assert diameter(grown) == pytest.approx(wanted, rel=0.08, abs=0.4)


def test_a_window_that_is_too_small_is_enlarged(block):
    # A tumour of 20 mm in a tube of 7 mm is long; no sphere of its volume would hold it.
    grown = plan((80.0, 3.0, 3.0), steps=600, diameter_mm=20.0).grow(block((160, 7, 7)), CPU)
    assert np.ptp(occupied(grown)[:, 0]) > 60
    assert diameter(grown) == pytest.approx(20, abs=0.5)


def test_a_tumour_that_fills_its_organ_gives_up(block):
    scene = block((13, 13, 13))
    grown = plan((6.0,) * 3, steps=2000, diameter_mm=60.0).grow(scene, CPU)
    assert grown.volumes[-1] == 13**3
    assert grown.volumes.size < 300


def test_nothing_grows_where_there_is_no_organ(block):
    assert plan((5.0, 5.0, 50.0)).grow(block(20), CPU) is None
    assert plan((-3.0, 5.0, 5.0)).grow(block(20), CPU) is None


def test_a_focus_in_a_vessel_still_grows(block):
    scene = block(41)
    scene.image[17:24] = 250  # a wall of 7 voxels
    grown = plan((20.0,) * 3, steps=100, seed=1).grow(scene, CPU)
    assert grown.volumes[-1] > 150


def test_a_cluster_grows_from_each_of_its_seeds(block):
    cores = ((20.0, 20.0, 20.0), (27.0, 14.0, 20.0), (12.0, 20.0, 29.0))
    grown = plan(*cores, steps=6).grow(block(41), CPU)
    population = grown.population
    for core in cores:
        assert population[tuple(int(c) - n for c, n in zip(core, grown.low, strict=True))]
    alone = plan(cores[0], steps=6).grow(block(41), CPU)
    assert grown.volumes[-1] > 2 * alone.volumes[-1]


def test_seeds_of_a_cluster_in_walls_and_out_of_the_organ_fall_away(block):
    scene = block(30)
    scene.image[12:15] = 250
    cores = (
        (4.0, 4.0, 4.0),
        (13.0, 4.0, 4.0),
        (4.0, -9.0, 4.0),
        (4.0, 4.0, 44.0),
        (4.0, 4.0, -1.0),
    )
    grown = plan(*cores, steps=10).grow(scene, CPU)
    alone = plan(cores[0], steps=10).grow(scene, CPU)
    np.testing.assert_array_equal(occupied(grown), occupied(alone))


def test_tissue_is_looked_at_through_its_filter(block):
    noise = np.random.default_rng(0).normal(100, 100, (41, 41, 41))
    rough, smooth = (
        plan((20.0,) * 3, steps=60, smooth_mm=s).grow(block(41, noise), CPU) for s in (0.0, 2.0)
    )
    assert diameter(smooth) > 1.1 * diameter(rough)


@pytest.mark.parametrize(
    "rules", [{}, {"acceptance": (1.0, 1.0, 1.0), "neighbours": 28}], ids=["working", "released"]
)
@pytest.mark.parametrize("steps", [51, 80, 100, 149])
def test_a_fifth_to_a_third_of_a_large_tumour_dies(block, steps, rules):
    parts = []
    for seed in range(9):
        drawn = plan((43.0,) * 3, steps=steps, seed=seed, necrosis=True, **rules)
        grown = drawn.grow(block(87), CPU)
        parts.append(grown.dead.sum() / grown.volumes[-1])
        assert (grown.population[grown.dead] == 10).all()
    assert min(parts) >= 0.20
    assert max(parts) <= 0.35


@pytest.mark.parametrize("hu", [130.0, 150.0])
def test_as_much_dies_in_dense_tissue(block, hu):
    for seed in range(4):
        drawn = plan((30.0,) * 3, steps=100, seed=seed, necrosis=True)
        grown = drawn.grow(block(61, hu), CPU)
        assert 0.2 < grown.dead.sum() / grown.volumes[-1] <= 0.35


def test_the_middle_dies_and_not_the_rim(block):
    grown = plan((30.0,) * 3, steps=100, seed=3, necrosis=True).grow(block(61), CPU)
    middle = np.array([30, 30, 30]) - grown.low

    def distance(mask):
        return np.linalg.norm(np.argwhere(mask) - middle, axis=1)

    population = grown.population
    assert grown.dead[tuple(middle)]
    assert distance(grown.dead).mean() < 0.8 * distance(population > 0).mean()
    assert not (grown.dead & (population < 10)).any()


def test_death_changes_no_growth(block):
    drawn = plan((20.0,) * 3, steps=60, seed=3)
    alive, dying = drawn.grow(block(41), CPU), replace(drawn, necrosis=True).grow(block(41), CPU)
    assert alive.dead is None
    np.testing.assert_array_equal(alive.population, dying.population)


def test_what_has_grown_is_kept_and_no_more(block):
    grown = plan((20.0,) * 3, steps=60, necrosis=True).grow(block(41), CPU)
    assert np.count_nonzero(grown.population) == grown.volumes[-1]
    assert grown.dead.shape == grown.population.shape
    for axis in range(3):
        ends = np.moveaxis(grown.population, axis, 0)[[0, -1]]
        assert ends.any(axis=(1, 2)).all()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"cores_mm": ()}, "cores_mm lists 1 to 100 places, not 0"),
        ({"cores_mm": ((1.0, 1.0, 1.0),) * 101}, "cores_mm lists 1 to 100 places, not 101"),
        ({"cores_mm": ((1e9, 1.0, 1.0),)}, "cores_mm .* is not in any scan"),
        ({"steps": -1}, "steps"),
        ({"steps": 10**6}, "steps"),
        ({"seed": -1}, "seed"),
        ({"diameter_mm": 0.0}, "diameter is 0 mm"),
        ({"pitch_mm": 0.0}, "pitch_mm is from"),
        ({"pitch_mm": float("nan")}, "pitch_mm is from"),
        ({"levels_hu": (3.0, 2.0, 1.0)}, "levels_hu ascend"),
        ({"smooth_mm": -1.0}, "smooth_mm is from 0"),
        ({"acceptance": (0.0, 1.0, 1.0)}, "acceptance holds"),
        ({"neighbours": 26}, "neighbours is 27 or 28"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(wrong, sentence):
    with pytest.raises(InputError, match=sentence):
        GrowthPlan(**({"cores_mm": ((1.0, 1.0, 1.0),), "steps": 5, "levels_hu": LEVELS} | wrong))
