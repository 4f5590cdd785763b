"""nnU-Net raw datasets as others made them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oncoforge.errors import InputError
from oncoforge.lists import read_list

HEADER: dict[str, Any] = {
    "channel_names": {"0": "CT"},
    "labels": {"background": 0, "liver": 1, "tumor": 2},
    "numTraining": 77,
    "file_ending": ".nii.gz",
    "licence": "mine",
}


@pytest.fixture
def dataset(save, touch) -> Callable[..., Path]:
    """Make a dataset with three training cases and one for the test."""

    def make(splits: object = None, **header: Any) -> Path:
        folder = save({**HEADER, **header}, "nnUNet_raw/Dataset003_Liver/dataset.json").parent
        for case in ("liver_0", "liver_1", "Lübeck 2"):
            touch(f"nnUNet_raw/Dataset003_Liver/imagesTr/{case}_0000.nii.gz")
            touch(f"nnUNet_raw/Dataset003_Liver/labelsTr/{case}.nii.gz")
        touch("nnUNet_raw/Dataset003_Liver/imagesTs/liver_9_0000.nii.gz")
        touch("nnUNet_raw/Dataset003_Liver/imagesTr/._liver_0_0000.nii.gz")  # of a Mac
        if splits is not None:
            save(splits, "nnUNet_raw/Dataset003_Liver/splits_final.json")
        return folder

    return make


def test_cases_are_found_by_nnunets_names(dataset):
    folder = dataset()
    cases = read_list(folder)
    assert [entry.case for entry in cases.training] == ["Lübeck 2", "liver_0", "liver_1"]
    assert cases.training[1].image == folder / "imagesTr" / "liver_0_0000.nii.gz"
    assert cases.training[1].label == folder / "labelsTr" / "liver_0.nii.gz"
    assert [(e.case, e.label) for e in cases.test] == [("liver_9", None)]
    assert (cases.name, cases.labels[2]) == ("Liver", "tumor")
    assert cases.header == {"modality": {"0": "CT"}, "licence": "mine"}
    assert list(read_list(folder / "dataset.json")) == list(cases)


def test_a_missing_label_or_image_is_left_for_the_check_to_find(dataset):
    folder = dataset()
    (folder / "labelsTr" / "liver_0.nii.gz").unlink()
    (folder / "imagesTr" / "liver_1_0000.nii.gz").unlink()
    missing = [p for e in read_list(folder) for p in (e.image, e.label) if p and not p.exists()]
    assert [path.name for path in missing] == ["liver_0.nii.gz", "liver_1_0000.nii.gz"]


def test_further_channels_are_kept_beside_the_ct(dataset):
    folder = dataset(channel_names={"0": "CT", "1": "PET"})
    (folder / "imagesTr" / "liver_0_0001.nii.gz").touch()
    entry = next(e for e in read_list(folder) if e.case == "liver_0")
    assert entry.image == folder / "imagesTr" / "liver_0_0000.nii.gz"
    assert entry.channels == (folder / "imagesTr" / "liver_0_0001.nii.gz",)


def test_splits_tell_every_case_its_fold(dataset):
    splits = [
        {"train": ["liver_0", "Lübeck 2"], "val": ["liver_1"]},
        {"train": ["liver_1"], "val": ["liver_0", "Lübeck 2"]},
    ]
    folder = dataset(splits)
    assert {e.case: e.fold for e in read_list(folder).training} == {
        "liver_0": 1,
        "Lübeck 2": 1,
        "liver_1": 0,
    }
    for fold, split in enumerate(splits):
        cases = read_list(folder, fold=fold)
        assert [entry.case for entry in cases.training] == split["train"]
        assert [entry.case for entry in cases.validation] == split["val"]
        assert len(cases.test) == 1
    with pytest.raises(InputError, match="2 folds from 0 on; there is no fold 2"):
        read_list(folder, fold=2)


def test_splits_are_found_among_the_preprocessed(dataset, save):
    folder = dataset()
    with pytest.raises(InputError, match=r"has no splits_final\.json"):
        read_list(folder, fold=0)
    split = [{"train": ["liver_0"], "val": ["liver_1"]}]
    save(split, "nnUNet_preprocessed/Dataset003_Liver/splits_final.json")
    assert [entry.case for entry in read_list(folder).validation] == ["liver_1"]


@pytest.mark.parametrize(
    ("splits", "sentence"),
    [
        ([{"train": ["liver_0"], "val": ["liver_7"]}], "names the case 'liver_7'"),
        ({"train": []}, "should be a list of"),
        ([1], "should be a list of"),
    ],
)
def test_splits_that_do_not_fit_are_refused(splits, sentence, dataset):
    with pytest.raises(InputError, match=sentence):
        read_list(dataset(splits))


def test_a_dataset_that_names_its_files(dataset, touch, tmp_path):
    touch("far/a.nii.gz", "far/b.nii.gz")
    listed = {"case": {"images": ["../../far/a.nii.gz"], "label": "../../far/b.nii.gz"}}
    (entry,) = read_list(dataset(dataset=listed)).training
    assert (entry.case, entry.image) == ("case", tmp_path / "far" / "a.nii.gz")
    with pytest.raises(InputError, match="should give images and a label for case 'x'"):
        read_list(dataset(dataset={"x": {"images": []}}))


def test_regions_and_a_dataset_without_cases(dataset, save):
    regions = {"background": 0, "kidney": [1, 2], "tumor": 2}
    cases = read_list(dataset(labels=regions, regions_class_order=[1, 2]))
    assert (dict(cases.labels), cases.header["labels"]) == ({}, regions)
    with pytest.raises(InputError, match="names no cases"):
        read_list(save(HEADER, "empty/dataset.json"))
    with pytest.raises(InputError, match="should give file_ending"):
        read_list(save({**HEADER, "file_ending": 3}, "wrong/dataset.json"))
