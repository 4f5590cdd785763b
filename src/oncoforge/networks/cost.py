"""What a network costs: parameters, operations and memory for one window, without its weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, cast

from oncoforge.errors import InputError
from oncoforge.networks.config import Config
from oncoforge.networks.registry import NETWORKS, build, find
from oncoforge.parallel import Progress, silent

if TYPE_CHECKING:
    from torch import Tensor, nn

Patch = tuple[int, int, int]


@dataclass(frozen=True)
class Cost:
    """What a network costs for one window, in single precision.

    Parameters
    ----------
    network
        Name in the registry.
    options
        Those that tell it from others of its name.
    in_channels, out_channels
        Channels of its input and its output.
    patch
        Voxels of the window along X, Y and Z.
    parameters
        Numbers that are trained.
    flops
        Floating-point operations of one forward pass, a multiplication and the addition to it
        counted as two: those of convolutions, matrix products and attention, which
        `torch.utils.flop_counter` counts. Norms, activations and scans are not in it.
    weights_bytes
        Of parameters and buffers.
    inference_bytes
        The most that is live at once in a forward pass without gradients: weights, input and
        every tensor that operations return.
    training_bytes
        The most that is live at once in a forward and a backward pass: the same, what is kept for
        the backward pass, and gradients. The optimiser's state is not in it (Adam: twice the
        parameters).

    Notes
    -----
    What kernels take for themselves while they run (workspaces, reordered copies) and what a
    library holds back for later is not in any of these; it depends on the device.
    """

    network: str
    options: Mapping[str, Any]
    in_channels: int
    out_channels: int
    patch: Patch
    parameters: int
    flops: int
    weights_bytes: int
    inference_bytes: int
    training_bytes: int

    @property
    def variant(self) -> str:
        """What tells it from others of its name, such as ``"version 1, tiny"``."""
        words = (v if isinstance(v, str) else f"{key} {v}" for key, v in self.options.items())
        return ", ".join(words)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that JSON can hold."""
        return asdict(self)


def cost(
    name: str,
    in_channels: int = 1,
    out_channels: int = 3,
    patch: Patch = (96, 96, 96),
    **options: Any,
) -> Cost:
    """Work out what a network costs for one window; nothing of its size is allocated.

    Parameters
    ----------
    name, in_channels, out_channels, options
        As for `oncoforge.networks.build`.
    patch
        Voxels of the window along X, Y and Z.

    Raises
    ------
    UnknownNameError, InputError
        As for `oncoforge.networks.build`, or if the network does not take such a window.
    """
    import torch

    if min(patch) < 1:
        raise InputError(f"patch is {patch}; give three positive numbers of voxels.")
    with torch.device("meta"):
        network = build(name, in_channels, out_channels, **options)
        volume = torch.empty(1, in_channels, *patch)
    held = _held(network)
    config = cast(Config, network.config)
    flops, inference = _forward(network.eval(), volume, held)
    return Cost(
        config.network,
        options,
        in_channels,
        out_channels,
        patch,
        sum(parameter.numel() for parameter in network.parameters()),
        flops,
        sum(tensor.untyped_storage().nbytes() for tensor in held),
        inference,
        _both_ways(network.train(), volume, held),
    )


def variants(names: Sequence[str] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name networks for segmentation with the options of each variant.

    Options that change neither shapes nor numbers of operations are left at their default.

    Parameters
    ----------
    names
        Networks, in the order in which they are wanted; none for all.

    Yields
    ------
    name, options
        As `cost` takes them.

    Raises
    ------
    UnknownNameError
        If there is no such network.
    InputError
        If it is no network for segmentation.
    """
    every = [name for name, network in NETWORKS.items() if not network.generative]
    for name in dict.fromkeys(find(name).name for name in names) or every:
        if NETWORKS[name].generative:
            raise InputError(
                f"{name!r} is part of a generator and does not segment; choose one of: "
                f"{', '.join(every)}."
            )
        for options in _combinations(name):
            yield name, options


def costs(
    names: Sequence[str] = (),
    in_channels: int = 1,
    out_channels: int = 3,
    patch: Patch = (96, 96, 96),
    progress: Progress = silent,
) -> list[Cost]:
    """Work out what networks cost, each in its variants.

    Parameters
    ----------
    names, in_channels, out_channels, patch
        As for `variants` and `cost`.
    progress
        Called after each variant.

    Raises
    ------
    UnknownNameError, InputError
        As for `variants` and `cost`.
    """
    wanted = list(variants(names))
    found = []
    for done, (name, options) in enumerate(wanted, 1):
        found.append(cost(name, in_channels, out_channels, patch, **options))
        progress(done, len(wanted))
    return found


# Options of which each value is a variant.
_VARYING: Mapping[str, Sequence[str]] = {
    "swin_unetr": ("version", "size"),
    "segmamba": ("version",),
}


def _combinations(name: str) -> Iterator[dict[str, Any]]:
    varying = _VARYING.get(name, ())
    choices = NETWORKS[name].described.choices
    for values in product(*(choices[option] for option in varying)):
        yield dict(zip(varying, values, strict=True))


def _held(network: nn.Module) -> list[Tensor]:
    """Return the tensors of a network, each once."""
    held = [*network.parameters(), *network.buffers()]
    return list({id(tensor): tensor for tensor in held}.values())


def _forward(network: nn.Module, volume: Tensor, held: Iterable[Tensor]) -> tuple[int, int]:
    """Return the operations of a forward pass, and the most bytes that are live in it."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from oncoforge.networks.memory import LivePeak

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(volume)
    with torch.no_grad(), LivePeak([*held, volume]) as live:
        network(volume)
    return int(counter.get_total_flops()), live.peak_bytes


def _both_ways(network: nn.Module, volume: Tensor, held: Iterable[Tensor]) -> int:
    """Return the most bytes that are live in a forward and a backward pass."""
    import torch

    from oncoforge.networks.memory import LivePeak

    with LivePeak([*held, volume]) as live:
        output = network(volume)
        output.backward(torch.empty_like(output))
    return live.peak_bytes
