"""What came of a training, in one file and one picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch import Callback

from oncoforge.formats.atomic import atomic_write
from oncoforge.reports.training_curves import draw
from oncoforge.training.callbacks.measured import epochs_done, validated
from oncoforge.training.callbacks.metrics import read
from oncoforge.training.callbacks.segmenter import config_of, segmenter
from oncoforge.training.callbacks.weights import Best, best_of
from oncoforge.training.files import CURVES, SUMMARY, TABLE
from oncoforge.version import __version__

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer


class SummaryFile(Callback):
    """Writes ``summary.json`` after each epoch, and draws ``curves.png`` after each validation.

    The summary has no times in it: the same training writes the same bytes. Rank 0 writes. It needs
    `Weights` for the best validation and `Metrics`, before it in the list, for the curves.

    Parameters
    ----------
    folder
        Of the run; it exists.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._redraw = False

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Draw the curves at the end of this epoch, when its row is there."""
        self._redraw = validated(trainer)

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Write."""
        if not trainer.is_global_zero:
            return
        content = _summary(trainer, module)
        with atomic_write(self.folder / SUMMARY) as file:
            file.write(f"{json.dumps(content, indent=2, sort_keys=True)}\n".encode())
        # The last one here too: after it a killed run has nothing left to do when it is resumed.
        if self._redraw or epochs_done(trainer) == trainer.max_epochs:
            self._draw(trainer)
        self._redraw = False

    def on_fit_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Draw the curves of a training that ended before its last epoch."""
        if trainer.is_global_zero:
            self._draw(trainer)

    def _draw(self, trainer: Trainer) -> None:
        table = self.folder / TABLE
        if not table.exists():
            return
        best = best_of(trainer)
        png = draw(read(table), None if best is None else best.epoch)
        with atomic_write(self.folder / CURVES) as file:
            file.write(png)


def _summary(trainer: Trainer, module: LightningModule) -> dict[str, Any]:
    best = best_of(trainer)
    config = config_of(module)
    classes = config.pipeline.classes if config.pipeline else ()
    data = getattr(getattr(trainer, "datamodule", None), "describe", None)
    return {
        "oncoforge": __version__,
        "epochs": epochs_done(trainer),
        "steps": trainer.global_step,
        "best_epoch": best and best.epoch,
        "best_step": best and best.step,
        "best_tumor_dice": best and best.metrics.get("tumor_dice"),
        "best_mean_dice": best and best.metrics.get("mean_dice"),
        "best": _by_class(best, classes),
        "cases": best.cases if best else [],
        "data": data() if data else None,
        "network": {
            "name": config.network,
            "options": config.options,
            "parameters": sum(each.numel() for each in segmenter(module).network.parameters()),
            "pipeline": config.to_dict()["pipeline"],
        },
    }


def _by_class(best: Best | None, classes: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Return Dice and NSD of every class that was scored."""
    metrics = best.metrics if best else {}
    found = {
        name: {m: metrics[f"{m}_{name}"] for m in ("dice", "nsd") if f"{m}_{name}" in metrics}
        for name in classes
    }
    return {name: values for name, values in found.items() if values}
