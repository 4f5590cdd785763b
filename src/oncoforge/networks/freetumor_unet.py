"""FreeTumor's U-Net: the network of both its generator and its critic.

Wu et al., "FreeTumor: Large-Scale Generative Tumor Synthesis in Computed Tomography Images for
Improving Tumor Recognition", 2024. The plan of layers is that of Models Genesis (Zhou et al.,
MICCAI 2019), and the names are those of the published weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from oncoforge.errors import InputError
from oncoforge.networks.inputs import takes

PREFIXES: tuple[str, ...] = ("netG.", "netD.")
"""How the keys of the generator and of the critic begin in a published file."""


def build_freetumor_unet(in_channels: int, out_channels: int, *, width: int = 64) -> FreetumorUnet:
    """Build FreeTumor's U-Net.

    Parameters
    ----------
    in_channels
        1 as published: CT whose window is 0 to 1.
    out_channels
        As published 3 for the generator of the abdomen (an amplitude for liver, pancreas and
        kidney), 1 for that of the chest, 3 for the critic.
    width
        Channels at full size, an even number; they double with each of three halvings.

    Returns
    -------
    FreetumorUnet
        It refuses volumes whose sizes are no multiples of 8 with a sentence.

    Raises
    ------
    InputError
        If the width is no even number from 2.
    """
    if width < 2 or width % 2:
        raise InputError(f"width is {width}; give an even number from 2.")
    network = FreetumorUnet(in_channels, out_channels, width)
    return takes(network, "freetumor_unet", in_channels, (8, 8, 8))


class FreetumorUnet(nn.Module):
    """A volume to one of the same size, without an activation at the end.

    Its batch normalisation goes by the statistics of the batch that it is given, in evaluation
    too, as the published one does: what else is in the batch, and the size of the window, change
    the result. Nothing is remembered from one call to the next.

    Parameters
    ----------
    in_channels, out_channels
        Channels of input and output.
    width
        Channels at full size.
    """

    def __init__(self, in_channels: int, out_channels: int, width: int) -> None:
        super().__init__()
        self.down_tr64 = _Level(in_channels, width // 2, width)
        self.down_tr128 = _Level(width, width, 2 * width)
        self.down_tr256 = _Level(2 * width, 2 * width, 4 * width)
        self.down_tr512 = _Level(4 * width, 4 * width, 8 * width)
        self.up_tr256 = _Up(8 * width, 4 * width)
        self.up_tr128 = _Up(4 * width, 2 * width)
        self.up_tr64 = _Up(2 * width, width)
        self.out_tr = _Head(width, out_channels)

    def forward(self, volume: Tensor) -> Tensor:
        """Return (batch, out, X, Y, Z) for (batch, in, X, Y, Z); the sizes are multiples of 8."""
        full = self.down_tr64(volume)
        half = self.down_tr128(_halved(full))
        quarter = self.down_tr256(_halved(half))
        eighth = self.down_tr512(_halved(quarter))
        x = self.up_tr256(eighth, quarter)
        x = self.up_tr128(x, half)
        return self.out_tr(self.up_tr64(x, full))


class BatchStatisticsNorm(nn.BatchNorm3d):
    """Batch normalisation by the statistics of the batch, in training and evaluation alike.

    The running statistics are in the published files and never used, so they are kept as they
    were loaded: never read, never updated.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (batch, channels, X, Y, Z) over all but its channels."""
        return functional.batch_norm(
            x, None, None, self.weight, self.bias, training=True, eps=self.eps
        )


class _Unit(nn.Module):
    """Convolution, normalisation, rectification."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(channels_in, channels_out, 3, padding=1)
        self.bn1 = BatchStatisticsNorm(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn1(self.conv1(x)), inplace=True)


class _Level(nn.Module):
    """Two units at one size."""

    def __init__(self, channels_in: int, between: int, channels_out: int) -> None:
        super().__init__()
        self.ops = nn.Sequential(_Unit(channels_in, between), _Unit(between, channels_out))

    def forward(self, x: Tensor) -> Tensor:
        return self.ops(x)


class _Up(nn.Module):
    """Double the size, join what was there on the way down, two units."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.up_conv = nn.ConvTranspose3d(channels_in, channels_in, 2, stride=2)
        self.ops = nn.Sequential(
            _Unit(channels_in + channels_out, channels_out), _Unit(channels_out, channels_out)
        )

    def forward(self, x: Tensor, skipped: Tensor) -> Tensor:
        return self.ops(torch.cat([self.up_conv(x), skipped], dim=1))


class _Head(nn.Module):
    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.final_conv = nn.Conv3d(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.final_conv(x)


def _halved(x: Tensor) -> Tensor:
    return functional.max_pool3d(x, 2)
