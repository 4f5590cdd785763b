"""Organs and structures: how bright they are on CT, and how large and bright their tumours are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from oncoforge.anatomy.labels import FIRST_STRUCTURE, LABELS
from oncoforge.anatomy.organ_table import BEARERS, STRUCTURES, Range, Span
from oncoforge.errors import InputError, UnknownNameError


@dataclass(frozen=True)
class Organ:
    """What is known of one organ or structure.

    Attributes
    ----------
    name
        As in `LABELS`.
    label
        Its oncoforge label.
    hu
        Lowest and highest mean HU that is plausible for healthy tissue, from unenhanced to portal
        venous CT. Single voxels scatter wider. Of a hollow organ it is the wall, of the
        gallbladder and the bladder the content, of a bone the whole with its cortex.
    window
        Lowest and highest HU to show or to train with.
    source
        Where the numbers are from.
    tumor_diameter_mm
        Small, typical and large diameter of its tumours; None if it holds none.
    tumor_hu
        Usual mean HU of its tumours on portal venous CT; None if it holds none.
    """

    name: str
    label: int
    hu: Range
    window: Range
    source: str
    tumor_diameter_mm: Span | None = None
    tumor_hu: Range | None = None

    @property
    def tumor_label(self) -> int | None:
        """Label of its tumours, None for a structure that holds none."""
        return self.label + 1 if self.label < FIRST_STRUCTURE else None


ORGANS: Final[Mapping[str, Organ]] = MappingProxyType(
    {
        name: Organ(name, LABELS[name], *row._replace(source=row.source.strip()))
        for name, row in {**BEARERS, **STRUCTURES}.items()
    }
)
"""Every organ and structure of `LABELS` by name."""

ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "adrenal": "adrenal_gland",
        "adrenals": "adrenal_gland",
        "adrenal_glands": "adrenal_gland",
        "bladder": "urinary_bladder",
        "bone_pelvis": "pelvis",
        "bowel": "small_bowel",
        "cartilage": "costal_cartilage",
        "cysts": "cyst",
        "femurs": "femur",
        "gall_bladder": "gallbladder",
        "hip": "pelvis",
        "hips": "pelvis",
        "intestine": "small_bowel",
        "ivc": "inferior_vena_cava",
        "kidneys": "kidney",
        "large_bowel": "colon",
        "lungs": "lung",
        "muscles": "muscle",
        "oesophagus": "esophagus",
        "portal_vein": "portal_and_splenic_vein",
        "portal_vein_and_splenic_vein": "portal_and_splenic_vein",
        "postcava": "inferior_vena_cava",
        "ribs": "rib",
        "small_intestine": "small_bowel",
        "spine": "vertebra",
        "svc": "superior_vena_cava",
        "thyroid": "thyroid_gland",
        "vertebrae": "vertebra",
    }
)
"""Other names of organs to the names used here."""


def organ(name: str | Organ) -> Organ:
    """Find an organ or a structure by name.

    Parameters
    ----------
    name
        Such as ``"liver"`` or ``"kidneys"``; case, and spaces or hyphens for underscores, make no
        difference. An `Organ` is handed back as it is.

    Returns
    -------
    Organ

    Raises
    ------
    UnknownNameError
        If there is none of that name.

    Examples
    --------
    >>> organ("Oesophagus").name
    'esophagus'
    """
    if isinstance(name, Organ):
        return name
    key = "_".join(str(name).lower().replace("_", " ").replace("-", " ").split())
    found = ORGANS.get(ALIASES.get(key, key))
    if found is None:
        raise UnknownNameError("organ", name, ORGANS)
    return found


def tumor_bearing(name: str | Organ) -> Organ:
    """Find an organ that can hold tumours.

    Parameters
    ----------
    name
        As for `organ`.

    Returns
    -------
    Organ
        One whose `tumor_label` is a number.

    Raises
    ------
    InputError
        If it is a structure that holds none.
    """
    found = organ(name)
    if found.tumor_label is None:
        raise InputError(
            f"The {found.name.replace('_', ' ')} holds no tumours here; choose an organ with a "
            f"label below {FIRST_STRUCTURE}, such as the liver."
        )
    return found
