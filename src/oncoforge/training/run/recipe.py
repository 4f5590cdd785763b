"""Recipes: all settings of a training, read from YAML files and from a command line."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from functools import cache
from typing import Any, Final

import yaml  # type: ignore[import-untyped]
from jsonargparse import ArgumentParser, Namespace
from lightning.pytorch import Trainer

from oncoforge.errors import InputError, OncoforgeError
from oncoforge.training.data.module import SegmentationData
from oncoforge.training.run.keys import (
    REQUIRED,
    Key,
    Keys,
    check_names,
    check_options,
    is_list,
    keys_of,
    unknown,
    words_of,
)
from oncoforge.training.run.quiet import quiet_parser
from oncoforge.training.run.shipped import locate
from oncoforge.training.segmentation.module import SegmentationModule
from oncoforge.training.settings import RunSettings

_LIMITS: Final = ("limit_train_batches", "limit_val_batches")

GROUPS: Final[Mapping[str, str]] = {
    "model": "What is trained, and how.",
    "data": "What it is trained on, and validated on.",
    "trainer": "How long, and on which machines: options of Lightning's Trainer.",
    "run": "How the run is judged, stopped and kept.",
}
"""Groups of keys, and what they are about."""

TRAINER: Final[Mapping[str, str]] = {
    "max_epochs": "Epochs in all. The schedule of the learning rate ends there.",
    "check_val_every_n_epoch": "How often is validated.",
    "accelerator": "cpu, gpu, or auto for what there is.",
    "devices": "How many, or which: 2, [0, 3], auto.",
    "num_nodes": "How many machines.",
    "strategy": "How several devices share the work, such as ddp; or a class of Lightning's with "
    "class_path and init_args.",
    "precision": "32-true, 16-mixed or bf16-mixed; the others are Lightning's.",
    "accumulate_grad_batches": "Batches for one step of the optimizer.",
    "gradient_clip_val": "Gradients are clipped to this; none does not.",
    "gradient_clip_algorithm": "Clip the norm of all (norm, the default) or each value (value).",
    "limit_train_batches": "Fewer batches than there are: a number, or a part such as 0.1.",
    "limit_val_batches": "The same for the cases of a validation.",
    "log_every_n_steps": "How often loggers get the numbers of a step.",
    "deterministic": "Only operations that give the same bits every time, which some GPUs are "
    "slower with; warn where there is none.",
    "benchmark": "Let cuDNN try which way is the fastest.",
    "sync_batchnorm": "Share the statistics of batch norms between devices.",
    "profiler": "simple, advanced or pytorch: where the time goes.",
    "detect_anomaly": "Look for the operation that made a NaN; slow.",
    "enable_model_summary": "Print the layers at the start.",
}
"""The options of Lightning's Trainer that a recipe may hold; the run sets all others itself."""

_ELSEWHERE: Final[Mapping[str, str]] = {
    "trainer.logger": "run.loggers",
    "trainer.enable_checkpointing": "run.checkpoint_every_epochs",
    "trainer.default_root_dir": "--out",
    "trainer.val_check_interval": "trainer.check_val_every_n_epoch",
    "trainer.max_steps": "trainer.max_epochs",
    "trainer.callbacks": "run.early_stop and model.ema_decay",
    "model.seed": "seed",
    "data.seed": "seed",
    "data.pipeline": "model.pipeline",
    "seed_everything": "seed",
    "ckpt_path": "--resume",
}
"""What others call a setting, or have elsewhere."""

_COMMAND: Final = ("config", "out", "resume", "overwrite", "print-config")
"""Options of the command itself."""

_DEFAULTS: Final[Mapping[str, Any]] = {
    "trainer.max_epochs": 4000,
    "trainer.check_val_every_n_epoch": 10,
    "trainer.precision": "32-true",
    "trainer.log_every_n_steps": 10,
    "trainer.enable_model_summary": False,
}
"""Where they are others than Lightning's."""


