"""Ground: foci lie in the organ and in no wall, and their seeds grow evenly."""

from __future__ import annotations

import numpy as np
import pytest

from oncoforge.synthesis.masks.growth import automaton
from oncoforge.synthesis.masks.growth.ground import Ground, draw_seed
from oncoforge.synthesis.masks.growth.lattice import Lattice
from oncoforge.synthesis.masks.growth.rules import Rules, Window
from oncoforge.synthesis.masks.growth.window import admits
from oncoforge.synthesis.masks.location import Places
from oncoforge.synthesis.tissue import Tissue

TISSUE = Tissue((120.0, 140.0, 160.0))


def ground_of(scene, pitch=1.0, **settings):
    return Ground(
        Places(scene, **({"place": "anywhere"} | settings)), TISSUE, Lattice(scene, pitch)
    )


def drift(uniform_window, focus, seed, rules, steps=149, inner=77):
    """How far a tumour's centroid lies from its focus in uniform tissue, as (3,) points."""
    window, core = uniform_window(inner)
    window = Window(window.tissue, window.organ, tuple(int(n) for n in focus - core[0]))
    colony = automaton.grow(window, core, steps, seed, rules)
    assert not colony.cut
    return np.argwhere(colony.population).mean(axis=0) - core[0]


def test_a_drawn_seed_grows_a_centred_tumour(uniform_window):
    rng = np.random.default_rng(0)
    away = []
    for _ in range(24):
        focus = rng.integers(0, 500, 3)
        seed = draw_seed(focus, Rules(), rng)
        away.append(np.linalg.norm(drift(uniform_window, focus, seed, Rules())))
    assert max(away) < 0.5
    assert np.median(away) < 0.3


def test_a_drawn_seed_starts_evenly(uniform_window):
    rng = np.random.default_rng(1)
    focus = np.array([100, 50, 20])

    def start(seed):
        return np.linalg.norm(drift(uniform_window, focus, seed, Rules(), steps=20, inner=25))

    assert max(start(draw_seed(focus, Rules(), rng)) for _ in range(40)) <= 0.2
    assert max(start(seed) for seed in range(40)) > 0.3  # as not every seed does


def test_released_rules_take_the_first_seed_and_drift(uniform_window):
    focus, released = np.array([100, 50, 20]), Rules((1.0, 1.0, 1.0), 28)
    seed = draw_seed(focus, released, np.random.default_rng(4))
    assert seed == np.random.default_rng(4).integers(2**31)
    assert np.linalg.norm(drift(uniform_window, focus, seed, released, inner=85)) > 2.5


def test_a_seed_is_decided_by_the_rng():
    focus = np.array([3, 40, 22])
    one, other = (draw_seed(focus, Rules(), np.random.default_rng(9)) for _ in range(2))
    assert one == other
    assert 0 <= one < 2**31


@pytest.mark.parametrize("pitch", [1.0, 2.0])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.7, 5.0), (3.0, 3.0, 3.0)])
def test_foci_lie_in_the_organ_and_in_no_wall(block, spacing, pitch):
    scene = block(20, spacing=spacing, start=(5, 9, 2))
    rng = np.random.default_rng(0)
    scene.image[:] = rng.choice([100, 170], scene.image.shape)
    ground = ground_of(scene, pitch)
    for _ in range(40):
        point = ground.find("small", 4.0, rng)
        assert admits(TISSUE, ground.lattice, point)
        voxel = np.floor(scene.to_voxel(point * pitch) + 0.5).astype(int)
        assert scene.organ[tuple(voxel)]


def test_few_places_among_walls_are_still_found(block):
    scene = block(40, 200.0, start=(3, 1, 7))
    scene.image[31, 8, 22] = scene.image[5, 6, 7] = 100
    rng = np.random.default_rng(0)
    found = {tuple(ground_of(scene).find("small", 4.0, rng).tolist()) for _ in range(12)}
    assert found == {(34, 9, 29), (8, 7, 14)}


def test_an_organ_of_walls_alone_has_no_place_and_says_why(block):
    reason = ground_of(block(15, 200.0)).find("small", 4.0, np.random.default_rng(0))
    assert isinstance(reason, str)
    assert "below 160 HU" in reason
    assert "adaptive" in reason


def test_foci_keep_their_distance_or_are_given_up(block):
    ground = ground_of(block(40), min_distance_mm=5.0)
    rng = np.random.default_rng(0)
    found = [ground.find("small", 6.0, rng) for _ in range(40)]
    points = [p for p in found if not isinstance(p, str)]
    assert 2 <= len(points) < 40
    for n, point in enumerate(points):
        assert all(np.linalg.norm(point - other) >= 17 for other in points[:n])
    assert all("left out" in p for p in found if isinstance(p, str))


def test_distance_is_kept_to_foci_that_the_user_placed(block):
    scene = block((60, 20, 20))
    scene.image[:] = 200
    scene.image[10, 10, 10] = scene.image[50, 10, 10] = 100  # the only two places
    for taken, left in (((10.0, 10.0, 10.0), 50), ((50.0, 10.0, 10.0), 10)):
        ground = ground_of(scene, min_distance_mm=2.0)
        ground.nearest(taken, 5.0)
        rng = np.random.default_rng(0)
        assert ground.find("small", 5.0, rng).tolist() == [left, 10, 10]
        assert "clear of the others" in ground.find("small", 5.0, rng)


@pytest.mark.parametrize("pitch", [1.0, 0.7])
def test_a_place_of_the_users_is_the_nearest_point(block, pitch):
    ground = ground_of(block(20, 200.0), pitch)
    point = ground.nearest((7.3, 2.0, 11.9), 4.0)  # even in a wall
    assert np.abs(point * pitch - [7.3, 2.0, 11.9]).max() <= pitch / 2
