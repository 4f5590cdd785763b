"""A module that trains in no time and validates with scores that a test gives it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from torch.utils.data import DataLoader

from oncoforge.networks import Pipeline, build

CLASSES = ("background", "liver", "liver_tumor")


@dataclass(frozen=True)
class Row:
    case: str
    class_name: str
    outcome: str
    dice: float
    nsd: float


class Tiny(LightningModule):
    """Its n-th validation has the n-th of the given scores, by the epoch that it is in."""

    def __init__(self, scores: Sequence[float], lr: float = 0.1, shown: Sequence[Any] = ()) -> None:
        super().__init__()
        self.network = build("unet", 1, 3, seed=0, channels=(4, 8), strides=(2,))
        pipeline = Pipeline(CLASSES, patch=(8, 8, 8))
        self.network.config = self.network.config.having(pipeline=pipeline)
        self.scores, self.lr = list(scores), lr
        self.validation_rows: tuple[Row, ...] = ()
        self.shown = list(shown)
        self.validated: list[dict[str, torch.Tensor]] = []
        self.losses: list[float] = []

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> torch.Tensor:
        loss = self.network(batch["image"]).square().mean()
        self.losses.append(float(loss.detach()))
        self.log("train/loss", loss, on_step=False, on_epoch=True, sync_dist=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        state = self.network.state_dict()
        self.validated.append({name: value.clone() for name, value in state.items()})

    def on_validation_epoch_end(self) -> None:
        score = self.scores[self.current_epoch]
        self.validation_rows = (
            Row("a", "liver", "found", 0.9, 0.8),
            Row("a", "liver_tumor", "found", score, score / 2),
            Row("b", "liver_tumor", "both_empty", float("nan"), float("nan")),
        )
        for name, value in (
            ("tumor_dice", score),
            ("dice_liver_tumor", score),
            ("nsd_liver_tumor", score / 2),
            ("dice_liver", 0.9),
            ("mean_dice", (score + 0.9) / 2),
        ):
            self.log(f"val/{name}", torch.tensor(value, dtype=torch.float64))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), self.lr, momentum=0.9)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


class Given(LightningDataModule):
    """The batches that it is given, and one case to validate."""

    def __init__(self, batches: Any) -> None:
        super().__init__()
        self.batches = batches

    def train_dataloader(self) -> Any:
        return DataLoader(self.batches, batch_size=None)

    def val_dataloader(self) -> Any:
        return DataLoader([0], batch_size=None)


class Resume(Checkpoint):
    """Writes where to resume after every epoch, after all other callbacks, all at once."""

    def __init__(self, folder: Path, keep: bool = False) -> None:
        self.folder, self.keep = folder, keep

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        name = f"{trainer.current_epoch + 1}.ckpt" if self.keep else "resume.ckpt"
        trainer.save_checkpoint(self.folder / "resume.part")
        os.replace(self.folder / "resume.part", self.folder / name)


@pytest.fixture
def tiny() -> Callable[..., Tiny]:
    return Tiny


@pytest.fixture
def batches() -> list[dict[str, torch.Tensor]]:
    """Three batches of two patches."""
    drawn = torch.Generator().manual_seed(0)
    return [{"image": torch.randn(2, 1, 8, 8, 8, generator=drawn)} for _ in range(3)]


@pytest.fixture
def given() -> type[Given]:
    return Given


@pytest.fixture
def resume() -> type[Resume]:
    return Resume


@pytest.fixture
def train(batches) -> Callable[..., Trainer]:
    """Train a module for some epochs with callbacks; what else is given goes to the trainer."""

    def run(
        module: LightningModule, callbacks: Sequence[Any], epochs: int = 1, ckpt: Any = None,
        data: Any = None, **settings: Any,
    ) -> Trainer:  # fmt: skip
        quiet = dict.fromkeys(
            ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
        )
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=epochs,
            callbacks=list(callbacks),
            **{**quiet, "num_sanity_val_steps": 0, **settings},
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The '.*_dataloader' does not have many workers")
            warnings.filterwarnings("ignore", "`isinstance.treespec, LeafSpec", FutureWarning)
            trainer.fit(
                module,
                datamodule=data or Given(batches),
                ckpt_path=ckpt,
                weights_only=True if ckpt else None,
            )
        return trainer

    return run


@pytest.fixture
def shown() -> list[Any]:
    """A case as a module keeps it for a picture: a lesion, and a prediction beside it."""
    truth = np.zeros((24, 20, 16), np.uint8)
    truth[4:20, 4:16, 3:13] = 1
    prediction = truth.copy()
    truth[8:13, 8:12, 5:9] = 2
    prediction[9:14, 8:12, 5:9] = 2
    image = np.random.default_rng(0).uniform(0, 1, truth.shape).astype(np.float32)
    return [("a", image, truth, prediction)]


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "run"
    made.mkdir()
    return made
