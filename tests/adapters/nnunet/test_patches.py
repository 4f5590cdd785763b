"""Tumours in patches of nnU-Net's: what changes, and what keeps its bits."""

from __future__ import annotations

import numpy as np
import pytest

from oncoforge.adapters.nnunet.patches import CaseFacts
from oncoforge.errors import InputError
from oncoforge.training.seeds import generator

from .conftest import (
    DIRECTION,
    HIGH,
    LOW,
    MEAN,
    STD,
    configuration_of,
    dataset_of,
    plans_of,
    scan_of,
)

# Slices of 5 mm, a cube, and a patch that is smaller than the plan's.
SHAPES = {"cube": (32, 32, 32), "thick": (12, 40, 36), "small": (14, 20, 22)}


@pytest.mark.parametrize("shape", list(SHAPES.values()), ids=list(SHAPES))
@pytest.mark.parametrize("method", ["handcrafted", "cellular"])
def test_tumours_lie_in_the_organ_and_all_else_keeps_its_bits(patches, shape, method):
    spacing = [5.0, 1.5, 1.5] if shape[0] < shape[1] // 2 else [2.0, 2.0, 2.0]
    ours = patches(method=method, configuration=configuration_of(spacing=spacing))
    image, labels = scan_of(shape)
    before = image.copy(), labels.copy()
    facts = ours.facts(labels, DIRECTION)
    new_image, new_labels = ours.apply(image, labels, facts, generator(0))
    np.testing.assert_array_equal((image, labels), before)
    tumor = new_labels == 2
    assert tumor.any()
    assert (labels[tumor] == 1).all()
    np.testing.assert_array_equal(new_labels[~tumor], labels[~tumor])
    np.testing.assert_array_equal(new_image[labels != 1], image[labels != 1])
    assert new_image[tumor].mean() < image[tumor].mean() - 1
    assert (new_image.dtype, new_labels.dtype) == (np.float32, np.int16)
    assert new_image.shape == new_labels.shape == shape


def test_what_is_new_lies_where_nnunet_would_have_clipped_it(patches):
    ours = patches(settings={"contrast_hu": (-300.0, -250.0)})
    image, labels = scan_of()
    new_image, _ = ours.apply(image, labels, ours.facts(labels, DIRECTION), generator(1))
    changed = new_image[new_image != image]
    assert changed.min() == pytest.approx((LOW - MEAN) / STD, abs=1e-5)
    assert changed.max() <= (HIGH - MEAN) / STD + 1e-5


def test_it_is_the_synthesis_in_hu_and_nothing_else(patches):
    ours = patches()
    image, labels = scan_of()
    facts = ours.facts(labels, DIRECTION)
    new_image, new_labels = ours.apply(image, labels, facts, generator(2))
    # (Z, Y, X) of a scan to the left, to the back and up, turned by hand to R, A, S.
    hu = (image * np.float32(STD) + np.float32(MEAN)).transpose(2, 1, 0)[::-1, ::-1]
    ras = np.where(labels == 1, 1, 0).astype(np.uint8).transpose(2, 1, 0)[::-1, ::-1]
    core = tuple(slice((n - 24) // 2, (n - 24) // 2 + 24) for n in ras.shape)
    voxels = {1: int((ras == 1).sum()), 2: 0}
    made = ours.tumors.apply(hu, ras, (2.0, 2.0, 2.0), core, voxels, generator(2))
    np.testing.assert_array_equal((new_labels == 2).transpose(2, 1, 0)[::-1, ::-1], ras == 2)
    expected = (np.clip(made, LOW, HIGH) - MEAN) / STD
    found = new_image.transpose(2, 1, 0)[::-1, ::-1]
    tumor = ras == 2
    np.testing.assert_allclose(found[tumor], expected[tumor], atol=1e-5)


@pytest.mark.parametrize("transpose", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_the_way_in_which_a_patient_was_stored_makes_no_difference(patches, transpose):
    image, labels = scan_of((28, 28, 28))
    usual = patches()
    expected = usual.apply(image, labels, usual.facts(labels, DIRECTION), generator(3))
    turned = patches(plans=plans_of(transpose_forward=list(transpose)))
    # The same patient, x and y mirrored in the file, and axes put in another order by the plan.
    direction = {"sitk_stuff": {"direction": np.diag([-1.0, -1.0, 1.0]).ravel()}}
    stored = [array[:, ::-1, ::-1].transpose(transpose) for array in (image, labels)]
    found = turned.apply(*stored, turned.facts(stored[1], direction), generator(3))
    for one, other in zip(found, expected, strict=True):
        back = one.transpose(np.argsort(transpose))[:, ::-1, ::-1]
        np.testing.assert_array_equal(back, other)


def test_the_same_generator_draws_the_same_and_another_one_other_tumours(patches):
    ours = patches()
    image, labels = scan_of()
    facts = ours.facts(labels, DIRECTION)
    found = [ours.apply(image, labels, facts, generator(seed)) for seed in (4, 4, 5)]
    np.testing.assert_array_equal(found[0][0], found[1][0])
    assert (found[0][1] != found[2][1]).any()


@pytest.mark.parametrize("why", ["no organ", "a tumour elsewhere in the case", "probability"])
def test_some_patches_are_left_alone(patches, why):
    ours = patches(probability=0.0) if why == "probability" else patches()
    image, labels = scan_of()
    facts = ours.facts(labels, DIRECTION)
    if why == "no organ":
        labels = np.zeros_like(labels)
    if why == "a tumour elsewhere in the case":
        facts = CaseFacts({1: facts.voxels[1], 2: 5}, facts.directions)
    found = ours.apply(image, labels, facts, generator(6))
    assert found[0] is image
    assert found[1] is labels


def test_facts_are_of_the_whole_case(patches):
    ours = patches()
    _, labels = scan_of()
    labels[6, 8, 10] = 2
    facts = ours.facts(labels.astype(np.int8), DIRECTION)
    assert facts.voxels == {1: int((labels == 1).sum()), 2: 1}


def test_regions_keep_their_values(patches):
    ours = patches(dataset=dataset_of(kidney=[1, 2, 3], masses=[2, 3], tumor=2))
    image, labels = scan_of()
    labels[10:14, 10:14, 10:14] = 3
    facts = ours.facts(labels, DIRECTION)
    _, found = ours.apply(image, labels, facts, generator(7))
    assert (found == 2).any()
    np.testing.assert_array_equal(found[labels == 3], 3)


def test_fat_has_to_be_seen_for_lesions_that_bulge(patches):
    with pytest.raises(InputError, match="nnU-Net clips this dataset at 16 HU"):
        patches(exophytic=True)
    patches(
        exophytic=True, configuration=configuration_of(normalization_schemes=["NoNormalization"])
    )


@pytest.mark.parametrize(
    ("synthesis", "said"),
    [
        ({"method": "handcraftd"}, "did you mean 'handcrafted'"),
        ({"organ": "kidney"}, "kidney, which are no class"),
        ({"probability": 2.0}, "from 0 to 1"),
        ({"settings": {"mass_efect": (0, 0.5)}}, "did you mean 'mass_effect'"),
    ],
)
def test_a_setting_that_makes_no_sense_is_told_at_once(patches, synthesis, said):
    with pytest.raises(InputError, match=said):
        patches(**synthesis)
