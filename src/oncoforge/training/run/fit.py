"""Train: put the parts together, and leave a folder that tells all about it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
import yaml  # type: ignore[import-untyped]
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningDataModule, Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging
from lightning.pytorch.loggers import Logger

from oncoforge.errors import InputError
from oncoforge.training.callbacks import writers
from oncoforge.training.files import BEST, CURVES, LAST, SUMMARY
from oncoforge.training.run.checkpoint_io import AtomicCheckpoints, Continue, Resume, load
from oncoforge.training.run.failures import sentence_of
from oncoforge.training.run.folder import RunFolder
from oncoforge.training.run.loggers import build_loggers
from oncoforge.training.run.processes import is_first
from oncoforge.training.run.progress import Bar, Lines, Say
from oncoforge.training.run.quiet import quiet
from oncoforge.training.run.stopping import Stop, Terminate
from oncoforge.training.segmentation.module import SegmentationModule
from oncoforge.training.settings import RunSettings

_OURS: Final[Mapping[str, Any]] = {
    # Whether the weights are any good is for validation to say, and no batch is wasted on a trial.
    "num_sanity_val_steps": 0,
    # The data is told its rank, and pads nothing.
    "use_distributed_sampler": False,
    "enable_autolog_hparams": False,
}
"""Options of Lightning's Trainer that are part of how a run works."""


@dataclass(frozen=True)
class Summary:
    """What came of a run.

    Parameters
    ----------
    out
        Its folder.
    epochs
        How many are done.
    best_epoch
        From 1; None if none was better than nothing.
    best_tumor_dice, best_mean_dice
        Of that epoch, 0 to 1.
    trained
        Epochs of this call; 0 if there was nothing left to do.
    remarks
        What to know of it: one sentence each.
    """

    out: Path
    epochs: int
    best_epoch: int | None
    best_tumor_dice: float | None
    best_mean_dice: float | None
    trained: int
    remarks: tuple[str, ...] = ()

    @property
    def best(self) -> Path:
        """The best weights, which `oncoforge.checkpoints.load` reads."""
        return self.out / BEST

    @property
    def last(self) -> Path:
        """The weights of the last epoch, of the same kind."""
        return self.out / LAST

    @property
    def curves(self) -> Path:
        """The picture of losses and scores."""
        return self.out / CURVES

    @property
    def record(self) -> Path:
        """The file with all scores of the best epoch."""
        return self.out / SUMMARY


def fit(
    module: SegmentationModule,
    data: LightningDataModule,
    out: str | os.PathLike[str],
    *,
    trainer: Mapping[str, Any] | None = None,
    settings: RunSettings | None = None,
    resume: bool = False,
    overwrite: bool = False,
    config: str | None = None,
    bar: bool = False,
    say: Say | None = None,
) -> Summary:
    """Train a network, or go on with training it.

    Parameters
    ----------
    module
        What is trained.
    data
        What it is trained on, and validated on: `oncoforge.training.data.module.SegmentationData`.
    out
        Folder of the run, made if it does not exist: see `oncoforge.training.run.folder`.
    trainer
        Options of Lightning's Trainer, such as ``{"max_epochs": 100}``.
    settings
        How the run is judged, stopped and kept.
    resume
        Go on with the run that is in the folder, from the last epoch that it finished; the final
        weights are those of a run that was never interrupted. Without one, start anew; with one
        that is finished, do nothing.
    overwrite
        Remove the run that is in the folder.
    config
        All settings as YAML, which a resumed run is compared with; by default made from the rest.
    bar
        Show a bar that moves.
    say
        Called with a line of text after each epoch.

    Raises
    ------
    InputError
        If a setting or a case cannot be used, or the loss became NaN.
    OutputError
        If the folder holds another run, or cannot be written.
    KeyboardInterrupt, SystemExit
        If it was stopped; it can be resumed.

    Examples
    --------
    >>> from oncoforge.training.run.recipe import read
    >>> recipe = read(["smoke"])
    >>> module, data = recipe.build()
    >>> done = fit(module, data, "run", trainer=recipe.trainer, settings=recipe.run)
    >>> network = oncoforge.checkpoints.load(done.best)
    """
    settings, options = settings or RunSettings(), dict(trainer or {})
    _check(settings, options)
    folder = RunFolder(Path(out))
    text = _described(module, data, options, settings) if config is None else config
    if is_first():
        folder.check(text, resume=resume, overwrite=overwrite)
    state = folder.state if resume and folder.state.is_file() else None
    begun = _Begun.of(state, settings) if state else _Begun()
    if begun.stopped or begun.epochs >= options["max_epochs"]:
        return _summary(folder.path, begun.epochs, module)
    with quiet(), _own_randomness():
        if is_first():
            # What is wrong with the data is said before other processes are started.
            data.prepare_data()
            data.setup("fit")
        loggers = build_loggers(settings.loggers, folder.path, begun.steps)
        callbacks = _callbacks(module, folder, settings, bar, say)
        made = _trainer(options, loggers, callbacks, folder.path)
        if not is_first():
            _train(made, module, data, state)
        else:
            # Only now: what could not begin leaves nothing, and can be asked for anew.
            with folder.held():
                folder.claim(text, resume=resume, overwrite=overwrite)
                try:
                    _train(made, module, data, state)
                except InputError:
                    folder.release()
                    raise
    return _summary(folder.path, begun.epochs, module)


