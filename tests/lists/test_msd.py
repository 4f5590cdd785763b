"""MSD JSON: the published lists are read whole, and what is written says the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oncoforge.errors import InputError
from oncoforge.lists import CaseList, Entry, read_list, write_list

FREETUMOR = {
    "3D-IRCADb": (20, 0, 0),
    "btcv": (30, 0, 20),
    "chaos": (20, 0, 0),
    "spleen": (41, 0, 20),
    "tcia_panc": (80, 0, 0),
    "word": (100, 20, 30),
}


@pytest.mark.parametrize("name", FREETUMOR)
def test_published_lists_are_read_whole(name, data_dir):
    path = data_dir / "datalists" / "freetumor" / f"{name}.json"
    cases = read_list(path)
    assert tuple(len(cases.part(p)) for p in ("training", "validation", "test")) == FREETUMOR[name]
    said = json.loads(path.read_text())
    for part in ("training", "validation", "test"):
        for entry, item in zip(cases.part(part), said.get(part, []), strict=True):
            item = {"image": item} if isinstance(item, str) else item
            assert entry.image == path.parent / item["image"]
            assert entry.label == (path.parent / item["label"] if "label" in item else None)
    assert cases.labels[4] == "pancreas tumor"
    assert cases.header["licence"] == said["licence"]


@pytest.mark.parametrize("name", FREETUMOR)
def test_published_lists_are_written_back_with_right_counts(name, data_dir, tmp_path):
    cases = read_list(data_dir / "datalists" / "freetumor" / f"{name}.json", root=tmp_path)
    write_list(cases, tmp_path / "again.json")
    again = read_list(tmp_path / "again.json")
    assert list(again) == list(cases)
    said = json.loads((tmp_path / "again.json").read_text())
    training, validation, test = FREETUMOR[name]
    assert (said["numTraining"], said["numTest"]) == (training, test)
    assert said.get("numValidation", 0) == validation
    assert said["modality"] == {"0": "CT"}
    assert all(set(item) == {"image", "label"} for item in said["training"])
    assert all(isinstance(item, str) for item in said["test"]) or name == "word"


def test_what_else_a_list_says_is_kept(save, tmp_path):
    path = save(
        {
            "name": "Atlas",
            "licence": "mine",
            "numTraining": 99,
            "training": [
                {"image": "B1/ct.nii.gz", "label": "B1/liver.nii.gz", "tumor": "B1/t.nii.gz"},
                {"image": "B2/ct.nii.gz", "label": "B2/liver.nii.gz", "box": [1, 2], "fold": 3},
            ],
        }
    )
    cases = read_list(path)
    assert [entry.case for entry in cases] == ["B1", "B2"]
    assert cases.training[0].more == {"tumor": "B1/t.nii.gz"}
    assert (cases.training[1].fold, cases.training[1].more) == (3, {"box": [1, 2]})
    write_list(cases, tmp_path / "again.json")
    said = json.loads((tmp_path / "again.json").read_text())
    assert said["training"] == json.loads(path.read_text())["training"]
    assert (said["name"], said["licence"], said["numTraining"]) == ("Atlas", "mine", 2)


@pytest.mark.parametrize(
    ("header", "labels"),
    [
        ({"labels": {"0": "background", "1": "liver"}}, {0: "background", 1: "liver"}),
        ({"label": {"0": "background", "1": "Pancreas"}}, {0: "background", 1: "Pancreas"}),
        ({"labels": {"background": 0, "kidney": 1}}, {0: "background", 1: "kidney"}),
        ({"labels": ["background", "liver"]}, {0: "background", 1: "liver"}),
        ({"labels": "liver"}, {}),
        ({}, {}),
    ],
)
def test_label_headers_of_all_kinds_are_understood(header, labels, save):
    cases = read_list(save({**header, "training": [{"image": "a.nii"}]}))
    assert cases.labels == labels
    if header and not labels:
        assert cases.header["labels"] == header["labels"]


def test_lists_of_monai_with_folds_and_channels(save, tmp_path):
    path = save(
        {
            "testing": [{"image": "t_0000.nii.gz"}],
            "training": [
                {"fold": i % 2, "image": [f"{i}_ct.nii", f"{i}_pt.nii"], "label": f"{i}.nii"}
                for i in range(4)
            ],
        }
    )
    cases = read_list(path)
    assert [entry.fold for entry in cases.training] == [0, 1, 0, 1]
    assert cases.training[2].channels == (tmp_path / "2_pt.nii",)
    one = read_list(path, fold=1)
    assert [entry.case for entry in one.training] == ["0", "2"]
    assert [entry.case for entry in one.validation] == ["1", "3"]
    assert one.test == cases.test
    write_list(cases, tmp_path / "again.json")
    assert list(read_list(tmp_path / "again.json")) == list(cases)
    with pytest.raises(InputError, match=r"folds 0, 1; there is no fold 7"):
        read_list(path, fold=7)


def test_days_of_one_patient_are_one_patient(save):
    names = [
        "volume-covid19-A-0003_day000",
        "volume-covid19-A-0003_day005",
        "volume-covid19-A-0004",
    ]
    cases = read_list(save({"training": [{"image": f"imagesTr/{n}.nii.gz"} for n in names]}))
    assert [e.case for e in cases] == names
    assert [e.patient for e in cases] == [f"volume-covid19-A-000{n}" for n in (3, 3, 4)]


def test_an_image_listed_twice_is_two_cases_of_one_patient(save):
    items = [
        {"image": "img/liver_1.nii.gz", "label": f"{folder}/liver_1.nii.gz"}
        for folder in ("04_LiTS/label", "label/liver_label")
    ]
    first, second = read_list(save({"training": items})).training
    assert first.case != second.case
    assert first.image == second.image
    assert first.patient == second.patient


def test_the_same_case_has_one_name_in_both_parts(save):
    def item(case: int) -> dict[str, str]:
        return {"image": f"B{case}/ct.nii.gz", "label": f"B{case}/segmentations/liver.nii.gz"}

    cases = read_list(save({"training": [item(1), item(2)], "validation": [item(3)]}))
    assert [entry.case for entry in cases] == ["B1", "B2", "B3"]
    plain = {"image": "imagesTr/liver_1.nii", "label": "a/liver_1.nii"}
    cases = read_list(save({"training": [plain], "test": [plain | {"label": "b/liver_1.nii"}]}))
    assert [entry.case for entry in cases] == ["liver_1", "liver_1"]


def test_ids_and_patients_that_files_do_not_tell_survive(tmp_path):
    entries = (
        Entry("Müller 1", tmp_path / "a.nii", tmp_path / "b.nii", "Müller"),
        Entry("volume-covid19-A-0003_day005", tmp_path / "x.nii", patient="other"),
        Entry("m", None, tmp_path / "m.nii"),
    )
    write_list(CaseList(entries, name="own"), tmp_path / "list.json")
    assert read_list(tmp_path / "list.json").training == entries
    assert "Müller" in (tmp_path / "list.json").read_text("utf-8")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"training": [{"picture": "a"}]}, r"item 0 of 'training' should name an image or a label"),
        ({"training": [7]}, "item 0 of 'training' should be a path"),
        ({"training": [{"image": 7}]}, "image, should be a path, but is 7"),
        ({"training": [{"image": {"a": 1}}]}, "should be a path"),
        ({"training": []}, "names no cases"),
        ({"training": {"image": "a"}}, "not a list of cases: it has 'training'"),
        ({"training": "a", "test": ["b"]}, "should hold a list of cases as 'training'"),
        ({"a": 1}, "it has 'a'; expected a JSON file"),
        ([{"train": ["a"], "val": ["b"]}], "give the raw dataset's folder"),
        ('{"training": [', "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ({"training": [{"image": "a", "case": "x"}, {"image": "b", "case": "x"}]}, "2 training"),
    ],
)
def test_what_is_no_list_is_refused_in_a_sentence(content, sentence, save):
    with pytest.raises(InputError, match=sentence):
        read_list(save(content))


def test_a_list_of_another_machine_is_rerooted(save, touch, tmp_path):
    touch("here/imagesTr/a_0000.nii.gz", "here/labelsTr/a.nii.gz")
    path = save(
        {
            "training": [
                {
                    "image": "/home/someone/LiTS/imagesTr/a_0000.nii.gz",
                    "label": "/home/someone/LiTS/labelsTr/a.nii.gz",
                }
            ]
        }
    )
    (entry,) = read_list(path, root=tmp_path / "here")
    assert entry.image == tmp_path / "here" / "imagesTr" / "a_0000.nii.gz"
    assert entry.label == tmp_path / "here" / "labelsTr" / "a.nii.gz"
    (entry,) = read_list(path)
    assert entry.image == Path("/home/someone/LiTS/imagesTr/a_0000.nii.gz")
