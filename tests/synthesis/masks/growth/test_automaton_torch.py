"""The program for any device of PyTorch gives the tumours of the one for the CPU, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oncoforge.errors import InputError
from oncoforge.synthesis.masks.growth import automaton
from oncoforge.synthesis.masks.growth.plan import backend
from oncoforge.synthesis.masks.growth.rules import BEYOND, CUT, WALL, Rules

torch = pytest.importorskip("torch")

ALL_RULES = [Rules(), Rules((1.0, 1.0, 1.0), 28), Rules((0.8, 0.5, 0.0), 27)]


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)], scope="module")
def device(request):
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    from oncoforge.synthesis.masks.growth import automaton_torch

    class On:
        def grow(*arguments):
            return automaton_torch.grow(*arguments, device=request.param)

        def die(*arguments):
            return automaton_torch.die(*arguments, device=request.param)

    return On


def assert_same(one, other):
    assert one.cut == other.cut
    assert one.population.dtype == other.population.dtype
    np.testing.assert_array_equal(one.population, other.population)
    if not one.cut:
        assert one.volumes.dtype == other.volumes.dtype
        np.testing.assert_array_equal(one.volumes, other.volumes)
        assert one.born.dtype == other.born.dtype
        np.testing.assert_array_equal(one.born, other.born)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    ground=st.integers(0, 2**32),
    steps=st.integers(0, 60),
    seed=st.integers(0, 2**64 - 1),
    rules=st.sampled_from(ALL_RULES),
    wanted=st.sampled_from([0, 0, 5, 60, 200]),
    patience=st.sampled_from([0, 0, 3, 10]),
)
def test_growth_is_the_same(random_window, device, ground, steps, seed, rules, wanted, patience):
    window, cores = random_window(ground, (BEYOND, BEYOND, CUT))
    before = window.tissue.copy()
    asked = (window, cores, steps, seed, rules, wanted, patience)
    assert_same(device.grow(*asked), automaton.grow(*asked))
    np.testing.assert_array_equal(window.tissue, before)


@settings(max_examples=30, deadline=None)
@given(
    ground=st.integers(0, 2**32),
    steps=st.integers(0, 12),
    seed=st.integers(0, 2**64 - 1),
    rules=st.sampled_from(ALL_RULES),
    parts=st.tuples(st.floats(0, 1), st.sampled_from([0.0, 0.0, 0.1, 0.4, 1.0])),
)
def test_death_is_the_same(random_window, device, ground, steps, seed, rules, parts):
    window, cores = random_window(ground)
    colony = automaton.grow(window, cores, 30, seed, rules)
    most, least = (int(part * colony.volumes[-1]) for part in parts)
    asked = (colony, window, cores, steps, seed, rules, most, least)
    np.testing.assert_array_equal(device.die(*asked), automaton.die(*asked))


@pytest.mark.parametrize("rules", ALL_RULES)
def test_a_large_tumour_is_the_same(uniform_window, device, rules):
    window, core = uniform_window(33, low=(-20, 300, 7), border=BEYOND)
    window.tissue[22:25, 12:22, 2:-2] = WALL
    window.tissue[2:-2, 2:-2, 22:25] = 1
    one = automaton.grow(window, core, 60, 11, rules)
    assert_same(device.grow(window, core, 60, 11, rules), one)
    most = int(0.35 * one.volumes[-1])
    asked = (one, window, core, 5, 11, rules, most, int(0.2 * one.volumes[-1]))
    np.testing.assert_array_equal(device.die(*asked), automaton.die(*asked))


def test_death_to_the_last_is_the_same(uniform_window, device):
    window, core = uniform_window(13, border=BEYOND)
    colony = automaton.grow(window, core, 120, 0, Rules())
    asked = (colony, window, core, 3, 0, Rules(), 10**6, 10**6)
    dead = automaton.die(*asked)
    assert dead.sum() == 13**3
    np.testing.assert_array_equal(device.die(*asked), dead)


def test_a_device_that_is_not_there_is_refused_in_a_sentence():
    with pytest.raises(InputError, match=r"Device 'warp' cannot be used .*leave it out"):
        backend("warp")


def test_the_device_asked_for_is_the_one_that_works(uniform_window):
    window, core = uniform_window(15)
    asked = (window, core, 12, 0, Rules())
    assert_same(backend("cpu:0").grow(*asked), backend("cpu").grow(*asked))