@dataclass(frozen=True)
class Recipe:
    """All settings of a training.

    Parameters
    ----------
    model, data
        Arguments of `SegmentationModule` and `SegmentationData`, apart from the seed.
    trainer
        Arguments of Lightning's Trainer.
    run
        How the run is judged, stopped and kept.
    seed
        Of everything that is random.
    text
        All of it as YAML, from which it can be read again.
    """

    model: Mapping[str, Any]
    data: Mapping[str, Any]
    trainer: Mapping[str, Any]
    run: RunSettings
    seed: int
    text: str

    def build(self) -> tuple[SegmentationModule, SegmentationData]:
        """Build the module and the data.

        Raises
        ------
        InputError
            If a setting makes no sense, or what it names cannot be read.
        """
        module = SegmentationModule(**self.model, seed=self.seed)
        data = SegmentationData(self.model["pipeline"], **self.data, seed=self.seed)
        return module, data


def read(configs: Sequence[str | os.PathLike[str]] = (), overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    configs
        YAML files, or names of recipes that come with the package; later ones win. Paths in them
        begin in the working directory.
    overrides
        Words of a command line, such as ``["--trainer.max_epochs=100"]``; they win over files.

    Raises
    ------
    UnknownNameError
        If a key is none; the nearest is named.
    InputError
        If a file cannot be read, a value is of another type, or a required one is missing.

    Examples
    --------
    >>> recipe = read(["liver-unet-handcrafted"], ["--trainer.max_epochs=100"])
    >>> module, data = recipe.build()
    """
    files = [locate(config) for config in configs]
    for file in files:
        _check_file(file)
    _check_words(overrides)
    words = [f"--config={os.fspath(file)}" for file in files]
    parser = _parser()
    with quiet_parser():
        try:
            found = parser.parse_args([*words, *overrides])
            built = _instantiate(parser, found)
        except OncoforgeError:
            raise
        except (Exception, SystemExit) as error:
            raise InputError(_sentence(error)) from None
    plain = _plain(found)
    plain.pop("config", None)
    return Recipe(
        built.model.as_dict(),
        built.data.as_dict(),
        built.trainer.as_dict(),
        RunSettings(**built.run.as_dict()),
        int(built.seed),
        yaml.safe_dump(plain, sort_keys=False, allow_unicode=True),
    )


@cache
def keys() -> Keys:
    """Return every key of a recipe by its name."""
    every = set(inspect.signature(Trainer).parameters)
    found = [
        Key("seed", int, 0, "Of everything that is random: the same seed, the same weights."),
        *keys_of("model", SegmentationModule, skip={"seed"}),
        *keys_of("data", SegmentationData, skip={"seed", "pipeline"}),
        *keys_of("trainer", Trainer, skip=every - set(TRAINER), meanings=TRAINER),
        *keys_of("run", RunSettings),
    ]
    return {key.name: replace(key, default=_DEFAULTS.get(key.name, key.default)) for key in found}


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Yield what there is to say of each key: its name, type, default and meaning.

    A group without values of its own has no row; an entry of a list has ``[]`` in its name.
    """
    known = keys()
    for key in known.values():
        below = [name for name in known if name.startswith(f"{key.name}.")]
        if below and is_dataclass(key.hint):
            continue
        above, _, last = key.name.rpartition(".")
        listed = above in known and is_list(known[above].hint)
        name = f"{above}[].{last}" if listed else key.name
        yield name, words_of(key.hint), default_of(key), key.meaning


def default_of(key: Key) -> str:
    """Return the default of a key as a recipe would say it."""
    if key.default is REQUIRED:
        return "required"
    return _flow(_plain(key.default))


@cache
def _parser() -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False, prog="oncoforge train segmentation")
    parser.add_argument("--config", action="config")
    parser.add_argument("--seed", type=int, default=0)
    every = set(inspect.signature(Trainer).parameters)
    kinds: tuple[tuple[type, str, set[str]], ...] = (
        (SegmentationModule, "model", {"seed"}),
        (SegmentationData, "data", {"seed", "pipeline"}),
        (Trainer, "trainer", every - set(TRAINER) | set(_LIMITS)),
        (RunSettings, "run", set()),
    )
    for kind, group, skip in kinds:
        parser.add_class_arguments(kind, group, instantiate=False, skip=skip)
    for name in _LIMITS:
        # One batch is no part: of Lightning's own hint, typing may have changed the order.
        parser.add_argument(f"--trainer.{name}", type=int | float | None, default=None)
    loggers = [asdict(one) for one in RunSettings().loggers]
    parser.set_defaults({**_DEFAULTS, "run.loggers": loggers})
    return parser


