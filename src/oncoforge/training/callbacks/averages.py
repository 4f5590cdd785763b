"""Look at a network with the averaged weights that Lightning keeps beside the trained ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lightning.pytorch.callbacks import WeightAveraging

from oncoforge.training.callbacks.measured import callbacks

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer


@contextmanager
def averaged(trainer: Trainer, module: LightningModule) -> Iterator[None]:
    """Put the averaged weights into a module for a while; without averages, do nothing.

    Lightning does so for the steps of a validation and puts the trained weights back at its end,
    before the scores are known. These are the same calls, so that what is written is what was
    validated.
    """
    averages = callbacks(trainer, WeightAveraging)
    for each in averages:
        each.on_validation_epoch_start(trainer, module)
    try:
        yield
    finally:
        for each in reversed(averages):
            each.on_validation_epoch_end(trainer, module)
