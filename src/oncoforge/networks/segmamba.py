"""SegMamba: an encoder of Mamba layers, and the decoder of UNETR (Xing et al., MICCAI 2024)."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from monai.networks.blocks.dynunet_block import UnetOutBlock
from monai.networks.blocks.unetr_block import UnetrBasicBlock, UnetrUpBlock
from torch import Tensor, nn
from torch.nn import functional

from oncoforge.errors import InputError
from oncoforge.networks.inputs import takes
from oncoforge.networks.mamba import Mamba, TriMamba

Gate = Literal["sum", "product"]
Four = tuple[int, int, int, int]

_STEM_KERNEL = 7
_WIDENING = 2  # of the channels inside the layers that follow a stage


def build_segmamba(
    in_channels: int,
    out_channels: int,
    *,
    version: Literal[0, 1] = 1,
    depths: Four = (2, 2, 2, 2),
    dims: Four = (48, 96, 192, 384),
    hidden: int = 768,
    gate: Gate = "sum",
) -> nn.Module:
    """Build SegMamba (Xing et al. 2024, arXiv:2401.13560), with the names of its checkpoints.

    Parameters
    ----------
    version
        0 is the first release of its program: Mamba layers that read a volume forwards. 1 is that
        of the paper: layers that read it in three orders, after a gated spatial convolution.
    depths
        Mamba layers of each of the four stages, the finest first.
    dims
        Channels of each stage.
    hidden
        Channels below the coarsest stage.
    gate
        How the gated spatial convolution joins its two paths: "sum" as the released program, whose
        weights need it; "product" as the paper writes it. Version 0 has none.

    Raises
    ------
    InputError
        If the numbers make no network.
    """
    if len(depths) != 4 or len(dims) != 4 or min(*depths, *dims, hidden) < 1:
        raise InputError(
            f"segmamba needs four positive depths and dims and a positive hidden; found {depths}, "
            f"{dims} and {hidden}."
        )
    network = _SegMamba(in_channels, out_channels, version, depths, dims, hidden, gate)
    return takes(network, "segmamba", in_channels, (16, 16, 16))


class _SegMamba(nn.Module):
    """The encoder ``vit`` (the name that its checkpoints use), skips, and the decoder."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        version: int,
        depths: Four,
        dims: Four,
        hidden: int,
        gate: Gate,
    ) -> None:
        super().__init__()
        self.vit = _Encoder(in_channels, version, depths, dims, gate)
        widths = (*dims, hidden)
        for level, (before, after) in enumerate(zip((in_channels, *dims), widths, strict=True), 1):
            block = UnetrBasicBlock(3, before, after, 3, 1, "instance", res_block=True)
            self.add_module(f"encoder{level}", block)
        for level in range(5, 1, -1):
            coarse, fine = widths[level - 1], widths[level - 2]
            up = UnetrUpBlock(3, coarse, fine, 3, 2, "instance", res_block=True)
            self.add_module(f"decoder{level}", up)
        self.decoder1 = UnetrBasicBlock(3, dims[0], dims[0], 3, 1, "instance", res_block=True)
        self.out = UnetOutBlock(3, dims[0], out_channels)

    def forward(self, volume: Tensor) -> Tensor:
        stages = (volume, *self.vit(volume))
        skips = [self.get_submodule(f"encoder{i}")(stage) for i, stage in enumerate(stages, 1)]
        x = skips[4]
        for level in range(5, 1, -1):
            x = self.get_submodule(f"decoder{level}")(x, skips[level - 2])
        out: Tensor = self.out(self.decoder1(x))
        return out


class _Encoder(nn.Module):
    """Four stages, each at half the resolution of the one before."""

    def __init__(
        self, in_channels: int, version: int, depths: Four, dims: Four, gate: Gate
    ) -> None:
        super().__init__()
        stem = nn.Conv3d(in_channels, dims[0], _STEM_KERNEL, stride=2, padding=_STEM_KERNEL // 2)
        self.downsample_layers = nn.ModuleList([nn.Sequential(stem)])
        for before, after in pairwise(dims):
            halving = nn.Conv3d(before, after, 2, stride=2)
            self.downsample_layers.append(nn.Sequential(nn.InstanceNorm3d(before), halving))
        layer = Mamba if version == 0 else TriMamba
        self.stages = nn.ModuleList(
            nn.Sequential(*(_Mixer(layer(dim), dim) for _ in range(depth)))
            for depth, dim in zip(depths, dims, strict=True)
        )
        if version == 1:
            self.gscs = nn.ModuleList(_GatedConvolution(dim, gate) for dim in dims)
        self.mlps = nn.ModuleList(_Perceptron(dim) for dim in dims)

    def forward(self, volume: Tensor) -> list[Tensor]:
        x, outputs = volume, []
        for level, (halving, stage) in enumerate(
            zip(self.downsample_layers, self.stages, strict=True)
        ):
            x = halving(x)
            if hasattr(self, "gscs"):
                x = self.gscs[level](x)
            x = stage(x)
            outputs.append(self.mlps[level](functional.instance_norm(x)))
        return outputs


class _Mixer(nn.Module):
    """A Mamba layer over the voxels of a volume, with layer norm before and the input added."""

    def __init__(self, mamba: Mamba, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.mamba = mamba

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        # Slices are planes of the first axis: the paper's 64, 32, 16 and 8 for 128 voxels.
        mixed = self.mamba(self.norm(tokens), slices=x.shape[2])
        return x + mixed.transpose(1, 2).unflatten(2, x.shape[2:])


class _GatedConvolution(nn.Module):
    """Convolutions that see the neighbours in space, before voxels become a sequence."""

    def __init__(self, dim: int, gate: Gate) -> None:
        super().__init__()
        self.gate = gate
        self.proj = nn.Conv3d(dim, dim, 3, padding=1)
        if gate == "sum":
            self.proj2 = nn.Conv3d(dim, dim, 3, padding=1)
        self.proj3 = nn.Conv3d(dim, dim, 1)
        last = 1 if gate == "sum" else 3
        self.proj4 = nn.Conv3d(dim, dim, last, padding=last // 2)

    def forward(self, x: Tensor) -> Tensor:
        if self.gate == "product":
            return x + self._unit(self.proj4, self._unit(self.proj, x) * self._unit(self.proj3, x))
        wide = self._unit(self.proj2, self._unit(self.proj, x))
        return x + self._unit(self.proj4, wide + self._unit(self.proj3, x))

    def _unit(self, convolution: nn.Module, x: Tensor) -> Tensor:
        return torch.relu(functional.instance_norm(convolution(x)))


class _Perceptron(nn.Module):
    """Two layers over the channels of each voxel."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv3d(dim, _WIDENING * dim, 1)
        self.fc2 = nn.Conv3d(_WIDENING * dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return out
