"""The networks of a prediction: that they can be used, and used together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from oncoforge.errors import InputError
from oncoforge.networks import Config, Pipeline
from oncoforge.prediction.postprocess import find

if TYPE_CHECKING:
    from torch import nn


def config_of(network: nn.Module) -> Config:
    """Return what a network is.

    Raises
    ------
    InputError
        If it does not say so.
    """
    config = getattr(network, "config", None)
    if not isinstance(config, Config):
        raise InputError(
            f"The network is a {type(network).__name__} without a config; set its attribute "
            "config to an oncoforge.networks.Config, which says how it is used."
        )
    return config


def pipeline_of(network: nn.Module) -> Pipeline:
    """Return how a network is used.

    Raises
    ------
    InputError
        If that is not known, or it segments nothing of one CT.
    """
    config = config_of(network)
    name = _name(config)
    if config.in_channels != 1:
        raise InputError(
            f"{name} takes {config.in_channels} channels; prediction gives it one, the CT."
        )
    if config.pipeline is None:
        raise InputError(
            f"How {name} is used is not known. Say what its {config.out_channels} output channels "
            "are, such as --classes background,liver,liver_tumor, with --spacing 1,1,1 and "
            "--window -175,250 as in its training (in Python: config.pipeline)."
        )
    if "background" not in config.pipeline.classes:
        raise InputError(
            f"The classes of {name} are {', '.join(config.pipeline.classes)}; one of them must be "
            "background."
        )
    find(config.pipeline.postprocess)
    return config.pipeline


def common_classes(networks: Sequence[nn.Module]) -> tuple[str, ...]:
    """Return the classes of networks that are to be used together.

    Raises
    ------
    InputError
        If there is no network, or their classes differ.
    """
    if not networks:
        raise InputError("Give at least one network to predict with.")
    first, *others = [(config_of(n), pipeline_of(n).classes) for n in networks]
    for config, classes in others:
        if classes != first[1]:
            raise InputError(
                f"An ensemble needs networks of the same classes in the same order: "
                f"{_name(first[0])} has {', '.join(first[1])}, and {_name(config)} has "
                f"{', '.join(classes)}."
            )
    return first[1]


def describe(network: nn.Module) -> dict[str, Any]:
    """Return what a network does: plain data for JSON, the same wherever it was read from.

    The hash is of the weights themselves, so that it is the same for a published checkpoint and
    for its copy in another format.
    """
    config = config_of(network)
    told: Mapping[str, Any] = asdict(config)
    return {
        "network": config.network,
        "options": dict(told["options"]),
        "pipeline": told["pipeline"],
        "weights_sha256": weights_sha256(network),
    }


def origin_of(network: nn.Module) -> dict[str, Any] | None:
    """Return where the weights of a network are from, as far as that is known."""
    origin = config_of(network).origin
    return None if origin is None else asdict(origin)


def weights_sha256(network: nn.Module) -> str:
    """Return a hash of the names, the types and the values of all weights: 64 hex digits."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        if flat.numel():
            digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


@contextmanager
def at_work(networks: Sequence[nn.Module], device: str) -> Iterator[None]:
    """Have networks on a device, in eval mode, and put their mode back afterwards."""
    modes = [network.training for network in networks]
    try:
        for network in networks:
            network.to(device).eval()
        yield
    finally:
        for network, mode in zip(networks, modes, strict=True):
            network.train(mode)


def _name(config: Config) -> str:
    origin = config.origin
    named = (origin.name or origin.file) if origin else ""
    return f"{named} ({config.network})" if named else f"the network {config.network}"
