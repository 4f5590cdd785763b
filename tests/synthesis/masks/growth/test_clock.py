"""The table of steps and diameters is one clock, read both ways."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoforge.synthesis.masks.growth.clock import diameter_after, steps_for


@settings(deadline=None)
@given(steps=st.integers(1, 2000))
def test_a_diameter_is_reached_after_the_steps_that_reach_it(steps):
    assert steps_for(diameter_after(steps)) == steps


@settings(deadline=None)
@given(diameter=st.floats(1.5, 900))
def test_steps_reach_the_diameter_to_within_half_a_step(diameter):
    half = (diameter_after(steps_for(diameter) + 1) - diameter_after(steps_for(diameter) - 1)) / 2
    assert diameter_after(steps_for(diameter)) == pytest.approx(diameter, abs=0.6 * half)


def test_longer_growth_is_always_wider():
    assert (np.diff([diameter_after(n) for n in range(500)]) > 0).all()


def test_the_smallest_wish_still_takes_a_step():
    assert steps_for(0.01) == steps_for(1.0) == 1


def test_the_rule_of_thumb_of_the_published_rules_holds():
    # Diameter of about 0.47 n - 3 from 20 steps on.
    for steps in range(20, 300):
        assert diameter_after(steps) == pytest.approx(0.47 * steps - 3, abs=1.0)
