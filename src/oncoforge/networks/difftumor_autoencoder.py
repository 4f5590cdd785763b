"""DiffTumor's autoencoder: CT to a small latent volume and back, through a codebook.

Chen et al., "Towards Generalizable Tumor Synthesis", CVPR 2024: a VQGAN (Esser et al., CVPR 2021)
in 3D. Here is what is needed to encode and decode, with the names of the published weights; what
only its training needs is `TRAINING_ONLY`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from oncoforge.errors import InputError
from oncoforge.networks.sizes import require_groups, require_multiples

TRAINING_ONLY: tuple[str, ...] = (
    "image_discriminator.",
    "video_discriminator.",
    "perceptual_model.",
    "codebook.N",
    "codebook.z_avg",
)
"""How the keys begin that published files hold and `DifftumorAutoencoder` has no use for."""

PREFIX = "vqgan."
"""How the keys of the autoencoder begin in a file of the diffusion model, which holds a copy."""

_EPS = 1e-6
_DISTANCES_AT_ONCE = 2**22  # 16 MiB of float32

Steps = tuple[int, int, int]


def build_difftumor_autoencoder(
    in_channels: int,
    out_channels: int,
    *,
    width: int = 16,
    downsample: tuple[int, int, int] = (4, 4, 4),
    latent_channels: int = 8,
    codes: int = 16384,
    groups: int = 32,
) -> DifftumorAutoencoder:
    """Build DiffTumor's autoencoder.

    Parameters
    ----------
    in_channels, out_channels
        1 and 1 as published: CT whose -175 to 250 HU are -1 to 1.
    width
        Channels before the first stage; each stage doubles them.
    downsample
        How many times smaller the latent is along X, Y and Z: 1, 2, 4 or a higher power of two.
    latent_channels
        Channels of the latent, and numbers in one entry of the codebook.
    codes
        Entries of the codebook.
    groups
        Of the group normalisation; the channels of every stage are a multiple of it.

    Returns
    -------
    DifftumorAutoencoder

    Raises
    ------
    InputError
        If an option makes no sense.
    """
    if min(width, latent_channels, codes) < 1:
        raise InputError(
            f"width, latent_channels and codes are {width}, {latent_channels} and {codes}; give "
            "numbers from 1."
        )
    strides = _strides(downsample)
    for stage in range(1, len(strides) + 1):
        require_groups(width * 2**stage, groups, "DiffTumor's autoencoder")
    return DifftumorAutoencoder(
        in_channels, out_channels, width, strides, latent_channels, codes, groups
    )


class DifftumorAutoencoder(nn.Module):
    """A volume to a latent and back; built by `build_difftumor_autoencoder`.

    Takes and gives (batch, channels, X, Y, Z), latents too. Its convolutions run on (batch,
    channels, Z, X, Y), as the published ones do.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: int,
        strides: Sequence[Steps],
        latent_channels: int,
        codes: int,
        groups: int,
    ) -> None:
        super().__init__()
        deepest = width * 2 ** len(strides)
        self.encoder = _Encoder(in_channels, width, strides, groups)
        self.decoder = _Decoder(out_channels, width, strides, groups)
        self.pre_vq_conv = SameConv(deepest, latent_channels, kernel=1)
        self.post_vq_conv = SameConv(latent_channels, deepest, kernel=1)
        self.codebook = Codebook(codes, latent_channels)
        depth, *plane = (
            2 ** sum(step == 2 for step in axis) for axis in zip(*strides, strict=True)
        )
        self._multiples = (*plane, depth)

    def encode(self, volume: Tensor) -> Tensor:
        """Return the latent of a volume, before it is snapped to the codebook.

        Parameters
        ----------
        volume
            (batch, in, X, Y, Z), -1 to 1; each axis a multiple of what it is downsampled by.

        Returns
        -------
        Tensor
            (batch, latent, x, y, z), as many times smaller along each axis.

        Raises
        ------
        InputError
            If the size does not fit.
        """
        require_multiples(volume, self._multiples, "DiffTumor's autoencoder")
        return self.pre_vq_conv(self.encoder(volume.movedim(-1, 2))).movedim(2, -1)

    def decode(self, latent: Tensor, quantize: bool = True) -> Tensor:
        """Return the volume of a latent.

        Parameters
        ----------
        latent
            (batch, latent, x, y, z).
        quantize
            Snap it to the codebook first, as the published generator does.

        Returns
        -------
        Tensor
            (batch, out, X, Y, Z), about -1 to 1; nothing clips it.
        """
        require_multiples(latent, (1, 1, 1), "The decoder")
        latent = latent.movedim(-1, 2)
        if quantize:
            latent = self.codebook(latent)
        return self.decoder(self.post_vq_conv(latent)).movedim(2, -1)

    def forward(self, volume: Tensor) -> Tensor:
        """Return the volume as the latent and the codebook remember it, of the same shape."""
        return self.decode(self.encode(volume))


