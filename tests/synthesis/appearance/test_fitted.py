"""Contrasts from a prior: lesions are as much darker or brighter as real ones were."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from oncoforge.synthesis.appearance.fitted import FittedContrast
from oncoforge.synthesis.cases import make_synthesizer
from oncoforge.synthesis.masks.prior.prior import Normal


def _contrasts(method, prior, scan, room=None, **settings):
    synth = make_synthesizer(method, "kidney", prior=prior, count=1, diameter_mm=22.0, **settings)
    found = []
    for seed in range(12):
        out = synth(*scan, np.random.default_rng(seed), room=room)
        found += [lesion.contrast_hu for lesion in out.lesions]
    return np.array(found)


@pytest.mark.parametrize(
    ("method", "wanted"), [("handcrafted", -60.0), ("handcrafted", 40.0), ("cellular", -60.0)]
)
def test_lesions_have_about_the_contrast_of_the_prior(method, wanted, scan, organ_prior):
    prior = replace(organ_prior, contrast_hu=Normal(wanted, 0.0, wanted, wanted))
    measured = _contrasts(method, prior, scan)
    # Soft edges take some of it, and textures vary.
    assert np.mean(measured) == pytest.approx(wanted, rel=0.25)


def test_they_have_it_too_where_they_bulge_out(scan, organ_prior):
    image, organ, _ = scan
    prior = replace(organ_prior, contrast_hu=Normal(-50.0, 0.0, -50.0, -50.0))
    room = organ | ((image > -300) & (image < 0))
    measured = _contrasts("handcrafted", prior, scan, room)
    assert np.mean(measured) == pytest.approx(-50.0, rel=0.3)


def test_a_contrast_that_the_user_sets_goes_before_the_prior(scan, organ_prior):
    synth = make_synthesizer("handcrafted", "kidney", prior=organ_prior, contrast_hu=(-10.0, -9.0))
    assert not isinstance(synth.appearance, FittedContrast)
    without = replace(organ_prior, contrast_hu=None)
    assert not isinstance(
        make_synthesizer("handcrafted", "kidney", prior=without).appearance, FittedContrast
    )


def test_contrast_alone_is_drawn_anew_and_the_rest_stays_the_methods(scan, organ_prior):
    with_contrast = make_synthesizer("handcrafted", "kidney", prior=organ_prior, count=3)
    without = make_synthesizer(
        "handcrafted", "kidney", prior=replace(organ_prior, contrast_hu=None), count=3
    )
    a, b = (s.draw(*scan, np.random.default_rng(3)) for s in (with_contrast, without))
    for one, other in zip(a.lesions, b.lesions, strict=True):
        assert one.mask == other.mask
        changed = {k for k in one.appearance if one.appearance[k] != other.appearance[k]}
        assert changed == {"contrast_hu"}
