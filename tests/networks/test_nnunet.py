"""nnU-Net's U-Net: the published one, and what its rule plans for other windows."""

from __future__ import annotations

import copy
import json
from math import log2, prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from oncoforge.errors import InputError
from oncoforge.networks import Config, build, rebuild
from oncoforge.networks.nnunet import plan

PLANNED = {"spacing_mm": (1.0, 1.0, 3.0), "patch": (32, 32, 16)}


def _meta(**options):
    with torch.device("meta"):
        return build("nnunet", 1, 3, **options)


def _shapes(network) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def test_it_is_the_published_network():
    network = _meta()
    assert sum(value.numel() for value in network.parameters()) == 16_538_563
    shapes = _shapes(network)
    # The names of a published file: each module is stored a second time as part of its level.
    assert shapes["input_block.conv1.conv.weight"] == (32, 1, 3, 3, 3)
    assert shapes["downsamples.2.conv1.conv.weight"] == (256, 128, 3, 3, 3)
    assert shapes["bottleneck.conv2.conv.weight"] == (320, 320, 3, 3, 3)
    assert shapes["upsamples.0.transp_conv.conv.weight"] == (320, 256, 2, 2, 2)
    assert shapes["output_block.conv.conv.bias"] == (3,)
    assert shapes["skip_layers.downsample.conv1.conv.weight"] == (32, 1, 3, 3, 3)
    assert not [name for name in shapes if ".norm" in name]


def test_it_is_what_the_rule_plans_for_the_window_of_the_predecessors():
    assert _shapes(_meta(spacing_mm=(0.77, 0.77, 1.0), patch=(96, 96, 96))) == _shapes(_meta())


def test_the_larger_window_of_their_earlier_preset_has_six_levels():
    network = _meta(spacing_mm=(0.77, 0.77, 1.0), patch=(128, 128, 128))
    filters = [part.conv1.conv.out_channels for part in (network.input_block, *network.downsamples)]
    assert [*filters, network.bottleneck.conv1.conv.out_channels] == [32, 64, 128, 256, 320, 320]
    assert network.steps == (32, 32, 32)


def test_a_coarse_axis_waits_until_the_others_are_as_coarse():
    kernels, strides = plan((0.8, 0.8, 5.0), (64, 64, 16))
    assert strides == [(1, 1, 1), (2, 2, 1), (2, 2, 1), (2, 2, 2), (2, 2, 2)]
    assert kernels == [(3, 3, 1), (3, 3, 1), (3, 3, 3), (3, 3, 3), (3, 3, 3)]


@given(
    st.tuples(*[st.sampled_from([0.5, 0.8, 1.0, 1.5, 3.0, 5.0])] * 3),
    st.tuples(*[st.sampled_from([32, 64, 96, 128])] * 3),
)
def test_every_plan_keeps_the_rule(spacing, patch):
    kernels, strides = plan(spacing, patch)
    assert len(kernels) == len(strides)
    assert strides[0] == (1, 1, 1)
    assert kernels[-1] == (3, 3, 3)
    here, sizes = list(spacing), list(patch)
    for level, (kernel, stride) in enumerate(zip(kernels[:-1], strides[1:], strict=True)):
        finest = min(here)
        for axis in range(3):
            close = here[axis] <= 2 * finest
            assert kernel[axis] == (3 if close else 1), (level, axis)
            assert stride[axis] == (2 if close and sizes[axis] >= 8 else 1), (level, axis)
            here[axis] *= stride[axis]
            sizes[axis] //= stride[axis]
    assert min(sizes) >= 4
    # Nothing that could still be halved is left whole.
    assert not any(mm <= 2 * min(here) and n >= 8 for mm, n in zip(here, sizes, strict=True))


@given(st.integers(4, 10))
def test_an_isotropic_cube_is_halved_down_to_its_last_four_to_seven_voxels(power):
    _, strides = plan((1.0, 1.0, 1.0), (2**power,) * 3)
    assert len(strides) - 1 == log2(2**power / 4)


@pytest.mark.parametrize(
    ("spacing", "patch", "said"),
    [
        ((1, 1, 1), (100, 96, 96), "no multiple of 16; give 96 or 112"),
        ((1, 1, 1), (8, 8, 8), "at least 3 levels"),
        ((1, 1, 1), (9, 64, 64), "9 is no multiple of 2; give 8 or 10"),
        ((1, 0, 1), (96, 96, 96), "positive"),
        ((1, 1, 1), (96, 96, -96), "positive"),
    ],
)
def test_windows_that_do_not_fit_are_refused_with_a_sentence(spacing, patch, said):
    with pytest.raises(InputError, match=said):
        build("nnunet", 1, 3, spacing_mm=spacing, patch=patch)


def test_recorded_options_rebuild_the_planned_network():
    network = _meta(**PLANNED, deep_supervision=True)
    config = Config.from_dict(json.loads(json.dumps(network.config.to_dict())))
    assert config.options == {**PLANNED, "deep_supervision": True}
    with torch.device("meta"):
        assert _shapes(rebuild(config)) == _shapes(network)


@pytest.mark.parametrize(("patch", "heads"), [((16, 16, 16), 1), ((32, 32, 32), 2),
                                              ((64, 64, 64), 3), ((128, 128, 128), 3)])  # fmt: skip
def test_deep_supervision_gives_the_coarser_levels_in_training_only(patch, heads):
    network = _meta(spacing_mm=(1.0, 1.0, 1.0), patch=patch, deep_supervision=True)
    volume = torch.empty(2, 1, *patch, device="meta")
    assert network.train()(volume).shape == (2, 1 + heads, 3, *patch)
    assert network.eval()(volume).shape == (2, 3, *patch)


def test_deep_supervision_trains_every_head_and_lets_the_network_be_copied():
    network = build("nnunet", 1, 2, **PLANNED, deep_supervision=True, seed=0)
    output = network(torch.rand(1, 1, *PLANNED["patch"]))
    output.square().sum().backward()
    assert all(value.grad is not None for value in network.parameters())
    assert _shapes(copy.deepcopy(network)) == _shapes(network)


def test_kernels_and_strides_of_a_plan_are_in_the_network():
    network = _meta(**PLANNED)
    kernels, strides = plan(**PLANNED)
    blocks = [network.input_block, *network.downsamples, network.bottleneck]
    assert [block.conv1.conv.kernel_size for block in blocks] == kernels
    assert [block.conv1.conv.stride for block in blocks] == strides
    ups = [block.transp_conv.conv.stride for block in network.upsamples]
    assert ups == strides[:0:-1]
    assert network.steps == tuple(prod(axis) for axis in zip(*strides, strict=True))
