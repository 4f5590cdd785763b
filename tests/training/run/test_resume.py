"""Killed at any point and resumed, a run leaves the bytes of one that nobody disturbed."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # MONAI's and Lightning's own, on import
    pytest.importorskip("lightning.pytorch")

import torch
import yaml

from oncoforge.errors import InputError
from oncoforge.training.run.checkpoint_io import load

KILLED = -9
EPOCHS = 3

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def config(tmp_path_factory, write_case, write_list) -> Path:
    """A recipe with all that has a state: dropout, AdamW, averages, workers, synthetic tumours."""
    folder = tmp_path_factory.mktemp("resume")
    well = [write_case(folder, f"well{n}", shape=(30, 28, 26), seed=n) for n in range(2)]
    ill = [write_case(folder, "ill", shape=(28, 28, 28), tumor=True, seed=9)]
    listed = write_list(folder / "list.json", training=well, validation=ill)
    options = {"init_filters": 8, "blocks_down": [1, 1], "blocks_up": [1], "dropout": 0.3}
    recipe = {
        "model": {
            "pipeline": {
                "classes": ["background", "liver", "liver_tumor"],
                "spacing_mm": None,
                "patch": [24, 24, 24],
                "overlap": 0.0,
            },
            "network": {"name": "segresnet", "options": options},
            "optimizer": {"name": "adamw", "lr": 0.01},
            "schedule": {"warmup_epochs": 1},
            "validation": {"pictures": 0},
            "ema_decay": 0.7,
        },
        "data": {
            "healthy": {"lists": [listed]},
            "synthesis": [{"size": "tiny"}],
            "patches_per_epoch": 3,
            "batch_size": 1,
            "workers": 1,
            "cache": str(folder / "cache"),
        },
        "trainer": {
            "max_epochs": EPOCHS,
            "check_val_every_n_epoch": 1,
            "accelerator": "cpu",
            "gradient_clip_val": 1.0,
        },
        "run": {"loggers": []},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def train(config) -> Iterator[Callable[..., int]]:
    """Train in a process of its own, and return how it ended."""
    program = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("killed_run.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        text=True,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    stdin, stdout = program.stdin, program.stdout

    def ask(out: Path, **how: object) -> int:
        stdin.write(json.dumps({"config": str(config), "out": str(out), **how}) + "\n")
        stdin.flush()
        return int(stdout.readline())

    yield ask
    stdin.close()
    stdout.close()
    program.wait()


@pytest.fixture(scope="module")
def whole(train, tmp_path_factory) -> Path:
    """A run that nobody disturbed."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert train(out) == 0
    return out


def left(out: Path) -> dict[str, object]:
    """What a run leaves, without the numbers of a clock."""
    with (out / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        del row["samples_per_s"], row["data_wait"]
    names = ("best.safetensors", "last.safetensors", "summary.json")
    return {"rows": rows, **{name: (out / name).read_bytes() for name in names}}


def test_a_killed_run_goes_on_to_the_same_bytes(train, whole, tmp_path):
    out = tmp_path / "run"
    # Killed over and over: each time it gets a bit further than before.
    assert train(out, rename=3, after=True) == KILLED
    assert train(out, resume=True, state=1) == KILLED
    assert not (out / "resume.ckpt").exists()
    assert train(out, resume=True, rename=8, after=False) == KILLED
    assert train(out, resume=True, state=2) == KILLED
    assert train(out, resume=True) == 0
    assert left(out) == left(whole)
    assert not [path for path in out.iterdir() if path.name.endswith(".part")]


def test_killed_after_its_last_epoch_it_is_finished_when_resumed(train, whole, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert train(out, resume=True) == 0
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before


def test_the_state_holds_plain_data_and_everything_that_changes(whole):
    state = torch.load(whole / "resume.ckpt", weights_only=True)
    assert state["epoch"] == EPOCHS - 1
    assert {"optimizer_states", "lr_schedulers", "current_model_state"} <= set(state)
    averages, weights = state["state_dict"], state["current_model_state"]
    assert any(not torch.equal(averages[name], weights[name]) for name in weights)


def test_a_damaged_state_is_told_so(whole, tmp_path):
    whole_state = (whole / "resume.ckpt").read_bytes()
    for name, content in (("half", whole_state[: len(whole_state) // 2]), ("none", b"")):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"{name}.* cannot be read .*--overwrite"):
            load(path)
    torch.save({"a": 1}, tmp_path / "other")
    with pytest.raises(InputError, match="no state of a run"):
        load(tmp_path / "other")
