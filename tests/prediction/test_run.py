"""Many scans into one folder: whole files, the scan's own grid, and runs that go on."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from oncoforge.errors import InputError, OutputError
from oncoforge.formats import read_labels
from oncoforge.prediction import predict_all

AFFINES = {
    "ras": np.diag([2.0, 2, 3, 1]),
    "lps": np.diag([-2.0, -2, 3, 1]),
    "ipl": np.array([[0, 0, -2.0, 9], [0, -2.0, 0, 5], [-3.0, 0, 0, 2], [0, 0, 0, 1]]),
}


def _ct(path: Path, affine: np.ndarray, seed: int = 0) -> np.ndarray:
    """Write air with a body in it, of liver and tumour; returns the expected labels."""
    rng = np.random.default_rng(seed)
    image = np.full((20, 18, 16), -1000, np.int16)
    image[3:17, 3:15, 2:14] = 50
    x, y, z = rng.integers((4, 4, 3), (12, 10, 9))
    image[x : x + 4, y : y + 4, z : z + 4] = 150
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(image, affine), path)
    return np.where(image > 100, 2, np.where(image > 0, 1, 0)).astype(np.uint8)


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    return folder, {
        name: _ct(folder / f"{name}.nii.gz", affine, seed)
        for seed, (name, affine) in enumerate(AFFINES.items())
    }


def _bytes(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_masks_are_on_the_grid_of_their_scan_whatever_its_axes(by_hu, scans, tmp_path):
    folder, expected = scans
    found = predict_all(folder, by_hu(), tmp_path / "out")
    assert (found.made, found.failures) == (("ipl", "lps", "ras"), ())
    for name, labels in expected.items():
        image = nib.load(tmp_path / "out" / f"{name}.nii.gz")
        np.testing.assert_array_equal(np.asarray(image.dataobj), labels)
        assert image.get_data_dtype() == np.uint8
        np.testing.assert_allclose(image.affine, AFFINES[name])
    record = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert list(record["cases"]) == ["ipl", "lps", "ras"]
    row = record["cases"]["ipl"]
    assert row["volumes_mm3"]["liver_tumor"] == 4**3 * 12
    assert (row["shape"], row["spacing_mm"]) == ([20, 18, 16], [3, 2, 2])
    assert row["input"] == str(folder / "ipl.nii.gz")
    assert 0 < row["windows"] <= row["windows_without_gate"]
    (model,) = record["settings"]["models"]
    assert len(model["weights_sha256"]) == 64
    assert record["settings"]["precision"] == "float32"
    for picture in ("predictions.png", "pictures/ipl.png"):
        assert np.ptp(np.asarray(Pillow.open(tmp_path / "out" / picture).convert("L"))) > 100
    assert not [name for name in _bytes(tmp_path / "out") if name.startswith(".")]


def test_the_same_run_gives_the_same_bytes(by_hu, scans, tmp_path):
    folder, _ = scans
    for out in ("one", "two"):
        predict_all(folder, by_hu(), tmp_path / out, probabilities=tmp_path / f"p_{out}")
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")
    assert _bytes(tmp_path / "p_one") == _bytes(tmp_path / "p_two")


def test_a_second_run_does_only_what_is_missing(by_hu, scans, tmp_path):
    folder, _ = scans
    network, out = by_hu(), tmp_path / "out"
    predict_all(folder, network, out)
    whole = _bytes(out)
    (out / "lps.nii.gz").unlink()
    again = predict_all(folder, network, out)
    assert again.made == ("lps",)
    assert _bytes(out) == whole
    assert predict_all(folder, network, out).made == ()
    _ct(folder / "more.nii.gz", AFFINES["ras"])
    assert predict_all(folder, network, out).made == ("more",)


def test_a_mask_that_was_damaged_since_is_made_anew(by_hu, scans, tmp_path):
    folder, _ = scans
    network, out = by_hu(), tmp_path / "out"
    predict_all(folder, network, out)
    whole = _bytes(out)
    (out / "lps.nii.gz").write_bytes(b"half a mask")
    assert predict_all(folder, network, out).made == ("lps",)
    assert _bytes(out) == whole


def test_a_stopped_run_goes_on(by_hu, scans, tmp_path):
    """Stopped in the middle of a scan, whole files are left, and the next run ends as if not."""
    folder, _ = scans
    out = tmp_path / "out"

    def after_one(done: int, _of: int) -> None:
        if done == 1 and (out / "ipl.nii.gz").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_all(folder, by_hu(), out, windows=after_one)
    assert sorted(path.name for path in out.glob("*.nii.gz")) == ["ipl.nii.gz"]
    assert list(json.loads((out / "predictions.json").read_text())["cases"]) == ["ipl"]
    assert predict_all(folder, by_hu(), out).made == ("lps", "ras")
    predict_all(folder, by_hu(), tmp_path / "other")
    assert _bytes(out) == _bytes(tmp_path / "other")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"overlap": 0.75}, r"overlap 0\.5, and now 0\.75"),
        ({"gate": "none"}, "gate body, and now none"),
        ({"flips": (0,)}, "flips none, and now 0"),
        ({"precision": "bfloat16"}, "precision float32, and now bfloat16"),
        ({"postprocess": "oncoforge"}, "none, and now oncoforge with keep within mm 10"),
    ],
)
def test_other_settings_are_not_mixed(by_hu, scans, tmp_path, change, words):
    folder, _ = scans
    out = tmp_path / "out"
    predict_all(folder / "ras.nii.gz", by_hu(), out)
    before = _bytes(out)
    with pytest.raises(OutputError, match=words):
        predict_all(folder / "lps.nii.gz", by_hu(), out, **change)
    assert _bytes(out) == before
    predict_all(folder / "lps.nii.gz", by_hu(), out, overwrite=True, **change)
    left = sorted(path.name for path in out.rglob("*.*"))
    assert left == ["lps.nii.gz", "lps.png", "predictions.json", "predictions.png"]


def test_other_weights_are_not_mixed(by_hu, scans, tmp_path):
    folder, _ = scans
    predict_all(folder, by_hu(), tmp_path / "out")
    network = by_hu()
    with torch.no_grad():
        network.bias += 1
    with pytest.raises(OutputError, match="with other models"):
        predict_all(folder, network, tmp_path / "out")


def test_files_of_others_are_not_replaced(by_hu, scans, tmp_path):
    folder, expected = scans
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x.nii.gz").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"already holds x\.nii\.gz"):
        predict_all(folder, by_hu(), tmp_path / "mine")
    with pytest.raises(OutputError, match="one of the files that are read"):
        predict_all(folder, by_hu(), folder, overwrite=True)
    elsewhere = _ct(tmp_path / "elsewhere" / "ras.nii.gz", AFFINES["ras"], 7)
    predict_all(folder, by_hu(), tmp_path / "out")
    with pytest.raises(OutputError, match="holds the case 'ras' as predicted from"):
        predict_all(tmp_path / "elsewhere", by_hu(), tmp_path / "out")
    assert (elsewhere != expected["ras"]).any()
    with pytest.raises(OutputError, match="give --probabilities a folder of its own"):
        predict_all(folder, by_hu(), tmp_path / "out2", probabilities=tmp_path / "out2" / "p")
    assert not (tmp_path / "out2").exists()
    (tmp_path / "out" / "predictions.json").write_text('{"cases": 3}')
    with pytest.raises(InputError, match="should be the record of earlier predictions"):
        predict_all(folder, by_hu(), tmp_path / "out")


def test_a_scan_that_fails_is_told_and_tried_again(by_hu, scans, tmp_path):
    folder, _ = scans
    good = (folder / "lps.nii.gz").read_bytes()
    (folder / "lps.nii.gz").write_bytes(good[: len(good) // 2])
    found = predict_all(folder, by_hu(), tmp_path / "out")
    assert found.made == ("ipl", "ras")
    (sentence,) = found.failures
    assert str(folder / "lps.nii.gz") in sentence
    record = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert list(record["failures"]) == ["lps"]
    predict_all(folder / "lps.nii.gz", by_hu(), tmp_path / "bad")
    assert predict_all(folder / "ras.nii.gz", by_hu(), tmp_path / "bad", overlap=0.1).made
    (folder / "lps.nii.gz").write_bytes(good)
    again = predict_all(folder, by_hu(), tmp_path / "out")
    assert (again.made, again.failures) == (("lps",), ())
    assert "failures" not in json.loads((tmp_path / "out" / "predictions.json").read_text())


def test_organs_of_each_case_gate_it(by_hu, scans, tmp_path):
    folder, expected = scans
    for name, labels in expected.items():
        (tmp_path / "organs").mkdir(exist_ok=True)
        part = np.where(np.arange(20)[:, None, None] < 6, labels, 0)
        nib.save(nib.Nifti1Image(part, AFFINES[name]), tmp_path / "organs" / f"{name}.nii.gz")
    found = predict_all(
        folder, by_hu(patch=(4, 4, 4)), tmp_path / "out",
        organs=tmp_path / "organs", convention="organ-tumor", margin_mm=4,
    )  # fmt: skip
    assert not found.failures
    with pytest.raises(OutputError, match="one of the files that are read"):
        predict_all(
            folder, by_hu(), tmp_path / "organs",
            organs=tmp_path / "organs", convention="organ-tumor", overwrite=True,
        )  # fmt: skip
    for name in expected:
        made = np.asarray(nib.load(tmp_path / "out" / f"{name}.nii.gz").dataobj)
        np.testing.assert_array_equal(made[:6], expected[name][:6])
        assert not made[8:].any()
        row = found.cases[name]
        assert row["windows"] < 0.7 * row["windows_without_gate"]
    settings = json.loads((tmp_path / "out" / "predictions.json").read_text())["settings"]
    assert (settings["gate"], settings["organs"]) == ("organ", ["liver"])
    (tmp_path / "organs" / "lps.nii.gz").unlink()
    partial = predict_all(
        folder, by_hu(), tmp_path / "some", organs=tmp_path / "organs", convention="organ-tumor"
    )
    assert partial.made == ("ipl", "ras")
    assert "no label map of --organs has its id 'lps'" in partial.failures[0]


def test_a_case_is_done_again_when_its_image_or_its_organ_changes(by_hu, scans, tmp_path):
    folder, expected = scans
    organs, out = tmp_path / "organs", tmp_path / "out"
    organs.mkdir()
    for name, labels in expected.items():
        nib.save(nib.Nifti1Image(labels, AFFINES[name]), organs / f"{name}.nii.gz")

    def run() -> tuple[str, ...]:
        given = {"organs": organs, "convention": "organ-tumor", "margin_mm": 0}
        return predict_all(folder, by_hu(), out, **given).made

    assert len(run()) == 3
    assert run() == ()
    part = np.where(np.arange(20)[:, None, None] < 6, expected["lps"], 0).astype(np.uint8)
    nib.save(nib.Nifti1Image(part, AFFINES["lps"]), organs / "lps.nii.gz")
    assert run() == ("lps",)
    made = np.asarray(nib.load(out / "lps.nii.gz").dataobj)
    np.testing.assert_array_equal(made, part)
    _ct(folder / "ras.nii.gz", AFFINES["ras"], 7)
    assert run() == ("ras",)
    assert run() == ()
    (folder / "ras.nii.gz").write_bytes(b"no image")
    assert run() == ()
    assert not (out / "ras.nii.gz").exists()
    record = json.loads((out / "predictions.json").read_text())
    assert (list(record["cases"]), list(record["failures"])) == (["ipl", "lps"], ["ras"])


def test_probabilities_lie_in_a_folder_of_each_tumour(by_hu, scans, tmp_path):
    folder, expected = scans
    maps = tmp_path / "maps"
    predict_all(folder, by_hu(), tmp_path / "out", probabilities=maps)
    assert sorted(p.relative_to(maps).as_posix() for p in maps.rglob("*.nii.gz")) == [
        f"liver_tumor/{name}.nii.gz" for name in ("ipl", "lps", "ras")
    ]
    image = nib.load(maps / "liver_tumor" / "ipl.nii.gz")
    values = np.asarray(image.dataobj)
    assert (values.dtype, values.min() >= 0, values.max() <= 1) == (np.float32, True, True)
    assert ((values > 0.5) == (expected["ipl"] == 2)).all()
    np.testing.assert_allclose(image.affine, AFFINES["ipl"])
    (maps / "liver_tumor" / "ras.nii.gz").unlink()
    assert predict_all(folder, by_hu(), tmp_path / "out", probabilities=maps).made == ("ras",)


def test_a_dicom_series_is_segmented_on_its_own_grid(by_hu, data_dir, tmp_path):
    folder = data_dir / "ct_dicom" / "series"
    network = by_hu((-500.0, 2000.0), patch=(128, 128, 16), window_hu=(-2000, 3000),
                    values=(-2000, 3000))  # fmt: skip
    found = predict_all(folder, network, tmp_path / "out", overlap=0, gate="none")
    assert found.failures == ()
    made = read_labels(tmp_path / "out" / "series.nii.gz")
    truth = read_labels(data_dir / "ct_dicom" / "totalsegmentator_labels.nii.gz")
    assert made.array.shape == truth.array.shape
    assert (made.array[truth.array == 5] == 1).mean() > 0.99
