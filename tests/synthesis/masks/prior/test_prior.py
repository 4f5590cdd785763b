"""Priors: what is drawn follows them, and their files are kept and checked."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoforge.errors import InputError
from oncoforge.synthesis.masks.prior.places import Mixture, RotatedEllipsoid
from oncoforge.synthesis.masks.prior.prior import (
    Counts,
    Exophytic,
    Normal,
    OrganPrior,
    Prior,
    Shape,
    Weibull,
)

RNG = np.random.default_rng


def _many(draw, number=4000, seed=0):
    rng = RNG(seed)
    return np.array([draw(rng) for _ in range(number)])


# What is drawn.


def test_a_normal_is_cut_off_and_keeps_its_moments():
    drawn = _many(Normal(3.0, 2.0, -1.0, 5.0).draw)
    assert drawn.min() >= -1
    assert drawn.max() <= 5
    cut = scipy.stats.truncnorm(-2, 1, 3.0, 2.0)
    assert scipy.stats.kstest(drawn, cut.cdf).pvalue > 0.01


def test_diameters_are_weibull_and_cut_off():
    weibull = Weibull(1.5, 20.0, 5.0, 40.0)
    drawn = _many(weibull.draw)
    assert drawn.min() >= 5
    assert drawn.max() <= 40
    whole = scipy.stats.weibull_min(1.5, scale=20.0)
    low, high = whole.cdf(5.0), whole.cdf(40.0)
    cut = scipy.stats.kstest(drawn, lambda x: (whole.cdf(x) - low) / (high - low))
    assert cut.pvalue > 0.01
    assert weibull.score(whole.median()) == pytest.approx(0.0, abs=1e-9)
    assert weibull.score(whole.ppf(0.9)) == pytest.approx(scipy.stats.norm.ppf(0.9))


def test_the_steepest_and_the_flattest_weibull_can_be_drawn_from():
    for shape in (1e-3, 100.0):
        weibull = Weibull(shape, 0.01, 1e-6, 500.0)
        assert all(1e-6 <= weibull.draw(RNG(seed)) <= 500 for seed in range(50))
        assert math.isfinite(weibull.score(500.0))


def test_a_normal_without_spread_is_its_mean():
    assert Normal(3.0, 0.0, 3.0, 3.0).draw(RNG(0)) == 3.0
    # Cut off so narrowly that nothing is found: the mean.
    assert Normal(0.0, 1e9, -1e-3, 1e-3).draw(RNG(0)) == pytest.approx(0.0, abs=1e-3)


def test_counts_come_as_often_as_they_weigh():
    drawn = _many(Counts((1, 4), (0.8, 0.2)).draw)
    assert set(drawn) == {1, 4}
    assert (drawn == 4).mean() == pytest.approx(0.2, abs=0.02)
    assert Counts((1, 2, 3), (0.3333333,) * 3).draw(RNG(0)) in (1, 2, 3)


def test_axes_are_ordered_and_of_volume_one_and_their_ratios_are_those_fitted():
    shape = Shape((-0.5, -1.0), ((0.01, 0.008), (0.008, 0.02)))
    axes = _many(shape.draw)
    np.testing.assert_allclose(axes.prod(axis=1), 1, rtol=1e-9)
    assert (np.diff(axes, axis=1) <= 0).all()
    logs = np.log(axes[:, 1:] / axes[:, :1])
    np.testing.assert_allclose(logs.mean(axis=0), (-0.5, -1.0), atol=0.01)
    np.testing.assert_allclose(np.cov(logs.T), [[0.01, 0.008], [0.008, 0.02]], atol=0.002)


def test_lesions_bulge_out_as_often_and_as_far_as_fitted():
    bulges = Exophytic(0.6, 2.0, 3.0, 10.0)
    drawn = _many(lambda rng: bulges.draw(rng.normal(), rng))
    out = drawn[drawn > 0]
    assert len(out) / len(drawn) == pytest.approx(0.6, abs=0.03)
    assert scipy.stats.kstest(out, scipy.stats.beta(2.0, 3.0).cdf).pvalue > 0.01


def test_larger_lesions_bulge_out_more_if_so_fitted():
    rng = RNG(2)
    size = rng.normal(size=4000)
    for correlation in (-0.9, 0.0, 0.8):
        bulges = Exophytic(1.0, 2.0, 3.0, 10.0, correlation)
        drawn = np.array([bulges.draw(one, rng) for one in size])
        # Of normal scores, that of ranks is 6/pi asin(r/2).
        expected = 6 / math.pi * math.asin(correlation / 2)
        assert scipy.stats.spearmanr(size, drawn).statistic == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_never_and_always_are_probabilities(probability):
    drawn = _many(lambda rng: Exophytic(probability, 2.0, 2.0, 1.0).draw(0.0, rng), 200)
    assert (drawn > 0).mean() == probability


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Normal(0.0, -1.0, -1.0, 1.0),
        lambda: Normal(5.0, 1.0, -1.0, 1.0),
        lambda: Normal(0.0, 1.0, 1.0, -1.0),
        lambda: Weibull(0.0, 10.0, 5.0, 20.0),
        lambda: Weibull(2.0, 10.0, 0.0, 20.0),
        lambda: Weibull(2.0, 10.0, 20.0, 5.0),
        lambda: Weibull(2.0, 30.0, 5.0, 20.0),
        lambda: Weibull(2.0, 10.0, 5.0, 1e9),
        lambda: Counts((), ()),
        lambda: Counts((0,), (1.0,)),
        lambda: Counts((10**9,), (1.0,)),
        lambda: Counts((1, 2), (1.0,)),
        lambda: Counts((1, 2), (0.5, 0.4)),
        lambda: Counts((1, 2), (1.5, -0.5)),
        lambda: Shape((0.0, 0.0), ((1.0, 2.0), (2.0, 1.0))),
        lambda: Shape((0.0, 0.0), ((-1.0, 0.0), (0.0, -1.0))),
        lambda: Shape((0.0, 0.0), ((1.0, 0.1), (0.2, 1.0))),
        lambda: Exophytic(1.1, 1.0, 1.0, 0.0),
        lambda: Exophytic(0.5, 0.0, 1.0, 0.0),
        lambda: Exophytic(0.5, 1.0, 1.0, 0.0, 1.5),
    ],
)
def test_what_is_no_distribution_is_an_error(wrong):
    with pytest.raises(InputError):
        wrong()


# Files.

NUMBER = st.floats(-5, 5)
PART = st.floats(0.01, 1)


@st.composite
def priors(draw) -> OrganPrior:
    mean, sd = draw(NUMBER), draw(PART)
    contrast = Normal(mean, sd, mean - sd, mean + sd)
    scale = draw(st.floats(3, 50))
    weights = np.array(draw(st.lists(PART, min_size=1, max_size=4)))
    weights /= weights.sum()
    number = len(weights)
    points = st.tuples(NUMBER, NUMBER, NUMBER)
    eye = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    location = draw(
        st.sampled_from(
            [
                Mixture(
                    tuple(weights.tolist()),
                    tuple(draw(points) for _ in range(number)),
                    (eye,) * number,
                ),
                RotatedEllipsoid(draw(points), eye, (draw(PART), draw(PART), draw(PART))),
            ]
        )
    )
    return OrganPrior(
        organ=draw(st.sampled_from(["liver", "kidney", "pancreas"])),
        cases=draw(st.integers(1, 500)),
        lesions=draw(st.integers(1, 500)),
        count=Counts(tuple(range(1, number + 1)), tuple(weights.tolist())),
        diameter_mm=Weibull(draw(st.floats(0.5, 5)), scale, scale / 3, scale * 3),
        shape=Shape((-draw(PART), -draw(PART)), ((draw(PART), 0.0), (0.0, draw(PART)))),
        location=location,
        right=draw(st.none() | st.floats(0, 1)),
        exophytic=Exophytic(draw(PART), draw(PART), draw(PART), draw(PART), -draw(PART)),
        contrast_hu=draw(st.none() | st.just(contrast)),
        symmetric=draw(st.booleans()),
    )


@settings(max_examples=60, deadline=None)
@given(prior=priors())
def test_json_keeps_a_prior_to_the_last_bit(prior):
    assert OrganPrior.from_dict(json.loads(json.dumps(prior.to_dict()))) == prior


def test_a_saved_prior_is_the_same_when_loaded_and_the_same_bytes_when_saved_again(
    organ_prior, tmp_path
):
    prior = Prior({"kidney": organ_prior}, "two ünïcode cases")
    prior.save(tmp_path / "a.json")
    loaded = Prior.load(tmp_path / "a.json")
    assert loaded == prior
    loaded.save(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_a_prior_of_another_organ_says_what_it_was_fitted_to(organ_prior):
    prior = Prior({"kidney": organ_prior})
    assert prior.of("kidneys") is organ_prior
    with pytest.raises(InputError, match=r"no liver.*kidney.*--fit"):
        prior.of("liver")


def _paths(data: Any, path: tuple = ()):
    """Every place in nested data."""
    yield path
    items = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    for key, value in items:
        yield from _paths(value, (*path, key))


REMOVED = object()


def _with(data: Any, path: tuple, value: Any) -> Any:
    """The same data with one place changed."""
    if not path:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    if len(path) == 1 and value is REMOVED:
        del copy[path[0]]
    else:
        copy[path[0]] = _with(data[path[0]], path[1:], value)
    return copy


def _loaded(file) -> tuple[Prior | None, str]:
    """A prior, or the sentence that says why there is none."""
    try:
        return Prior.load(file), ""
    except InputError as error:
        return None, str(error)


def test_a_mutilated_file_gives_one_sentence_or_a_prior_that_draws(organ_prior, tmp_path):
    file = tmp_path / "prior.json"
    Prior({"kidney": organ_prior}).save(file)
    data = json.loads(file.read_text())
    hostile = (REMOVED, None, "x", [], {}, -1, 1e308, -1e308, float("nan"), True, [[1]], 0)
    rng = RNG(0)
    for path in list(_paths(data)):
        for value in hostile:
            if value is REMOVED and not path:
                continue
            file.write_text(json.dumps(_with(data, path, value)))
            prior, said = _loaded(file)
            if prior is None:
                assert str(file) in said
                assert "\n" not in said
                continue
            for one in prior.organs.values():
                one.count.draw(rng)
                diameter = one.diameter_mm.draw(rng)
                assert diameter > 0
                assert math.isfinite(one.exophytic.draw(one.diameter_mm.score(diameter), rng))
                assert np.isfinite(one.shape.draw(rng)).all()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "3", '"x"', "{}", "[" * 100_000, '{"oncoforge_prior": 2}', "\0"]
)
def test_a_file_that_is_no_prior_gives_one_sentence(text, tmp_path):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(InputError, match=r"p\.json is not a prior"):
        Prior.load(tmp_path / "p.json")


def test_missing_files_folders_and_binaries_give_one_sentence(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        Prior.load(tmp_path / "none.json")
    with pytest.raises(InputError, match="is not a prior"):
        Prior.load(tmp_path)
    (tmp_path / "b.json").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="is not a prior"):
        Prior.load(tmp_path / "b.json")


@pytest.mark.parametrize("data", [None, [], 3, "x", {}])
def test_plain_data_that_is_no_prior_is_an_error(data):
    with pytest.raises(InputError):
        OrganPrior.from_dict(data)