class Codebook(nn.Module):
    """The vectors that a latent may consist of.

    Parameters
    ----------
    codes
        How many there are.
    channels
        Numbers in each.
    """

    embeddings: Tensor

    def __init__(self, codes: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("embeddings", torch.randn(codes, channels))

    def nearest(self, vectors: Tensor) -> Tensor:
        """Return the index of the nearest entry for each of (n, channels) vectors, (n,).

        Distances are of differences and not of expanded products, so an entry is nearest to
        itself whatever the rounding. Memory does not grow with n times the entries.
        """
        kind = torch.promote_types(self.embeddings.dtype, torch.float32)  # halves have no cdist
        entries, vectors = self.embeddings.to(kind), vectors.to(kind)
        at_once = max(1, _DISTANCES_AT_ONCE // len(entries))
        indices = []
        for start in range(0, len(vectors), at_once):
            distances = torch.cdist(
                vectors[start : start + at_once],
                entries,
                compute_mode="donot_use_mm_for_euclid_dist",
            )
            indices.append(distances.argmin(dim=1))
        return torch.cat(indices)

    def forward(self, latent: Tensor) -> Tensor:
        """Return a latent (batch, channels, ...) with each vector replaced by its nearest entry."""
        vectors = latent.movedim(1, -1)
        snapped = self.embeddings[self.nearest(vectors.flatten(0, -2))]
        return snapped.view(vectors.shape).movedim(-1, 1).to(latent.dtype)


class SameConv(nn.Module):
    """Convolution whose border repeats its outermost voxels; stride 1 keeps the size."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int = 3, stride: Steps = (1, 1, 1)
    ) -> None:
        super().__init__()
        self._pads = _same_pads(kernel, stride)
        self.conv = nn.Conv3d(channels_in, channels_out, kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (batch, channels, Z, X, Y)."""
        return self.conv(functional.pad(x, self._pads, mode="replicate"))


class SameConvTranspose(nn.Module):
    """Transposed convolution whose border repeats its outermost voxels; stride 2 doubles."""

    def __init__(self, channels_in: int, channels_out: int, stride: Steps, kernel: int = 4) -> None:
        super().__init__()
        self._pads = _same_pads(kernel, stride)
        self.convt = nn.ConvTranspose3d(
            channels_in, channels_out, kernel, stride, padding=kernel - 1
        )

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge (batch, channels, Z, X, Y)."""
        return self.convt(functional.pad(x, self._pads, mode="replicate"))


class _ResBlock(nn.Module):
    """Two normalised, activated convolutions beside the identity; channels stay."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, channels, eps=_EPS)
        self.conv1 = SameConv(channels, channels)
        self.norm2 = nn.GroupNorm(groups, channels, eps=_EPS)
        self.conv2 = SameConv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.conv1(functional.silu(self.norm1(x)))
        return x + self.conv2(functional.silu(self.norm2(inner)))


class _DownStage(nn.Module):
    def __init__(self, channels: int, stride: Steps, groups: int) -> None:
        super().__init__()
        self.down = SameConv(channels, 2 * channels, kernel=4, stride=stride)
        self.res = _ResBlock(2 * channels, groups)

    def forward(self, x: Tensor) -> Tensor:
        return self.res(self.down(x))


class _UpStage(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, stride: Steps, groups: int) -> None:
        super().__init__()
        self.up = SameConvTranspose(channels_in, channels_out, stride)
        self.res1 = _ResBlock(channels_out, groups)
        self.res2 = _ResBlock(channels_out, groups)

    def forward(self, x: Tensor) -> Tensor:
        return self.res2(self.res1(self.up(x)))


class _Encoder(nn.Module):
    def __init__(self, channels: int, width: int, strides: Sequence[Steps], groups: int) -> None:
        super().__init__()
        self.conv_first = SameConv(channels, width)
        self.conv_blocks = nn.Sequential(
            *(_DownStage(width * 2**i, stride, groups) for i, stride in enumerate(strides))
        )
        self.final_block = _activated_norm(width * 2 ** len(strides), groups)

    def forward(self, x: Tensor) -> Tensor:
        return self.final_block(self.conv_blocks(self.conv_first(x)))


class _Decoder(nn.Module):
    def __init__(self, channels: int, width: int, strides: Sequence[Steps], groups: int) -> None:
        super().__init__()
        stages = len(strides)
        deepest = width * 2**stages
        # The first stage keeps the channels, so the last convolution has twice the width.
        widths = [deepest, *(deepest // 2**i for i in range(stages))]
        self.final_block = _activated_norm(deepest, groups)
        self.conv_blocks = nn.Sequential(
            *(_UpStage(widths[i], widths[i + 1], strides[i], groups) for i in range(stages))
        )
        self.conv_last = SameConv(widths[-1], channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_last(self.conv_blocks(self.final_block(x)))


def _activated_norm(channels: int, groups: int) -> nn.Sequential:
    return nn.Sequential(nn.GroupNorm(groups, channels, eps=_EPS), nn.SiLU())


def _strides(downsample: Sequence[int]) -> list[Steps]:
    """Return the stride of each stage along Z, X and Y."""
    x, y, z = downsample
    halvings = [factor.bit_length() - 1 for factor in (z, x, y)]
    if min(downsample) < 1 or max(downsample) < 2 or any(n & (n - 1) for n in downsample):
        raise InputError(
            f"downsample is {tuple(downsample)}; give three powers of two, one of them above 1."
        )
    steps = [[2 if stage < n else 1 for n in halvings] for stage in range(max(halvings))]
    return [(depth, first, second) for depth, first, second in steps]


def _same_pads(kernel: int, stride: Steps) -> list[int]:
    """Return what to pad before and after each axis, the last axis first."""
    missing = [kernel - step for step in reversed(stride)]
    return [pad for total in missing for pad in (total - total // 2, total // 2)]
