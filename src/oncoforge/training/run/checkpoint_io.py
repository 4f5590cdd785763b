"""The state of a run in a file: written whole or not at all, read without running anything."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch.optim.lr_scheduler import LambdaLR

from oncoforge.errors import InputError
from oncoforge.formats.atomic import atomic_write


class AtomicCheckpoints(TorchCheckpointIO):
    """Lightning's checkpoints, each of which takes the place of the last one at once."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write a checkpoint."""
        with atomic_write(path) as file:
            torch.save(checkpoint, file)

    def load_checkpoint(
        self,
        path: str | os.PathLike[str],
        map_location: Any = "cpu",
        weights_only: bool | None = True,
    ) -> dict[str, Any]:
        """Read a checkpoint; whatever is asked for, nothing in it is run."""
        return load(Path(path), map_location)


class Resume(Checkpoint):
    """Writes what a run can be continued from, after everything else of an epoch is written.

    A run that is killed between two of its files then repeats the epoch, and writes the same files
    again.

    Parameters
    ----------
    path
        The file.
    every_epochs
        How often; after the last epoch in any case.
    """

    def __init__(self, path: Path, every_epochs: int = 1) -> None:
        self.path, self.every_epochs = path, every_epochs

    # Lightning calls checkpoint callbacks after all others, and after the module.
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write it, if its turn has come."""
        done = trainer.current_epoch + 1
        if done % self.every_epochs == 0 or done == trainer.max_epochs or trainer.should_stop:
            trainer.save_checkpoint(self.path)


class Continue(Callback):
    """Lets a resumed run begin with the patches of its own epoch, and with its own learning rate.

    Lightning asks the workers for the first batches before it tells the sampler which epoch it is,
    so they would be those of the first one. And the rate in the state is that of the schedule as it
    was, which ended in zero if the run is now to be longer.
    """

    def __init__(self) -> None:
        self._first = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Set the learning rate to what the schedule says of the next step."""
        for config in trainer.lr_scheduler_configs:
            schedule = config.scheduler
            if isinstance(schedule, LambdaLR):
                parts = zip(schedule.base_lrs, schedule.lr_lambdas, strict=True)
                rates = [highest * part(schedule.last_epoch) for highest, part in parts]
                for group, rate in zip(schedule.optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ask the workers anew, who then drop what they were asked before."""
        if self._first and trainer.current_epoch > 0:
            iter(cast(Iterable[Any], trainer.train_dataloader))
        self._first = False


def load(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Read the state of a run; nothing in the file is run.

    Raises
    ------
    InputError
        If it is damaged, or is no such state.
    """
    try:
        state = torch.load(path, map_location=map_location, weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        words = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(
            f"{path} cannot be read ({words}); --overwrite starts the run anew."
        ) from None
    if not isinstance(state, dict) or "loops" not in state:
        raise InputError(f"{path} is no state of a run; --overwrite starts the run anew.")
    return state
