"""Which inputs a network takes: a sentence instead of what torch says deep inside."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any, TypeVar

import torch

from oncoforge.errors import InputError
from oncoforge.networks.sizes import require_multiples

M = TypeVar("M", bound=torch.nn.Module)


def takes(
    network: M, name: str, in_channels: int, steps: Sequence[int], *, pads: bool = False
) -> M:
    """Let a network say which inputs it takes, and refuse others with a sentence.

    Parameters
    ----------
    network
        It is returned, with `steps` as an attribute.
    name
        What it is called in the sentence.
    in_channels
        Channels of its input.
    steps
        Voxels along X, Y and Z of the input that become one in the deepest layer.
    pads
        Whether it also takes sizes that are no multiples of `steps`.
    """
    whole: Any = network
    whole.steps = tuple(steps)
    network.register_forward_pre_hook(partial(_check, name, in_channels, tuple(steps), pads))
    return network


def _check(
    name: str,
    in_channels: int,
    steps: tuple[int, ...],
    pads: bool,
    _: torch.nn.Module,
    given: tuple[torch.Tensor, ...],
) -> None:
    volume = given[0]
    require_multiples(volume, (1, 1, 1) if pads else steps, name)
    if volume.shape[1] != in_channels:
        raise InputError(
            f"{name} was built for {in_channels} channels, and the volume has {volume.shape[1]}."
        )
    sizes = tuple(volume.shape[2:])
    # Instance norm of a single voxel is zero whatever the voxel holds, and torch refuses it.
    if prod(size // step for size, step in zip(sizes, steps, strict=True)) < 2:
        raise InputError(
            f"{' x '.join(map(str, sizes))} voxels are too few for {name}; give it more than "
            f"{' x '.join(map(str, steps))}."
        )
