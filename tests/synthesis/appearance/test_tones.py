"""Tones: what every way of painting lets one choose, and its floor."""

from __future__ import annotations

import numpy as np
import pytest

from oncoforge.errors import InputError
from oncoforge.synthesis.appearance.density import Shaded
from oncoforge.synthesis.appearance.texture import Textured
from oncoforge.synthesis.appearance.tones import check_hu
from oncoforge.synthesis.base import LesionPlan
from oncoforge.synthesis.scene import make_scene

every_model = pytest.mark.parametrize("model", [Textured, Shaded])


def looks(model, organ_hu=100.0, n=200, **changes):
    """The looks of lesions in an organ of one HU."""
    image = np.full((12, 12, 12), organ_hu, np.float32)
    scene = make_scene(image, np.ones(image.shape, bool), (1.0, 1.0, 1.0))
    plans = [LesionPlan("small", {})] * n
    return model(per_lesion=True, **changes).draw(scene, plans, np.random.default_rng(0))


@every_model
@pytest.mark.parametrize("part", [0.0, 0.4, 1.0])
def test_a_part_of_the_lesions_is_brighter(model, part):
    drawn = looks(model, n=1000, hyperdense=part)
    assert np.mean([one["contrast_hu"] > 0 for one in drawn]) == pytest.approx(part, abs=0.06)
    assert all(65 <= abs(one["contrast_hu"]) <= 145 for one in drawn)


@every_model
@pytest.mark.parametrize("organ_hu", [-50.0, 5.0, 40.0, 70.0])
def test_a_floor_bounds_the_mean_of_darker_lesions_and_leaves_them_visible(model, organ_hu):
    for one in looks(model, organ_hu, floor_hu=0.0):
        mean = organ_hu + one["contrast_hu"] / 2
        assert mean >= min(0.0, organ_hu - 20) - 1e-6
        assert mean <= organ_hu - min(20, 65 / 2) + 1e-6


@every_model
def test_what_is_dead_stays_above_the_floor(model):
    dying = {"core": 1.0} if model is Textured else {}
    for organ_hu in (10.0, 40.0, 80.0):
        for one in looks(model, organ_hu, floor_hu=0.0, **dying):
            dead = one.get("core_hu", one.get("necrosis_hu", 0.0) / 2)
            mean = organ_hu + one["contrast_hu"] / 2 + dead
            assert mean >= min(0.0, organ_hu - 20) - 1e-6


@every_model
def test_a_floor_weakens_the_rim_with_the_contrast(model):
    for one in looks(model, 30.0, floor_hu=0.0, rim=1.0):
        assert 0 < one["rim_hu"] <= -one["contrast_hu"] / 2


@every_model
def test_a_floor_leaves_brighter_lesions_and_those_far_above_it_alone(model):
    for changes in ({"hyperdense": 1.0, "floor_hu": 90.0}, {"floor_hu": -1000.0}):
        plain = {name: value for name, value in changes.items() if name != "floor_hu"}
        kept, free = looks(model, **changes), looks(model, **plain)
        assert [one["contrast_hu"] for one in kept] == [one["contrast_hu"] for one in free]


@every_model
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"rim": 1.5}, "rim is a probability"),
        ({"hyperdense": -0.1}, "hyperdense is a probability"),
        ({"contrast_hu": (10.0, -10.0)}, "contrast_hu is a range"),
        ({"contrast_hu": (1.0,)}, "contrast_hu is a range"),
        ({"rim_hu": (0.0, 5000.0)}, "rim_hu is at most"),
        ({"fill_hu": (5.0, 1.0)}, "fill_hu is a range"),
    ],
    ids=str,
)
def test_tones_that_make_no_sense_are_refused(model, wrong, sentence):
    with pytest.raises(InputError, match=sentence):
        model(**wrong)


@pytest.mark.parametrize("hu", [5000.0, -4097.0])
def test_a_change_beyond_any_ct_is_refused(hu):
    check_hu([None, 0.0, 4096.0, -4096.0])
    with pytest.raises(InputError, match=f"{hu:g} HU"):
        check_hu([None, hu])
