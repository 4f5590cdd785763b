"""The best weights and the last ones, in our own format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isnan, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lightning.pytorch import Callback

from oncoforge.checkpoints.saving import save_file
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.training.callbacks.averages import averaged
from oncoforge.training.callbacks.measured import callbacks, epochs_done, numbers, validated
from oncoforge.training.callbacks.segmenter import config_of, segmenter
from oncoforge.training.files import BEST, LAST

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer

_VALIDATION: Final = "val/"


@dataclass(frozen=True)
class Best:
    """The validation with the highest score so far.

    Parameters
    ----------
    epoch
        Epochs trained by then, from 1.
    step
        Steps of the optimizer by then.
    score
        What was chosen by, 0 to 1.
    metrics
        All that was logged, by name without ``val/``, such as ``dice_liver_tumor``.
    cases
        A row for each case and class; None where something is undefined.
    """

    epoch: int
    step: int
    score: float
    metrics: dict[str, float]
    cases: list[dict[str, Any]]


class Weights(Callback):
    """Writes ``last.safetensors`` after each epoch, and ``best.safetensors`` when a score rises.

    With averages of weights (Lightning's `WeightAveraging`), these are written, as they are what is
    validated. Both files are written at once or not at all, by rank 0.

    Parameters
    ----------
    folder
        Of the run; it exists.
    best_by
        The score, by its name without ``val/``: the more, the better. Of equal scores the earlier
        is kept. One that is not a number is never the best.
    """

    def __init__(self, folder: Path, best_by: str = "tumor_dice") -> None:
        self.folder = Path(folder)
        self.best_by = best_by
        self.best: Best | None = None

    def setup(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        """Check the score before any time is spent.

        Raises
        ------
        UnknownNameError
            If there is no such score of the network's classes.
        """
        pipeline = config_of(module).pipeline
        if stage == "fit" and pipeline is not None:
            known = _scores(pipeline.classes)
            if self.best_by not in known:
                raise UnknownNameError("score of the validation", self.best_by, known)

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Take this validation if it is the best."""
        if not validated(trainer):
            return
        logged = numbers(trainer, _VALIDATION)
        metrics = {name.removeprefix(_VALIDATION): value for name, value in logged.items()}
        score = metrics.get(self.best_by, nan)
        if isnan(score) or (self.best is not None and score <= self.best.score):
            return
        rows = _plain_rows(segmenter(module).validation_rows)
        self.best = Best(epochs_done(trainer), trainer.global_step, score, metrics, rows)
        self._write(trainer, module, BEST)

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Write the last weights."""
        self._write(trainer, module, LAST)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run must know, in plain numbers and words."""
        return {"best_by": self.best_by, "best": None if self.best is None else asdict(self.best)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up where a run ended.

        Raises
        ------
        InputError
            If it chose its best weights by another score.
        """
        if state_dict["best_by"] != self.best_by:
            raise InputError(
                f"The run in {self.folder} chose its best weights by {state_dict['best_by']}, and "
                f"would go on by {self.best_by}; resume it with the former."
            )
        self.best = None if state_dict["best"] is None else Best(**state_dict["best"])

    def _write(self, trainer: Trainer, module: LightningModule, name: str) -> None:
        if trainer.is_global_zero:
            with averaged(trainer, module):
                save_file(segmenter(module).network, self.folder / name)


def _scores(classes: Sequence[str]) -> list[str]:
    """Return what the best weights can be chosen by."""
    scored = [name for name in classes if name != "background"]
    means = ["tumor_dice"] if any(name.endswith("_tumor") for name in scored) else []
    return [*means, "mean_dice", *(f"{m}_{name}" for m in ("dice", "nsd") for name in scored)]


def _plain_rows(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Return rows as they can be written into JSON and into a checkpoint."""
    return [{name: _plain(value) for name, value in asdict(row).items()} for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, float):  # NumPy's too
        return None if isnan(value) else float(value)
    return value


def best_of(trainer: Trainer) -> Best | None:
    """Return the best validation of a training that has `Weights`."""
    found = callbacks(trainer, Weights)
    return found[0].best if found else None
