"""Confidence intervals: coverage, patients that stay together, and what cannot be told."""

from __future__ import annotations

import numpy as np
import pytest
import scipy
from sklearn.metrics import roc_auc_score

from oncoforge.evaluation.bootstrap import Bootstrap, _area


def test_the_interval_of_a_mean_is_scipys():
    rng = np.random.default_rng(1)
    values = rng.beta(5, 2, 30)
    bootstrap = Bootstrap(500, seed=3)
    ours = bootstrap.ratio(values, np.ones(30), "liver dice all")
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=500, random_state=bootstrap.generator("liver dice all")
    ).confidence_interval
    assert ours == pytest.approx(tuple(theirs), abs=1e-12)
    assert ours[0] < values.mean() < ours[1]


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(0)
    bootstrap, held = Bootstrap(400), 0
    for number in range(200):
        values = rng.beta(6, 2, 25)
        low, high = bootstrap.ratio(values, np.ones(25), str(number))
        assert low is not None
        assert high is not None
        held += low <= 0.75 <= high
    assert 0.89 <= held / 200 <= 0.99


def test_scans_of_one_patient_stay_together():
    rng = np.random.default_rng(2)
    levels = rng.random(12)
    bootstrap = Bootstrap(1000)
    alone = bootstrap.ratio(levels, np.ones(12), "x")
    # Ten scans of each that say the same are no more certain than one.
    together = bootstrap.ratio(10 * levels, np.full(12, 10), "x")
    as_if_free = bootstrap.ratio(np.repeat(levels, 10), np.ones(120), "x")
    assert together == pytest.approx(alone)
    assert as_if_free[1] - as_if_free[0] < 0.5 * (alone[1] - alone[0])


def test_patients_that_say_nothing_change_nothing():
    sums, counts = np.array([2.0, 1, 3, 0, 2]), np.array([3.0, 1, 4, 2, 2])
    bootstrap = Bootstrap(300)
    one = bootstrap.ratio(sums, counts, "x")
    padded = np.zeros(9)
    more = padded.copy()
    padded[::2], more[::2] = sums, counts
    assert bootstrap.ratio(padded, more, "x") == one


def test_all_found_is_no_certainty():
    bootstrap = Bootstrap(100)
    assert bootstrap.share([1] * 5, [1] * 5, "x") == pytest.approx((0.025 ** (1 / 5), 1))
    assert bootstrap.share([0] * 5, [1] * 5, "x") == pytest.approx((0, 1 - 0.025 ** (1 / 5)))
    # Ten lesions of one patient are as one: whether the next patient's are found is unknown.
    assert bootstrap.share([10], [10], "x") == pytest.approx((0.025, 1))
    assert bootstrap.share([], [], "x") == (None, None)
    low, high = bootstrap.share([1, 0, 1, 1, 0, 1], np.ones(6), "x")
    assert 0 <= low < 4 / 6 < high <= 1


def test_one_patient_or_no_spread_gives_no_interval():
    bootstrap = Bootstrap(100)
    assert bootstrap.ratio([0.7], [1], "x") == (None, None)
    assert bootstrap.ratio([], [], "x") == (None, None)
    assert bootstrap.ratio([0.5] * 8, np.ones(8), "x") == (None, None)
    assert bootstrap.area([1, 2, 3], [0.0], "x") == (None, None)
    assert bootstrap.area([4, 5, 6], [1, 2, 3], "x") == (None, None)


def test_the_area_of_many_draws_is_scikit_learns():
    rng = np.random.default_rng(5)
    ill, healthy = rng.integers(0, 6, (2, 40, 9)).astype(float)
    healthy = healthy[:, :7]
    ours = _area(ill, healthy)
    truth = [1] * 9 + [0] * 7
    theirs = [roc_auc_score(truth, [*a, *b]) for a, b in zip(ill, healthy, strict=True)]
    np.testing.assert_allclose(ours, theirs)
    low, high = Bootstrap(300).area(ill[0], healthy[0], "x")
    assert low < theirs[0] < high


def test_a_number_does_not_depend_on_the_others():
    values = np.random.default_rng(0).random(20)
    bootstrap = Bootstrap(200, seed=1)
    first = bootstrap.ratio(values, np.ones(20), "a")
    bootstrap.ratio(values, np.ones(20), "b")
    assert bootstrap.ratio(values, np.ones(20), "a") == first
    assert bootstrap.ratio(values, np.ones(20), "b") != first
    assert Bootstrap(200, seed=2).ratio(values, np.ones(20), "a") != first


def test_draws_by_the_batch_are_as_many(monkeypatch):
    values = np.random.default_rng(0).random(20)
    drawn = []
    real = scipy.stats.bootstrap

    def spy(*arguments, **more):
        drawn.append(real(*arguments, **more))
        return drawn[-1]

    monkeypatch.setattr("oncoforge.evaluation.bootstrap._MOST_DRAWN", 60)
    monkeypatch.setattr(scipy.stats, "bootstrap", spy)
    Bootstrap(200).ratio(values, np.ones(20), "a")
    assert len(drawn[0].bootstrap_distribution) == 200
