"""The network that is trained, with the weights that it starts from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oncoforge.checkpoints import fit, load_encoder
from oncoforge.checkpoints.cache import locate
from oncoforge.checkpoints.encoder import EncoderOnlyError, Transfer
from oncoforge.checkpoints.loading import inspect
from oncoforge.errors import InputError
from oncoforge.networks import NETWORKS, Config, Origin, Pipeline, build, rebuild
from oncoforge.networks.registry import find
from oncoforge.training.seeds import number
from oncoforge.training.settings import NetworkSettings

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, eq=False)
class Start:
    """A network to be trained.

    Parameters
    ----------
    network
        In training mode; its ``config`` has the pipeline, and what it starts from as its origin.
    remarks
        What to know of it: one sentence each.
    """

    network: nn.Module
    remarks: tuple[str, ...] = ()


def start(settings: NetworkSettings, pipeline: Pipeline, seed: int) -> Start:
    """Build a network: one channel in, one for each class of the pipeline out.

    Parameters
    ----------
    settings
        Which, and from which weights.
    pipeline
        How it is used.
    seed
        Of its new weights.

    Raises
    ------
    InputError
        If it is no network for segmentation, does not take the pipeline's patch, or the weights
        cannot be read or do not fit.
    UnknownNameError
        If there is no such network, option or name of weights.
    """
    _check(settings, pipeline)
    network: Any = build(
        settings.name, 1, len(pipeline.classes), seed=number(seed, "weights"), **settings.options
    )
    network.config = network.config.having(pipeline=pipeline)
    check_patch(network.config)
    if settings.weights is not None:
        return _from_weights(network, settings.weights)
    return Start(network) if settings.encoder is None else _encoded(network, settings.encoder)


def check_patch(config: Config) -> None:
    """Run a network over one patch, without memory, to see that it takes it and keeps its size.

    Raises
    ------
    InputError
        If not.
    """
    import torch

    if config.pipeline is None:
        raise InputError(f"How {config.network} is used is not known; give its config a pipeline.")
    patch = config.pipeline.patch
    with torch.device("meta"), torch.no_grad():
        logits = rebuild(config, seed=0).eval()(torch.empty(1, config.in_channels, *patch))
    if tuple(logits.shape[2:]) != patch:
        raise InputError(
            f"{config.network} makes {tuple(logits.shape[2:])} voxels of a patch of {patch}; "
            "choose another pipeline.patch."
        )


def _check(settings: NetworkSettings, pipeline: Pipeline) -> None:
    if find(settings.name).generative:
        names = ", ".join(name for name, each in NETWORKS.items() if not each.generative)
        raise InputError(
            f"{settings.name!r} is part of a generator and does not segment; choose one of: "
            f"{names}."
        )
    if pipeline.classes[:1] != ("background",) or len(pipeline.classes) < 2:
        raise InputError(
            f"The classes are {', '.join(pipeline.classes) or 'none'}; give background first, and "
            "then at least one other."
        )
    if settings.weights is not None and settings.encoder is not None:
        raise InputError(
            f"network.weights is {settings.weights} and network.encoder is {settings.encoder}; "
            "give one of them: a network starts from one file."
        )


def _from_weights(network: Any, source: str) -> Start:
    """Fill a network with all the weights of a file, or refuse it."""
    try:
        found = inspect(source)
    except EncoderOnlyError as error:
        raise InputError(
            f"{source} holds the encoder of {error.encoder.network} alone; give it as "
            "network.encoder instead of network.weights."
        ) from None
    _check_same(network.config, found.config, source)
    notes = fit.fill(network, found.tensors)
    network.config = network.config.having(
        origin=_origin(found.config.origin, Path(source).name, "weights")
    )
    remarks = [f"It starts from {source}.", *notes]
    theirs = found.config.pipeline
    if theirs is not None:
        remarks.extend(_otherwise(theirs, network.config.pipeline, source))
    return Start(network, tuple(remarks))


def _check_same(own: Config, found: Config, source: str) -> None:
    """Refuse the weights of another network: shapes that fit may mean something else."""
    if found.network != own.network:
        raise InputError(
            f"{source} holds {found.network}, and network.name is {own.network}; set it to "
            f"{found.network}, with the options of the file: {_listed(found.options)}."
        )
    options = {k: v for k, v in found.options.items() if own.options.get(k) != v}
    differ = {k: v for k, v in options.items() if k not in _ONLY_IN_TRAINING}
    if differ:
        raise InputError(
            f"{source} holds a {found.network} of other options; set network.options to those of "
            f"the file: {_listed(differ)}."
        )
    if found.out_channels != own.out_channels or found.in_channels != own.in_channels:
        raise InputError(
            f"{source} holds a {found.network} with {found.out_channels} classes, and the pipeline "
            f"has {own.out_channels}; give it as network.encoder to keep its way down alone."
        )


_ONLY_IN_TRAINING = ("dropout", "checkpointing")
"""Options that neither change what weights a network has nor what they mean."""


def _encoded(network: Any, source: str) -> Start:
    """Copy an encoder into a network."""
    done = load_encoder(network, source)
    path, known = locate(source)
    origin = Origin(known.name, path.name, licence=known.licence) if known else None
    network.config = network.config.having(origin=_origin(origin, path.name, "encoder"))
    return Start(network, (_told(done, source), *done.notes))


def _told(done: Transfer, source: str) -> str:
    beside = (
        (len(done.kept), "of the encoder keep their random values"),
        (len(done.unused), "of the file are not used"),
    )
    more = "".join(f"; {count} {what}" for count, what in beside if count)
    return f"Its encoder starts from {source}: {len(done.taken)} tensors were taken{more}."


def _origin(origin: Origin | None, file: str, what: str) -> Origin:
    """Say what trained weights started from, and which licence that has."""
    origin = origin or Origin(file=file)
    digest = f" (SHA-256 {origin.sha256})" if origin.sha256 else ""
    note = f"Trained from the {what} of {origin.name or origin.file or file}{digest}."
    return Origin(licence=origin.licence, notes=(note,))


def _otherwise(theirs: Pipeline, ours: Pipeline, source: str) -> list[str]:
    """Say what weights were used to that is different now."""
    then, now = asdict(theirs), asdict(ours)
    return [
        f"{source} was used with {key} {_shown(then[key])}; it is {_shown(now[key])} now."
        for key in ("classes", "spacing_mm", "window_hu", "values")
        if then[key] != now[key]
    ]


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _listed(options: Any) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in options.items()) or "its defaults"
