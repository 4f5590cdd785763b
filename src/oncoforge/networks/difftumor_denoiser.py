"""DiffTumor's denoiser: the noise in a latent, given the step and what surrounds the tumour.

Chen et al., "Towards Generalizable Tumor Synthesis", CVPR 2024: a U-Net that shrinks the slices
and never the depth, and attends along each in turn. The names are those of the published weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log

import torch
from torch import Tensor, nn
from torch.nn import functional

from oncoforge.errors import InputError
from oncoforge.networks.factorised_attention import (
    DepthAttention,
    LinearSliceAttention,
    RelativePositionBias,
    Residual,
    SliceAttention,
)
from oncoforge.networks.sizes import require_groups, require_multiples

PREFIX = "denoise_fn."
"""How the keys of the denoiser begin in a published file."""

SCHEDULE: tuple[str, ...] = (
    "betas",
    "alphas_cumprod",
    "alphas_cumprod_prev",
    "sqrt_alphas_cumprod",
    "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod",
    "sqrt_recip_alphas_cumprod",
    "sqrt_recipm1_alphas_cumprod",
    "posterior_variance",
    "posterior_log_variance_clipped",
    "posterior_mean_coef1",
    "posterior_mean_coef2",
)
"""The keys beside it that hold the noise schedule, one number per step; they are no weights."""

_NAME = "DiffTumor's denoiser"


def build_difftumor_denoiser(
    in_channels: int,
    out_channels: int,
    *,
    width: int = 24,
    multipliers: tuple[int, ...] = (1, 2, 4, 8),
    heads: int = 8,
    head_dim: int = 32,
    groups: int = 8,
    buckets: int = 32,
    max_distance: int = 32,
) -> DifftumorDenoiser:
    """Build DiffTumor's denoiser.

    Parameters
    ----------
    in_channels
        Of the noisy latent and the condition together: 8 + 9 = 17 as published.
    out_channels
        Of the latent: 8 as published.
    width
        Channels at full size.
    multipliers
        Of the width, one for each size of the slices; each size is half the one before.
    heads, head_dim
        Of every attention, and the features of each head.
    groups
        Of the group normalisation; the channels at every size are a multiple of it.
    buckets, max_distance
        Distances along depth that are told apart, both sides together, and from where on they
        are one.

    Returns
    -------
    DifftumorDenoiser

    Raises
    ------
    InputError
        If an option makes no sense.
    """
    if width < 4 or width % 2 or not multipliers or min(multipliers) < 1:
        raise InputError(
            f"width is {width} and multipliers are {multipliers}; give an even width from 4, and "
            "at least one multiplier from 1."
        )
    if min(heads, head_dim) < 1 or head_dim % 2:
        raise InputError(
            f"heads is {heads} and head_dim {head_dim}; give one head or more, and an even "
            "head_dim: positions turn features in pairs."
        )
    if buckets < 4 or buckets % 4 or max_distance <= buckets // 4:
        raise InputError(
            f"buckets is {buckets} and max_distance {max_distance}; give a multiple of 4, and a "
            "distance beyond a quarter of it."
        )
    for times in (1, *multipliers):
        require_groups(width * times, groups, _NAME)
    widths = [width, *(width * times for times in multipliers)]
    plan = _Plan(heads, head_dim, groups, time=4 * width)
    bias = RelativePositionBias(heads, buckets, max_distance)
    return DifftumorDenoiser(in_channels, out_channels, widths, plan, bias)


@dataclass(frozen=True)
class _Plan:
    """What all levels have in common."""

    heads: int
    head_dim: int
    groups: int
    time: int

    def block(self, channels_in: int, channels_out: int) -> _ResBlock:
        return _ResBlock(channels_in, channels_out, self.groups, self.time)

    def attention(self, kind: Callable[[int, int, int], nn.Module], channels: int) -> Residual:
        return Residual(channels, kind(channels, self.heads, self.head_dim))


class DifftumorDenoiser(nn.Module):
    """The noise in a latent at a step of diffusion; built by `build_difftumor_denoiser`.

    Takes and gives (batch, channels, X, Y, Z). The slices are those along Z, which is the depth.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int],
        plan: _Plan,
        bias: RelativePositionBias,
    ) -> None:
        super().__init__()
        width, deepest = widths[0], widths[-1]
        steps = list(pairwise(widths))
        last = len(steps) - 1
        self._in_channels = in_channels
        self._multiple = 2**last
        self.time_rel_pos_bias = bias
        self.init_conv = _slice_conv(in_channels, width, kernel=7)
        self.init_temporal_attn = plan.attention(DepthAttention, width)
        self.time_mlp = nn.Sequential(
            _StepEmbedding(width),
            nn.Linear(width, plan.time),
            nn.GELU(),
            nn.Linear(plan.time, plan.time),
        )
        self.downs = nn.ModuleList(
            _Level(plan, a, b, _shrink(b) if i < last else nn.Identity())
            for i, (a, b) in enumerate(steps)
        )
        self.mid_block1 = plan.block(deepest, deepest)
        self.mid_spatial_attn = plan.attention(SliceAttention, deepest)
        self.mid_temporal_attn = plan.attention(DepthAttention, deepest)
        self.mid_block2 = plan.block(deepest, deepest)
        self.ups = nn.ModuleList(
            _Level(plan, 2 * b, a, _grow(a) if i < last else nn.Identity())
            for i, (a, b) in enumerate(reversed(steps))
        )
        self.final_conv = nn.Sequential(
            _ResBlock(2 * width, width, plan.groups), nn.Conv3d(width, out_channels, 1)
        )

    def forward(self, noisy: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """Return the noise in a latent.

        Parameters
        ----------
        noisy
            (batch, 8, x, y, z) as published, scaled to -1 to 1; x and y are multiples of 8.
        time
            (batch,), the step of diffusion, from 0.
        condition
            (batch, 9, x, y, z): the latent of the CT without the tumour, scaled alike, and the
            mask as -1 or 1.

        Returns
        -------
        Tensor
            (batch, 8, x, y, z).

        Raises
        ------
        InputError
            If channels or sizes do not fit.
        """
        self._check(noisy, time, condition)
        x = torch.cat([noisy, condition], dim=1).movedim(-1, 2)
        bias = self.time_rel_pos_bias(x.shape[2])
        step = self.time_mlp[1:](self.time_mlp[0](time).to(x.dtype))
        stem = self.init_conv(x)
        x = self.init_temporal_attn(stem, bias)
        skipped = []
        for level in self.downs:
            kept, x = level(x, step, bias)
            skipped.append(kept)
        x = self.mid_spatial_attn(self.mid_block1(x, step))
        x = self.mid_block2(self.mid_temporal_attn(x, bias), step)
        for level in self.ups:
            _, x = level(torch.cat([x, skipped.pop()], dim=1), step, bias)
        return self.final_conv(torch.cat([x, stem], dim=1)).movedim(2, -1)

    def _check(self, noisy: Tensor, time: Tensor, condition: Tensor) -> None:
        multiples = (self._multiple, self._multiple, 1)
        require_multiples(noisy, multiples, _NAME)
        require_multiples(condition, multiples, _NAME)
        (batch, channels, *sizes), (others, more, *theirs) = noisy.shape, condition.shape
        if (batch, sizes) != (others, theirs) or channels + more != self._in_channels:
            raise InputError(
                f"{_NAME} takes a latent and a condition of one size and {self._in_channels} "
                f"channels together; found {tuple(noisy.shape)} and {tuple(condition.shape)}."
            )
        if time.shape != (batch,):
            raise InputError(
                f"{_NAME} takes one step for each of {batch} latents; found the shape "
                f"{tuple(time.shape)}."
            )


class _StepEmbedding(nn.Module):
    """A step of diffusion as sines and cosines of many wavelengths, (batch,) to (batch, dim)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self._half = dim // 2

    def forward(self, time: Tensor) -> Tensor:
        index = torch.arange(self._half, device=time.device)
        angles = time[:, None] * torch.exp(-log(10000) / (self._half - 1) * index)
        return torch.cat([angles.sin(), angles.cos()], dim=-1)


class _ConvBlock(nn.Module):
    """Convolution in the slice, normalisation, scale and shift if given, activation."""

    def __init__(self, channels_in: int, channels_out: int, groups: int) -> None:
        super().__init__()
        self.proj = _slice_conv(channels_in, channels_out, kernel=3)
        self.norm = nn.GroupNorm(groups, channels_out)

    def forward(self, x: Tensor, by: tuple[Tensor, Tensor] | None = None) -> Tensor:
        x = self.norm(self.proj(x))
        if by is not None:
            scale, shift = by
            x = x * (scale + 1) + shift
        return functional.silu(x)


class _ResBlock(nn.Module):
    """Two convolutions beside a shortcut; the step scales and shifts the first, if there is one."""

    def __init__(
        self, channels_in: int, channels_out: int, groups: int, time: int | None = None
    ) -> None:
        super().__init__()
        self.mlp = (
            None if time is None else nn.Sequential(nn.SiLU(), nn.Linear(time, 2 * channels_out))
        )
        self.block1 = _ConvBlock(channels_in, channels_out, groups)
        self.block2 = _ConvBlock(channels_out, channels_out, groups)
        same = channels_in == channels_out
        self.res_conv = nn.Identity() if same else nn.Conv3d(channels_in, channels_out, 1)

    def forward(self, x: Tensor, step: Tensor | None = None) -> Tensor:
        by = None
        if self.mlp is not None:
            scale, shift = self.mlp(step)[..., None, None, None].chunk(2, dim=1)
            by = (scale, shift)
        return self.block2(self.block1(x, by)) + self.res_conv(x)


class _Level(nn.ModuleList):
    """Two blocks and two attentions at one size, and what leads to the next size."""

    def __init__(self, plan: _Plan, channels_in: int, channels_out: int, resize: nn.Module) -> None:
        super().__init__(
            [
                plan.block(channels_in, channels_out),
                plan.block(channels_out, channels_out),
                plan.attention(LinearSliceAttention, channels_out),
                plan.attention(DepthAttention, channels_out),
                resize,
            ]
        )

    def forward(self, x: Tensor, step: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Return the volume as it leaves this size, and as it enters the next."""
        first, second, within, along, resize = self
        x = along(within(second(first(x, step), step)), bias)
        return x, resize(x)


def _slice_conv(channels_in: int, channels_out: int, kernel: int) -> nn.Conv3d:
    """Return a convolution within the slice that keeps its size."""
    pad = kernel // 2
    return nn.Conv3d(channels_in, channels_out, (1, kernel, kernel), padding=(0, pad, pad))


def _shrink(channels: int) -> nn.Conv3d:
    """Return a convolution that halves the slice."""
    return nn.Conv3d(channels, channels, (1, 4, 4), stride=(1, 2, 2), padding=(0, 1, 1))


def _grow(channels: int) -> nn.ConvTranspose3d:
    """Return a transposed convolution that doubles the slice."""
    return nn.ConvTranspose3d(channels, channels, (1, 4, 4), stride=(1, 2, 2), padding=(0, 1, 1))
