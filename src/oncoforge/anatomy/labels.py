"""The oncoforge label of every organ, tumour and structure: one table of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

FIRST_STRUCTURE: Final = 65
"""Labels below hold organs (odd) and their tumours (the next even); labels from here on do not."""

LABELS: Final[Mapping[str, int]] = MappingProxyType(
    {
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
)
"""Name of an organ or structure to its label. These numbers are in files: they never change."""


def _names() -> dict[int, str]:
    names = {0: "background"}
    for name, label in LABELS.items():
        names[label] = name
        if label < FIRST_STRUCTURE:
            names[label + 1] = f"{name}_tumor"
    return dict(sorted(names.items()))


NAMES: Final[Mapping[int, str]] = MappingProxyType(_names())
"""Every label that an oncoforge map may hold, background and tumours included, to its name."""
