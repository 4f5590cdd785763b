from __future__ import annotations

import copy
import os
import pickle
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from oncoforge import anatomy
from oncoforge.errors import InputError, UnknownNameError

DATA = Path(os.environ.get("ONCOFORGE_DATA", Path(__file__).parents[3] / "shared" / "data"))
TOTALSEGMENTATOR = DATA / "ct_abdomen" / "totalsegmentator_labels.nii.gz"
KITS = DATA / "kits19_labels"

NAMES = (
    "oncoforge",
    "totalsegmentator",
    "msd-liver",
    "msd-pancreas",
    "msd-spleen",
    "msd-colon",
    "msd-lung",
    "kits",
    "btcv",
    "amos",
    "flare",
    "word",
    "abdomenatlas",
    "organ-tumor",
)
EACH = pytest.mark.parametrize("name", NAMES)


def closed(name):
    return anatomy.convention(name, organ="pancreas")


def becomes(name, **kwargs):
    """Value to oncoforge name, found by translating rather than by reading the table."""
    found = anatomy.convention(name, **kwargs)
    values = np.array(list(found.classes))
    return {
        int(value): anatomy.NAMES[int(label)]
        for value, label in zip(values, found.to_oncoforge(values), strict=True)
    }


def in_order(name, **kwargs):
    """What the values 0, 1, 2 and so on become, as one line."""
    found = becomes(name, **kwargs)
    assert list(found) == list(range(len(found)))
    return " ".join(found.values())


def test_the_conventions_that_are_promised():
    assert tuple(anatomy.CONVENTIONS) == NAMES


@EACH
def test_every_class_has_a_name_and_a_place(name):
    found = closed(name)
    assert list(found.classes) == list(found.targets) == list(range(len(found.classes))) or (
        name == "oncoforge"
    )
    assert len(set(found.classes.values())) == len(found.classes)
    assert set(found.targets.values()) <= set(anatomy.NAMES.values())
    assert found.title
    assert found.source


@EACH
def test_background_stays_background(name):
    assert closed(name).classes[0] == "background"
    assert not closed(name).to_oncoforge(np.zeros((2, 3, 4), np.int16)).any()


@EACH
def test_no_class_is_lost_in_the_background(name):
    assert 0 not in [closed(name).to_oncoforge(np.array(v)) for v in closed(name).classes if v]


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", ">i2", "f4"])
@EACH
def test_every_type_of_number_gives_the_same_labels(name, dtype):
    values = np.array(list(closed(name).classes))
    assert np.array_equal(
        closed(name).to_oncoforge(values.astype(dtype)), closed(name).to_oncoforge(values)
    )


@given(hnp.arrays(np.uint8, hnp.array_shapes(), elements=st.sampled_from(list(anatomy.NAMES))))
def test_oncoforge_labels_translate_to_themselves(labels):
    assert np.array_equal(anatomy.convention("oncoforge").to_oncoforge(labels), labels)


def test_oncoforge_classes_are_the_label_table():
    assert dict(anatomy.convention("oncoforge").classes) == dict(anatomy.NAMES)


def test_medical_segmentation_decathlon():
    assert becomes("msd-liver") == {0: "background", 1: "liver", 2: "liver_tumor"}
    assert becomes("msd-pancreas") == {0: "background", 1: "pancreas", 2: "pancreas_tumor"}
    assert becomes("msd-spleen") == {0: "background", 1: "spleen"}


def test_datasets_with_only_tumours_label_only_tumours():
    assert becomes("msd-colon") == {0: "background", 1: "colon_tumor"}
    assert becomes("msd-lung") == {0: "background", 1: "lung_tumor"}


def test_kits():
    assert becomes("kits") == {0: "background", 1: "kidney", 2: "kidney_tumor", 3: "cyst"}


def test_btcv():
    assert in_order("btcv") == (
        "background spleen kidney kidney gallbladder esophagus liver stomach aorta "
        "inferior_vena_cava portal_and_splenic_vein pancreas adrenal_gland adrenal_gland"
    )


def test_amos():
    assert in_order("amos") == (
        "background spleen kidney kidney gallbladder esophagus liver stomach aorta "
        "inferior_vena_cava pancreas adrenal_gland adrenal_gland duodenum urinary_bladder prostate"
    )


def test_flare():
    assert in_order("flare", organ="liver") == (
        "background liver kidney spleen pancreas aorta inferior_vena_cava adrenal_gland "
        "adrenal_gland gallbladder esophagus stomach duodenum kidney liver_tumor"
    )


def test_word():
    assert in_order("word") == (
        "background liver spleen kidney kidney stomach gallbladder esophagus pancreas duodenum "
        "colon small_bowel adrenal_gland rectum urinary_bladder femur femur"
    )


def test_abdomenatlas():
    assert in_order("abdomenatlas") == (
        "background aorta gallbladder kidney kidney liver pancreas inferior_vena_cava spleen "
        "stomach adrenal_gland adrenal_gland urinary_bladder artery colon duodenum esophagus femur "
        "femur liver small_bowel lung lung portal_and_splenic_vein prostate rectum"
    )


