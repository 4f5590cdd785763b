"""A class that no case has is told before training, and not after it."""

from __future__ import annotations

import pytest

from oncoforge.errors import InputError
from oncoforge.training.data.census import check_sizes, check_training, check_validation, count
from oncoforge.training.data.synthetic import PatchTumors
from oncoforge.training.settings import SynthesisSettings


@pytest.fixture
def makes(liver):
    def make(*settings, **pipeline):
        return PatchTumors.of(list(settings), liver(**pipeline))

    return make


def test_cases_are_counted_by_class(liver, stored):
    cases = [stored("well"), stored("ill", tumor=True), stored("other", organ=9)]
    assert count(liver(), cases) == {"liver": 2, "liver_tumor": 1}


def test_a_tumour_class_is_learned_from_real_or_synthetic_tumours(liver, stored, makes):
    well, ill = stored("well"), stored("ill", tumor=True)
    check_training(liver(), [well, ill], makes(), False)
    check_training(liver(), [well], makes(SynthesisSettings()), False)
    with pytest.raises(InputError, match=r"has the class liver_tumor.*or a synthesis of them"):
        check_training(liver(), [well], makes(), False)
    check_training(liver(), [well], makes(), True)


def test_synthesis_needs_the_organ_without_tumours_in_some_case(liver, stored, makes):
    for case in (stored("other", organ=9), stored("ill", tumor=True)):
        for allowed in (False, True):
            with pytest.raises(InputError, match="made in the liver, and none of the 1 training"):
                check_training(liver(), [case], makes(SynthesisSettings()), allowed)


def test_an_organ_that_no_case_has_is_told_with_what_they_have(liver, stored, makes):
    other = stored("other", organ=9)
    with pytest.raises(
        InputError, match=r"the class liver; they have spleen\. Is their convention"
    ):
        check_training(liver(classes=("background", "liver")), [other], makes(), False)
    check_training(liver(classes=("background", "liver")), [other], makes(), True)


def test_validation_needs_cases_tumours_and_every_class(liver, stored):
    well, ill = stored("well"), stored("ill", tumor=True)
    check_validation(liver(), [well, ill], False)
    with pytest.raises(InputError, match="no cases to validate on"):
        check_validation(liver(), [], False)
    with pytest.raises(InputError, match="None of the 1 validation cases has a tumour"):
        check_validation(liver(), [well], False)
    three = liver(classes=("background", "liver", "liver_tumor", "spleen"))
    with pytest.raises(InputError, match="has the class spleen"):
        check_validation(three, [well, ill], False)
    for cases in ([], [well]):
        check_validation(three, cases, True)


def test_a_case_that_patches_would_hardly_hold_is_named(liver, stored):
    case = stored("thin")
    x, y, z = case.shape
    check_sizes(liver(patch=(8 * x, 8 * y, 8 * z)), [case])
    with pytest.raises(InputError, match=r"thin is too small: .* less than an eighth of a patch"):
        check_sizes(liver(patch=(8 * x, 8 * y, 8 * z + 8)), [case])
