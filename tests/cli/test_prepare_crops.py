"""``oncoforge prepare crops``: what people and machines read, and its exit codes."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest

from oncoforge.cli import main


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in ("prepare", "crops", *words)])
    return int(stopped.value.code or 0)


@pytest.fixture
def labels(tmp_path):
    folder = tmp_path / "labels"
    folder.mkdir()
    for number, size in enumerate((6, 9), 1):
        array = np.ones((30, 30, 30), np.uint8)
        array[8 : 8 + size, 8 : 8 + size, 8 : 8 + size] = 2
        nib.save(nib.Nifti1Image(array, np.eye(4)), folder / f"p{number}.nii.gz")
    return folder


def test_a_library_is_made_and_summed_up(labels, tmp_path, capsys):
    out = tmp_path / "lib"
    code = run(
        labels, "--convention", "msd-liver", "--licence", "CC0", "--max-diameter", "1cm",
        "--workers", 1, "--out", out,
    )  # fmt: skip
    assert code == 0
    said = capsys.readouterr()
    assert "1 tumour of 2 cases, 7 to 7 mm wide" in said.out
    assert "Left out: p2_liver_1 is 11.2 mm wide" in said.out
    assert json.loads((out / "library.json").read_text())["licence"] == "CC0"


def test_machines_get_json(labels, tmp_path, capsys):
    (labels / "p3.nii.gz").write_bytes(b"no volume")
    words = ("--convention", "msd-liver", "--workers", 1, "--json")
    assert run(labels, *words, "--out", tmp_path / "lib") == 1
    summary = json.loads(capsys.readouterr().out)
    assert summary["tumors"] == ["p1_liver_1", "p2_liver_1"]
    assert summary["cases"] == 3
    assert "p3.nii.gz" in summary["failed"][0]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nowhere.nii.gz",), "does not exist"),
        (("--margin", "wide"), "not a length"),
        (("--convention", "msd-livr"), "msd-liver"),
        (("--images", "nowhere"), "not a folder"),
    ],
)
def test_mistakes_end_with_one_sentence_and_nothing_written(
    labels, tmp_path, capsys, words, sentence
):
    given = () if words[0] == "nowhere.nii.gz" else (labels,)
    base = ("--out", tmp_path / "lib", "--workers", 1)
    assert run(*base, *given, "--convention", "msd-liver", *words) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert not (tmp_path / "lib").exists()


def test_a_folder_in_use_is_not_written_over(labels, tmp_path, capsys):
    words = (labels, "--convention", "msd-liver", "--workers", 1, "--out", tmp_path / "lib")
    assert run(*words) == 0
    assert run(*words) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run(*words, "--overwrite") == 0
