"""``oncoforge train``: what it prints, and what it says of bad input."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # MONAI's and Lightning's own, on import
    pytest.importorskip("lightning.pytorch")
    pytest.importorskip("jsonargparse")

import torch
import yaml

from oncoforge.cli import main
from oncoforge.training.run import recipe

CLASSES = "--model.pipeline.classes=[background,liver,liver_tumor]"


@pytest.fixture
def run(capfd, tmp_path, monkeypatch) -> Callable[..., SimpleNamespace]:
    """Run ``oncoforge`` in this process and an empty folder."""
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)

    def run(*arguments: Any) -> SimpleNamespace:
        with pytest.raises(SystemExit) as stop:
            main([*map(str, arguments)])
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        return SimpleNamespace(code=stop.value.code, out=said.out, err=said.err)

    return run


@pytest.fixture
def small(tmp_path) -> Path:
    """A recipe that takes seconds."""
    settings = {
        "model": {
            "pipeline": {
                "classes": ["background", "liver", "liver_tumor"],
                "spacing_mm": [8, 8, 8],
                "patch": [16, 16, 16],
                "overlap": 0.0,
            },
            "network": {"options": {"channels": [4, 8], "strides": [2], "num_res_units": 0}},
            "validation": {"pictures": 0},
        },
        "data": {
            "phantoms": {"healthy": 2, "validation": 1, "spacing_mm": [8, 8, 8]},
            "synthesis": [{"method": "handcrafted", "size": "large"}],
            "workers": 0,
            "cache": str(tmp_path / "cache"),
        },
        "trainer": {"max_epochs": 1, "check_val_every_n_epoch": 1, "accelerator": "cpu"},
        "run": {"loggers": []},
    }
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_recipe_is_trained_and_its_run_predicts(run, small, tmp_path):
    done = run("train", "segmentation", "--config", small, "--out", "run")
    assert done.code == 0, done.err
    assert "Best tumour Dice: " in done.out
    assert all(name in done.out for name in ("best.safetensors", "summary.json", "curves.png"))
    assert [line.split(":")[0] for line in done.err.splitlines()] == ["Epoch 1 of 1", "Note"]
    again = run("train", "segmentation", "--config", small, "--out", "run")
    assert (again.code, "--resume to go on with it" in again.err) == (2, True)
    again = run("train", "segmentation", "--config", small, "--out", "run", "--resume")
    assert (again.code, "is finished" in again.out) == (0, True)
    other = run("train", "segmentation", "--config", small, "--out", "run", "--resume", "--seed=1")
    assert (other.code, "seed 0, and now it is 1" in other.err) == (2, True)
    scan = next((tmp_path / "cache").rglob("*.nii.gz"))
    predicted = run("predict", scan, "--run", "run", "--out", "predicted", "--gate", "none")
    assert predicted.code == 0, predicted.err
    assert list(Path("predicted").glob("*.nii.gz"))


def test_printed_settings_are_a_recipe(run, small):
    words = ["train", "segmentation", "--config", small, "--data.batch_size", "7"]
    printed = run(*words, "--print-config")
    assert printed.code == 0
    assert yaml.safe_load(printed.out)["data"]["batch_size"] == 7
    Path("all.yaml").write_text(printed.out)
    again = run("train", "segmentation", "--config", "all.yaml", "--print_config")
    assert again.out == printed.out


def test_help_shows_every_key_by_group(run):
    shown = run("train", "segmentation", "--help")
    assert shown.code == 0
    flat = " ".join(shown.out.split())
    assert [name for name, *_ in recipe.rows() if name not in flat] == []
    assert all(f"{group.capitalize()}: " in flat for group in recipe.GROUPS)
    assert "Examples:" in flat


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--config", "smoke"], "Missing option '--out'"),
        (["--config", "smok", "--out", "x"], "did you mean 'smoke'"),
        (["--out", "x"], "Missing option '--config'"),
        (["--seed", "1", "--out", "x"], "lacks model.pipeline.classes"),
        ([CLASSES, "--out", "x", "--model.netwrk.name", "unet"], "'model.network.name'"),
        ([CLASSES, "--out", "x", "--rezume"], "did you mean 'resume'"),
        ([CLASSES, "--out", "x", "--data.batch_size", "two"], "is a whole number, and 'two'"),
        ([CLASSES, "--out", "x", "--model.network.name", "unett"], "did you mean 'unet'"),
        ([CLASSES, "--out", "x", "--resume", "--overwrite"], "give one"),
    ],
)
def test_mistakes_are_one_sentence_and_nothing_is_written(run, tmp_path, words, sentence):
    done = run("train", "segmentation", *words)
    assert done.code == 2
    assert sentence in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_a_run_without_weights_is_told_so(run, tmp_path):
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    done = run("predict", "ct.nii.gz", "--run", tmp_path, "--out", "masks")
    assert (done.code, "has no best.safetensors yet" in done.err) == (2, True)
    done = run("predict", "ct.nii.gz", "--out", "masks")
    assert (done.code, "'--model' or '--run'" in done.err) == (2, True)


def test_help_of_the_group_imports_nothing_heavy():
    code = (
        "import sys\nfrom oncoforge.cli import main\n"
        "try: main(['train', '--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'lightning', 'monai', 'jsonargparse', 'blosc2'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_says_how_it_goes_on(small, tmp_path, number, code):
    command = [
        sys.executable, "-m", "oncoforge.cli", "train", "segmentation",
        "--config", str(small), "--out", str(tmp_path / "run"), "--trainer.max_epochs", "5000",
    ]  # fmt: skip
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    said = [process.stderr.readline() for _ in range(2)]
    assert all(line.startswith("Epoch") for line in said)
    process.send_signal(number)
    rest = process.stderr.read().splitlines()
    process.stderr.close()
    assert process.wait() == code
    assert "--resume goes on in" in rest[-1]
    assert all(line.startswith("Epoch") for line in rest[:-1]), rest
