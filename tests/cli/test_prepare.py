"""``oncoforge prepare``: datasets named, shown and prepared; labels, healthy cases and DICOM."""

from __future__ import annotations

import json
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

from oncoforge.cli import main
from oncoforge.lists import read_list

AFFINE = np.diag([-8.0, -8.0, 10.0, 1.0])


@pytest.fixture
def run(capfd):
    """Run a command and return its exit code, what it printed, and what it complained about."""

    def call(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in ("prepare", *arguments)])
        printed = capfd.readouterr()
        assert "Traceback" not in printed.err
        return int(exit_.value.code or 0), printed.out, printed.err

    return call


@pytest.fixture
def liver(tmp_path):
    """Three cases: with a tumour, healthy, and a test case."""
    root = tmp_path / "Task03_Liver"
    for name in ("imagesTr", "labelsTr", "imagesTs"):
        (root / name).mkdir(parents=True)
    image = np.full((8, 9, 10), -1000, np.int16)
    image[2:7, 2:7, 2:8] = 100
    for number in (1, 2):
        labels = (image > 0).astype(np.uint8)
        labels[4, 4, 4] = number
        nib.save(nib.Nifti1Image(image, AFFINE), root / f"imagesTr/liver_{number}.nii.gz")
        nib.save(nib.Nifti1Image(labels, AFFINE), root / f"labelsTr/liver_{number}.nii.gz")
    nib.save(nib.Nifti1Image(image, AFFINE), root / "imagesTs/liver_131.nii.gz")
    return root


def test_datasets_are_listed(run):
    code, text, _ = run("list")
    assert code == 0
    for name in ("msd-liver", "synthrad2023", "28.9", "tumour-labelled", "Nothing is downloaded"):
        assert name in text


def test_datasets_are_listed_by_role_and_organ(run):
    _, text, _ = run("list", "--role", "tumor", "--organ", "pancreas", "--json")
    assert [one["name"] for one in json.loads(text)] == ["msd-pancreas", "panorama", "3d-ircadb"]
    code, _, error = run("list", "--role", "good")
    assert code == 2
    assert "There is no role 'good'" in error


def test_a_dataset_is_shown(run):
    code, text, _ = run("show", "Task03_Liver")
    assert code == 0
    for words in (
        "imagesTr/",
        "<case>.nii.gz",
        "CC BY-SA 4.0",
        "28.9 GB",
        "msd-liver",
        "downloaded",
    ):
        assert words in text
    _, text, _ = run("show", "lits", "--json")
    assert json.loads(text)["classes"] == {"1": "liver", "2": "liver_tumor"}


def test_an_unknown_dataset_names_the_nearest(run):
    for arguments in (("show", "kits24"), ("kits24", "--root", ".", "--out", "x")):
        code, _, error = run(*arguments)
        assert code == 2
        assert "did you mean 'kits2" in error


def test_a_dataset_is_prepared(run, liver, tmp_path):
    code, text, _ = run("msd-liver", "--root", liver, "--out", tmp_path / "out", "--workers", "1")
    assert code == 0
    assert "2 cases with labels, 1 without, 0 failed" in text
    assert "Shared with lits" in text
    assert len(read_list(tmp_path / "out/list.json")) == 3
    code, text, _ = run("msd-liver", "--root", liver, "--out", tmp_path / "out", "--json")
    assert json.loads(text)["kept"] == 2


def test_bad_cases_end_with_1(run, liver, tmp_path):
    (liver / "labelsTr/liver_1.nii.gz").write_bytes(b"no")
    code, text, error = run("msd-liver", "--root", liver, "--out", tmp_path / "out")
    assert code == 1
    assert "1 failed" in text
    assert "Failed: liver_1: " in error


def test_the_wrong_folder_ends_with_2(run, tmp_path):
    code, _, error = run("btcv", "--root", tmp_path, "--out", tmp_path / "out")
    assert code == 2
    assert "Nothing of BTCV" in error
    assert "img/img<case>.nii.gz" in error
    assert "https://www.synapse.org" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["3", "3=", "a=1", "3=1,3=2", "3=300", "70000=1", "=1"])
def test_replacements_that_are_none(run, liver, tmp_path, text):
    code, _, error = run("msd-liver", "--root", liver, "--out", tmp_path / "o", "--map", text)
    assert code == 2
    assert "is not a replacement" in error or "replaced twice" in error


def test_labels_are_translated(run, liver, tmp_path):
    code, text, _ = run(
        "relabel", liver / "labelsTr", "--from", "msd-liver", "--to", "tumor-only",
        "--organ", "liver", "--out", tmp_path / "out",
    )  # fmt: skip
    assert code == 0
    assert "2 label maps written" in text
    assert "2 -> 1 " in text
    made = np.asarray(nib.load(tmp_path / "out/liver_2.nii.gz").dataobj)
    assert made.sum() == 1
    (liver / "labelsTr/liver_1.nii.gz").write_bytes(b"no")
    code, _, error = run(
        "relabel", liver / "labelsTr", "--map", "2=1", "--out", tmp_path / "again", "--json"
    )
    assert code == 1
    assert "Failed" in error or not error


def test_healthy_cases_are_chosen(run, liver, tmp_path):
    run("msd-liver", "--root", liver, "--out", tmp_path / "out")
    listed = tmp_path / "out/list.json"
    code, text, _ = run("healthy", listed, "--organ", "liver", "--out", tmp_path / "healthy.json")
    assert code == 0
    assert "1 healthy, 1 with tumour, 1 without label map" in text
    (entry,) = read_list(tmp_path / "healthy.json")
    assert entry.case == "liver_1"
    assert entry.image.is_file()
    code, _, error = run("healthy", listed, "--organ", "liver", "--out", tmp_path / "healthy.json")
    assert code == 2
    assert "--overwrite" in error


def test_no_healthy_case_is_a_sentence(run, liver, tmp_path):
    run("msd-liver", "--root", liver, "--out", tmp_path / "out")
    code, _, error = run(
        "healthy", tmp_path / "out/list.json", "--organ", "spleen", "--out", tmp_path / "h.json"
    )
    assert code == 2
    assert "No case" in error
    assert not (tmp_path / "h.json").exists()


def test_dicom_becomes_nifti(run, data_dir, tmp_path):
    code, text, _ = run("dicom", data_dir / "ct_dicom", "--out", tmp_path / "out")
    assert code == 0
    assert "series.nii.gz: 512 x 512 x 20 voxels" in text
    code, _, error = run("dicom", data_dir / "datalists", "--out", tmp_path / "none")
    assert code == 2
    assert "no CT series" in error


def test_the_list_imports_nothing_slow():
    code = (
        "import sys; from oncoforge.cli import main\n"
        "try: main(['prepare', 'show', 'btcv'])\n"
        "except SystemExit: pass\n"
        "slow = {'SimpleITK', 'nibabel', 'matplotlib', 'sklearn', 'joblib', 'numba'}\n"
        "print('SLOW', sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "SLOW []" in done.stdout
