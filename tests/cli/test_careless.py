"""Careless commands: one sentence, exit code 2, and every input as it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from oncoforge.cli import main

AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])


@pytest.fixture
def refused(capfd, tmp_path, monkeypatch):
    """Run a command in the folder that must fail with one sentence and change nothing."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments) -> str:
        before = state(tmp_path)
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        said = capfd.readouterr()
        assert (stop.value.code, said.out) == (2, ""), said
        assert len(said.err.splitlines()) == 1, said.err
        assert state(tmp_path) == before
        return said.err

    return call


def state(folder: Path):
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def volume(path, seed=0, top=3):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(seed).integers(0, top, (12, 12, 10)).astype(np.int16)
    if top > 100:
        array -= 1000
    nib.save(nib.Nifti1Image(array, AFFINE), path)
    return path


@pytest.fixture
def liver(tmp_path):
    """A list of six cases with their files, in the folder `d`."""
    items = []
    for k in range(6):
        volume(tmp_path / f"d/ct/c{k}.nii.gz", k, 1100)
        volume(tmp_path / f"d/seg/c{k}.nii.gz", k)
        items.append({"image": f"ct/c{k}.nii.gz", "label": f"seg/c{k}.nii.gz"})
    labels = {"0": "background", "1": "liver", "2": "tumor"}
    path = tmp_path / "d/list.json"
    path.write_text(json.dumps({"labels": labels, "training": items}))
    return path


@pytest.mark.parametrize("options", [(), ("--overwrite",), ("--copy", "--overwrite")])
def test_prepare_never_replaces_its_sources(refused, tmp_path, options):
    volume(tmp_path / "m/images/mela_0001.nii.gz", 1, 1100)
    said = refused("prepare", "mela", "--root", "m/images", "--out", "m", *options)
    assert "stay as they are" in said
    volume(tmp_path / "k/labels/case_00001.nii.gz", 1)
    (tmp_path / "l").symlink_to(tmp_path / "k/labels")
    for root in ("k/labels", "l"):
        said = refused("prepare", "kits23", "--root", root, "--out", "k", *options)
        assert "stay as they are" in said
    said = refused("prepare", "kits23", "--root", "k/labels", "--out", "l", *options)
    assert "the folder of the download" in said


def test_prepare_replaces_no_file_that_it_did_not_make(refused, tmp_path, capfd):
    volume(tmp_path / "t/imagesTr/liver_1.nii.gz", 1, 1100)
    volume(tmp_path / "t/labelsTr/liver_1.nii.gz", 1)
    mine = tmp_path / "out/labels/liver_1.nii.gz"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    command = ("prepare", "msd-liver", "--root", "t", "--out", "out", "--workers", "1")
    assert "already holds labels/liver_1.nii.gz" in refused(*command)
    for options in (("--overwrite",), ()):  # and the next run goes on
        with pytest.raises(SystemExit) as stop:
            main([*command, *options])
        assert stop.value.code == 0, capfd.readouterr().err
    assert mine.read_bytes() != b"mine"


def test_lists_are_not_written_over_what_is_read(refused, liver, tmp_path):
    for out in ("d/list.json", "d/ct/c0.nii.gz", "d/seg/../seg/c1.nii.gz"):
        assert out.split("/")[-1] in refused(
            "prepare", "convert", "d/list.json", "--to", "csv", "--out", out, "--overwrite"
        )
        refused("prepare", "healthy", "d/list.json", "--organ", "liver", "--convention", "lits",
                "--out", out, "--overwrite")  # fmt: skip
    (tmp_path / "d/list.json").rename(tmp_path / "d/fold_7.json")
    refused("prepare", "split", "d/fold_7.json", "--out", "d", "--folds", "2", "--overwrite")
    (tmp_path / "d/fold_7.json").rename(tmp_path / "d/early.json")
    refused("prepare", "early", "d/early.json", "--convention", "lits", "--out", "d", "--overwrite")
    (tmp_path / "d/seg").rename(tmp_path / "d/labels")
    refused("prepare", "early", "d/labels", "--convention", "lits", "--out", "d", "--overwrite")
    refused("analyze", "d/labels", "d/early.json", "--root", "d", "--convention", "lits",
            "--fit", "d/early.json", "--overwrite")  # fmt: skip


def test_dicom_is_not_replaced(refused, data_dir, tmp_path):
    folder = tmp_path / "in/a"
    folder.mkdir(parents=True)
    names = ("x.dcm", "series_0001.nii.gz", "z.dcm")
    for path, name in zip(sorted((data_dir / "ct_dicom/series").iterdir()), names, strict=False):
        (folder / name).write_bytes(path.read_bytes())
    said = refused("prepare", "dicom", "in", "--out", "in/a", "--number", "--overwrite")
    assert "series_0001.nii.gz is a DICOM file" in said


