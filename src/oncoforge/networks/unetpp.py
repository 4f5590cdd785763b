"""UNet++: a U-Net whose skips pass through layers of their own."""

from __future__ import annotations

import torch
from monai.networks.nets import BasicUNetPlusPlus
from torch import nn

from oncoforge.errors import InputError
from oncoforge.networks.inputs import takes


def build_unetpp(
    in_channels: int,
    out_channels: int,
    *,
    features: tuple[int, ...] = (32, 32, 64, 128, 256, 32),
    dropout: float = 0.0,
) -> nn.Module:
    """Build MONAI's BasicUNetPlusPlus (Zhou et al. 2018) without deep supervision.

    Leaky ReLU of slope 0.1, instance norm with weights, transposed convolutions.

    Parameters
    ----------
    features
        Channels of the five levels, the finest first, and of the last layer.
    dropout
        Part of the channels that is dropped in training, in every layer.

    Raises
    ------
    InputError
        If the numbers make no network.
    """
    if len(features) != 6 or min(features) < 1 or not 0 <= dropout < 1:
        raise InputError(
            f"unetpp needs six positive numbers of features and a dropout from 0, below 1; found "
            f"{features} and {dropout}."
        )
    network = _UNetPlusPlus(3, in_channels, out_channels, features, dropout=dropout)
    for head in (network.final_conv_0_1, network.final_conv_0_2, network.final_conv_0_3):
        head.requires_grad_(False)  # several processes wait for every gradient that may come
    return takes(network, "unetpp", in_channels, (16, 16, 16), pads=True)


class _UNetPlusPlus(BasicUNetPlusPlus):
    """MONAI's network, with a tensor for its output in place of a list of one.

    Its heads ``final_conv_0_1`` to ``final_conv_0_3`` are for deep supervision: they have weights
    as in MONAI, so that its checkpoints fit, and nothing comes of them.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = super().forward(x)[-1]
        return output
