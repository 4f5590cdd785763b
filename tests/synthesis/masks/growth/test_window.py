"""Windows: the tissue about a tumour, and what lies beyond it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoforge.synthesis.masks.growth import automaton
from oncoforge.synthesis.masks.growth.lattice import Lattice
from oncoforge.synthesis.masks.growth.rules import BEYOND, BORDER, CUT, WALL, Rules
from oncoforge.synthesis.masks.growth.window import admissible, admits, window
from oncoforge.synthesis.scene import Scene
from oncoforge.synthesis.tissue import Tissue

TISSUE = Tissue((120.0, 140.0, 160.0))
INNER = (slice(BORDER, -BORDER),) * 3


def mottled(shape=(40, 36, 30), spacing=(1.0, 1.0, 1.0), start=(4, 0, 9), seed=0):
    """A scene of all levels and walls, with holes in the organ."""
    rng = np.random.default_rng(seed)
    image = rng.normal(120, 25, shape).astype(np.float32)
    box = tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))
    return Scene(image, rng.random(shape) < 0.95, spacing, box)


def test_levels_begin_at_their_hu():
    scene = mottled()
    values = np.array([-500, 119.9, 120, 139.9, 140, 159.9, 160, 900], np.float32)
    scene.image[0, 0, :8] = values
    scene.organ[:] = True
    found = window(TISSUE, Lattice(scene), *Lattice(scene).limits())
    assert found.tissue[INNER][0, 0, :8].tolist() == [0, 0, 1, 1, 2, 2, WALL, WALL]


def test_what_is_not_organ_is_a_wall():
    scene = mottled()
    found = window(TISSUE, Lattice(scene), *Lattice(scene).limits())
    np.testing.assert_array_equal(found.organ[INNER], scene.organ)
    assert (found.tissue[INNER][~scene.organ] == WALL).all()
    assert not found.organ[:BORDER].any()


@settings(max_examples=50, deadline=None)
@given(
    low=st.tuples(*[st.integers(-10, 20)] * 3),
    size=st.tuples(*[st.integers(12, 45)] * 3),
    spacing=st.sampled_from([(1.0, 1.0, 1.0), (0.7, 0.7, 5.0), (2.0, 2.0, 2.0)]),
)
def test_the_border_says_whether_the_organs_box_ends_there(low, size, spacing):
    lattice = Lattice(mottled((30, 31, 32), spacing, (0, 0, 0)))
    low = np.array(low)
    high = low + size
    first, last = lattice.limits()
    if (np.minimum(high, last) <= np.maximum(low, first)).any():
        return
    found = window(TISSUE, lattice, low, high)
    for axis in range(3):
        sides = np.moveaxis(found.tissue, axis, 0)
        middle = (slice(BORDER, -BORDER),) * 2
        before = BEYOND if low[axis] <= first[axis] else CUT
        after = BEYOND if high[axis] >= last[axis] else CUT
        assert (sides[:BORDER, *middle] == before).all()
        assert (sides[-BORDER:, *middle] == after).all()
    # The window's first point, and all that it holds, are where it says.
    np.testing.assert_array_equal(np.array(found.low) + BORDER, np.maximum(low, first))
    assert (found.tissue[INNER] <= WALL).all()


def test_a_part_of_the_organ_looks_the_same_through_any_window():
    lattice = Lattice(mottled())
    tissue = Tissue(TISSUE.levels_hu, 1.5)
    first, last = lattice.limits()
    whole = window(tissue, lattice, first, last)
    part = window(tissue, lattice, first + 6, last - 9)
    cut = (slice(6, -9),) * 3
    np.testing.assert_array_equal(part.tissue[INNER], whole.tissue[INNER][cut])


@pytest.mark.parametrize("rules", [Rules(), Rules((1.0, 1.0, 1.0), 28)])
@pytest.mark.parametrize("seed", range(3))
def test_a_larger_window_makes_the_same_tumour(seed, rules):
    lattice = Lattice(mottled((70, 70, 70), seed=seed))
    focus = lattice.limits()[0] + 34
    grown = []
    for reach in (14, 17, 31, 100):
        place = window(TISSUE, lattice, focus - reach, focus + reach + 1)
        place.tissue[tuple(focus - place.low)] = 0
        colony = automaton.grow(place, (focus - place.low)[None], 40, seed, rules)
        if not colony.cut:
            grown.append((np.argwhere(colony.population) + place.low, colony))
    assert len(grown) >= 3
    for where, colony in grown[1:]:
        np.testing.assert_array_equal(where, grown[0][0])
        np.testing.assert_array_equal(colony.volumes, grown[0][1].volumes)
        np.testing.assert_array_equal(
            colony.population[colony.population > 0],
            grown[0][1].population[grown[0][1].population > 0],
        )


def test_a_tumour_at_the_edge_of_the_organs_box_is_not_cut():
    scene = mottled()
    scene.image[:], scene.organ[:] = 100, True
    lattice = Lattice(scene)
    focus = lattice.limits()[0] + [1, 18, 15]
    place = window(TISSUE, lattice, focus - 20, focus + 21)
    colony = automaton.grow(place, (focus - place.low)[None], 40, 0, Rules())
    assert not colony.cut
    assert colony.population[BORDER].any()  # it has come to the edge
    assert not colony.population[:BORDER].any()


def test_a_tumour_can_start_in_the_organ_outside_walls():
    lattice = Lattice(mottled(seed=3))
    low, high = lattice.limits()
    hu, organ = lattice.hu(low, high), lattice.organ(low, high)
    expected = np.argwhere(organ & (hu < 160)) + low
    points = admissible(TISSUE, lattice)
    np.testing.assert_array_equal(points, expected)
    among = set(map(tuple, points.tolist()))
    rng = np.random.default_rng(0)
    for point in rng.integers(low - 3, high + 3, (300, 3)):
        assert admits(TISSUE, lattice, point) == (tuple(point.tolist()) in among)
