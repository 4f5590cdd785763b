"""``oncoforge predict``: what it prints and writes, and what it says of bad input."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel as nib
import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # MONAI's own, on import
    torch = pytest.importorskip("torch")
    pytest.importorskip("monai.inferers")
    pytest.importorskip("monai.networks.nets")

from oncoforge import checkpoints, networks
from oncoforge.cli import main
from oncoforge.networks import Pipeline
from oncoforge.prediction import predict
from oncoforge.prediction.gate import MARGIN_MM

PIPELINE = Pipeline(
    ("background", "liver", "liver_tumor"), spacing_mm=(3.0, 3.0, 3.0), patch=(16, 16, 16)
)


@pytest.fixture
def run(capfd, tmp_path, monkeypatch) -> Callable[..., SimpleNamespace]:
    """Run ``oncoforge predict`` in this process and an empty folder."""
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)

    def run(*arguments: Any) -> SimpleNamespace:
        with pytest.raises(SystemExit) as stop:
            main(["predict", *map(str, arguments)])
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        return SimpleNamespace(code=stop.value.code, out=said.out, err=said.err)

    return run


@pytest.fixture
def model(tmp_path) -> Callable[..., Path]:
    """Write a network with random weights as a folder."""

    def write(name: str = "net", seed: int = 0, pipeline: Pipeline | None = PIPELINE) -> Path:
        network: Any = networks.build("unet", 1, 3, channels=(4, 8), strides=(2,), seed=seed)
        network.config = network.config.having(pipeline=pipeline)
        return checkpoints.save(network, tmp_path / name)

    return write


@pytest.fixture
def scans(tmp_path) -> Path:
    """Two scans in nnU-Net's naming, and label maps of their organ."""
    rng = np.random.default_rng(0)
    affine = np.diag([-2.0, -2, 5, 1])
    for case in ("p1", "p2"):
        image = np.full((40, 36, 14), -1000, np.int16)
        image[4:36, 4:32] = rng.normal(50, 40, (32, 28, 14))
        labels = np.zeros(image.shape, np.uint8)
        labels[:8, :8, 2:6] = 1
        for kind, array, name in (("imagesTs", image, f"{case}_0000"), ("organs", labels, case)):
            (tmp_path / kind).mkdir(exist_ok=True)
            nib.save(nib.Nifti1Image(array, affine), tmp_path / kind / f"{name}.nii.gz")
    return tmp_path / "imagesTs"


