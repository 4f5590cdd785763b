"""``oncoforge prepare convert`` and ``oncoforge prepare split``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from oncoforge.cli import main
from oncoforge.lists import read_list

FOLDS = {f"fold_{number}.json" for number in range(5)} | {"splits_final.json", "folds.csv"}


@pytest.fixture
def cli(capfd) -> Callable[..., tuple[Any, str, str]]:
    """Run a command in this process: its code, output and errors."""

    def run(*arguments: Any) -> tuple[Any, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(["prepare", *(str(a) for a in arguments)])
        return (stop.value.code, *capfd.readouterr())

    return run


@pytest.fixture
def liver(tmp_path) -> Path:
    """A small dataset as the Decathlon has them: 12 scans of 10 patients, each its own."""
    folder = tmp_path / "Task03_Liver"
    rng = np.random.default_rng(0)
    items = []
    for number in range(12):
        item = {}
        for key, where in (("image", "imagesTr"), ("label", "labelsTr")):
            path = folder / where / f"liver_{number}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            values = rng.integers(0, 3 if key == "label" else 1000, (6, 6, 6)).astype(np.int16)
            nib.save(nib.Nifti1Image(values, np.eye(4)), path)
            item[key] = f"./{where}/{path.name}"
        items.append({**item, "patient": f"p{number % 10}"})
    labels = {"0": "background", "1": "liver", "2": "tumor"}
    content = {"name": "Liver", "labels": labels, "numTraining": 131, "training": items}
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_convert_through_all_formats_and_back(cli, liver, tmp_path):
    start = read_list(liver)
    source: Path = liver
    for number, kind in enumerate(("csv", "msd", "nnunet", "csv")):
        out = tmp_path / f"out{number}" / ("nn" if kind == "nnunet" else f"list.{kind}")
        extra = ["--labels", "background,liver, tumor"] if kind == "nnunet" else []
        code, said, err = cli("convert", source, "--to", kind, "--out", out, *extra)
        assert (code, err) == (0, "")
        assert said == f"{out}: 12 training\n"
        source = out
    again = {entry.case: entry for entry in read_list(source).training}
    for entry in start:
        other = again[entry.case]
        assert other.image.resolve() == entry.image
        assert other.label.resolve() == entry.label
        assert other.patient == entry.patient


def test_convert_says_counts_to_machines_and_takes_a_fold(cli, liver, tmp_path):
    assert cli("split", liver, "--folds", 4, "--out", tmp_path / "folds")[0] == 0
    table, out = tmp_path / "folds" / "folds.csv", tmp_path / "text"
    code, said, _ = cli("convert", table, "--to", "text", "--fold", 2, "--out", out, "--json")
    summary = json.loads(said)
    assert (code, summary["training"] + summary["validation"]) == (0, 12)
    assert {path.name for path in out.iterdir()} == {
        "real_tumor_train_2.txt",
        "real_tumor_val_2.txt",
    }
    held = {entry.case for entry in read_list(out).validation}
    assert held == {entry.case for entry in read_list(table, fold=2).validation}


def test_convert_says_how_many_files_are_not_there(cli, tmp_path):
    (tmp_path / "list.txt").write_text("a.nii b.nii\n")
    (tmp_path / "a.nii").touch()
    arguments = ("convert", tmp_path / "list.txt", "--to", "csv", "--out")
    assert (
        f"1 of its files is not there, such as {tmp_path / 'b.nii'}"
        in cli(*arguments, tmp_path / "list.csv")[1]
    )
    said = json.loads(cli(*arguments, tmp_path / "more.csv", "--json")[1])
    assert (said["missing_files"], said["training"]) == (1, 1)


def test_convert_refuses_what_would_be_lost(cli, liver, tmp_path):
    (tmp_path / "list.csv").write_text("mine")
    wrong = {
        "list.csv exists": ("convert", liver, "--to", "csv", "--out", tmp_path / "list.csv"),
        "never replaced": ("convert", liver, "--to", "nnunet", "--out", liver, "--overwrite"),
        "--copy is for": ("convert", liver, "--to", "csv", "--out", tmp_path / "x", "--copy"),
        "no such": ("convert", tmp_path / "no.json", "--to", "csv", "--out", tmp_path / "x"),
    }
    for sentence, arguments in wrong.items():
        code, said, err = cli(*arguments)
        assert (code, said) == (2, "")
        assert sentence in err.lower() or sentence in err
    assert {path.name for path in tmp_path.iterdir()} == {"Task03_Liver", "list.csv"}
    assert (tmp_path / "list.csv").read_text() == "mine"
    assert (
        cli("convert", liver, "--to", "csv", "--out", tmp_path / "list.csv", "--overwrite")[0] == 0
    )
    assert len(read_list(tmp_path / "list.csv")) == 12


def test_split_writes_folds_by_patient_the_same_every_time(cli, liver, tmp_path):
    for name in ("one", "two"):
        code, said, err = cli("split", liver, "--seed", 3, "--out", tmp_path / name, "--json")
        assert (code, err) == (0, "")
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert set(files(tmp_path / "one")) == FOLDS
    assert [fold["patients"] for fold in json.loads(said)["folds"]] == [2] * 5
    held = []
    for number in range(5):
        cases = read_list(tmp_path / "one" / f"fold_{number}.json")
        held += [entry.case for entry in cases.validation]
        assert len(cases) == 12
        assert not {e.patient for e in cases.training} & {e.patient for e in cases.validation}
        assert all(path.is_file() for e in cases for path in (e.image, e.label))
    assert sorted(held) == sorted(f"liver_{number}" for number in range(12))
    item = json.loads((tmp_path / "one" / "fold_0.json").read_text())["training"][0]
    assert item["image"].startswith("../Task03_Liver/imagesTr/")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    shutil.move(liver, moved)
    shutil.move(tmp_path / "one", moved)
    assert all(e.image.is_file() for e in read_list(moved / "one" / "fold_0.json"))


def test_split_with_fewer_folds_leaves_none_of_an_earlier_run(cli, liver, tmp_path):
    out = tmp_path / "folds"
    assert cli("split", liver, "--out", out)[0] == 0
    code, _, err = cli("split", liver, "--out", out, "--folds", 3)
    assert (code, "--overwrite" in err) == (2, True)
    assert cli("split", liver, "--out", out, "--folds", 3, "--overwrite")[0] == 0
    assert set(files(out)) == FOLDS - {"fold_3.json", "fold_4.json"}


def test_split_by_size_gives_every_fold_tumours_of_all_sizes(cli, liver, tmp_path):
    table = tmp_path / "lesions.csv"
    rows = [f"liver_{number},{5 * number}" for number in range(10)]
    table.write_text("case,equivalent_diameter_mm\n" + "\n".join(rows) + "\n")
    code, said, _ = cli("split", liver, "--sizes", table, "--folds", 2, "--out", tmp_path / "o")
    assert (code, "with tumor" in said) == (0, True)
    table.write_text("case,equivalent_diameter_mm\nsomeone,5\n")
    code, _, err = cli("split", liver, "--sizes", table, "--out", tmp_path / "p")
    assert code == 2
    assert "None of the 12 cases has a size" in err


def test_external_lists_are_for_the_test_and_must_not_leak(cli, liver, tmp_path):
    other = tmp_path / "other"
    for name in ("ct.nii.gz", "seg.nii.gz"):
        other.mkdir(exist_ok=True)
        values = np.arange(216, dtype=np.int16).reshape(6, 6, 6) + len(name)
        nib.save(nib.Nifti1Image(values, np.eye(4)), other / name)
    external = tmp_path / "external.csv"
    external.write_text("case,image,label\nriga,/no/where/ct.nii.gz,/no/where/seg.nii.gz\n")
    start = ("split", liver, "--external", external, "--external-root", other, "--content")
    assert cli(*start, "--workers", 1, "--out", tmp_path / "folds")[0] == 0
    (found,) = read_list(tmp_path / "folds" / "fold_3.json").test
    assert (found.case, found.image) == ("riga", other / "ct.nii.gz")

    shutil.copyfile(liver / "imagesTr" / "liver_7.nii.gz", other / "ct.nii.gz")
    code, _, err = cli(*start, "--workers", 1, "--out", tmp_path / "leaky")
    assert code == 2
    assert "riga" in err
    assert "liver_7" in err
    code, _, err = cli("split", liver, "--external", liver, "--out", tmp_path / "leaky")
    assert code == 2
    assert "the same image file" in err
    assert not (tmp_path / "leaky").exists()
    code, _, err = cli("split", liver, "--external-root", other, "--out", tmp_path / "leaky")
    assert code == 2
    assert "more --external-root than --external" in err


def test_published_lists_are_split_whole(cli, data_dir, tmp_path):
    lists = data_dir / "datalists" / "freetumor"
    others = [x for name in ("3D-IRCADb", "chaos") for x in ("--external", lists / f"{name}.json")]
    assert cli("split", lists / "word.json", *others, "--out", tmp_path / "folds")[0] == 0
    for number in range(5):
        cases = read_list(tmp_path / "folds" / f"fold_{number}.json")
        assert (len(cases.training), len(cases.validation), len(cases.test)) == (96, 24, 70)
