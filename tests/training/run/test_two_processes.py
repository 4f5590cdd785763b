"""Two processes validate as one does, and train on the same patches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # MONAI's and Lightning's own, on import
    pytest.importorskip("lightning.pytorch")

import yaml

from oncoforge.training.callbacks.metrics import read

pytestmark = pytest.mark.slow

TWO = ("--trainer.devices", "2", "--trainer.strategy", "ddp")
CONSOLE = [str(Path(sys.executable).with_name("oncoforge"))]
MODULE = [sys.executable, "-m", "oncoforge.cli"]


@pytest.fixture(scope="module")
def train(tmp_path_factory, write_case, write_list) -> Callable[..., subprocess.CompletedProcess]:
    """Run the command on a recipe that leaves the weights as they are."""
    folder = tmp_path_factory.mktemp("two")
    ill = [
        write_case(folder, f"i{n}", shape=(28, 26, 24 + n), tumor=True, seed=n) for n in range(5)
    ]
    listed = write_list(folder / "list.json", training=ill[:2], validation=ill[2:])
    recipe = {
        "model": {
            "pipeline": {
                "classes": ["background", "liver", "liver_tumor"],
                "spacing_mm": None,
                "patch": [24, 24, 24],
                "overlap": 0.0,
            },
            "network": {"options": {"channels": [4, 8], "strides": [2], "num_res_units": 0}},
            # Too little to change a number of single precision.
            "optimizer": {"lr": 1e-30},
        },
        "data": {
            "real": {"lists": [listed]},
            "patches_per_epoch": 4,
            "workers": 0,
            "cache": str(folder / "cache"),
        },
        "trainer": {"max_epochs": 1, "check_val_every_n_epoch": 1, "accelerator": "cpu"},
        "run": {"loggers": []},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")

    def run(program: list[str], out: Path, *words: str) -> subprocess.CompletedProcess:
        command = [*program, "train", "segmentation", "--config", str(path), "--out", str(out)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            [*command, *words], capture_output=True, text=True, env=environment, check=False
        )

    return run


def test_two_processes_give_the_scores_of_one(train, tmp_path):
    alone = train(CONSOLE, tmp_path / "one", "--data.batch_size", "2")
    assert alone.returncode == 0, alone.stderr
    together = train(MODULE, tmp_path / "two", "--data.batch_size", "1", *TWO)
    assert together.returncode == 0, together.stderr
    # Each thing is said once, and nothing by libraries.
    heads = [line.split(":")[0] for line in (together.stderr + together.stdout).splitlines()]
    told = ["Epoch 1 of 1", "Note", "Best tumour Dice", "Weights", "Summary", "Curves"]
    assert heads == told, together.stderr
    one, two = (
        json.loads((tmp_path / name / "summary.json").read_text()) for name in ("one", "two")
    )
    assert one["cases"] == two["cases"]
    assert len(one["cases"]) == 3 * 2  # two of the classes; neither a case too many nor too few
    assert (one["best"], one["best_tumor_dice"]) == (two["best"], two["best_tumor_dice"])
    assert one["steps"] == two["steps"]
    # The same patches, whose mean is taken in another order.
    losses = [read(tmp_path / name / "metrics.csv")[0]["train/loss"] for name in ("one", "two")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