def _instantiate(parser: ArgumentParser, found: Namespace) -> Namespace:
    """Turn settings into what they describe."""
    # Newer versions of jsonargparse have another name for it.
    make = getattr(parser, "instantiate", None) or parser.instantiate_classes
    built: Namespace = make(found)
    return built


def _check_file(path: os.PathLike[str]) -> None:
    """Raise unless a file holds keys alone."""
    try:
        with open(path, encoding="utf-8") as file:
            values = yaml.safe_load(file)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}).") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path} is no YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(values, Mapping):
        raise InputError(f"{path} is no recipe: it should hold names and values.")
    try:
        for name, value in values.items():
            _check_group(str(name), value)
    except OncoforgeError as error:
        raise InputError(f"{path}: {error}") from None


def _check_group(name: str, value: Any) -> None:
    known = keys()
    if name not in GROUPS:
        _refuse_elsewhere(name)
        if name not in known:
            raise unknown(name, [*GROUPS, *known])
        return
    if not isinstance(value, Mapping):
        raise InputError(f"{name} is a group of settings, and {value!r} is none.")
    for word, inner in value.items():
        full = f"{name}.{word}"
        _refuse_elsewhere(full)
        if full not in known:
            raise unknown(full, known)
        check_names(inner, known[full].hint, full, known)


def _check_words(words: Sequence[str]) -> None:
    for word in words:
        _refuse_elsewhere(word.removeprefix("--").partition("=")[0])
    check_options(words, keys(), (*GROUPS, *_COMMAND))


def _refuse_elsewhere(name: str) -> None:
    if name in _ELSEWHERE:
        raise InputError(f"There is no setting {name!r}; use {_ELSEWHERE[name]}.")


def _sentence(error: BaseException) -> str:
    """Say in one sentence what jsonargparse says in many lines."""
    words = str(error)
    lacking = re.search(r"are required: ([\w.]+)", words)
    names = [lacking[1]] if lacking else re.findall(r'[Kk]ey "([^"]+)"', words)
    # A key within the entry of a list is said after that of the list; some are said twice.
    name = ".".join(dict.fromkeys(names))
    key = keys().get(name)
    if key is None:
        return f"The recipe cannot be used: {' '.join(words.split())}"
    patterns = (r"Got value: (.*)", r"Given value: (.*)", r"load config ['\"](.*?)['\"]")
    given = next((found[-1] for p in patterns if (found := re.findall(p, words))), None)
    if lacking or (key.default is REQUIRED and given == "None"):
        return f"The recipe lacks {name}. {key.meaning}"
    shown = "what was given" if given is None else repr(given.strip())
    return f"Setting {name} is {words_of(key.hint)}, and {shown} is not."


def _plain(value: Any) -> Any:
    """Return settings as YAML holds them."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Namespace):
        value = value.as_dict()  # its attributes have other names where they would hide methods
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    # Some arguments of Lightning's classes, such as times, are read from words.
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _flow(value: Any) -> str:
    """Write a value in one line."""
    if value is None:
        return "none"
    written = yaml.safe_dump(value, default_flow_style=True, width=10_000).strip()
    return written.removesuffix("...").strip()
