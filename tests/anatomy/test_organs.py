from __future__ import annotations

import os
import pickle
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from oncoforge import anatomy
from oncoforge.errors import UnknownNameError

DATA = Path(os.environ.get("ONCOFORGE_DATA", Path(__file__).parents[3] / "shared" / "data"))
ABDOMEN = DATA / "ct_abdomen"

ALL = pytest.mark.parametrize("organ", anatomy.ORGANS.values(), ids=lambda organ: organ.name)


def test_every_label_is_an_organ_and_every_organ_a_label():
    assert {name: organ.label for name, organ in anatomy.ORGANS.items()} == dict(anatomy.LABELS)


@ALL
def test_an_organ_is_found_under_its_own_name(organ):
    assert anatomy.organ(organ.name) is organ
    assert anatomy.organ(organ) is organ


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Liver", "liver"),
        (" LIVER ", "liver"),
        ("kidneys", "kidney"),
        ("oesophagus", "esophagus"),
        ("Oesophagus", "esophagus"),
        ("bladder", "urinary_bladder"),
        ("urinary bladder", "urinary_bladder"),
        ("Urinary-Bladder", "urinary_bladder"),
        ("IVC", "inferior_vena_cava"),
        ("inferior vena cava", "inferior_vena_cava"),
        ("gall bladder", "gallbladder"),
        ("small  intestine", "small_bowel"),
        ("adrenals", "adrenal_gland"),
        ("vertebrae", "vertebra"),
    ],
)
def test_an_organ_is_found_as_people_say_it(said, meant):
    assert anatomy.organ(said).name == meant


def test_an_unknown_organ_is_an_error_that_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match=r"no organ 'livr'; did you mean 'liver'\?"):
        anatomy.organ("livr")


def test_an_organ_unlike_any_is_an_error_that_lists_them():
    with pytest.raises(UnknownNameError, match="choose one of: liver, pancreas"):
        anatomy.organ("zzzz")


@ALL
def test_only_organs_with_a_low_odd_label_hold_tumours(organ):
    if organ.label < 65:
        assert organ.tumor_label == organ.label + 1
        assert organ.tumor_diameter_mm is not None
        assert organ.tumor_hu is not None
    else:
        assert organ.tumor_label is None
        assert organ.tumor_diameter_mm is None
        assert organ.tumor_hu is None


@ALL
def test_ranges_run_upwards_and_have_a_source(organ):
    assert organ.hu[0] < organ.hu[1]
    assert organ.window[0] < organ.window[1]
    assert organ.source.strip()
    if organ.tumor_diameter_mm is not None:
        low, typical, high = organ.tumor_diameter_mm
        assert 0 < low < typical < high
    if organ.tumor_hu is not None:
        assert organ.tumor_hu[0] < organ.tumor_hu[1]


@ALL
def test_the_window_shows_the_tissue(organ):
    middle = sum(organ.hu) / 2
    assert organ.window[0] <= middle <= organ.window[1]


def test_lung_tumours_are_denser_than_lung():
    lung = anatomy.organ("lung")
    assert lung.tumor_hu[0] > lung.hu[1]


def test_kidney_tumour_sizes_are_those_of_kits19():
    assert anatomy.organ("kidney").tumor_diameter_mm == (12.7, 36.8, 88.5)


def test_published_training_windows():
    assert anatomy.organ("liver").window == (-21, 189)
    assert anatomy.organ("pancreas").window == (-175, 250)
    assert anatomy.organ("lung").window == (-1000, 500)


@ALL
def test_an_organ_survives_a_journey_to_another_process(organ):
    assert pickle.loads(pickle.dumps(organ)) == organ


@pytest.mark.skipif(not ABDOMEN.is_dir(), reason=f"no real CT in {ABDOMEN}")
def test_organs_of_a_real_abdomen_are_as_bright_as_the_table_says():
    image = np.asanyarray(nib.load(ABDOMEN / "image.nii.gz").dataobj)
    values = np.asanyarray(nib.load(ABDOMEN / "totalsegmentator_labels.nii.gz").dataobj)
    labels = anatomy.convention("totalsegmentator").to_oncoforge(values)
    with_edges_off = (
        "liver spleen kidney pancreas lung muscle vertebra rib pelvis femur costal_cartilage aorta "
        "inferior_vena_cava portal_and_splenic_vein artery vein gallbladder urinary_bladder "
        "prostate adrenal_gland spinal_cord"
    )
    for name in with_edges_off.split():
        organ = anatomy.organ(name)
        inside = ndimage.binary_erosion(labels == organ.label)
        middle = float(np.median(image[inside]))
        assert organ.hu[0] <= middle <= organ.hu[1], (name, middle)