def test_tables_of_an_analysis_are_no_lists(refused, liver, tmp_path, capfd):
    with pytest.raises(SystemExit) as stop:
        main(["analyze", "d/seg", "--convention", "lits", "--out", "m", "--min-voxels", "1"])
    assert stop.value.code == 0, capfd.readouterr()
    capfd.readouterr()
    table = "table of lesions that oncoforge analyze wrote, not a list of cases"
    assert table in refused("check", "m/lesions.csv")
    assert table in refused("prepare", "convert", "m/lesions.csv", "--to", "csv", "--out", "x.csv")
    mixed = refused("analyze", "m/lesions.csv", "d/seg/c0.nii.gz", "--fit", "p.json")
    assert "m/lesions.csv is a table of lesions and d/seg/c0.nii.gz is not" in mixed
    assert "table of cases and organs" in refused("analyze", "m/cases.csv", "--out", "n")
    (tmp_path / "o.csv").write_text("id;age\n1;2\n")
    assert "without the column 'image' or 'label' (it has id, age)" in refused("check", "o.csv")


def test_names_that_are_too_long_are_missing_files(liver, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = json.loads(liver.read_text())
    content["training"][0]["image"] = "ct/" + "x" * 300 + ".nii.gz"
    liver.write_text(json.dumps(content))
    for code, *command in (
        (1, "check", "d/list.json", "--convention", "lits", "--workers", "1", "--no-content"),
        (0, "prepare", "split", "d/list.json", "--folds", "2", "--out", "folds"),
        (0, "prepare", "convert", "d/list.json", "--to", "csv", "--out", "x.csv"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(command)
        said = capfd.readouterr()
        assert stop.value.code == code, said
        assert "Traceback" not in said.err
    for text in ("y" * 300, "y" * 300 + ".nii.gz"):
        (tmp_path / "l.txt").write_text(f"{text}\n")
        with pytest.raises(SystemExit) as stop:
            main(["check", "l.txt"])
        assert stop.value.code == 2


@pytest.mark.parametrize("convention", ["totalsegmentator", "btcv"])
def test_a_convention_without_tumours_is_refused(refused, liver, convention):
    said = refused("analyze", "d/seg", "--convention", convention, "--out", "m")
    assert f"'{convention}' has no label for tumours" in said


def test_one_image_under_several_ids_is_to_get_one_patient(capfd, liver, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"c{k},ct/c0.nii.gz,seg/c{k}.nii.gz,p{k}" for k in range(3)]
    (tmp_path / "d/l.csv").write_text("\n".join(["case,image,label,patient", *rows]) + "\n")
    with pytest.raises(SystemExit) as stop:
        main(["prepare", "split", "d/l.csv", "--folds", "3", "--out", "f"])
    said = capfd.readouterr().err
    assert stop.value.code == 2
    assert "Give them one patient" in said
    assert "oncoforge prepare split does" not in said


def test_numbers_agree_with_their_nouns(refused, capfd, liver, tmp_path):
    (tmp_path / "one.txt").write_text("d/ct/c0.nii.gz d/seg/c0.nii.gz\n")
    assert "1 patient cannot" in refused("prepare", "split", "one.txt", "--out", "f")
    with pytest.raises(SystemExit):
        main(["prepare", "relabel", "d/seg/c0.nii.gz", "--map", "2=1", "--out", "r"])
    assert "1 label map written" in capfd.readouterr().out


def test_a_relabelling_that_is_stopped_leaves_nothing_and_can_be_started_again(tmp_path):
    for k in range(40):
        volume(tmp_path / f"seg/c{k}.nii.gz", k)
    code = """
import signal, sys, time
from oncoforge.datasets import relabel
from oncoforge.cli import main
work = relabel._relabel_one
def slow(*args, **kwargs):
    time.sleep(0.3)
    return work(*args, **kwargs)
relabel._relabel_one = slow
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may ignore it
main(sys.argv[1:])
"""
    command = ["prepare", "relabel", "seg", "--map", "2=1", "--out", "r", "--workers"]
    run = subprocess.Popen(
        [sys.executable, "-c", code, *command, "1"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob("r/.oncoforge-*/c1.nii.gz")) and time.monotonic() < deadline:
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=30)
    assert (run.returncode, said.strip()) == (130, "Stopped; nothing half-written is left.")
    assert {path.name for path in tmp_path.iterdir()} == {"seg"}
    again = subprocess.run(
        [sys.executable, "-m", "oncoforge.cli", *command, "1"], cwd=tmp_path, check=False
    )
    assert again.returncode == 0
    assert len(list((tmp_path / "r").iterdir())) == 41
