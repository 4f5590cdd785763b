"""How fast samples are trained on, and how much of the time goes into waiting for them."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from lightning.pytorch import Callback

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer

SPEED: Final = "train/samples_per_s"
WAIT: Final = "train/data_wait"


class Throughput(Callback):
    """Logs samples per second of all ranks together, and the share of time spent on waiting.

    Waiting is from the end of a step, or the start of the epoch, to the start of the next step: the
    loader is asked, and the batch is brought to the device. Training is the step itself. Validation
    belongs to neither. A GPU may still be at work while its process waits, so there the share is an
    upper bound of the time that is lost.
    """

    def __init__(self) -> None:
        self._waited = self._trained = 0.0
        self._samples = 0
        self._since: float | None = None

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Begin to measure."""
        self._waited = self._trained = 0.0
        self._samples = 0
        self._since = perf_counter()

    def on_train_batch_start(
        self, trainer: Trainer, module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Stop waiting."""
        now = perf_counter()
        if self._since is not None:
            self._waited += now - self._since
        self._since = now

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Start to wait."""
        now = perf_counter()
        if self._since is not None:
            self._trained += now - self._since
        self._since = now
        self._samples += len(batch["image"])

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Start to wait anew: the validation was neither waiting nor training."""
        self._since = perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Log."""
        total = (self._waited + self._trained) or 1.0
        module.log(SPEED, self._samples / total, reduce_fx="sum", sync_dist=True)
        module.log(WAIT, self._waited / total, sync_dist=True)
