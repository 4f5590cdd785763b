from __future__ import annotations

import pytest

from oncoforge import anatomy

FIXED = {
    "liver": 1,
    "pancreas": 3,
    "kidney": 5,
    "lung": 7,
    "spleen": 9,
    "colon": 11,
    "gallbladder": 13,
    "esophagus": 15,
    "stomach": 17,
    "duodenum": 19,
    "small_bowel": 21,
    "adrenal_gland": 23,
    "urinary_bladder": 25,
    "prostate": 27,
    "uterus": 29,
    "rectum": 31,
    "thyroid_gland": 33,
    "brain": 35,
    "heart": 37,
    "vertebra": 39,
    "rib": 41,
    "pelvis": 43,
    "sternum": 45,
    "shoulder": 47,
    "femur": 49,
    "humerus": 51,
    "skull": 53,
    "aorta": 65,
    "inferior_vena_cava": 66,
    "superior_vena_cava": 67,
    "portal_and_splenic_vein": 68,
    "artery": 69,
    "vein": 70,
    "trachea": 71,
    "spinal_cord": 72,
    "muscle": 73,
    "costal_cartilage": 74,
    "cyst": 75,
    "body": 76,
    "fat": 77,
}


def test_the_numbers_in_published_files_never_change():
    assert dict(anatomy.LABELS) == FIXED


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        anatomy.LABELS["liver"] = 2  # type: ignore[index]


def test_an_organ_is_odd_and_its_tumour_follows():
    for name, label in anatomy.LABELS.items():
        if label < 65:
            assert label % 2 == 1
            assert anatomy.NAMES[label + 1] == f"{name}_tumor"


def test_every_label_has_one_name():
    assert anatomy.NAMES[0] == "background"
    assert len(set(anatomy.NAMES.values())) == len(anatomy.NAMES)
    assert {anatomy.NAMES[label] for label in anatomy.LABELS.values()} == set(anatomy.LABELS)


def test_labels_fit_a_byte_with_room_for_a_mark():
    assert max(anatomy.NAMES) < 255
