"""When a run ends: early, or because somebody asks it to."""

from __future__ import annotations

import signal
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher


class Stop(EarlyStopping):
    """Stops after some validations in a row that were not better, also if that was before a resume.

    Parameters
    ----------
    metric
        As it is logged; the more, the better.
    validations
        How many.
    """

    def __init__(self, metric: str, validations: int) -> None:
        super().__init__(metric, patience=validations, mode="max", check_on_train_epoch_end=False)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the count, and keep the number of validations of now."""
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop before the first epoch, if the run had come to its end already."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True


class Terminate(Callback):
    """Ends a run that is asked to (SIGTERM) at once, in every one of its processes.

    Lightning's way is to tell the other processes through a message between them, which those that
    wait for something else never read. Nothing is lost: `--resume` goes on from the last epoch.
    """

    def __init__(self) -> None:
        self._before = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the place of Lightning's answer to the signal, which is put back by Lightning."""

        def end(*_: object) -> None:
            launcher = trainer.strategy.launcher
            if isinstance(launcher, _SubprocessScriptLauncher):
                launcher.kill(signal.SIGTERM)
            raise SystemExit(143)

        if signal.getsignal(signal.SIGTERM) is not self._before:
            signal.signal(signal.SIGTERM, end)
