"""The residual U-Net that the predecessors' published weights are of."""

from __future__ import annotations

from math import prod

from monai.networks.nets import UNet
from torch import nn

from oncoforge.errors import InputError
from oncoforge.networks.inputs import takes


def build_unet(
    in_channels: int,
    out_channels: int,
    *,
    channels: tuple[int, ...] = (16, 32, 64, 128, 256),
    strides: tuple[int, ...] = (2, 2, 2, 2),
    num_res_units: int = 2,
) -> nn.Module:
    """Build MONAI's UNet (Kerfoot et al. 2018).

    Parameters
    ----------
    channels
        Of each level, the finest first.
    strides
        From each level to the next: one fewer than there are levels.
    num_res_units
        Convolutions of the residual unit at each level; 0 has plain convolutions.

    Raises
    ------
    InputError
        If the numbers make no network.
    """
    if len(channels) < 2 or len(strides) != len(channels) - 1:
        raise InputError(
            f"unet has at least two levels and a stride between each two; found channels "
            f"{channels} and strides {strides}."
        )
    if min(*channels, *strides) < 1 or num_res_units < 0:
        raise InputError(
            f"unet needs positive channels and strides; found {channels}, {strides} and "
            f"{num_res_units} residual units."
        )
    network = UNet(3, in_channels, out_channels, channels, strides, num_res_units=num_res_units)
    return takes(network, "unet", in_channels, 3 * [prod(strides)])
