"""The mask models of a prior: own shapes, or a method's own lesions at the prior's places."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from oncoforge.errors import InputError
from oncoforge.synthesis.base import Recipe
from oncoforge.synthesis.cases import make_synthesizer
from oncoforge.synthesis.masks.prior.model import PriorModel
from oncoforge.synthesis.masks.prior.prior import Counts
from oncoforge.synthesis.scene import make_scene

every_method = pytest.mark.parametrize("method", ["handcrafted", "cellular"])


def _synth(method, prior, **settings):
    return make_synthesizer(method, "kidney", prior=prior, **settings)


@every_method
def test_draw_then_apply_is_the_call_and_json_keeps_every_byte(method, scan, organ_prior):
    synth = _synth(method, organ_prior, count=2)
    called = synth(*scan, np.random.default_rng(5))
    drawn = synth.draw(*scan, np.random.default_rng(5))
    assert len(called.lesions) == 2
    assert drawn == called.recipe
    recipe = Recipe.from_dict(json.loads(json.dumps(drawn.to_dict())))
    applied = synth.apply(*scan, recipe)
    assert applied.image.tobytes() == called.image.tobytes()
    assert applied.lesions == called.lesions
    assert applied.recipe.parameters["prior"]["organ"] == "kidney"


@every_method
def test_nothing_outside_the_organ_changes_without_room(method, scan, organ_prior):
    image, organ, spacing = scan
    out = _synth(method, organ_prior)(image, organ, spacing, np.random.default_rng(1))
    assert out.lesions
    assert not out.recipe.exophytic
    assert out.image[~organ].tobytes() == image[~organ].tobytes()
    assert not (out.tumor & ~organ).any()


def test_numbers_and_sizes_are_those_of_the_prior(scan, organ_prior):
    sizes, counts = [], []
    synth = _synth("handcrafted", organ_prior)
    for seed in range(60):
        recipe = synth.draw(*scan, np.random.default_rng(seed))
        counts.append(len(recipe.lesions) + len(recipe.skipped))
        sizes += [lesion.mask["volume_mm3"] for lesion in recipe.lesions]
    assert set(counts) == {1, 3}
    assert np.mean(counts) == pytest.approx(1.5, abs=0.3)
    diameters = np.cbrt(6 * np.array(sizes) / np.pi)
    own = [organ_prior.diameter_mm.draw(np.random.default_rng(n)) for n in range(1000)]
    assert np.median(diameters) == pytest.approx(np.median(own), rel=0.15)


def test_count_diameter_and_positions_go_before_the_prior(scan, organ_prior):
    image, organ, spacing = scan
    at = ((50.0, 40.0, 40.0), (30.0, 45.0, 40.0))
    synth = _synth("handcrafted", organ_prior, count=3, diameter_mm=12.0, at_mm=at)
    out = synth(image, organ, spacing, np.random.default_rng(0))
    assert len(out.lesions) == 3
    for lesion in out.lesions:
        assert lesion.diameter_mm == pytest.approx(12, rel=0.02)
    for lesion, centre in zip(out.lesions, at, strict=False):
        np.testing.assert_allclose(lesion.centre_mm, centre, atol=1.5)


def test_a_share_of_an_organ_holds_a_share_of_its_lesions(scan, organ_prior):
    prior = replace(organ_prior, count=Counts((8,), (1.0,)))
    numbers = [
        len(PriorModel(prior).draw(make_scene(*scan, share=share), np.random.default_rng(3))[0])
        for share in (1.0, 0.3, 0.0)
    ]
    assert numbers[0] == 8
    assert numbers[0] > numbers[1] >= 1
    assert numbers[2] == 1


def test_an_empty_organ_is_excused_and_no_prior_is_an_error(scan, organ_prior):
    image, organ, spacing = scan
    out = _synth("handcrafted", organ_prior)(
        image, np.zeros_like(organ), spacing, np.random.default_rng(0)
    )
    assert out.lesions == ()
    assert "empty" in out.skipped[0]
    with pytest.raises(InputError, match="no prior"):
        PriorModel().draw(make_scene(*scan), np.random.default_rng(0))


def test_lesions_that_found_less_room_say_so(small_scan, organ_prior):
    out = _synth("handcrafted", organ_prior, diameter_mm=60.0, at_mm=((22.0,) * 3,))(
        *small_scan, np.random.default_rng(0)
    )
    assert len(out.lesions) == 1
    assert "no more room" in out.remarks[0]
