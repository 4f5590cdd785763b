"""``oncoforge evaluate``: what it prints and writes, and what it says of bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from oncoforge.cli import main

FILES = [
    "evaluation.json",
    "lesions.csv",
    "patients.csv",
    "report.html",
    "report.png",
    "scores.csv",
    "summary.csv",
    "table.md",
    "table.tex",
]


@pytest.fixture
def run(capfd) -> Callable[..., SimpleNamespace]:
    """Run ``oncoforge evaluate`` in this process."""

    def run(*arguments: Any) -> SimpleNamespace:
        with pytest.raises(SystemExit) as stop:
            main(["evaluate", *map(str, arguments), "--workers", "1", "--draws", "50"])
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        return SimpleNamespace(code=stop.value.code, out=said.out, err=said.err)

    return run


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """Folders truth, net and other with four livers each, of which the last is healthy."""
    monkeypatch.chdir(tmp_path)
    for folder, shift in (("truth", 0), ("net", 1), ("other", 2)):
        (tmp_path / folder).mkdir()
        for number in range(4):
            array = np.zeros((30, 24, 16), np.uint8)
            array[3:27, 3:21, 2:14] = 1
            if number < 3:
                array[6 + shift : 12 + shift, 8:14, 4 : 8 + number] = 2
            image = nib.Nifti1Image(array, np.diag([1.5, 1.5, 2, 1]))
            nib.save(image, tmp_path / folder / f"c{number}.nii.gz")
    return tmp_path


def test_tables_and_report_are_written_and_the_numbers_printed(run, place):
    done = run("net", "truth", "--out", "out")
    assert (done.code, done.err) == (0, "")
    assert sorted(path.name for path in (place / "out").iterdir()) == FILES
    assert "liver tumour" in done.out
    assert "83.3" in done.out
    assert "3 of 3 ill ones found, 1 of 1 healthy ones left alone, AUC 1.000" in done.out
    assert str(Path("out") / "report.html") in done.out
    assert "…" not in done.out  # nothing is cut off on 80 columns


def test_a_perfect_model_has_a_report_too(run, place):
    import shutil

    shutil.copytree(place / "truth", place / "perfect")
    done = run("perfect", "truth", "--out", "out")
    assert (done.code, done.err) == (0, "")
    assert sorted(path.name for path in (place / "out").iterdir()) == FILES
    assert "100.0" in done.out


def test_the_note_of_the_table_explains_no_column_that_is_not_there(run, place):
    def scaled(mm: float) -> str:
        for path in place.glob("*/c*.nii.gz"):
            array = np.asarray(nib.load(path).dataobj).copy()
            nib.save(nib.Nifti1Image(array, np.diag([mm, mm, mm, 1])), path)
        assert run("net", "truth", "--out", "out", "--overwrite").code == 0
        return (place / "out" / "table.md").read_text()

    small, large = scaled(1.5), scaled(10.0)
    assert small.count("Sens. d < 20 mm") == small.count("below 20 mm") == 1
    assert "Sens." not in large


def test_one_command_compares_models(run, place):
    done = run("net", "truth", "--versus", "other=other", "--versus", "third=other", "--out", "out")
    assert done.code == 0
    assert sorted(path.name for path in (place / "out").iterdir()) == sorted(
        [*FILES, "comparisons.csv"]
    )
    table = (place / "out" / "table.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in table[2:5]] == ["| net", "| other", "| third"]
    assert "**83.3** ± 0.0" in table[2]
    assert "net less other, liver tumour Dice: +16.7 points, n = 3, Wilcoxon p = 0.25" in done.out


def test_one_file_is_compared_with_one_file_whatever_they_are_called(run, place):
    (place / "net" / "c1.nii.gz").rename(place / "mine.nii.gz")
    assert run("mine.nii.gz", "truth/c1.nii.gz", "--out", "out").code == 0
    assert "c1" in (place / "out" / "scores.csv").read_text()
    done = run("mine.nii.gz", "truth", "--out", "many")
    assert done.code == 2
    assert "named like one of 4 truths" in done.err


def test_several_folders_are_one_model(run, place):
    for fold in range(2):
        (place / f"fold_{fold}").mkdir()
        for number in (fold, fold + 2):
            (place / "net" / f"c{number}.nii.gz").rename(place / f"fold_{fold}/c{number}.nii.gz")
    done = run("fold_0", "fold_1", "truth", "--name", "both", "--out", "out", "--json")
    told = json.loads(done.out)
    assert told["settings"]["models"] == ["both"]
    assert sum(told["outcomes"]["both"]["liver"].values()) == 4
    again = run("fold_*", "truth", "--name", "both", "--out", "again", "--json")
    assert json.loads(again.out)["summary"] == told["summary"]


def test_json_tells_machines_what_was_found(run, place):
    done = run("net", "truth", "--out", "out", "--json", "--organ", "liver")
    told = json.loads(done.out)
    assert set(told) == {
        "out",
        "settings",
        "outcomes",
        "summary",
        "comparisons",
        "failures",
        "remarks",
    }
    (dice,) = [
        row
        for row in told["summary"]
        if (row["metric"], row["structure"], row["group"]) == ("dice", "liver_tumor", "all")
    ]
    assert (dice["mean"], dice["n"]) == (pytest.approx(5 / 6), 3)


def test_what_cannot_be_scored_ends_with_code_1_and_the_rest_is_there(run, place):
    (place / "net" / "c1.nii.gz").write_bytes(b"")
    (place / "net" / "c2.nii.gz").unlink()
    done = run("net", "truth", "--out", "out")
    assert done.code == 1
    assert done.err.count("\n") == 2
    assert "c1.nii.gz is empty" in done.err
    assert "net has no prediction of this case (c2)" in done.err
    record = json.loads((place / "out" / "evaluation.json").read_text())
    assert {row["case"] for row in record["scores"]} == {"c0", "c3"}
    assert len(record["failures"]) == 2
    assert "c1.nii.gz is empty" in (place / "out" / "report.html").read_text()


def test_extra_predictions_are_a_remark(run, place):
    (place / "truth" / "c2.nii.gz").unlink()
    done = run("net", "truth", "--out", "out")
    assert done.code == 0
    assert "Note: 1 prediction of net without a truth: c2.nii.gz." in done.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("net", "truth"), "Missing option '--out'"),
        (("net", "--out", "out"), "Missing argument"),
        (("nowhere", "truth", "--out", "out"), "nowhere does not exist"),
        (("net", "nowhere", "--out", "out"), "nowhere does not exist"),
        (("truth", "truth", "--out", "out"), "both a truth and a prediction"),
        (("net", "truth", "--out", "there"), "there already holds table.md"),
        (("net", "truth", "--out", "net"), "net holds files that are compared"),
        (("net", "truth", "--out", "out", "--convention", "kitss"), "did you mean 'kits'"),
        (("net", "truth", "--out", "out", "--convention", "organ-tumor"), "name the organ"),
        (("net", "truth", "--out", "out", "--nsd", "surfels"), "did you mean 'surfel'"),
        (("net", "truth", "--out", "out", "--versus", "other"), "write name=path"),
        (("net", "truth", "--out", "out", "--versus", "net=other"), "Two models are called 'net'"),
        (("net", "truth", "--out", "out", "--images", "nowhere"), "nowhere is not a folder"),
        (
            ("net", "truth", "--out", "out", "--convention", "lits", "--organ", "kidney"),
            "of the truths has no kidney; it holds liver, liver tumor.",
        ),
        (
            ("net", "truth", "--out", "out", "--organ", "kidney"),
            "No truth holds the kidney or its tumours, read as 'oncoforge'; they hold liver, ",
        ),
        (("net", "truth", "--out", "out", "--tolerance", "inf"), "give a finite number from 0"),
        (("net", "truth", "--out", "out", "--fold", "1"), "there is no fold 1"),
        (("net", "truth", "--out", "out", "--probabilities", "net"), "holds no maps"),
        (("net", "truth", "--out", "out", *("--probabilities", "a") * 2), "NAME=FOLDER"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(run, place, arguments, sentence):
    (place / "there").mkdir()
    (place / "there" / "table.md").write_text("mine")
    before = sorted(path.relative_to(place) for path in place.rglob("*"))
    done = run(*arguments)
    assert done.code == 2
    assert sentence in done.err
    assert done.err.count("\n") == 1
    assert sorted(path.relative_to(place) for path in place.rglob("*")) == before
    assert (place / "there" / "table.md").read_text() == "mine"


@pytest.mark.slow
def test_evaluate_needs_no_torch():
    import subprocess
    import sys

    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['monai'] = None\n"
        "import oncoforge.evaluation.run, oncoforge.evaluation.report, oncoforge.cli.evaluate"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
