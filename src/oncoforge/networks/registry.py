"""Networks by name: what there is, and how one is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.networks.config import Config
from oncoforge.networks.options import Options, options_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn


@dataclass(frozen=True)
class Network:
    """A network that can be built by its name.

    Parameters
    ----------
    name
        By which it is built. Its builder is ``build_NAME`` in the module of that name.
    title
        What people call it.
    source
        Where it comes from: a paper.
    generative
        Whether it is part of a generator of tumours; those are loaded, not trained.
    """

    name: str
    title: str
    source: str
    generative: bool = False

    @cached_property
    def described(self) -> Options:
        """Its options with their types and choices; imports PyTorch."""
        return options_of(self.name, self.builder)

    @property
    def options(self) -> Mapping[str, Any]:
        """Its options with their defaults; imports PyTorch."""
        return self.described.defaults

    @property
    def builder(self) -> Callable[..., nn.Module]:
        """The function that builds it from channels in, channels out and options."""
        try:
            module = import_module(f"oncoforge.networks.{self.name}")
        except ImportError as error:
            if (error.name or "").startswith("oncoforge"):
                raise
            raise _lacking(error) from error
        builder: Callable[..., nn.Module] = getattr(module, f"build_{self.name}")
        return builder


@dataclass(frozen=True)
class _Alias:
    """Another name of a network, with the options that it stands for."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


NETWORKS: Mapping[str, Network] = {
    network.name: network
    for network in (
        Network("unet", "Residual U-Net", "Kerfoot et al., STACOM 2018"),
        Network("nnunet", "nnU-Net's U-Net (DynUNet)", "Isensee et al., Nature Methods 2021"),
        Network("swin_unetr", "Swin UNETR", "Hatamizadeh et al., BrainLes 2021; V2 MICCAI 2023"),
        Network("unetpp", "UNet++", "Zhou et al., DLMIA 2018"),
        Network("segresnet", "SegResNet", "Myronenko, BrainLes 2018"),
        Network("segmamba", "SegMamba", "Xing et al., MICCAI 2024"),
        Network("difftumor_autoencoder", "DiffTumor's autoencoder", "Chen et al., CVPR 2024", True),
        Network("difftumor_denoiser", "DiffTumor's denoiser", "Chen et al., CVPR 2024", True),
        Network("freetumor_unet", "FreeTumor's U-Net", "Wu et al., 2024", True),
    )
}

ALIASES: Mapping[str, _Alias] = {
    "dynunet": _Alias("nnunet"),
    # What the predecessors call "v2" is what MONAI calls Swin UNETR without v2.
    "swin_unetrv2": _Alias("swin_unetr", {"version": 1}),
}


def find(name: str) -> Network:
    """Return a network by its name or another name of it.

    Raises
    ------
    UnknownNameError
        If there is none.
    """
    name = ALIASES[name].name if name in ALIASES else name
    if name not in NETWORKS:
        raise UnknownNameError("network", name, [*NETWORKS, *ALIASES])
    return NETWORKS[name]


def build(
    name: str, in_channels: int, out_channels: int, *, seed: int | None = None, **options: Any
) -> nn.Module:
    """Build a network with new weights.

    Parameters
    ----------
    name
        One of `NETWORKS`.
    in_channels, out_channels
        Channels of its input and its output; a segmentation network turns (batch, in, X, Y, Z)
        into (batch, out, X, Y, Z).
    seed
        The same seed gives the same weights, and torch's own random state stays as it is. None
        draws the weights from torch's random state, as every module of torch does.
    **options
        What the network's page lists; ``NETWORKS[name].options`` holds the defaults.

    Returns
    -------
    torch.nn.Module
        In training mode. Its ``config`` tells how it was built, defaults included.

    Raises
    ------
    UnknownNameError
        If there is no such network, option or choice.
    InputError
        If a value makes no sense, or PyTorch or MONAI is not installed.
    """
    network = find(name)
    meant = ALIASES[name].options if name in ALIASES else {}
    for option, value in meant.items():
        if options.get(option, value) != value:
            raise InputError(
                f"{name!r} is {network.name} with {option}={value}, and {option}="
                f"{options[option]!r} was given; call it {network.name!r} to choose."
            )
    for what, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
        if isinstance(channels, bool) or not isinstance(channels, int):
            raise InputError(f"{what} is {channels!r}; give a whole number from 1.")
    complete = network.described.complete({**meant, **options})
    config = Config(network.name, in_channels, out_channels, complete)
    with nullcontext() if seed is None else _seeded(seed):
        try:
            module: Any = network.builder(in_channels, out_channels, **complete)
        except ImportError as error:  # MONAI imports some of what it needs only now
            raise _lacking(error) from error
    module.config = config
    return module


def rebuild(config: Config, *, seed: int | None = None) -> nn.Module:
    """Build the network that a config tells of, with new weights and that config.

    Raises
    ------
    UnknownNameError, InputError
        As for `build`.
    """
    module: Any = build(
        config.network, config.in_channels, config.out_channels, seed=seed, **config.options
    )
    module.config = module.config.having(pipeline=config.pipeline, origin=config.origin)
    return module


def _lacking(error: ImportError) -> InputError:
    what = f"{error.name} is not installed" if error.name else str(error).rstrip(".")
    return InputError(
        f'Networks need PyTorch and MONAI, and {what}; pip install "oncoforge[networks]".'
    )


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draw from a seed of its own, and leave torch's random state as it was."""
    import torch

    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
