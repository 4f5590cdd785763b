"""Plausible HU: what is no CT, and why."""

from __future__ import annotations

import numpy as np
import pytest

from oncoforge.errors import InputError
from oncoforge.formats import check_hu


@pytest.fixture
def body():
    """Air, fat and a liver of about 100 HU in the middle."""
    rng = np.random.default_rng(0)
    image = rng.normal(-1000, 10, (40, 40, 40)).astype(np.float32)
    image[5:35, 5:35] = rng.normal(-100, 10, (30, 30, 40))
    liver = np.zeros(image.shape, bool)
    liver[10:30, 10:30, 10:30] = True
    image[liver] = rng.normal(100, 15, liver.sum())
    return image, liver


def test_ct_in_hu_passes(body):
    image, liver = body
    check_hu(image)
    check_hu(image, liver)
    check_hu(image, liver, "liver")
    check_hu(image.astype(np.int16), liver, "liver")


def test_an_empty_organ_is_not_looked_at(body):
    image, liver = body
    check_hu(image, np.zeros_like(liver), "liver")


WRONG = {
    "zeros": (lambda image: image * 0, "every voxel is 0"),
    "constant": (lambda image: image * 0 - 1000, "every voxel is -1000"),
    "unit": (lambda image: np.clip((image + 1000) / 2000, 0, 1), "as after normalisation"),
    "signed unit": (lambda image: np.clip(image / 1000, -1, 1), "as after normalisation"),
    "8 bit": (lambda image: np.clip((image + 160) / 400 * 255, 0, 255), "display window"),
    "8 bit, dark": (lambda image: np.clip((image + 160) / 400 * 180, 0, 255), "display window"),
    "stored values": (lambda image: np.maximum(image + 1024, 0), "rescale intercept"),
    "windowed": (lambda image: np.clip(image, -175, 250), "no air"),
    "z-score": (lambda image: (image - image.mean()) / image.std(), "no air"),
    "MR": (lambda image: np.abs(image + 1000) / 3, "as in MR"),
    "twice rescaled": (lambda image: image - 1024, "median of the liver is"),
    "inverted": (lambda image: -image, "median|no air"),
    "scaled": (lambda image: image * 10, r"outside -150 to 400"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_hu_is_refused_with_the_reason(body, one_sentence, name):
    image, liver = body
    make, sentence = WRONG[name]
    with pytest.raises(InputError, match=sentence) as caught:
        check_hu(
            make(image),
            liver if "liver" in sentence or "outside" in sentence else None,
            "liver",
            name="scan.nii",
        )
    text = one_sentence(caught.value)
    assert text.startswith("scan.nii does not look like CT in HU: ")
    assert "--force" in text


def test_stored_values_are_known_from_the_organ_and_without_it(body):
    image, liver = body
    stored = np.maximum(image + 1024, 0)
    with pytest.raises(InputError, match="median of the organ is 11"):
        check_hu(stored, liver, "liver")
    with pytest.raises(InputError, match="near 1024"):
        check_hu(stored)


def test_an_organ_is_held_to_its_own_range(body):
    image, region = body
    lung = np.where(region, -800, image)
    check_hu(lung, region, "lung")
    with pytest.raises(InputError, match="median of the liver is -800 HU"):
        check_hu(lung, region, "liver")
    with pytest.raises(InputError, match=r"median of the lung is 100 HU, outside -1000 to -300"):
        check_hu(image, region, "lung")
    bone = np.where(region, 800, image)
    check_hu(bone, region, "skull")
    with pytest.raises(InputError, match="median of the organ is 800 HU, outside -150 to 400"):
        check_hu(bone, region)


def test_a_large_image_and_a_tiny_organ_are_looked_at_too():
    image = np.full((200, 200, 120), -1000, np.int16)
    image[:, :100] = 50
    speck = np.zeros(image.shape, bool)
    speck[101, 151, 61] = True  # beside the subsample
    with pytest.raises(InputError, match="median of the liver is -1000"):
        check_hu(image, speck, "liver")


def test_the_answer_is_the_same_each_time(body):
    image, liver = body
    texts = set()
    for _ in range(3):
        with pytest.raises(InputError) as caught:
            check_hu(image - 1024, liver, "liver")
        texts.add(str(caught.value))
    assert len(texts) == 1
