"""The automaton: the rules as they are written, and the tumours that they were published with."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from oncoforge.synthesis.masks.growth import automaton
from oncoforge.synthesis.masks.growth.clock import diameter_after
from oncoforge.synthesis.masks.growth.rules import BEYOND, CUT, WALL, Colony, Rules, Window

WORKING = Rules()
RELEASED = Rules((1.0, 1.0, 1.0), 28)
ALL_RULES = [WORKING, RELEASED, Rules((1.0, 0.3, 0.1), 28), Rules((0.8, 0.5, 0.0), 27)]

# --- A slow program of the rules, from their description alone -----------------------------------

MASK = 2**64 - 1
UNIT = 2**21


def splitmix(word):
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK
    return word ^ (word >> 31)


def random_words(seed, step, place):
    """Three numbers of 21 bits of one point in one step."""
    golden = 0x9E3779B97F4A7C15
    stream = splitmix((seed + splitmix(step * golden & MASK)) & MASK)
    i, j, k = place
    word = splitmix((stream + (i * 2**42 + j * 2**21 + k) * golden) & MASK)
    for _ in range(3):
        yield word % UNIT
        word //= UNIT


def directions(seed, step, place, outcomes):
    """Which neighbours one point draws in one step."""
    return [word * outcomes // UNIT for word in random_words(seed, step, place)]


def offset(outcome):
    """Neighbours in the order of the published draw; the 28th slips out of the cube."""
    return (outcome // 9 - 1, outcome % 9 // 3 - 1, outcome % 3 - 1)


def moved(point, by, sign=1):
    return tuple(a + sign * b for a, b in zip(point, by, strict=True))


class SlowTumour:
    """Populations, and the walls' pressure, by point."""

    def __init__(self, window, cores, rules, seed):
        self.window, self.rules, self.seed = window, rules, seed
        self.population = {tuple(map(int, core)): 5 for core in cores}
        self.tissue = {p: int(c) for p, c in np.ndenumerate(window.tissue)}
        self.born = dict.fromkeys(self.population, 0)
        self.volumes = []
        self.cut = False

    @property
    def volume(self):
        return sum(bool(self.window.organ[p]) for p in self.population)

    def accepts(self, level):
        """Chance, out of UNIT, that tissue of a level lets a population in."""
        return round(self.rules.acceptance[level] * UNIT)

    def step(self, number):
        gains = {}
        for point, own in self.population.items():
            if own < 10:
                gains[point] = gains.get(point, 0) + 1
            if own >= 5:
                for target in self.reached(point, own, number):
                    gains[target] = gains.get(target, 0) + 1
        if self.cut:
            return
        for point, gain in gains.items():
            code = self.tissue[point]
            if code >= WALL:
                pressure = code - WALL + gain
                if pressure < 4:
                    self.tissue[point] = WALL + min(pressure, 2)
                    continue
                # The press that opens it, and those after, have somewhere to grow.
                self.tissue[point], gain = 0, pressure - 3
            self.born.setdefault(point, number)
            self.population[point] = min(self.population.get(point, 0) + gain, 10)
        self.volumes.append(self.volume)

    def reached(self, point, own, number):
        """The points that a population places 1 in, or presses on."""
        outcomes = self.rules.neighbours
        pairs = outcomes == 27
        place = moved(point, self.window.low)
        draws = directions(self.seed, number // 2 if pairs else number, place, outcomes)
        # Directions are mirrored every second step; whether tissue accepts is drawn anew.
        chances = random_words(self.seed ^ 0x8CB92BA72F3D8DD7, number, place)
        for outcome, chance in zip(draws, chances, strict=True):
            target = moved(point, offset(outcome), -1 if pairs and number % 2 else 1)
            code = self.tissue[target]
            if code == CUT:
                self.cut = True
                return
            if code == BEYOND:
                continue
            if code >= WALL:
                if own == 10:
                    yield target
            # Full, or full by itself after this step.
            elif self.population.get(target, 0) < 9 and chance < self.accepts(code):
                yield target
                return

    def as_array(self, values, kind):
        array = np.zeros(self.window.tissue.shape, kind)
        for point, value in values.items():
            array[point] = value
        return array


def grow_slowly(window, cores, steps, seed, rules, wanted=0, patience=0):
    tumour = SlowTumour(window, cores, rules, seed)
    before, still = tumour.volume, 0
    for number in range(steps + 1):
        tumour.step(number)
        if tumour.cut:
            break
        now = tumour.volumes[-1]
        still = 0 if now > before else still + 1
        # As much again would come no nearer.
        if (wanted and now + (now - before) / 2 >= wanted) or (patience and still >= patience):
            break
        before = now
    return Colony(
        tumour.as_array(tumour.population, np.uint8),
        tumour.as_array(tumour.born, np.uint16),
        np.array(tumour.volumes),
        tumour.cut,
    )


def die_slowly(colony, window, dead, steps, seed, rules, most, least):
    dead = {tuple(map(int, point)) for point in dead}
    still = 0
    for number in itertools.count():
        enough = sum(window.organ[p] for p in dead) >= least
        if number >= steps and (enough or still >= 20):
            break
        killed = set()
        for point in dead:
            place = moved(point, window.low)
            for outcome in directions(seed ^ 0xD1B54A32D192ED03, number, place, rules.neighbours):
                target = moved(point, offset(outcome))
                if colony.population[target] == 10 and target not in dead:
                    killed.add(target)
                    break
        if sum(window.organ[p] for p in dead | killed) > most:
            break
        dead |= killed
        still = 0 if killed else still + 1
    mask = np.zeros(colony.population.shape, bool)
    mask[tuple(np.array(list(dead)).T)] = True
    return mask


def assert_same(fast, slow):
    assert fast.cut == slow.cut
    np.testing.assert_array_equal(fast.population, slow.population)
    if not fast.cut:
        np.testing.assert_array_equal(fast.volumes, slow.volumes)
        np.testing.assert_array_equal(fast.born, slow.born)


@settings(max_examples=60, deadline=None)
@given(
    ground=st.integers(0, 2**32),
    steps=st.integers(0, 45),
    seed=st.integers(0, 2**64 - 1),
    rules=st.sampled_from(ALL_RULES),
)
def test_growth_is_what_the_written_rules_give(random_window, ground, steps, seed, rules):
    window, cores = random_window(ground)
    before = window.tissue.copy()
    fast = automaton.grow(window, cores, steps, seed, rules)
    assert_same(fast, grow_slowly(window, cores, steps, seed, rules))
    np.testing.assert_array_equal(window.tissue, before)  # the window stays as it is


def test_walls_that_open_are_what_the_written_rules_open(random_window):
    opened = 0
    for ground in range(40):
        window, cores = random_window(ground)
        fast = automaton.grow(window, cores, 60, ground, WORKING)
        assert_same(fast, grow_slowly(window, cores, 60, ground, WORKING))
        opened += np.count_nonzero(fast.population[window.tissue == WALL])
    assert opened > 100  # so it has been put to the test


@pytest.mark.parametrize("rules", ALL_RULES)
def test_a_whole_tumour_is_what_the_written_rules_give(uniform_window, rules):
    window, core = uniform_window(27, low=(-9, 60, 3), border=BEYOND)
    window.tissue[19:21, 2:-2, 2:16] = WALL
    window.tissue[2:13, 2:-2, 2:-2] = 1
    for seed in (3, 8):
        fast = automaton.grow(window, core, 42, seed, rules)
        assert_same(fast, grow_slowly(window, core, 42, seed, rules))


@settings(max_examples=80, deadline=None)
@given(
    ground=st.integers(0, 2**32),
    rules=st.sampled_from(ALL_RULES),
    wanted=st.one_of(st.just(0), st.integers(2, 80)),
    patience=st.sampled_from([0, 0, 0, 1, 4, 9]),
)
def test_growth_ends_when_enough_or_stuck(random_window, ground, rules, wanted, patience):
    window, cores = random_window(ground, (BEYOND, BEYOND, BEYOND, CUT))
    fast = automaton.grow(window, cores, 40, 7, rules, wanted, patience)
    assert_same(fast, grow_slowly(window, cores, 40, 7, rules, wanted, patience))


@settings(max_examples=60, deadline=None)
@given(
    ground=st.integers(0, 2**32),
    steps=st.integers(0, 12),
    seed=st.integers(0, 2**64 - 1),
    rules=st.sampled_from(ALL_RULES),
    parts=st.tuples(st.floats(0, 1), st.sampled_from([0.0, 0.0, 0.1, 0.4, 1.0])),
)
def test_death_is_what_the_written_rules_give(random_window, ground, steps, seed, rules, parts):
    window, cores = random_window(ground)
    colony = automaton.grow(window, cores, 30, seed, rules)
    most, least = (int(part * colony.volumes[-1]) for part in parts)
    fast = automaton.die(colony, window, cores, steps, seed, rules, most, least)
    slow = die_slowly(colony, window, cores, steps, seed, rules, most, least)
    np.testing.assert_array_equal(fast, slow)


# --- What follows from the rules -----------------------------------------------------------------


def first_places(rules, level, uniform_window, tries):
    """Where a lone population places 1 in its first step: index (3,) from it, or None."""
    for seed in range(tries):
        window, core = uniform_window(5, level)
        population = automaton.grow(window, core, 0, seed, rules).population.astype(int)
        population[tuple(core[0])] -= 6  # 5 to start from, and 1 that it grows by itself
        found = np.argwhere(population)
        assert len(found) <= 1
        yield tuple((found[0] - core[0]).tolist()) if len(found) else None


@pytest.mark.parametrize("rules", [WORKING, RELEASED])
def test_every_outcome_is_drawn_equally_often(rules, uniform_window):
    places = list(first_places(rules, 1, uniform_window, 5600))
    counts = {place: places.count(place) for place in set(places)}
    assert len(counts) == rules.neighbours
    assert all(max(map(abs, place)) <= 1 or place == (2, -1, -1) for place in counts)
    assert stats.chisquare(list(counts.values())).pvalue > 1e-4


@pytest.mark.parametrize(("level", "accepted"), [(1, 1.0), (2, 0.3), (3, 0.1)])
def test_tissue_accepts_with_its_probability_in_three_tries(level, accepted, uniform_window):
    placed = [p is not None for p in first_places(WORKING, level, uniform_window, 3000)]
    expected = 1 - (1 - accepted) ** 3
    assert np.mean(placed) == pytest.approx(expected, abs=0.035)


def test_the_released_rules_accept_all_tissue_alike(uniform_window):
    levels = [automaton.grow(*uniform_window(41, n), 40, 3, RELEASED).volumes for n in (1, 2, 3)]
    np.testing.assert_array_equal(levels[0], levels[1])
    np.testing.assert_array_equal(levels[0], levels[2])


@pytest.mark.parametrize("seed", range(10))
def test_the_second_step_mirrors_the_first(seed, uniform_window):
    window, core = uniform_window(7)
    occupied = automaton.grow(window, core, 1, seed, WORKING).population > 0
    np.testing.assert_array_equal(occupied, occupied[::-1, ::-1, ::-1])


def test_a_population_below_five_stays_at_home(uniform_window):
    # What is placed in the first step cannot place anything itself in the four after.
    window, core = uniform_window(15)
    reached = np.argwhere(automaton.grow(window, core, 4, 0, WORKING).population)
    assert np.abs(reached - core).max() == 1


def test_a_wall_opens_only_under_pressure():
    tissue = np.full((7, 7, 7), BEYOND, np.uint8)
    tissue[2:-2, 2:-2, 2:-2] = WALL
    tissue[3, 3, 3] = 0
    window, core = Window(tissue, np.ones(tissue.shape, bool), (0, 0, 0)), np.full((1, 3), 3)
    opened = []
    for seed in range(200):
        volumes = automaton.grow(window, core, 400, seed, WORKING).volumes
        opened.append(np.argmax(volumes > 1) if volumes[-1] > 1 else 400)
    # It is mature from the fifth step, or the fourth if it draws itself, at the earliest; a wall
    # keeps no more than 2 presses, so it takes two of three tries on the same one.
    assert min(opened) >= 4
    assert 20 < np.median(opened) < 150


def test_resistance_of_zero_is_a_wall_that_never_opens(uniform_window):
    window, core = uniform_window(15, 3, border=BEYOND)
    window.tissue[tuple(core[0])] = 0
    colony = automaton.grow(window, core, 200, 1, Rules((1.0, 0.5, 0.0)))
    assert np.count_nonzero(colony.population) == 1


def test_nothing_grows_beyond_the_organs_box(uniform_window):
    window, core = uniform_window(9, border=BEYOND)
    colony = automaton.grow(window, core, 120, 0, RELEASED)
    assert not colony.cut
    np.testing.assert_array_equal(colony.population > 0, window.tissue == 0)
    assert (colony.population[window.tissue == 0] == 10).all()


def test_only_the_organ_counts_as_volume(uniform_window):
    window, core = uniform_window(31)
    window.organ[:17] = False
    colony = automaton.grow(window, core, 50, 0, WORKING)
    assert colony.volumes[-1] == np.count_nonzero(colony.population[17:])
    assert (np.diff(colony.volumes) >= 0).all()


def test_a_window_that_is_too_small_says_so(uniform_window):
    assert not automaton.grow(*uniform_window(31), 40, 0, WORKING).cut
    assert automaton.grow(*uniform_window(31), 90, 0, WORKING).cut


@pytest.mark.parametrize("seed", range(3))
def test_growth_heeds_the_place_on_the_lattice_and_not_in_the_window(seed, uniform_window):
    small, core = uniform_window(21, low=(100, -7, 30))
    large, middle = uniform_window(37, low=(92, -15, 22))
    one = automaton.grow(small, core, 35, seed, WORKING)
    other = automaton.grow(large, middle, 35, seed, WORKING)
    assert not one.cut
    np.testing.assert_array_equal(one.population, other.population[8:-8, 8:-8, 8:-8])
    np.testing.assert_array_equal(one.volumes, other.volumes)


def test_a_longer_growth_goes_on_from_a_shorter_one(uniform_window):
    window, core = uniform_window(41)
    longer = automaton.grow(window, core, 60, 5, WORKING).volumes
    np.testing.assert_array_equal(automaton.grow(window, core, 33, 5, WORKING).volumes, longer[:34])


def test_seeds_and_places_make_different_tumours(uniform_window):
    def tumour(seed, low=(0, 0, 0)):
        window, core = uniform_window(21, low=low)
        return automaton.grow(window, core, 25, seed, WORKING).population

    made = [tumour(0), tumour(1), tumour(2**40), tumour(0, (1, 0, 0)), tumour(0, (0, 0, 1))]
    for one, other in itertools.combinations(made, 2):
        assert (one != other).any()


def test_growth_stops_at_the_step_nearest_to_the_volume_wanted(uniform_window):
    window, core = uniform_window(51)
    whole = automaton.grow(window, core, 80, 2, WORKING).volumes
    missed = []
    for wanted in np.geomspace(50, 15_000, 120).astype(int):
        stopped = automaton.grow(window, core, 80, 2, WORKING, int(wanted)).volumes
        np.testing.assert_array_equal(stopped, whole[: stopped.size])
        missed.append(stopped.size - 1 - np.argmin(np.abs(whole - wanted)))
    # What the next step adds is not known in advance, only about.
    assert np.abs(missed).max() <= 1
    assert np.mean(np.array(missed) == 0) > 0.8


def test_growth_gives_up_after_its_patience(uniform_window):
    window, core = uniform_window(5, border=BEYOND)
    volumes = automaton.grow(window, core, 500, 0, WORKING, 10**6, 25).volumes
    assert volumes[-1] == 125
    assert volumes.size - 1 == np.argmax(volumes == 125) + 25


def test_death_takes_mature_populations_alone(uniform_window):
    window, core = uniform_window(41)
    colony = automaton.grow(window, core, 60, 0, WORKING)
    dead = automaton.die(colony, window, core, 10, 0, WORKING, 10**6)
    assert dead.sum() > 20
    assert (colony.population[dead] == 10).all()


@pytest.mark.parametrize("most", [1, 7, 60, 300])
def test_no_more_die_than_may(most, uniform_window):
    window, core = uniform_window(41)
    colony = automaton.grow(window, core, 60, 0, WORKING)
    dead = automaton.die(colony, window, core, 30, 0, WORKING, most)
    assert dead[tuple(core[0])]
    assert most / 3 <= dead.sum() <= most  # each can kill one more in a step


def test_death_goes_on_until_as_many_are_dead_as_must(uniform_window):
    window, core = uniform_window(41)
    colony = automaton.grow(window, core, 60, 0, WORKING)
    few = automaton.die(colony, window, core, 3, 0, WORKING, 10**6).sum()
    for least in (few, 100, 900):
        dead = automaton.die(colony, window, core, 3, 0, WORKING, 10**6, int(least))
        assert least <= dead.sum() <= 2 * least  # each can kill one more in a step


def test_death_ends_where_nothing_is_left_to_kill(uniform_window):
    window, core = uniform_window(5, border=BEYOND)
    colony = automaton.grow(window, core, 200, 0, WORKING)
    dead = automaton.die(colony, window, core, 3, 0, WORKING, 10**6, 10**6)
    np.testing.assert_array_equal(dead, colony.population == 10)


# --- What the published rules were measured to give ----------------------------------------------

STEPS = [5, 10, 20, 30, 50, 80, 100, 149]
LEVEL_1 = [2.4, 3.7, 7.2, 11.6, 20.5, 34.4, 43.7, 67.0]


def diameters(volumes):
    return (6 * volumes / np.pi) ** (1 / 3)


@pytest.fixture(scope="module")
def grown(uniform_window):
    """149 steps in uniform tissue by (rules, level): diameters at STEPS and drifts, by seed."""
    found = {}
    for rules, level, inner in ((WORKING, 1, 79), (RELEASED, 1, 85), (WORKING, 2, 63)):
        found[rules, level] = _grown(uniform_window, rules, level, inner, 7)
    # A lone seed in the densest tissue waits long, and by chance, for its first steps.
    found[WORKING, 3] = _grown(uniform_window, WORKING, 3, 49, 21)
    return found


def _grown(uniform_window, rules, level, inner, seeds):
    across, drifts = [], []
    for seed in range(seeds):
        window, core = uniform_window(inner, level)
        colony = automaton.grow(window, core, 149, seed, rules)
        assert not colony.cut
        across.append(diameters(colony.volumes[STEPS]))
        drifts.append(np.argwhere(colony.population).mean(axis=0) - core[0])
    return np.median(across, axis=0), np.median(drifts, axis=0)


def test_the_released_rules_grow_as_measured(grown):
    np.testing.assert_allclose(grown[RELEASED, 1][0], LEVEL_1, rtol=0.05)


def test_the_working_rules_grow_as_measured(grown):
    np.testing.assert_allclose(grown[WORKING, 1][0], LEVEL_1, rtol=0.15)


def test_the_clock_keeps_the_time_of_the_automaton(grown):
    expected = [diameter_after(steps) for steps in STEPS]
    np.testing.assert_allclose(grown[WORKING, 1][0], expected, rtol=0.05)


@pytest.mark.parametrize(
    ("level", "expected"), [(2, (5.8, 15.7, 26.1, 50.3)), (3, (3.0, 8.1, 14.2, 29.7))]
)
def test_dense_tissue_holds_growth_back_as_intended(grown, level, expected):
    at = [STEPS.index(n) for n in (20, 50, 80, 149)]
    np.testing.assert_allclose(grown[WORKING, level][0][at], expected, rtol=0.15)


@pytest.mark.parametrize(("level", "part"), [(2, 0.75), (3, 0.44)])
def test_dense_tissue_grows_its_part_of_the_diameter(grown, level, part):
    ratio = grown[WORKING, level][0] / grown[WORKING, 1][0]
    np.testing.assert_allclose(ratio[STEPS.index(80) :], part, atol=0.05)


def test_the_released_draw_drifts_as_measured(grown):
    drift = grown[RELEASED, 1][1]
    expected = np.array([3.0, -1.1, -1.5])
    cosine = drift @ expected / np.linalg.norm(drift) / np.linalg.norm(expected)
    assert cosine > 0.97
    assert np.linalg.norm(drift) == pytest.approx(np.linalg.norm(expected), rel=0.2)


def test_the_rim_is_thin_and_the_middle_full(uniform_window):
    for steps, growing in ((30, 0.50), (50, 0.31), (100, 0.16)):
        window, core = uniform_window(65)
        population = automaton.grow(window, core, steps, 0, RELEASED).population
        assert (population[population > 0] < 10).mean() == pytest.approx(growing, abs=0.06)


def beside_a_wall(steps, seed, rules, thick=None):
    """A tumour whose seed lies 3 points from a wall, and where the wall begins."""
    size, seat = 70, 32
    tissue = np.full((size,) * 3, CUT, np.uint8)
    tissue[2:-2, 2:-2, 2:-2] = 0
    end = -2 if thick is None else seat + 3 + thick
    tissue[seat + 3 : end, 2:-2, 2:-2] = WALL
    window = Window(tissue, np.ones(tissue.shape, bool), (0, 0, 0))
    colony = automaton.grow(window, np.full((1, 3), seat), steps, seed, rules)
    assert not colony.cut
    return colony.population, seat + 3


@pytest.mark.parametrize(("steps", "deep"), [(50, 3), (100, 7)])
def test_a_solid_wall_is_entered_as_deep_as_measured(steps, deep):
    depths = []
    for seed in range(11):
        population, wall = beside_a_wall(steps, seed, WORKING)
        depths.append(np.argwhere(population)[:, 0].max() - wall + 1)
    assert np.median(depths) == deep
    assert np.abs(np.array(depths) - deep).max() <= 1


def test_a_wall_takes_the_part_that_was_measured():
    parts = []
    for seed in range(5):
        population, wall = beside_a_wall(100, seed, WORKING)
        parts.append((population[wall:] > 0).sum() / (population > 0).sum())
    assert np.median(parts) == pytest.approx(0.12, abs=0.03)


def test_a_sheet_of_one_point_leaks_as_measured():
    parts = []
    for seed in range(5):
        population, wall = beside_a_wall(100, seed, WORKING, thick=1)
        parts.append((population[wall + 1 :] > 0).sum() / (population > 0).sum())
    assert np.median(parts) == pytest.approx(0.31, abs=0.04)