def _mask(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


def test_masks_are_those_of_the_library(run, model, scans, tmp_path):
    done = run(scans, "--model", model(), "--out", "out")
    assert (done.code, done.err) == (0, "")
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == ["p1.nii.gz", "p2.nii.gz", "pictures", "predictions.json", "predictions.png"]
    assert "p1" in done.out
    assert str(Path("out") / "predictions.png") in done.out
    expected = predict(scans / "p1_0000.nii.gz", checkpoints.load(tmp_path / "net"))
    made = _mask(tmp_path / "out" / "p1.nii.gz")
    np.testing.assert_array_equal(made[::-1, ::-1], expected.labels)
    assert set(np.unique(made)) <= {0, 1, 2}
    record = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert record["settings"]["models"][0]["network"] == "unet"
    assert record["weights"][0]["file"] == "model.safetensors"


def test_json_tells_machines_what_was_made(run, model, scans):
    done = run(scans, "--model", model(), "--out", "out", "--json")
    told = json.loads(done.out)
    assert (told["made"], told["failures"]) == (["p1", "p2"], [])
    assert set(told["cases"]["p1"]["volumes_mm3"]) == {"liver", "liver_tumor"}
    again = json.loads(run(scans, "--model", "net", "--out", "out", "--json").out)
    assert (again["made"], again["cases"]) == ([], told["cases"])


def test_several_models_flips_and_organs_together(run, model, scans, tmp_path):
    options = ["--organs", "organs", "--margin", 6, "--flips", "xz", "--probabilities", "maps"]
    models = ["--model", model("a", 1), "--model", model("b", 2)]
    done = run(scans, *models, "--out", "out", *options)
    assert (done.code, done.err) == (0, "")
    record = json.loads((tmp_path / "out" / "predictions.json").read_text())
    settings = record["settings"]
    assert (settings["flips"], settings["gate"], settings["margin_mm"]) == ([0, 2], "organ", 6)
    assert len(settings["models"]) == 2
    assert record["cases"]["p1"]["windows"] < record["cases"]["p1"]["windows_without_gate"]
    assert sorted(path.name for path in (tmp_path / "maps" / "liver_tumor").iterdir()) == [
        "p1.nii.gz", "p2.nii.gz",
    ]  # fmt: skip


def test_how_a_network_is_used_can_be_said(run, model, scans, tmp_path):
    bare = model("bare", pipeline=None)
    said = run(scans, "--model", bare, "--out", "out")
    assert said.code == 2
    assert "--classes background,liver,liver_tumor, with --spacing" in said.err
    some = run(scans, "--model", bare, "--out", "out", "--classes", "liver,liver_tumor")
    assert "give --classes, --spacing and --window together" in some.err
    whole = ["--classes", "liver,liver_tumor", "--spacing", 3, "--window", "-175,250"]
    done = run(scans, "--model", bare, "--out", "out", *whole, "--patch", 16)
    assert (done.code, done.err) == (0, "")
    run(scans, "--model", model(), "--out", "other")
    for case in ("p1", "p2"):
        one, two = (_mask(tmp_path / out / f"{case}.nii.gz") for out in ("out", "other"))
        np.testing.assert_array_equal(one, two)


def test_the_margin_is_that_of_the_library(run, model, scans, tmp_path):
    run(scans, "--model", model(), "--organs", "organs", "--out", "out")
    record = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert record["settings"]["margin_mm"] == MARGIN_MM
    assert all(not row["remarks"] for row in record["cases"].values())


def test_an_organ_that_is_not_the_networks_is_told(run, model, scans):
    options = ["--organs", "organs", "--convention", "organ-tumor", "--organ", "kidney"]
    done = run(scans, "--model", model(), "--out", "out", *options)
    assert done.code == 0
    assert "Note: p1: The organ in --organs is the kidney, which is not one of" in done.out


def test_tumours_are_written_as_people_do(run, model, scans):
    done = run(scans, "--model", model(), "--out", "out")
    assert "liver tumour" in done.out


def test_what_differs_in_the_use_of_the_same_weights_is_named(run, model, scans):
    run(scans, "--model", model(), "--out", "out")
    patch = run(scans, "--model", "net", "--out", "out", "--patch", 24)
    assert "differently (patch 16, 16, 16, and now 24, 24, 24)" in patch.err
    spacing = run(scans, "--model", "net", "--out", "out", "--spacing", "none")
    assert "spacing mm 3.0, 3.0, 3.0, and now none" in spacing.err
    other = run(scans, "--model", model("other", 1), "--out", "out", "--patch", 24)
    assert "with other models" in other.err


def test_settings_of_post_processing(run, model, scans, tmp_path):
    options = ["--postprocess", "oncoforge", "--min-volume", 500, "--keep-within", 5]
    done = run(scans, "--model", model(), "--out", "out", *options)
    assert (done.code, done.err) == (0, "")
    settings = json.loads((tmp_path / "out" / "predictions.json").read_text())["settings"]
    assert settings["postprocess"] == {
        "name": "oncoforge", "keep_within_mm": 5.0, "min_volume_mm3": 500.0,
    }  # fmt: skip


def test_scans_that_fail_end_with_code_1_and_the_rest_is_there(run, model, scans, tmp_path):
    (scans / "p1_0000.nii.gz").write_bytes(b"")
    done = run(scans, "--model", model(), "--out", "out")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "p1_0000.nii.gz" in done.err
    assert (tmp_path / "out" / "p2.nii.gz").exists()
    (scans / "p2_0000.nii.gz").write_bytes(b"")
    none = run(scans, "--model", "net", "--out", "none")
    assert (none.code, none.err.count("\n")) == (1, 2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--out", "out"), "Missing option '--model'"),
        (("--model", "nowhere.pt", "--out", "out"), "nowhere.pt"),
        (("--model", "net", "--out", "out", "--gate", "organ"), "needs a mask of the organ"),
        (("--model", "net", "--out", "out", "--gate", "bodies"), "did you mean 'body'"),
        (("--model", "net", "--out", "out", "--overlap", "1"), "overlap is 1.0"),
        (("--model", "net", "--out", "out", "--flips", "ab"), "name axes, such as x or xyz"),
        (("--model", "net", "--out", "out", "--precision", "half"), "no precision 'half'"),
        (("--model", "net", "--out", "out", "--device", "tpu"), "There is no device 'tpu'"),
        (("--model", "net", "--out", "out", "--postprocess", "diftumor"), "did you mean 'diff"),
        (("--model", "net", "--out", "out", "--postprocess", "difftumor"), "from a mask"),
        (
            ("--model", "net", "--out", "out", "--min-volume", "9"),
            "--min-volume belongs to --postprocess oncoforge",
        ),
        (
            ("--model", "net", "--out", "out", "--postprocess", "oncoforge", "--min-volume", "-1"),
            "min_volume_mm3 is -1",
        ),
        (("--model", "net", "--out", "out", "--margin", "-3"), "margin_mm is -3"),
        (("--model", "net", "--out", "out", "--organs", "nowhere"), "nowhere does not exist"),
        (("--model", "net", "--out", "out", "--split", "tests"), "did you mean 'test'"),
        (("--model", "net", "--out", "out", "--classes", "liver"), "classes are named"),
        (("--model", "net", "--out", "out", "--classes", "a,b,c"), "There is no class 'a'"),
        (("--model", "net", "--out", "out", "--spacing", "1,1"), "is not 3 numbers"),
        (("--model", "net", "--out", "out", "--window", "5"), "is not 2 numbers"),
        (
            ("--model", "net", "--out", "net/config.json"),
            "config.json is a file; give --out a folder",
        ),
        (("--model", "net", "--out", "imagesTs"), "already holds"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(
    run, model, scans, tmp_path, arguments, sentence
):
    model()
    before = sorted(path.as_posix() for path in tmp_path.rglob("*"))
    done = run("imagesTs", *arguments)
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert sentence in done.err
    assert sorted(path.as_posix() for path in tmp_path.rglob("*")) == before
