"""Methods with shapes from elsewhere: which settings they heed, and which they refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import oncoforge as of
from oncoforge.errors import InputError, OncoforgeError, UnknownNameError
from oncoforge.synthesis.cases import make_synthesizer, synthesizer_for
from oncoforge.synthesis.masks.prior.prior import Prior
from oncoforge.synthesis.reshape import COPY, LIBRARY, PRIOR


@pytest.fixture(scope="module")
def phantom() -> of.Case:
    return of.make_phantom(spacing_mm=(4, 4, 4)).case()


def test_a_prior_may_be_an_object_that_of_an_organ_or_a_file(organ_prior, phantom, tmp_path):
    whole = Prior({"kidney": organ_prior})
    whole.save(tmp_path / "p.json")
    made = [
        of.synthesize(phantom, "kidney", seed=2, prior=one)
        for one in (whole, organ_prior, tmp_path / "p.json", str(tmp_path / "p.json"))
    ]
    assert made[0].synthesis.lesions
    assert made[0].synthesis.recipe.masks == PRIOR
    assert len({m.image.tobytes() for m in made}) == 1


def test_a_prior_of_another_organ_is_refused(organ_prior, phantom):
    for one in (organ_prior, Prior({"kidney": organ_prior})):
        with pytest.raises(InputError, match="no liver"):
            of.synthesize(phantom, "liver", prior=one)


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("handcrafted", {"size": "large"}),
        ("handcrafted", {"elastic": "none"}),
        ("cellular", {"size": "large"}),
        ("cellular", {"steps": 9}),
        ("handcrafted", {"nonsense": 1}),
        ("handcrafted", {"count": 0}),
        ("handcrafted", {"diameter_mm": -1.0}),
    ],
)
def test_settings_that_a_prior_replaces_are_refused(method, settings, organ_prior):
    with pytest.raises(OncoforgeError):
        make_synthesizer(method, "kidney", prior=organ_prior, **settings)


def test_settings_of_appearance_are_heeded(organ_prior, scan):
    synth = make_synthesizer(
        "handcrafted", "kidney", prior=organ_prior, edge_mm=(1.5, 1.5), rim=1.0
    )
    recipe = synth.draw(*scan, np.random.default_rng(0))
    assert {lesion.appearance["edge_mm"] for lesion in recipe.lesions} == {1.5}
    assert all(lesion.appearance["rim_hu"] != 0 for lesion in recipe.lesions)


def test_grown_lesions_have_the_sizes_and_places_of_the_prior(organ_prior, phantom):
    made = of.synthesize(phantom, "kidney", "cellular", seed=4, prior=organ_prior, count=2)
    assert made.synthesis.recipe.masks == ""
    assert all(lesion.growth is not None for lesion in made.synthesis.lesions)
    again = of.replay(phantom, "kidney", made.synthesis.recipe.to_dict())
    assert again.image.tobytes() == made.image.tobytes()


def test_prior_and_library_and_copies_do_not_mix(organ_prior, tmp_path):
    with pytest.raises(InputError, match="one of the two"):
        make_synthesizer("handcrafted", "kidney", prior=organ_prior, library=tmp_path)
    with pytest.raises(InputError, match="library"):
        make_synthesizer("handcrafted", "kidney", prior=organ_prior, appearance=COPY)
    with pytest.raises(InputError, match="library"):
        make_synthesizer("handcrafted", "kidney", appearance=COPY)


def test_recipes_are_applied_by_what_drew_them_alone(organ_prior, scan):
    recipe = make_synthesizer("handcrafted", "kidney", prior=organ_prior).draw(
        *scan, np.random.default_rng(0)
    )
    with pytest.raises(InputError, match="replay"):
        of.Handcrafted().apply(*scan, recipe)
    synthesizer_for(recipe, "kidney").apply(*scan, recipe)
    for changes in ({"masks": "cloud"}, {"appearance": "paint"}):
        with pytest.raises(UnknownNameError):
            synthesizer_for(replace(recipe, **changes), "kidney")
    # Plans of a prior are none of a library's.
    with pytest.raises(OncoforgeError):
        synthesizer_for(replace(recipe, masks=LIBRARY), "kidney").apply(
            *scan, replace(recipe, masks=LIBRARY)
        )
