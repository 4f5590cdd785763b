"""Export to nnU-Net: every pair survives the round trip, and nnU-Net's own rules hold."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoforge.errors import InputError, OutputError
from oncoforge.lists import CaseList, Entry, read_list
from oncoforge.lists import write_list as write_and_verify

write_list = partial(write_and_verify, verify=False)  # most files here hold their names

LABELS = {0: "background", 1: "liver", 2: "tumor"}
NAMES = st.text(
    st.characters(exclude_characters="/\\\0", exclude_categories=["Cs", "Cc"]),
    min_size=1,
    max_size=8,
).filter(lambda name: not name.startswith(".") and not name.endswith("_0000"))


def make(folder: Path, *cases: str, part: str = "training", end: str = ".nii.gz") -> CaseList:
    """Make a list of cases whose files hold their own names."""
    entries = []
    for case in cases:
        image, label = folder / "ct" / f"{case}{end}", folder / "seg" / f"{case}{end}"
        for path in (image, label):
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(str(path), encoding="utf-8")
        entries.append(Entry(case, image, label))
    return CaseList(**{part: tuple(entries)}, name="Test", labels=LABELS)


def pairs(cases: CaseList) -> set[tuple[str, str, str | None]]:
    """Return part, and the files that image and label finally are."""
    return {
        (part, str(entry.image.resolve()), entry.label and str(entry.label.resolve()))
        for part in ("training", "validation", "test")
        for entry in cases.part(part)
        if entry.image is not None
    }


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(NAMES, st.sampled_from(["training", "validation", "test"]), st.booleans()),
        min_size=1,
        max_size=8,
        unique_by=lambda row: row[0].casefold(),
    )
)
def test_round_trips_keep_every_pair(rows, tmp_path_factory):
    base = tmp_path_factory.mktemp("trip").resolve()
    rows = [("first", "training", True), *(row for row in rows if row[0] != "first")]
    parts: dict[str, list[Entry]] = {"training": [], "validation": [], "test": []}
    for number, (name, part, labelled) in enumerate(rows):
        image, label = base / f"ct{number}" / f"{name}.nii", base / f"seg{number}" / f"{name}.nii"
        for path in (image, label):
            path.parent.mkdir()
            path.touch()
        bare = part == "test" and not labelled
        parts[part].append(Entry(name, image, None if bare else label))
    cases = CaseList(**{p: tuple(e) for p, e in parts.items()}, name="Trip", labels=LABELS)
    write_list(cases, base / "list.json")
    msd = read_list(base / "list.json")
    assert pairs(msd) == pairs(cases)
    write_list(msd, base / "nnunet", "nnunet")
    nnunet = read_list(base / "nnunet")
    assert pairs(nnunet) == pairs(cases)
    write_list(nnunet, base / "again.json")
    again = read_list(base / "again.json")
    assert pairs(again) == pairs(cases)
    for part in parts:
        assert {e.case for e in again.part(part)} == {e.case for e in cases.part(part)}
    assert (again.name, dict(again.labels)) == ("Trip", LABELS)


def test_published_rules_hold_one_by_one(tmp_path):
    # documentation/dataset_format.md of nnU-Net 2, and its verify_dataset_integrity.
    cases = replace(
        make(tmp_path, "a", "b_0001", "Lübeck 3"),
        validation=make(tmp_path, "v", part="validation").validation,
        test=make(tmp_path, "t", part="test").test,
        header={"modality": {"0": "CT"}, "licence": "mine", "numTraining": 9},
    )
    folder = tmp_path / "Dataset501_Test"
    write_list(cases, folder, "nnunet")
    said = json.loads((folder / "dataset.json").read_text("utf-8"))
    assert {"channel_names", "labels", "numTraining", "file_ending"} <= set(said)
    assert said["channel_names"] == {"0": "CT"}
    assert said["labels"]["background"] == 0
    assert sorted(said["labels"].values()) == list(range(len(said["labels"])))
    end = said["file_ending"]
    images = sorted(path.name for path in (folder / "imagesTr").iterdir())
    labels = sorted(path.name for path in (folder / "labelsTr").iterdir())
    assert all(re.fullmatch(r".+_0000" + re.escape(end), name) for name in images)
    # Identifiers as nnU-Net cuts them: ending and five characters of channel.
    identifiers = [name[: -len(end) - 5] for name in images]
    assert len(set(identifiers)) == said["numTraining"] == 4
    assert labels == [f"{name}{end}" for name in identifiers]
    assert [p.name for p in (folder / "imagesTs").iterdir()] == [f"t_0000{end}"]
    for path in folder.rglob("*.nii.gz"):
        assert path.is_symlink()
        assert path.read_text("utf-8") == str(path.resolve())
    (split,) = json.loads((folder / "splits_final.json").read_text("utf-8"))
    assert sorted(split["train"] + split["val"]) == identifiers
    assert split["val"] == ["v"]


def test_nnunets_own_check_accepts_our_export(tmp_path, data_dir):
    pytest.importorskip("nnunetv2")
    from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity

    folder = export_real_cases(data_dir, tmp_path)
    verify_dataset_integrity(str(folder), num_processes=1)


def export_real_cases(data_dir: Path, base: Path) -> Path:
    """Export two real scans, with liver and spleen as labels, and return the dataset."""
    entries = []
    for name, organs in (("ct_abdomen", (5, 1)), ("mr_abdomen", (5, 1))):
        source = data_dir / name
        shutil.copyfile(source / "image.nii.gz", base / f"{name}_0000.nii.gz")
        stored = nib.load(source / "totalsegmentator_labels.nii.gz")
        found = np.asarray(stored.dataobj)
        labels = np.zeros(found.shape, np.uint8)
        for value, organ in enumerate(organs, start=1):
            labels[found == organ] = value
        nib.save(nib.Nifti1Image(labels, stored.affine), base / f"{name}.nii.gz")
        entries.append(Entry(name, base / f"{name}_0000.nii.gz", base / f"{name}.nii.gz"))
    labels_said = {0: "background", 1: "liver", 2: "spleen"}
    cases = CaseList(tuple(entries[:1]), tuple(entries[1:]), name="Real", labels=labels_said)
    write_list(cases, base / "nnUNet_raw" / "Dataset501_Real", "nnunet")
    return base / "nnUNet_raw" / "Dataset501_Real"


def test_folds_become_splits(tmp_path):
    cases = make(tmp_path, "a", "b", "c")
    folds = (0, 1, None)
    told = tuple(replace(e, fold=f) for e, f in zip(cases.training, folds, strict=True))
    write_list(replace(cases, training=told), tmp_path / "out", "nnunet")
    assert json.loads((tmp_path / "out" / "splits_final.json").read_text()) == [
        {"train": ["b", "c"], "val": ["a"]},
        {"train": ["a", "c"], "val": ["b"]},
    ]
    again = read_list(tmp_path / "out")
    assert [entry.fold for entry in again.training] == [0, 1, None]


def test_channels_patients_and_copies(tmp_path):
    cases = make(tmp_path, "a", "b")
    pets = [tmp_path / f"{name}_pet.nii.gz" for name in "ab"]
    told = []
    for entry, pet in zip(cases.training, pets, strict=True):
        pet.write_text("pet")
        told.append(replace(entry, patient="P", more={"channels": [str(pet)]}))
    cases = replace(cases, training=tuple(told), header={"modality": {"0": "CT", "1": "PET"}})
    write_list(cases, tmp_path / "out", "nnunet", copy=True)
    copied = tmp_path / "out" / "imagesTr" / "a_0001.nii.gz"
    assert (copied.read_text(), copied.is_symlink()) == ("pet", False)
    again = read_list(tmp_path / "out")
    assert [entry.patient for entry in again] == ["P", "P"]
    assert again.training[0].channels == (copied,)
    assert again.header["modality"] == {"0": "CT", "1": "PET"}


def test_regions_are_written_back(tmp_path):
    regions = {"background": 0, "kidney": [1, 2], "tumor": 2}
    cases = make(tmp_path, "a")
    header = {"labels": regions, "regions_class_order": [1, 2]}
    write_list(replace(cases, labels={}, header=header), tmp_path / "out", "nnunet")
    said = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert (said["labels"], said["regions_class_order"]) == (regions, [1, 2])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"labels": {}}, "does not say which label values"),
        ({"labels": {1: "liver", 3: "tumor"}}, "needs 0, 1, 2, ... without gaps"),
        ({"labels": {0: "background", 1: "liver", 2: "liver"}}, "two label values of the name"),
        ({"training": ()}, "has no training cases"),
    ],
)
def test_lists_that_nnunet_cannot_use(change, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence):
        write_list(replace(make(tmp_path, "a"), **change), tmp_path / "out", "nnunet")
    assert not (tmp_path / "out").exists()


def test_cases_that_nnunet_cannot_use(tmp_path):
    cases = make(tmp_path, "a", "b")
    (a, b) = cases.training
    other = make(tmp_path, "c", end=".mha").training
    dicom = make(tmp_path, "d", end="").training
    wrong = {
        "Test has 1 training case without a label map, the first of them b": (
            a,
            replace(b, label=None),
        ),
        "has no image": (a, replace(b, image=None)),
        "1 of the 4 files of Test are not there": (a, replace(b, image=tmp_path / "no.nii.gz")),
        "one file format throughout": (a, *other),
        "not in a format that nnU-Net reads": dicom,
        "cannot be the name of a file": (replace(a, case="../a"),),
        "cases of 1 and of 2 channels": (a, replace(b, more={"channels": [str(a.image)]})),
    }
    for sentence, training in wrong.items():
        with pytest.raises(InputError, match=sentence):
            write_list(replace(cases, training=training), tmp_path / "out", "nnunet")
    with pytest.raises(InputError, match="in training and in validation"):
        write_list(replace(cases, validation=(a,)), tmp_path / "out", "nnunet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct", "seg"]


def test_a_dataset_is_never_replaced(tmp_path):
    cases = make(tmp_path, "a")
    write_list(cases, tmp_path / "out", "nnunet")
    with pytest.raises(OutputError, match="is never replaced"):
        write_list(cases, tmp_path / "out", "nnunet", overwrite=True)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made"):
        write_list(cases, tmp_path / "file" / "out", "nnunet")
