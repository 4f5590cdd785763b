"""Pictures of some cases of every validation."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from lightning.pytorch import Callback
from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from PIL import Image as Pillow

from oncoforge.formats.atomic import atomic_write
from oncoforge.reports.training import ShownCase, Spacing, draw
from oncoforge.reports.wording import number
from oncoforge.training.callbacks.measured import epochs_done, validated
from oncoforge.training.callbacks.segmenter import config_of, segmenter
from oncoforge.training.files import PICTURES

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer

    from oncoforge.networks.config import Pipeline

_TAG: Final = "val/pictures"


class Pictures(Callback):
    """Draws the cases that the module shows: ``pictures/epoch-0010.png`` after ten epochs.

    All of them are kept, and given to TensorBoard, MLflow and W&B where these are used. A module
    that shows no cases gets no pictures. Rank 0 draws.

    Parameters
    ----------
    folder
        Of the run; it exists.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder) / PICTURES

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Draw."""
        seen, pipeline = segmenter(module), config_of(module).pipeline
        if not (validated(trainer) and trainer.is_global_zero and seen.shown and pipeline):
            return
        epoch = epochs_done(trainer)
        cases = [
            _shown(each, _spacing(trainer, pipeline, each[0]), pipeline, seen.validation_rows)
            for each in seen.shown
        ]
        png = draw(cases, f"Validation after epoch {epoch}", pipeline.window_hu)
        self.folder.mkdir(exist_ok=True)
        path = self.folder / f"epoch-{epoch:04d}.png"
        with atomic_write(path) as file:
            file.write(png)
        for logger in trainer.loggers:
            # As Lightning counts where it logs the scores of this validation.
            _hand_over(logger, path, png, trainer.global_step - 1)


def _shown(
    seen: tuple[str, Any, Any, Any], spacing: Spacing, pipeline: Pipeline, rows: Sequence[Any]
) -> ShownCase:
    """Turn a case from the terms of a network into those of a picture."""
    case, image, truth, prediction = seen
    organs = [place for place, name in enumerate(pipeline.classes) if name != "background"]
    tumors = [place for place in organs if pipeline.classes[place].endswith("_tumor")]
    return ShownCase(
        case,
        _words([row for row in rows if row.case == case]),
        _hu(image, pipeline),
        np.isin(truth, tumors or organs),
        np.isin(prediction, tumors or organs),
        np.isin(truth, organs),
        spacing,
    )


def _spacing(trainer: Trainer, pipeline: Pipeline, case: str) -> Spacing:
    """Return the spacing of a case, which is its own where the network takes any."""
    if pipeline.spacing_mm is not None:
        return pipeline.spacing_mm
    cases: Any = getattr(getattr(trainer, "datamodule", None), "validation_cases", ())
    return next((one.spacing_mm for one in cases if one.case == case), (1.0, 1.0, 1.0))


def _hu(values: Any, pipeline: Pipeline) -> Any:
    """Turn what a network is given back into HU, clipped as it was."""
    (low, high), (black, white) = pipeline.window_hu, pipeline.values
    return ((values - black) / (white - black) * (high - low) + low).astype(np.float32)


def _words(rows: Sequence[Any]) -> str:
    """Write the Dice of each class; of a class that neither has, that there is none."""
    parts = [f"{row.class_name.replace('_tumor', ' tumour')} {_dice(row)}" for row in rows]
    return " · ".join(["Dice", ", ".join(parts)]) if parts else ""


def _dice(row: Any) -> str:
    if row.outcome == "both_empty":
        return "none, rightly"
    percent = f"{number(100 * row.dice, 1)} %"
    return percent if row.outcome == "found" else f"{percent} ({row.outcome.replace('_', ' ')})"


def _hand_over(logger: Logger, path: Path, png: bytes, step: int) -> None:
    """Give a picture to a logger that can hold pictures."""
    if isinstance(logger, TensorBoardLogger):
        pixels = np.asarray(Pillow.open(io.BytesIO(png)).convert("RGB"))
        logger.experiment.add_image(_TAG, pixels, step, dataformats="HWC")
    elif isinstance(logger, WandbLogger):
        logger.log_image(_TAG, [str(path)], step=step)
    elif isinstance(logger, MLFlowLogger):
        logger.experiment.log_artifact(logger.run_id, str(path), PICTURES)
