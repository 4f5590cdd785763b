"""The table of structures is complete, and its values are those of a patient."""

from __future__ import annotations

import pytest

from oncoforge.anatomy import LABELS
from oncoforge.phantom.contrast import (
    PHASES,
    STRUCTURE_IDS,
    STRUCTURE_NAMES,
    STRUCTURES,
    structure_hu,
    structure_label,
)

PROMISED = (
    "hepatic_vein", "portal_vein", "kidney_cortex", "kidney_medulla", "bowel_gas", "stomach_gas",
    "subcutaneous_fat", "visceral_fat", "skin", "cortical_bone", "trabecular_bone",
)  # fmt: skip


def test_promised_names_exist_and_numbers_fit_in_a_byte() -> None:
    assert set(PROMISED) <= set(STRUCTURES)
    assert STRUCTURE_IDS["air"] == 0
    assert max(STRUCTURE_NAMES) < 256
    assert {STRUCTURE_NAMES[number]: number for number in STRUCTURE_NAMES} == STRUCTURE_IDS


@pytest.mark.parametrize("name", list(STRUCTURES))
def test_every_row_has_a_known_label_and_a_hu_per_phase(name: str) -> None:
    assert len(STRUCTURES[name].hu) == len(PHASES)
    assert structure_label(name) in {0, *LABELS.values()}
    for phase in PHASES:
        assert -1024 <= structure_hu(name, phase) <= 1500


def test_contrast_is_highest_when_it_passes() -> None:
    assert structure_hu("aorta", "arterial") > 250
    assert structure_hu("portal_vein", "portal") > structure_hu("portal_vein", "arterial")
    assert 100 <= structure_hu("liver", "portal") <= 115
    assert structure_hu("visceral_fat", "portal") == structure_hu("visceral_fat", "arterial")
