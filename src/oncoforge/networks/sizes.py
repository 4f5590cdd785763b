"""Sizes that a network can take, as sentences."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from oncoforge.errors import InputError


def require_multiples(volume: Tensor, multiples: Sequence[int], network: str) -> None:
    """Raise unless each axis of space is a multiple of what the network shrinks it by.

    Parameters
    ----------
    volume
        (batch, channels, X, Y, Z).
    multiples
        One number of voxels for each of X, Y and Z.
    network
        What the network is called in the sentence.

    Raises
    ------
    InputError
        If the volume has no such axes, or one of them is no such multiple.
    """
    if volume.ndim != 5:
        raise InputError(
            f"{network} takes (batch, channels, X, Y, Z), and the shape is {tuple(volume.shape)}; "
            "add the axes that are missing."
        )
    sizes = tuple(volume.shape[2:])
    if any(size % multiple for size, multiple in zip(sizes, multiples, strict=True)):
        raise InputError(
            f"{network} takes X, Y and Z that are multiples of {_times(multiples)}, and the volume "
            f"is {_times(sizes)}; pad or crop it."
        )


def require_groups(channels: int, groups: int, network: str) -> None:
    """Raise unless channels can be normalised in groups of one size.

    Raises
    ------
    InputError
        If the number of groups is below 1 or does not divide the channels.
    """
    if groups < 1 or channels % groups:
        raise InputError(
            f"{network} normalises {channels} channels in {groups} groups of one size; give a "
            "number of groups that divides them."
        )


def _times(numbers: Sequence[int]) -> str:
    return " x ".join(map(str, numbers))
