"""Which label becomes which channel, and which labels patches are centred on."""

from __future__ import annotations

import numpy as np
import pytest

from oncoforge.anatomy import LABELS
from oncoforge.errors import InputError
from oncoforge.training.data.channels import (
    bearers,
    channels_of,
    foreground_of,
    sole_organ,
    tumor_labels,
)


def test_classes_keep_their_order_and_all_else_is_background(liver):
    channels = channels_of(liver(classes=("background", "kidney_tumor", "liver", "kidney")))
    assert channels[LABELS["kidney"] + 1] == 1
    assert channels[LABELS["liver"]] == 2
    assert channels[LABELS["kidney"]] == 3
    assert channels[LABELS["spleen"]] == channels[LABELS["spleen"] + 1] == channels[0] == 0


def test_a_tumour_that_is_no_class_counts_as_its_organ(liver):
    channels = channels_of(liver(classes=("background", "liver")))
    assert channels[LABELS["liver"] + 1] == 1


def test_patches_are_centred_on_the_organ_of_a_tumour_too(liver):
    pipeline = liver(classes=("background", "kidney_tumor"))
    held = np.flatnonzero(foreground_of(pipeline))
    assert list(held) == [LABELS["kidney"], LABELS["kidney"] + 1]
    assert channels_of(pipeline)[LABELS["kidney"]] == 0


def test_tumours_and_their_organs_are_told(liver):
    pipeline = liver(classes=("background", "liver", "liver_tumor", "aorta", "kidney_tumor"))
    assert tumor_labels(pipeline) == (LABELS["liver"] + 1, LABELS["kidney"] + 1)
    assert [organ.name for organ in bearers(pipeline)] == ["liver", "kidney"]
    assert sole_organ(pipeline) is None
    assert sole_organ(liver()) == "liver"
    assert sole_organ(liver(classes=("background", "aorta"))) is None


@pytest.mark.parametrize("classes", [("liver", "background"), ("background",)])
def test_the_background_comes_first_and_something_after_it(liver, classes):
    with pytest.raises(InputError, match="the first is background"):
        channels_of(liver(classes=classes))
