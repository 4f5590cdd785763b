"""Where curves go: Lightning's loggers by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import (
    CSVLogger,
    Logger,
    MLFlowLogger,
    TensorBoardLogger,
    WandbLogger,
)
from torch.utils.tensorboard import SummaryWriter

from oncoforge.errors import InputError
from oncoforge.training.settings import LoggerSettings


def build_loggers(
    settings: Sequence[LoggerSettings], folder: Path, first_step: int = 0
) -> list[Logger]:
    """Build loggers.

    Parameters
    ----------
    settings
        One for each.
    folder
        Of the run, where their files go unless they are told otherwise.
    first_step
        Of a run that goes on; TensorBoard hides what was logged from there on before.

    Raises
    ------
    InputError
        If its package is not installed, or an option cannot be used.
    """
    return [_build(one, folder, first_step) for one in settings]


def _build(one: LoggerSettings, folder: Path, first_step: int) -> Logger:
    kinds: dict[str, tuple[type[Logger], dict[str, Any]]] = {
        "tensorboard": (
            TensorBoardLogger,
            {"save_dir": folder, "name": "tensorboard", "version": "", "purge_step": first_step},
        ),
        "csv": (CSVLogger, {"save_dir": folder, "name": "csv", "version": ""}),
        "mlflow": (MLFlowLogger, {"save_dir": str(folder / "mlruns"), "run_name": folder.name}),
        "wandb": (WandbLogger, {"save_dir": folder, "name": folder.name}),
    }
    kind, defaults = kinds[one.name]
    try:
        if one.name == "tensorboard":  # which looks at its options when it writes first
            _check_options(one.options, TensorBoardLogger, SummaryWriter)
        return kind(**{**defaults, **one.options})
    except ModuleNotFoundError as error:
        raise InputError(
            f"The logger {one.name} needs its package ({str(error).splitlines()[0]}); "
            f"pip install {one.name}, or leave it out of run.loggers."
        ) from None
    except (TypeError, ValueError) as error:
        raise InputError(f"The logger {one.name} cannot be used so: {error}.") from None


def _check_options(names: Iterable[str], *takers: Callable[..., Any]) -> None:
    known = {name for taker in takers for name in inspect.signature(taker).parameters}
    for name in names:
        if name not in known:
            raise TypeError(f"there is no option {name!r}")
