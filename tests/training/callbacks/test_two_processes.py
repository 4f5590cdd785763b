"""Two processes: what is summed, what is meant, and that one of them writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from oncoforge.training.callbacks.metrics import read
from oncoforge.training.files import TABLE

SCRIPT = """
import importlib.util, json, os, sys, warnings
from pathlib import Path

warnings.simplefilter("ignore")
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging
from torch.utils.data import DataLoader
from oncoforge.training.callbacks import throughput, writers

spec = importlib.util.spec_from_file_location("standin", sys.argv[1])
standin = importlib.util.module_from_spec(spec)
sys.modules["standin"] = standin
spec.loader.exec_module(standin)
folder, rank = Path(sys.argv[2]), int(os.environ.get("LOCAL_RANK", 0))
now = 0.0
throughput.perf_counter = lambda: now


class Timed(standin.Tiny):
    def training_step(self, batch, batch_idx):
        global now
        now += 1 + 3 * rank  # the second process is four times as slow
        return super().training_step(batch, batch_idx)


drawn = torch.Generator().manual_seed(rank)
batches = [{"image": torch.randn(2, 1, 8, 8, 8, generator=drawn)} for _ in range(3)]
module = Timed([0.3, 0.6])
trainer = Trainer(
    accelerator="cpu", devices=2, strategy="ddp", max_epochs=2, logger=False,
    enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    num_sanity_val_steps=0, use_distributed_sampler=False,
    callbacks=[EMAWeightAveraging(decay=0.9), *writers(folder)],
)
trainer.fit(module, DataLoader(batches, batch_size=None), DataLoader([0], batch_size=None))
Path(f"{folder}.{rank}").write_text(json.dumps(module.losses))
"""


@pytest.mark.slow
def test_two_processes_leave_one_run(folder):
    script = folder.parent / "train.py"
    script.write_text(SCRIPT)
    standin = Path(__file__).with_name("conftest.py")
    done = subprocess.run(
        [sys.executable, str(script), str(standin), str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PL_TORCH_DISTRIBUTED_BACKEND": "gloo"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = read(folder / TABLE)
    losses = [json.loads(Path(f"{folder}.{rank}").read_text()) for rank in (0, 1)]
    means = np.array(losses).reshape(2, 2, 3).mean(axis=(0, 2))
    assert [row["train/loss"] for row in rows] == pytest.approx(means, rel=1e-6)
    assert [row["samples_per_s"] for row in rows] == pytest.approx([2 + 2 / 4] * 2)
    assert sorted(path.name for path in folder.iterdir()) == [
        *("best.safetensors", "curves.png", "last.safetensors", "metrics.csv", "summary.json"),
    ]
    assert json.loads((folder / "summary.json").read_text())["best_epoch"] == 2
