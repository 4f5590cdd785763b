"""What a training writes into its folder, each file by one callback of Lightning."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import Callback

from oncoforge.training.callbacks.metrics import Metrics
from oncoforge.training.callbacks.pictures import Pictures
from oncoforge.training.callbacks.summary import SummaryFile
from oncoforge.training.callbacks.throughput import Throughput
from oncoforge.training.callbacks.weights import Weights

__all__ = ["Metrics", "Pictures", "SummaryFile", "Throughput", "Weights", "writers"]


def writers(folder: Path, best_by: str = "tumor_dice") -> list[Callback]:
    """Return all of them in the order in which they need each other.

    They write before any of Lightning's checkpoints, so that a run which is resumed from one
    misses nothing.

    Parameters
    ----------
    folder
        Of the run; it exists.
    best_by
        As for `Weights`.
    """
    return [
        Throughput(),
        Metrics(folder),
        Weights(folder, best_by),
        Pictures(folder),
        SummaryFile(folder),
    ]
