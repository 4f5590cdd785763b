"""Early-tumour selection: which stay, what becomes of the others, and the lists."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from oncoforge.cli import main
from oncoforge.datasets.early import select_early
from oncoforge.datasets.early_maps import Limits
from oncoforge.errors import InputError, OutputError
from oncoforge.lists.read import read_list

AFFINE = np.diag([-1.0, 2.0, 3.0, 1.0])  # L A S
SMALL = (slice(4, 10), slice(4, 8), slice(3, 6))  # 72 voxels, 432 mm3: 9.4 mm
LARGE = (slice(20, 40), slice(10, 22), slice(8, 16))  # 22.3 mm and more
SPECK = (slice(14, 15), slice(14, 17), slice(3, 5))  # 6 voxels


def _map(*tumors, organ: int = 1, tumor: int = 2) -> np.ndarray:
    array = np.zeros((48, 32, 24), np.uint8)
    array[2:46, 2:30, 2:22] = organ
    for place in tumors:
        array[place] = tumor
    return array


def _save(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, AFFINE), path)
    return path


def _load(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


@pytest.fixture
def labels(tmp_path) -> Path:
    folder = tmp_path / "labels"
    _save(folder / "both.nii.gz", _map(SMALL, LARGE, SPECK))
    _save(folder / "early.nii.gz", _map(SMALL))
    _save(folder / "late.nii.gz", _map(LARGE))
    _save(folder / "healthy.nii.gz", _map())
    return folder


def test_small_tumours_stay_and_all_else_becomes_organ(labels, tmp_path):
    out = tmp_path / "out"
    found = select_early(labels, out, "lits", workers=1)
    assert sorted(path.name for path in (out / "labels").iterdir()) == [
        "both.nii.gz",
        "early.nii.gz",
    ]
    np.testing.assert_array_equal(_load(out / "labels" / "both.nii.gz"), _map(SMALL))
    np.testing.assert_array_equal(_load(out / "labels" / "early.nii.gz"), _map(SMALL))
    np.testing.assert_array_equal(nib.load(out / "labels" / "both.nii.gz").affine, AFFINE)
    assert [(t.case, t.early, t.late, t.specks) for t in found.tallies] == [
        ("both", 1, 1, 1),
        ("early", 1, 0, 0),
        ("late", 0, 1, 0),
    ]


def test_lists_name_what_was_written_and_the_complement(labels, tmp_path):
    out = tmp_path / "out"
    select_early(labels, out, "lits", workers=1)
    early, late = read_list(out / "list.json"), read_list(out / "late.json")
    assert [entry.label for entry in early] == [
        out / "labels" / "both.nii.gz",
        out / "labels" / "early.nii.gz",
    ]
    assert [entry.label for entry in late] == [labels / "both.nii.gz", labels / "late.nii.gz"]
    assert early.labels[2] == "cancer"


def test_the_limit_is_the_diameter_of_the_sphere_of_the_same_volume(labels, tmp_path):
    across = (6 * 72 * 6 / np.pi) ** (1 / 3)
    just = select_early(labels, tmp_path / "a", "lits", limits=Limits(across + 1e-6), workers=1)
    assert len(just.early) == 2
    with pytest.raises(InputError, match=rf"the smallest is {across:.1f} mm"):
        select_early(labels, tmp_path / "b", "lits", limits=Limits(across - 0.01), workers=1)
    assert not (tmp_path / "b").exists()


def test_what_touches_at_a_corner_is_one_tumour_unless_asked_otherwise(tmp_path):
    one = (slice(4, 8), slice(4, 8), slice(4, 8))
    other = (slice(8, 12), slice(8, 12), slice(8, 12))
    path = _save(tmp_path / "a.nii.gz", _map(one, other))
    for connectivity, early in ((26, 1), (18, 2), (6, 2)):
        limits = Limits(connectivity=connectivity)
        found = select_early(path, tmp_path / f"o{connectivity}", "lits", limits=limits, workers=1)
        assert sum(tally.early for tally in found.tallies) == early
    with pytest.raises(InputError, match="6, 18 or 26"):
        Limits(connectivity=8)


def test_organs_with_two_values_and_with_none(tmp_path):
    array = _map(SMALL, LARGE, organ=13, tumor=14)  # FLARE: 2 right kidney, 13 left, 14 tumour
    array[array == 13] = np.where(np.indices(array.shape)[0][array == 13] < 16, 2, 13)
    path = _save(tmp_path / "flare.nii.gz", array)
    select_early(path, tmp_path / "flare", "flare", "kidney", workers=1)
    kept = _load(tmp_path / "flare" / "labels" / "flare.nii.gz")
    assert set(np.unique(kept[LARGE])) == {13}
    assert set(np.unique(kept[SMALL])) == {14}
    path = _save(tmp_path / "colon.nii.gz", _map(SMALL, LARGE, organ=0, tumor=1))
    select_early(path, tmp_path / "colon", "msd-colon", workers=1)
    kept = _load(tmp_path / "colon" / "labels" / "colon.nii.gz")
    assert set(np.unique(kept[LARGE])) == {0}


def test_other_organs_stay_and_each_has_its_lists(tmp_path):
    array = _map(SMALL)
    array[LARGE] = 3  # pancreas
    array[22:26, 12:15, 9:12] = 4  # its tumour: 216 mm3
    path = _save(tmp_path / "in" / "a.nii.gz", array)
    select_early(path, tmp_path / "all", workers=1)
    names = {file.name for file in (tmp_path / "all").iterdir()}
    assert {"list.json", "list-liver.json", "list-pancreas.json"} <= names
    assert not any(name.startswith("late") for name in names)
    only = select_early(path, tmp_path / "one", organ="pancreas", limits=Limits(8), workers=1)
    assert [tally.organ for tally in only.tallies] == ["pancreas"]
    np.testing.assert_array_equal(_load(tmp_path / "one" / "labels" / "a.nii.gz"), array)
    with pytest.raises(InputError, match="no tumours of the liver"):
        select_early(path, tmp_path / "no", "msd-pancreas", "liver")


def test_same_bytes_for_any_number_of_workers_and_a_second_run_leaves_nothing_old(labels, tmp_path):
    def files(out: Path) -> dict[str, bytes]:
        return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}

    select_early(labels, tmp_path / "one", "lits", workers=1)
    select_early(labels, tmp_path / "two", "lits", workers=2)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    with pytest.raises(OutputError, match="--overwrite"):
        select_early(labels, tmp_path / "one", "lits", workers=1)
    (labels / "early.nii.gz").unlink()
    select_early(labels, tmp_path / "one", "lits", workers=1, overwrite=True)
    assert [p.name for p in (tmp_path / "one" / "labels").iterdir()] == ["both.nii.gz"]


def test_command_tells_lists_and_failures(labels, tmp_path, capfd):
    (labels / "bad.nii.gz").write_bytes(b"no gzip")
    with pytest.raises(SystemExit) as stop:
        main(
            [
                *("prepare", "early", str(labels), "--convention", "lits", "--workers", "1"),
                *("--max-diameter", "2cm", "--out", str(tmp_path / "out")),
            ]
        )
    said = capfd.readouterr()
    assert stop.value.code == 1
    assert "2 tumours up to 20 mm in 2 of 5 cases; 2 larger ones and 1 speck" in said.out
    assert said.err.count("\n") == 1
    assert "bad.nii.gz" in said.err
    record = json.loads((tmp_path / "out" / "early.json").read_text())
    assert len(record["failures"]) == 1