@dataclass(frozen=True)
class _Begun:
    """How far a run has come.

    Parameters
    ----------
    epochs, steps
        How many are done.
    stopped
        Whether it was stopped early.
    """

    epochs: int = 0
    steps: int = 0
    stopped: bool = False

    @classmethod
    def of(cls, path: Path, settings: RunSettings) -> _Begun:
        """Read the state of a run."""
        state = load(path)
        waits = [
            values["wait_count"] for name, values in state["callbacks"].items() if "Stop" in name
        ]
        patience = settings.early_stop
        return cls(
            int(state["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]),
            int(state["global_step"]),
            patience is not None and any(wait >= patience for wait in waits),
        )


def _check(settings: RunSettings, options: dict[str, Any]) -> None:
    """Refuse what would leave nothing behind."""
    epochs = options.setdefault("max_epochs", 4000)
    every = options.setdefault("check_val_every_n_epoch", 1)
    for name, number in (
        ("trainer.max_epochs", epochs),
        ("trainer.check_val_every_n_epoch", every),
        ("run.checkpoint_every_epochs", settings.checkpoint_every_epochs),
        ("run.early_stop", 1 if settings.early_stop is None else settings.early_stop),
        ("trainer.accumulate_grad_batches", options.get("accumulate_grad_batches", 1)),
    ):
        if number is None or number < 1:
            raise InputError(f"{name} is {number}; give a whole number from 1.")
    if every > epochs:
        raise InputError(
            f"trainer.check_val_every_n_epoch is {every} and trainer.max_epochs {epochs}, so "
            f"nothing would be validated; give {epochs} at most."
        )
    if options.get("limit_train_batches") == 0:
        raise InputError(
            "trainer.limit_train_batches is 0, so nothing would be learned; give a number above 0, "
            "or null for all batches."
        )


def _averaging(decay: float | None) -> list[Callback]:
    """Average the weights, and leave buffers alone: some are indices, of which there is no mean."""
    return [] if decay is None else [EMAWeightAveraging(decay=decay, use_buffers=False)]


def _callbacks(
    module: SegmentationModule, folder: RunFolder, settings: RunSettings, bar: bool, say: Say | None
) -> list[Callback]:
    return [
        *_averaging(module.ema_decay),
        *writers(folder.path, settings.best_by),
        *([Stop(f"val/{settings.best_by}", settings.early_stop)] if settings.early_stop else []),
        Resume(folder.state, settings.checkpoint_every_epochs),
        Continue(),
        Terminate(),
        *([Bar()] if bar else []),
        *([Lines(say)] if say else []),
    ]


def _trainer(
    options: Mapping[str, Any],
    loggers: Sequence[Logger],
    callbacks: Sequence[Callback],
    folder: Path,
) -> Trainer:
    plugins: list[Any] = [AtomicCheckpoints()]
    if SLURMEnvironment.detect():
        # Lightning's own requeueing resumes in the midst of an epoch, from a file of its own.
        plugins.append(SLURMEnvironment(auto_requeue=False))
    shown = any(isinstance(callback, Bar) for callback in callbacks)
    try:
        return Trainer(
            **{
                **_OURS, **options,
                "logger": list(loggers), "callbacks": list(callbacks), "plugins": plugins,
                "enable_progress_bar": shown, "default_root_dir": folder,
            }
        )  # fmt: skip
    except (MisconfigurationException, ValueError, TypeError, RuntimeError) as error:
        words = " ".join(str(error).split())
        raise InputError(f"Lightning cannot train so: {words}") from None


def _train(
    trainer: Trainer, module: SegmentationModule, data: LightningDataModule, state: Path | None
) -> None:
    try:
        trainer.fit(module, datamodule=data, ckpt_path=state, weights_only=True)
    except SystemExit as stop:
        # Lightning makes another end of Ctrl-C.
        if isinstance(stop.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    except MisconfigurationException as error:
        raise InputError(f"Lightning cannot train so: {' '.join(str(error).split())}") from None
    except (InputError, RuntimeError, MemoryError) as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        raise InputError(sentence) from None


@contextmanager
def _own_randomness() -> Iterator[None]:
    """Leave PyTorch's random numbers to the caller as they were."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices):
        yield


def _described(
    module: SegmentationModule, data: Any, options: Mapping[str, Any], settings: RunSettings
) -> str:
    """Return settings as YAML, of a run that was put together by hand."""
    told = {
        "network": module.network.config.to_dict(),
        "trainer": {name: value for name, value in options.items() if _is_plain(value)},
        "run": asdict(settings),
    }
    return yaml.safe_dump(json.loads(json.dumps(told)), sort_keys=False, allow_unicode=True)


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | float | str | None)


def _summary(out: Path, before: int, module: SegmentationModule) -> Summary:
    try:
        found = json.loads((out / SUMMARY).read_text("utf-8"))
        return Summary(
            out, found["epochs"], found["best_epoch"], found["best_tumor_dice"],
            found["best_mean_dice"], found["epochs"] - before, tuple(module.remarks),
        )  # fmt: skip
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{out / SUMMARY} should hold the summary of this run ({error}); --overwrite starts "
            "the run anew."
        ) from None
