"""Orders and origins: what can never be made is refused before any data is looked at."""

from __future__ import annotations

import numpy as np
import pytest

import oncoforge as of
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.job import forge_case
from oncoforge.order import DTYPES, Order, Origin


def test_a_phantom_is_a_case_that_can_be_had_again():
    origin = Origin("phantom", {"seed": 1, "spacing_mm": [8, 8, 8]})
    one, two = origin.case(), origin.case()
    assert isinstance(one, of.Case)
    np.testing.assert_array_equal(one.image, two.image)
    np.testing.assert_array_equal(one.labels, two.labels)


def test_files_are_read_as_the_options_say(tmp_path):
    case = of.make_phantom(spacing_mm=(8, 8, 8)).case()
    of.write_image(tmp_path / "ct.nii.gz", case.image, case)
    of.write_labels(tmp_path / "labels.nii.gz", case.labels, case)
    paths = {
        "image_path": str(tmp_path / "ct.nii.gz"),
        "labels_path": str(tmp_path / "labels.nii.gz"),
    }
    read = Origin("files", {**paths, "convention": "oncoforge", "organ": None}).case()
    np.testing.assert_array_equal(read.labels, case.labels)


def test_unknown_origin_is_refused(tmp_path):
    with pytest.raises(UnknownNameError, match="tape"):
        forge_case(Origin("tape", {}), tmp_path / "out", Order())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [{"sed": 1}, {"image_path": "ct.nii.gz"}])
def test_options_of_another_origin_are_refused(options):
    with pytest.raises(InputError, match="cannot be used"):
        Origin("phantom", options).case()


def test_what_can_be_made_is_no_mistake():
    for dtype in DTYPES:
        Order(dtype=dtype)
    Order("Kidneys", size="tiny", label_style="instances")
    Order("spleen", "cellular", movie=True)
    Order("spleen", "cellular", "realistic", "small", settings={"rim": 1.0})


@pytest.mark.parametrize(
    ("mistake", "nearest"),
    [
        ({"organ": "livr"}, "liver"),
        ({"method": "celular"}, "cellular"),
        ({"preset": "publishd"}, "published"),
        ({"method": "cellular", "preset": "pancres"}, "pancreas"),
        ({"size": "smal"}, "small"),
        ({"label_style": "instance"}, "instances"),
        ({"dtype": "int61"}, "int16"),
        ({"settings": {"contrast": (-9, 0)}}, "contrast_hu"),
        ({"method": "cellular", "settings": {"step": 9}}, "steps"),
    ],
    ids=str,
)
def test_names_that_do_not_exist_are_answered_with_the_nearest(mistake, nearest):
    with pytest.raises(UnknownNameError, match=f"did you mean '{nearest}'"):
        Order(**mistake)


def test_presets_and_settings_belong_to_their_method():
    for mistake in (
        {"preset": "adaptive"},
        {"method": "cellular", "preset": "published"},
        {"settings": {"steps": 9}},
        {"method": "cellular", "settings": {"edge_mm": (1.0, 2.0)}},
    ):
        with pytest.raises(UnknownNameError):
            Order(**mistake)


def test_a_movie_of_what_does_not_grow_is_refused():
    with pytest.raises(InputError, match=r"handcrafted do not grow.*cellular"):
        Order(movie=True)


def test_a_device_that_a_method_cannot_use_is_refused():
    with pytest.raises(InputError, match=r"handcrafted works on the CPU.*'cuda'"):
        Order(device="cuda")
