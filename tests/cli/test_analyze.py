"""``oncoforge analyze``: what it prints and writes, and what it says of bad input."""

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

FILES = ["analysis.json", "cases.csv", "lesions.csv", "report.html", "report.png"]


@pytest.fixture
def run(capfd) -> Callable[..., SimpleNamespace]:
    """Run ``oncoforge analyze`` in this process."""

    def run(*arguments: Any) -> SimpleNamespace:
        with pytest.raises(SystemExit) as stop:
            main(["analyze", *map(str, arguments)])
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        return SimpleNamespace(code=stop.value.code, out=said.out, err=said.err)

    return run


@pytest.fixture
def labels(tmp_path) -> Path:
    """Six livers with a tumour each."""
    rng = np.random.default_rng(1)
    folder = tmp_path / "labels"
    folder.mkdir()
    for number in range(6):
        array = np.zeros((40, 30, 20), np.uint8)
        array[5:35, 5:25, 2:18] = 1
        x, y, z = rng.integers((8, 8, 4), (25, 16, 12))
        array[x : x + 3 + number, y : y + 6, z : z + 3] = 2
        nib.save(nib.Nifti1Image(array, np.diag([2.0, 2, 3, 1])), folder / f"c{number}.nii.gz")
    return folder


def test_tables_report_and_prior_are_written(run, labels, tmp_path):
    out = tmp_path / "out"
    done = run(labels, "--out", out, "--fit", tmp_path / "prior.json", "--workers", 1)
    assert (done.code, done.err) == (0, "")
    assert sorted(path.name for path in out.iterdir()) == FILES
    assert "liver" in done.out
    assert str(out / "report.html") in done.out
    prior = json.loads((tmp_path / "prior.json").read_text())
    assert list(prior["organs"]) == ["liver"]


def test_json_tells_machines_what_was_found(run, labels, tmp_path):
    done = run(labels, "--out", tmp_path / "out", "--json", "--organ", "liver", "--workers", 1)
    told = json.loads(done.out)
    assert told["organs"]["liver"]["lesions"] == 6
    assert told["failures"] == []
    assert told["out"] == str(tmp_path / "out")


def test_a_table_is_fitted_without_measuring_again(run, labels, tmp_path):
    run(labels, "--out", tmp_path / "out", "--fit", tmp_path / "one.json", "--workers", 1)
    for path in labels.iterdir():
        path.unlink()
    done = run(tmp_path / "out" / "lesions.csv", "--fit", tmp_path / "two.json")
    assert (done.code, done.err) == (0, "")
    one, two = (json.loads((tmp_path / f"{n}.json").read_text()) for n in ("one", "two"))
    assert one["organs"]["liver"]["lesions"] == two["organs"]["liver"]["lesions"]
    sizes = [prior["organs"]["liver"]["diameter_mm"]["scale"] for prior in (one, two)]
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-4)


def test_unreadable_cases_end_with_code_1_and_the_rest_is_there(run, labels, tmp_path):
    (labels / "c3.nii.gz").write_bytes(b"")
    done = run(labels, "--out", tmp_path / "out", "--workers", 1)
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "c3.nii.gz is empty" in done.err
    record = json.loads((tmp_path / "out" / "analysis.json").read_text())
    assert record["organs"]["liver"]["cases"] == 5
    assert len(record["failures"]) == 1
    assert "c3.nii.gz" in (tmp_path / "out" / "report.html").read_text()


def test_a_map_without_the_organ_is_told(run, labels, tmp_path):
    done = run(labels, "--out", tmp_path / "out", "--organ", "pancreas", "--workers", 1)
    assert done.code == 0
    assert "No tumours." in done.out
    assert "No voxel of the organ in 6" in done.out
    assert (tmp_path / "out" / "report.png").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("labels",), "Give --out for the tables and the report, or --fit for a prior"),
        (("no-such-folder", "--out", "out"), "no-such-folder does not exist"),
        (("labels", "--out", "out", "--convention", "kitss"), "did you mean 'kits'"),
        (("labels", "--out", "out", "--convention", "btcv", "--organ", "livr"), "did you mean"),
        (("labels", "--out", "out", "--images", "nowhere"), "nowhere is not a folder"),
        (("labels", "--fit", "labels"), "labels is a folder"),
        (("labels", "--fit", "there.json"), "there.json exists"),
        (("labels/c0.nii.gz", "--fit", "new.json"), "at least 3"),
        (("labels", "--out", "out", "--fit", "new.json", "--location", "cube"), "cube"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(
    run, labels, tmp_path, monkeypatch, arguments, sentence
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.json").write_text("{}")
    before = sorted(path.name for path in tmp_path.iterdir())
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert sentence in done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == before
