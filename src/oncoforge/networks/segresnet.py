"""SegResNet: a residual encoder with group norm, and a light decoder."""

from __future__ import annotations

from monai.networks.nets import SegResNet
from torch import nn

from oncoforge.errors import InputError
from oncoforge.networks.inputs import takes


def build_segresnet(
    in_channels: int,
    out_channels: int,
    *,
    init_filters: int = 16,
    blocks_down: tuple[int, ...] = (1, 2, 2, 4),
    blocks_up: tuple[int, ...] = (1, 1, 1),
    dropout: float = 0.0,
) -> nn.Module:
    """Build MONAI's SegResNet (Myronenko 2018) without the variational branch.

    Parameters
    ----------
    init_filters
        Channels of the finest level, a multiple of 8; each level has twice as many as the last.
    blocks_down, blocks_up
        Residual blocks of each level of the encoder, the finest first, and of the decoder, the
        coarsest first.
    dropout
        Part of the first layer's channels that is dropped in training.

    Raises
    ------
    InputError
        If the numbers make no network.
    """
    if init_filters < 1 or init_filters % 8:
        raise InputError(f"init_filters is {init_filters}; segresnet needs a multiple of 8.")
    if len(blocks_down) < 2 or len(blocks_up) != len(blocks_down) - 1:
        raise InputError(
            f"segresnet has at least two levels, all but the coarsest with a decoder; found "
            f"blocks_down {blocks_down} and blocks_up {blocks_up}."
        )
    if min(*blocks_down, *blocks_up) < 0 or not 0 <= dropout < 1:
        raise InputError(
            f"segresnet needs numbers of blocks from 0 and a dropout from 0, below 1; found "
            f"{blocks_down}, {blocks_up} and {dropout}."
        )
    network = SegResNet(
        3, init_filters, in_channels, out_channels, dropout or None,
        blocks_down=blocks_down, blocks_up=blocks_up,
    )  # fmt: skip
    return takes(network, "segresnet", in_channels, 3 * [2 ** (len(blocks_down) - 1)])
