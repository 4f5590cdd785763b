"""Attention over a volume one direction at a time: along depth, within the slice, or linear.

The parts of a video diffusion network (Ho et al., "Video Diffusion Models", NeurIPS 2022) whose
frames are the slices of a volume. All take and give (batch, channels, depth, height, width); the
names of their parts are those of DiffTumor's published weights.
"""

from __future__ import annotations

from math import log

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

_EPS = 1e-5


class Residual(nn.Module):
    """Normalised attention beside the identity.

    Parameters
    ----------
    channels
        Of the volume.
    attention
        What is done with the normalised volume.
    """

    def __init__(self, channels: int, attention: nn.Module) -> None:
        super().__init__()
        self.fn = _PreNorm(channels, attention)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Add to (batch, channels, depth, height, width) what attention makes of it.

        `bias` is for attention along depth: what `RelativePositionBias` returns.
        """
        return x + self.fn(x, bias)


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each voxel, with a gain and no offset."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(1, channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (batch, channels, depth, height, width)."""
        mean = x.mean(dim=1, keepdim=True)
        variance = x.var(dim=1, unbiased=False, keepdim=True)
        return (x - mean) / (variance + _EPS).sqrt() * self.gamma


class _PreNorm(nn.Module):
    def __init__(self, channels: int, attention: nn.Module) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.fn = attention

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        return self.fn(self.norm(x), bias)


class DepthAttention(nn.Module):
    """Each column of voxels attends along depth: rotary positions, and a bias if one is given."""

    def __init__(self, channels: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self.fn = _Attention(channels, heads, head_dim, RotaryEmbedding(head_dim))

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Attend within (batch, channels, depth, height, width); bias (heads, depth, depth)."""
        height = x.shape[-2]
        columns = rearrange(x, "b c d h w -> b (h w) d c")
        return rearrange(self.fn(columns, bias), "b (h w) d c -> b c d h w", h=height)


class SliceAttention(nn.Module):
    """Each voxel attends to all of its slice, without positions."""

    def __init__(self, channels: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self.fn = _Attention(channels, heads, head_dim, None)

    def forward(self, x: Tensor, _bias: Tensor | None = None) -> Tensor:
        """Attend within (batch, channels, depth, height, width)."""
        height = x.shape[-2]
        slices = rearrange(x, "b c d h w -> b d (h w) c")
        return rearrange(self.fn(slices, None), "b d (h w) c -> b c d h w", h=height)


class LinearSliceAttention(nn.Module):
    """Attention within the slice whose cost grows with its voxels, not their square.

    Shen et al., "Efficient Attention: Attention with Linear Complexities", WACV 2021: queries are
    softmaxed over their features and keys over the voxels, so keys and values are summed first.
    """

    def __init__(self, channels: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self._heads = heads
        self._scale = head_dim**-0.5
        self.to_qkv = nn.Conv2d(channels, 3 * heads * head_dim, 1, bias=False)
        self.to_out = nn.Conv2d(heads * head_dim, channels, 1)

    def forward(self, x: Tensor, _bias: Tensor | None = None) -> Tensor:
        """Attend within (batch, channels, depth, height, width)."""
        batch, _, _, height, _ = x.shape
        qkv = self.to_qkv(rearrange(x, "b c d h w -> (b d) c h w"))
        q, k, v = rearrange(qkv, "n (t g f) h w -> t n g f (h w)", t=3, g=self._heads)
        summed = k.softmax(dim=-1) @ v.transpose(-1, -2)  # (features of k, features of v)
        out = summed.transpose(-1, -2) @ (q.softmax(dim=-2) * self._scale)
        out = self.to_out(rearrange(out, "n g f (h w) -> n (g f) h w", h=height))
        return rearrange(out, "(b d) c h w -> b c d h w", b=batch)


class RotaryEmbedding(nn.Module):
    """Positions as rotations of neighbouring pairs of features (Su et al., "RoFormer", 2021).

    The product of two rotated vectors depends on how far apart they are, not on where.
    """

    freqs: Tensor

    def __init__(self, dim: int, base: float = 10000.0) -> None:
        super().__init__()
        self.register_buffer("freqs", base ** (-torch.arange(0, dim, 2) / dim))

    def forward(self, x: Tensor) -> Tensor:
        """Rotate (..., positions, features) by angles that grow with the position."""
        positions = torch.arange(x.shape[-2], device=x.device, dtype=self.freqs.dtype)
        angles = positions[:, None] * self.freqs
        cos, sin = angles.cos(), angles.sin()
        even, odd = x[..., 0::2], x[..., 1::2]
        turned = torch.stack([even * cos - odd * sin, odd * cos + even * sin], dim=-1)
        return turned.flatten(-2).to(x.dtype)


class RelativePositionBias(nn.Module):
    """A number per head for how far and on which side the other position is.

    The bidirectional buckets of T5 (Raffel et al., JMLR 2020): half of them for each side; of a
    half, the first half for single steps and the rest for steps that grow up to the largest.

    Parameters
    ----------
    heads
        Of the attention that it is for.
    buckets
        How many distances are told apart, both sides together.
    max_distance
        From where on distances are one.
    """

    def __init__(self, heads: int, buckets: int, max_distance: int) -> None:
        super().__init__()
        self._max_distance = max_distance
        self.relative_attention_bias = nn.Embedding(buckets, heads)

    def forward(self, positions: int) -> Tensor:
        """Return (heads, positions, positions): query first, key second."""
        weight = self.relative_attention_bias.weight
        place = torch.arange(positions, device="cpu")  # not every device has doubles
        buckets = relative_buckets(place - place[:, None], len(weight), self._max_distance)
        return self.relative_attention_bias(buckets.to(weight.device)).movedim(-1, 0)


def relative_buckets(offset: Tensor, buckets: int, max_distance: int) -> Tensor:
    """Return the bucket of each offset, key minus query, in T5's bidirectional scheme."""
    half = buckets // 2
    exact = half // 2
    distance = offset.abs()
    # Doubles, so that distances at the very edge of a bucket are not a matter of rounding.
    ratio = torch.log(distance.clamp(min=1).double() / exact) / log(max_distance / exact)
    far = (exact + (ratio * (half - exact)).long()).clamp(max=half - 1)
    return torch.where(distance < exact, distance, far) + half * (offset > 0)


class _Attention(nn.Module):
    """Scaled dot-product attention of (batch, groups, tokens, channels) within each group."""

    def __init__(
        self, channels: int, heads: int, head_dim: int, rotary: RotaryEmbedding | None
    ) -> None:
        super().__init__()
        self._heads = heads
        self.rotary_emb = rotary
        self.to_qkv = nn.Linear(channels, 3 * heads * head_dim, bias=False)
        self.to_out = nn.Linear(heads * head_dim, channels, bias=False)

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        q, k, v = rearrange(self.to_qkv(x), "b g n (t h f) -> t b g h n f", t=3, h=self._heads)
        if self.rotary_emb is not None:
            q, k = self.rotary_emb(q), self.rotary_emb(k)
        mask = None if bias is None else bias.to(q.dtype)
        # Its scale is 1 / sqrt(features), as published; there before the rotation, which is linear.
        out = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.to_out(rearrange(out, "b g h n f -> b g n (h f)"))
