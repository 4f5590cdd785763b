"""How far a training is: a bar that moves, or a line for every epoch where nobody watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import isfinite

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar

from oncoforge.training.callbacks.measured import numbers

Say = Callable[[str], None]
"""Called with one line of text."""


class Bar(RichProgressBar):
    """Lightning's bar, on standard error, where epochs count from 1 as they do elsewhere."""

    def __init__(self) -> None:
        super().__init__(console_kwargs={"stderr": True})

    def _get_train_description(self, current_epoch: int) -> str:
        return f"Epoch {current_epoch + 1} of {self.trainer.max_epochs}"


class Lines(Callback):
    """Says after each epoch how the training is going.

    Parameters
    ----------
    say
        Called by rank 0.
    """

    def __init__(self, say: Say) -> None:
        self.say = say
        self._since = 0.0
        self._scores: dict[str, float] = {}

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to count the seconds."""
        self._since, self._scores = time.perf_counter(), {}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the scores."""
        self._scores = numbers(trainer, "val/")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say one line."""
        loss = numbers(trainer, "train/").get("train/loss")
        parts = [
            *([f"loss {loss:.4f}"] if loss is not None and isfinite(loss) else []),
            *(
                f"{words} {self._scores[name]:.4f}"
                for name, words in (("val/tumor_dice", "tumour Dice"), ("val/mean_dice", "mean"))
                if name in self._scores
            ),
            f"{time.perf_counter() - self._since:.1f} s",
        ]
        if trainer.is_global_zero:
            count = f"Epoch {trainer.current_epoch + 1} of {trainer.max_epochs}"
            self.say(f"{count}: {', '.join(parts)}")
