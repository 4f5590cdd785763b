"""Learning rates: never zero while there are steps, and those of the published closed form."""

from __future__ import annotations

from math import cos, inf, nan, pi

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoforge.errors import InputError
from oncoforge.training.segmentation.schedules import plan
from oncoforge.training.settings import ScheduleSettings

BASE, WARM, ALL = 4e-4, 100, 4000


def _published(epoch: int) -> float:
    """The rate of a whole epoch in the published programs: its first epoch has none."""
    if epoch < WARM:
        return BASE * epoch / (WARM - 1)
    return BASE / 2 * (1 + cos(pi * (epoch - WARM) / (ALL - WARM)))


def test_the_published_form_is_the_one_that_is_written_down():
    rates = {1: 4.04e-6, 50: 2.02e-4, 99: 4e-4, 100: 4e-4, 1000: 3.497e-4, 2050: 2e-4}
    for epoch, rate in rates.items():
        assert _published(epoch) == pytest.approx(rate, rel=1e-3)


@pytest.mark.parametrize("each", [1, 7, 62])
def test_after_the_warm_up_rates_are_the_published_ones_where_epochs_begin(each):
    rate = plan(ScheduleSettings(warmup_epochs=WARM), ALL * each, each)
    for epoch in (100, 101, 1000, 2050, 3999):
        assert BASE * rate(epoch * each) == pytest.approx(_published(epoch), rel=1e-12)


@pytest.mark.parametrize("each", [1, 7, 62])
def test_in_the_warm_up_the_published_rate_is_reached_within_its_epoch(each):
    rate = plan(ScheduleSettings(warmup_epochs=WARM), ALL * each, each)
    for epoch in range(WARM):
        before = rate(epoch * each - 1) if epoch else 0.0
        last = rate(epoch * each + each - 1)
        assert BASE * before - 1e-12 <= _published(epoch) <= BASE * last + 1e-12
    assert rate(0) == pytest.approx(1 / (WARM * each))
    assert rate(WARM * each - 1) == 1.0


settings = st.builds(
    ScheduleSettings,
    st.sampled_from(["cosine", "poly", "constant"]),
    st.floats(0, 50),
    st.floats(0.1, 4),
)


@given(settings, st.integers(1, 40), st.integers(1, 30))
def test_every_step_has_a_rate_that_rises_and_then_never_rises(chosen, epochs, each):
    rate = plan(chosen, epochs * each, each)
    rates = [rate(step) for step in range(epochs * each)]
    assert 0 < min(rates) <= max(rates) <= 1
    assert rate.warmup <= epochs * each / 2
    assert bool(rate.remarks) == (chosen.warmup_epochs > epochs / 2)
    top = int(rate.warmup)
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[top] > 1 - 1e-9
    if chosen.name != "constant":
        assert rate(epochs * each) == pytest.approx(0, abs=1e-12)


def test_the_polynomial_is_that_of_nnunet():
    rate = plan(ScheduleSettings("poly", 0.0), 1000, 1)
    for epoch in (0, 1, 500, 999):
        assert rate(epoch) == pytest.approx((1 - epoch / 1000) ** 0.9)


def test_a_warm_up_that_does_not_fit_is_told():
    rate = plan(ScheduleSettings(), 60, 3)
    assert rate.warmup == 30
    assert rate.remarks == (
        "The warm-up of 100 epochs is shortened to 10: half of this training of 20.",
    )


@pytest.mark.parametrize(
    ("chosen", "steps", "word"),
    [
        (ScheduleSettings(), inf, "no end"),
        (ScheduleSettings(), -1, "no steps"),
        (ScheduleSettings(warmup_epochs=-1.0), 10, "warmup_epochs"),
        (ScheduleSettings(warmup_epochs=nan), 10, "warmup_epochs"),
        (ScheduleSettings(warmup_epochs=inf), 10, "warmup_epochs"),
        (ScheduleSettings("poly", power=0.0), 10, "power"),
    ],
)
def test_what_makes_no_schedule_is_refused(chosen, steps, word):
    with pytest.raises(InputError, match=word):
        plan(chosen, steps, 1)
