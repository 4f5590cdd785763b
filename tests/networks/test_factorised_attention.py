"""Attention one direction at a time: against its formulas, and where it reaches."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from oncoforge.networks.factorised_attention import (
    ChannelNorm,
    DepthAttention,
    LinearSliceAttention,
    RelativePositionBias,
    RotaryEmbedding,
    SliceAttention,
    relative_buckets,
)

HEADS, FEATURES = 2, 6


def _random(*shape: int, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def test_buckets_of_depth_are_those_of_t5():
    offset = torch.arange(-40, 41)
    found = dict(zip(offset.tolist(), relative_buckets(offset, 32, 32).tolist(), strict=True))
    far = {8: 8, 9: 8, 10: 9, 11: 9, 12: 10, 13: 10, 14: 11, 15: 11, 16: 12, 19: 12, 20: 13,
           22: 13, 23: 14, 26: 14, 27: 15, 32: 15, 40: 15}  # fmt: skip
    for distance, bucket in {**{i: i for i in range(8)}, **far}.items():
        assert found[-distance] == bucket  # the key comes before the query
        assert found[distance] == bucket + 16 * (distance > 0)


@settings(max_examples=40, deadline=None)
@given(st.integers(8, 400), st.sampled_from([32, 128]))
def test_buckets_of_far_positions_grow_by_a_constant_factor(distance, max_distance):
    # In whole numbers: eight buckets from 8 voxels to the largest distance, none beyond it.
    steps = 0
    while steps < 7 and distance**8 >= 8**8 * (max_distance // 8) ** (steps + 1):
        steps += 1
    assert relative_buckets(torch.tensor([-distance]), 32, max_distance).item() == 8 + steps


def test_the_bias_depends_on_the_offset_alone_and_tells_the_sides_apart():
    bias = RelativePositionBias(HEADS, 32, 32)(9).detach()
    assert bias.shape == (HEADS, 9, 9)
    assert torch.equal(bias[:, 1:, 1:], bias[:, :-1, :-1])
    assert not torch.allclose(bias, bias.transpose(1, 2))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 20), st.integers(0, 99))
def test_products_of_rotated_vectors_depend_on_their_distance_alone(shift, seed):
    rotate = RotaryEmbedding(8).double()
    q, k = _random(8, seed=seed), _random(8, seed=seed + 100)
    products = rotate(q.expand(30, 8)) @ rotate(k.expand(30, 8)).T
    torch.testing.assert_close(products[shift:, shift:], products[:-shift, :-shift])
    assert products[0, 0] == pytest.approx(float(q @ k))
    assert products[:, 0].std() > 1e-3


def test_rotation_turns_neighbouring_pairs_as_complex_numbers():
    x = _random(5, 8)
    angles = torch.outer(torch.arange(5.0), 10000.0 ** (-torch.arange(4) / 4)).double()
    turned = torch.view_as_complex(x.reshape(5, 4, 2)) * torch.polar(
        torch.ones_like(angles), angles
    )
    expected = torch.view_as_real(turned).reshape(5, 8)
    torch.testing.assert_close(RotaryEmbedding(8).double()(x), expected, rtol=0, atol=1e-6)


def test_the_norm_is_over_channels_with_a_gain_only():
    norm = ChannelNorm(6).double()
    norm.gamma.data = _random(1, 6, 1, 1, 1)
    x = _random(2, 6, 3, 4, 5)
    gain = norm.gamma.data.flatten()
    expected = functional.layer_norm(x.movedim(1, -1), (6,), gain, eps=1e-5).movedim(-1, 1)
    torch.testing.assert_close(norm(x), expected)


@torch.no_grad()
def test_linear_attention_is_its_formula_slice_by_slice():
    layer = LinearSliceAttention(6, HEADS, FEATURES).double()
    x = _random(2, 6, 3, 4, 5)
    kernel = layer.to_qkv.weight.flatten(1)
    out = torch.empty_like(x)
    for b in range(2):
        for d in range(3):
            tokens = x[b, :, d].flatten(1)
            q, k, v = (kernel @ tokens).reshape(3, HEADS, FEATURES, 20)
            q, k = torch.softmax(q, dim=1) / math.sqrt(FEATURES), torch.softmax(k, dim=2)
            weights = torch.einsum("hfi,hfj->hij", q, k)  # of voxel j for voxel i
            mixed = torch.einsum("hij,hej->hei", weights, v).flatten(0, 1)
            made = layer.to_out.weight.flatten(1) @ mixed + layer.to_out.bias[:, None]
            out[b, :, d] = made.reshape(6, 4, 5)
    torch.testing.assert_close(layer(x), out)


def _attended(tokens, layer, rotated: bool, bias=None) -> torch.Tensor:
    """Attention of (n, channels), each query by itself."""
    n = len(tokens)
    q, k, v = (tokens @ layer.to_qkv.weight.T).reshape(n, 3, HEADS, FEATURES).unbind(1)
    out = torch.empty(n, HEADS, FEATURES, dtype=tokens.dtype)
    rotate = RotaryEmbedding(FEATURES).double() if rotated else (lambda x: x)
    for head in range(HEADS):
        turned_q, turned_k = rotate(q[:, head] * FEATURES**-0.5), rotate(k[:, head])
        for i in range(n):
            score = turned_k @ turned_q[i]
            score = score if bias is None else score + bias[head, i]
            out[i, head] = torch.softmax(score, dim=0) @ v[:, head]
    return out.flatten(1) @ layer.to_out.weight.T


@torch.no_grad()
def test_depth_attention_is_its_formula_column_by_column():
    layer = DepthAttention(6, HEADS, FEATURES).double()
    x, bias = _random(2, 6, 5, 2, 3), 3 * _random(HEADS, 5, 5, seed=4)
    out = torch.empty_like(x)
    for b, h, w in torch.cartesian_prod(torch.arange(2), torch.arange(2), torch.arange(3)):
        out[b, :, :, h, w] = _attended(x[b, :, :, h, w].T, layer.fn, True, bias).T
    torch.testing.assert_close(layer(x, bias), out, rtol=0, atol=1e-6)
    assert not torch.allclose(layer(x), out, atol=1e-3)


@torch.no_grad()
def test_slice_attention_is_its_formula_slice_by_slice():
    layer = SliceAttention(6, HEADS, FEATURES).double()
    x = _random(2, 6, 3, 2, 4)
    out = torch.empty_like(x)
    for b, d in torch.cartesian_prod(torch.arange(2), torch.arange(3)):
        out[b, :, d] = _attended(x[b, :, d].flatten(1).T, layer.fn, False).T.reshape(6, 2, 4)
    torch.testing.assert_close(layer(x), out)


def _changed(layer, x: torch.Tensor, place: tuple) -> torch.Tensor:
    """Tell which voxels of the output follow when one voxel of the input changes."""
    other = x.clone()
    other[place] += 1
    return ((layer(other) - layer(x)).abs() > 1e-12).any(dim=1)[0]


@torch.no_grad()
@pytest.mark.parametrize("kind", [DepthAttention, SliceAttention, LinearSliceAttention])
def test_attention_stays_in_its_column_or_slice(kind):
    layer = kind(6, HEADS, FEATURES).double()
    x = _random(1, 6, 4, 3, 5)
    changed = _changed(layer, x, (0, slice(None), 2, 1, 3))
    expected = torch.zeros(4, 3, 5, dtype=torch.bool)
    if kind is DepthAttention:
        expected[:, 1, 3] = True
    else:
        expected[2] = True
    assert torch.equal(changed, expected)


@torch.no_grad()
@pytest.mark.parametrize("kind", [SliceAttention, LinearSliceAttention])
def test_attention_in_the_slice_knows_no_places(kind):
    layer = kind(6, HEADS, FEATURES).double()
    x = _random(1, 6, 2, 3, 5)
    torch.testing.assert_close(layer(x.flip(3, 4)), layer(x).flip(3, 4))
