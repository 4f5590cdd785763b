"""Every case in its turn, shares exact in the long run, and ranks that share an epoch."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoforge.errors import InputError
from oncoforge.training.data.draws import CaseSampler, Draw, EpochSampler, Mix


def _cases(mix: Mix, epochs: int) -> list[int]:
    return [mix.case(Draw(epoch, item)) for epoch in range(epochs) for item in range(mix.items)]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 12), st.integers(1, 5), st.integers(0, 2**31))
def test_all_cases_come_before_any_comes_again(cases, items, epochs, seed):
    mix = Mix((tuple(range(cases)), ()), (1.0, 0.0), items, seed)
    drawn = _cases(mix, epochs)
    times = Counter(drawn)
    assert max(times[n] for n in range(cases)) - min(times[n] for n in range(cases)) <= 1


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0, 5), st.floats(0.01, 5), st.integers(1, 30), st.integers(1, 6), st.integers(0, 99)
)
def test_pools_get_their_shares_to_within_one_item(real, healthy, items, epochs, seed):
    pools = ((0, 1, 2), (3, 4))
    mix = Mix(pools, (real, healthy), items, seed)
    drawn = _cases(mix, epochs)
    wanted = real / (real + healthy) * len(drawn)
    assert abs(sum(n in pools[0] for n in drawn) - wanted) <= 1
    for pool in pools:
        times = Counter(n for n in drawn if n in pool)
        assert max(times[n] for n in pool) - min(times[n] for n in pool) <= 1


def test_an_epoch_without_a_mix_holds_every_case_once_in_another_order():
    mix = Mix((tuple(range(50)), ()), (1.0, 0.0), 50, seed=3)
    first, second = ([mix.case(Draw(epoch, item)) for item in range(50)] for epoch in range(2))
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    other = Mix((tuple(range(50)), ()), (1.0, 0.0), 50, seed=4)
    assert [other.case(Draw(0, item)) for item in range(50)] != first


def test_an_item_depends_on_nothing_that_was_asked_before():
    mix = Mix(((0, 1, 2), (3, 4, 5, 6)), (1.0, 2.0), 11, seed=1)
    forward = {key: mix.case(key) for key in (Draw(e, i) for e in range(4) for i in range(11))}
    for key in reversed(list(forward)):
        assert mix.case(key) == forward[key]


@pytest.mark.parametrize(
    ("shares", "items", "sentence"),
    [
        ((0.0, 0.0), 3, "one is above 0"),
        ((-1.0, 2.0), 3, "not negative"),
        ((float("nan"), 1.0), 3, "not negative"),
        ((1.0, 1.0), 0, "patches_per_epoch is 0"),
    ],
)
def test_a_mix_that_makes_no_sense_is_refused(shares, items, sentence):
    with pytest.raises(InputError, match=sentence):
        Mix(((0,), (1,)), shares, items)


def test_a_pool_of_none_gets_no_share():
    with pytest.raises(InputError, match="has none"):
        Mix(((), (1,)), (1.0, 1.0), 4)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 7))
def test_ranks_share_an_epoch_and_take_equally_many_steps(items, ranks, epoch):
    samplers = [EpochSampler(items, rank, ranks) for rank in range(ranks)]
    for sampler in samplers:
        sampler.set_epoch(epoch)
    drawn = [list(sampler) for sampler in samplers]
    assert len({len(part) for part in drawn} | {len(sampler) for sampler in samplers}) == 1
    assert {key for part in drawn for key in part} == {Draw(epoch, item) for item in range(items)}
    in_turn = [part[step] for step in range(len(drawn[0])) for part in drawn]
    assert [key.item for key in in_turn[:items]] == list(range(items))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20), st.integers(1, 6))
def test_every_case_is_validated_once_and_ranks_take_equally_many_steps(cases, ranks):
    parts = [list(CaseSampler(cases, rank, ranks)) for rank in range(ranks)]
    assert len({len(part) for part in parts}) == 1
    held = [n for part in parts for n in part if n is not None]
    assert sorted(held) == list(range(cases))
    assert all(len(CaseSampler(cases, rank, ranks)) == len(parts[rank]) for rank in range(ranks))
