"""Rules: the neighbours that can be drawn, how tissue accepts, and the hash behind all draws."""

from __future__ import annotations

import numpy as np
import pytest

from oncoforge.errors import InputError
from oncoforge.synthesis.masks.growth.rules import BITS, GOLDEN, Rules, key, mix

SHAPE = (50, 60, 70)


def neighbours_of(rules):
    """Where the outcomes of a draw lie from a point, as (n, 3)."""
    middle = np.array([25, 30, 35])
    flat = np.ravel_multi_index(tuple(middle), SHAPE) + rules.offsets(SHAPE)
    return np.stack(np.unravel_index(flat, SHAPE), axis=1) - middle


def test_the_hash_is_splitmix64():
    # The first outputs of the published generator from a state of 0.
    state = [(n * GOLDEN) % 2**64 for n in (1, 2, 3)]
    assert [mix(word) for word in state] == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
        0x06C45D188009454F,
    ]


def test_every_seed_and_step_has_a_key_of_its_own():
    keys = {key(seed, step) for seed in range(60) for step in range(60)}
    assert len(keys) == 3600
    assert all(0 <= k < 2**64 for k in keys)


def test_the_neighbours_are_the_cube_about_a_point():
    cube = np.argwhere(np.ones((3, 3, 3))) - 1
    np.testing.assert_array_equal(np.sort(neighbours_of(Rules()), axis=0), np.sort(cube, axis=0))


def test_the_released_draw_has_one_outcome_more():
    released = neighbours_of(Rules(neighbours=28))
    np.testing.assert_array_equal(released[:27], neighbours_of(Rules()))
    assert released[27].tolist() == [2, -1, -1]


def test_only_draws_from_the_symmetric_cube_are_mirrored():
    assert Rules().mirrors
    assert not Rules(neighbours=28).mirrors
    offsets = Rules().offsets(SHAPE)
    np.testing.assert_array_equal(offsets[::-1], -offsets)


def test_acceptance_is_the_probability_in_units_of_a_draw():
    np.testing.assert_allclose(Rules((1.0, 0.3, 0.1)).accepts() / 2**BITS, (1, 0.3, 0.1), atol=1e-6)


@pytest.mark.parametrize("neighbours", [0, 26, 29, -27])
def test_another_number_of_neighbours_is_refused(neighbours):
    with pytest.raises(InputError, match="neighbours is 27 or 28"):
        Rules(neighbours=neighbours)


@pytest.mark.parametrize(
    "acceptance", [(0.0, 1, 1), (1.1, 1, 1), (1, -0.1, 0), (1, 0.3, 2), (float("nan"), 1, 1)]
)
def test_what_is_no_probability_is_refused(acceptance):
    with pytest.raises(InputError, match="acceptance holds three probabilities"):
        Rules(acceptance)
