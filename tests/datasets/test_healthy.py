"""Cases with an organ and without tumours of it."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from oncoforge.datasets.healthy import healthy
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.lists import CaseList, Entry

LABELS = {0: "background", 1: "liver", 2: "liver_tumor"}


def entry(folder, case, values, spacing=10.0):
    array = np.zeros((4, 4, 4), np.uint8)
    array.flat[: len(values)] = values
    path = folder / f"{case}.nii.gz"
    nib.save(nib.Nifti1Image(array, np.diag([spacing] * 3 + [1])), path)
    return Entry(case, folder / f"image_{case}.nii.gz", path)


@pytest.fixture
def cases(tmp_path):
    """Voxels of 1 mL."""
    return CaseList(
        training=(
            entry(tmp_path, "liver_1", [1, 1, 1]),
            entry(tmp_path, "liver_2", [1, 1, 2]),
            entry(tmp_path, "liver_3", [3, 4]),
            entry(tmp_path, "liver_32", [1, 1, 1]),
        ),
        validation=(entry(tmp_path, "liver_4", [1]), entry(tmp_path, "liver_5", [0])),
        test=(Entry("liver_131", tmp_path / "image.nii.gz"),),
        labels=LABELS,
        header={"dataset": "msd-liver"},
    )


def test_cases_are_chosen_and_the_others_counted(cases):
    choice = healthy(cases, "liver", min_organ_ml=2, workers=1)
    assert [one.case for one in choice.cases.training] == ["liver_1", "liver_32"]
    assert len(choice.cases) == 2
    assert choice.counts() == {
        "healthy": 2,
        "with tumour": 1,
        "without organ": 2,
        "organ too small": 1,
        "without label map": 1,
    }
    assert choice.remarks == ()
    assert choice.verdicts[1].tumor_ml == pytest.approx(1)


def test_tumours_of_another_organ_do_not_count(cases):
    choice = healthy(cases, "pancreas", workers=1)
    assert choice.counts()["with tumour"] == 1
    assert choice.counts()["without organ"] == 5


def test_known_cases_are_known(cases):
    choice = healthy(cases, "liver", known_only=True, workers=1)
    assert [one.case for one in choice.cases] == ["liver_32"]
    assert choice.counts()["not known to be healthy"] == 2


def test_labels_that_cannot_show_tumours_are_said(tmp_path):
    cases = CaseList((entry(tmp_path, "Case_00001", [1, 1]),), labels={0: "background", 1: "liver"},
                     header={"dataset": "abdomenct-1k"})  # fmt: skip
    (remark,) = healthy(cases, "liver", workers=1).remarks
    assert "no class for tumours of the liver" in remark
    assert "--known" in remark


def test_a_convention_without_tumours_is_said(tmp_path):
    cases = CaseList((entry(tmp_path, "a", [6, 6]),))
    choice = healthy(cases, "liver", convention="btcv", workers=1)
    assert len(choice.cases) == 1
    assert choice.remarks


def test_a_contradiction_is_said(tmp_path):
    cases = CaseList((entry(tmp_path, "liver_32", [1, 2]),), labels=LABELS)
    (remark,) = healthy(cases, "liver", workers=1).remarks
    assert "liver_32" in remark


def test_the_convention_is_that_of_the_list(tmp_path):
    cases = CaseList((entry(tmp_path, "a", [1, 1]),), header={"convention": "organ-tumor"})
    assert len(healthy(cases, "pancreas", workers=1).cases) == 1


def test_bad_files_are_counted(cases, tmp_path):
    (tmp_path / "liver_1.nii.gz").write_bytes(b"no")
    (tmp_path / "liver_2.nii.gz").unlink()
    choice = healthy(cases, "liver", workers=2)
    assert choice.counts()["failed"] == 2
    assert [one.case for one in choice.cases] == ["liver_32", "liver_4"]


def test_one_case_in_two_parts_comes_once(tmp_path):
    one = entry(tmp_path, "liver_1", [1])
    assert len(healthy(CaseList((one,), (one,)), "liver", workers=1).cases) == 1


def test_organs_that_hold_no_tumours(cases):
    with pytest.raises(InputError, match="no tumours of the aorta"):
        healthy(cases, "aorta")
    with pytest.raises(UnknownNameError):
        healthy(cases, "lever")
