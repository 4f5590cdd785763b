"""A table with a row for every epoch."""

from __future__ import annotations

import csv
import io
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lightning.pytorch import Callback

from oncoforge.errors import InputError
from oncoforge.formats.atomic import atomic_write
from oncoforge.training.callbacks.measured import Numbers, epochs_done, numbers, validated
from oncoforge.training.callbacks.throughput import SPEED, WAIT
from oncoforge.training.files import TABLE

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer

_COUNTS: Final = ("epoch", "step")
_SHORT: Final = {SPEED: "samples_per_s", WAIT: "data_wait"}


class Metrics(Callback):
    """Writes ``metrics.csv`` anew after each epoch, as a whole or not at all, on rank 0.

    Resumed, it drops the rows of epochs that are done again.

    Parameters
    ----------
    folder
        Of the run; it exists.
    """

    def __init__(self, folder: Path) -> None:
        self.path = Path(folder) / TABLE
        self._rows: list[Numbers] = []
        self._validation: Numbers = {}
        self._lr = nan

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Take up the rows of the epochs that are done.

        Raises
        ------
        InputError
            If the table is none.
        """
        self._rows = []
        if trainer.is_global_zero and trainer.current_epoch > 0 and self.path.exists():
            self._rows = [row for row in read(self.path) if row["epoch"] <= trainer.current_epoch]

    def on_before_optimizer_step(
        self, trainer: Trainer, module: LightningModule, optimizer: Any
    ) -> None:
        """Note the learning rate of this step."""
        self._lr = float(optimizer.param_groups[0]["lr"])

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Note the scores."""
        if validated(trainer):
            self._validation = numbers(trainer, "val/")

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Add a row, and tell the loggers the one number of it that no one else does."""
        module.log("lr", self._lr)
        trained = numbers(trainer, "train/")
        speed = {short: trained.pop(name) for name, short in _SHORT.items() if name in trained}
        done: Numbers = {"epoch": epochs_done(trainer), "step": trainer.global_step}
        self._rows.append({**done, "lr": self._lr, **trained, **speed, **self._validation})
        self._validation = {}
        if trainer.is_global_zero:
            with atomic_write(self.path) as file:
                file.write(_text(self._rows).encode())


def read(path: Path) -> list[Numbers]:
    """Read a table of epochs.

    Parameters
    ----------
    path
        A ``metrics.csv``.

    Returns
    -------
    list
        Rows by the names of their columns, without empty cells; they have `epoch` at least.

    Raises
    ------
    InputError
        If it is no such table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [_numbers(cells) for cells in csv.DictReader(file)]
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{path} should be the table of epochs of this run, and cannot be read as one "
            f"({error}); move it away."
        ) from None
    return rows


def _numbers(cells: dict[str, str]) -> Numbers:
    row = {name: float(cell) for name, cell in cells.items() if cell}
    if "epoch" not in row:
        raise ValueError("a row has no epoch")
    return row


def _text(rows: list[Numbers]) -> str:
    """Write rows as CSV; what only some of them have gets a column at the end."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_cell(name, row.get(name)) for name in columns] for row in rows])
    return stream.getvalue()


def _cell(name: str, value: float | None) -> str:
    if value is None or value != value:
        return ""
    return str(int(value)) if name in _COUNTS else repr(float(value))