def test_totalsegmentator_has_its_117_classes():
    classes = anatomy.convention("totalsegmentator").classes
    assert len(classes) == 118
    assert classes[1] == "spleen"
    assert classes[2] == "kidney_right"
    assert classes[117] == "costal_cartilages"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (5, "liver"),
        (2, "kidney"),
        (14, "lung"),
        (23, "cyst"),
        (25, "vertebra"),
        (50, "vertebra"),
        (53, "vein"),
        (54, "artery"),
        (61, "heart"),
        (64, "portal_and_splenic_vein"),
        (66, "artery"),
        (67, "vein"),
        (72, "shoulder"),
        (74, "shoulder"),
        (78, "pelvis"),
        (86, "muscle"),
        (115, "rib"),
        (116, "sternum"),
    ],
)
def test_totalsegmentator_classes_become_organs(value, name):
    assert becomes("totalsegmentator")[value] == name


@pytest.mark.skipif(not TOTALSEGMENTATOR.is_file(), reason=f"no {TOTALSEGMENTATOR}")
def test_totalsegmentator_classes_are_those_in_its_files():
    stored = nib.load(TOTALSEGMENTATOR)
    table = stored.header.extensions[0].get_content().decode()
    entries = re.findall(r'<Label Key="(\d+)"[^>]*><!\[CDATA\[(\w+)\]\]>', table)
    ours = anatomy.convention("totalsegmentator").classes
    assert {int(value): name for value, name in entries} == {v: n for v, n in ours.items() if v}


@pytest.mark.skipif(not TOTALSEGMENTATOR.is_file(), reason=f"no {TOTALSEGMENTATOR}")
def test_a_real_totalsegmentator_map_keeps_its_liver():
    values = np.asanyarray(nib.load(TOTALSEGMENTATOR).dataobj)
    labels = anatomy.convention("totalsegmentator").to_oncoforge(values)
    assert np.array_equal(labels == anatomy.LABELS["liver"], values == 5)
    assert np.array_equal(labels == anatomy.LABELS["kidney"], (values == 2) | (values == 3))


@pytest.mark.skipif(not KITS.is_dir(), reason=f"no {KITS}")
def test_a_real_kits_map_keeps_its_tumour():
    path = min(KITS.glob("*.nii.gz"), key=lambda path: path.stat().st_size)
    values = np.asanyarray(nib.load(path).dataobj)
    labels = anatomy.convention("kits").to_oncoforge(values)
    assert np.array_equal(labels == 6, values == 2)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("TotalSegmentator", "totalsegmentator"),
        ("MSD Liver", "msd-liver"),
        ("msd_liver", "msd-liver"),
        ("LiTS", "msd-liver"),
        ("KiTS23", "kits"),
        ("AMOS22", "amos"),
        ("FLARE23", "flare"),
        ("AbdomenAtlas 1.1", "abdomenatlas"),
    ],
)
def test_a_convention_is_found_as_people_say_it(said, meant):
    assert anatomy.convention(said) is anatomy.CONVENTIONS[meant]


def test_an_unknown_convention_is_an_error_that_suggests_the_nearest():
    with pytest.raises(
        UnknownNameError, match=r"no label convention 'totalseg'; did you mean 'totalsegmentator'\?"
    ):
        anatomy.convention("totalseg")


@pytest.mark.parametrize("name", ["organ-tumor", "organ-tumour", "Organ_Tumor"])
def test_organ_tumor_is_one_organ_and_its_tumour(name):
    expected = {0: "background", 1: "liver", 2: "liver_tumor"}
    assert becomes(name, organ="Liver") == expected
    assert becomes(name, organ=anatomy.organ("liver")) == expected


def test_organ_tumor_needs_its_organ():
    with pytest.raises(InputError, match=r"name the organ.*organ='liver'"):
        anatomy.convention("organ-tumor")


def test_organ_tumor_needs_an_organ_that_can_hold_tumours():
    with pytest.raises(InputError, match="aorta holds no tumours"):
        anatomy.convention("organ-tumor", organ="aorta")
    with pytest.raises(UnknownNameError, match="did you mean 'liver'"):
        anatomy.convention("organ-tumor", organ="livver")


def test_an_organ_makes_no_difference_where_none_is_open():
    assert anatomy.convention("btcv", organ="liver") is anatomy.convention("btcv")


def test_a_flare_tumour_needs_its_organ_only_where_there_is_one():
    flare = anatomy.convention("flare")
    assert flare.to_oncoforge(np.array([0, 1, 13])).tolist() == [0, 1, 5]
    with pytest.raises(InputError, match=r"^14 in 'flare' labels .* name it"):
        flare.to_oncoforge(np.array([0, 1, 14]))


def test_strange_values_are_named_with_the_conventions_that_have_them():
    with pytest.raises(InputError, match=r"not 'kits' labels.*0 to 3: found 5 and 25; ") as e:
        anatomy.convention("kits").to_oncoforge(np.array([0, 5, 1, 25]))
    assert str(e.value).endswith("exist in: oncoforge, totalsegmentator, abdomenatlas.")


def test_an_image_given_for_a_label_map_is_told_apart():
    image = np.linspace(-1000, 1000, 5000).reshape(10, 500)
    with pytest.raises(InputError, match=r"found -1000, .* and more; .* not an image\?"):
        anatomy.convention("totalsegmentator").to_oncoforge(image)


@EACH
def test_a_convention_survives_a_journey_to_another_process(name):
    for found in (anatomy.CONVENTIONS[name], closed(name)):
        for again in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
            assert again == found
            assert hash(again) == hash(found)


def test_a_convention_cannot_be_changed():
    with pytest.raises(TypeError):
        anatomy.convention("kits").classes[1] = "liver"
