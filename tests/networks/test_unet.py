"""The residual U-Net is the one of the published weights."""

from __future__ import annotations

import torch
from torch import nn

from oncoforge.networks import build


def test_it_is_the_published_network():
    with torch.device("meta"):
        network = build("unet", 1, 3)
    assert sum(value.numel() for value in network.parameters()) == 4_807_482
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert shapes["model.0.conv.unit0.conv.weight"] == (16, 1, 3, 3, 3)
    assert shapes["model.2.1.conv.unit0.conv.weight"] == (3, 3, 3, 3, 3)
    assert sum(name.endswith(".adn.A.weight") for name in shapes) == 17  # PReLUs
    assert network.steps == (16, 16, 16)


def test_norms_have_no_weights_and_know_no_batch():
    with torch.device("meta"):
        network = build("unet", 1, 3)
    norms = [part for part in network.modules() if isinstance(part, nn.InstanceNorm3d)]
    assert norms
    assert not any(norm.affine or norm.track_running_stats for norm in norms)


def test_options_change_what_they_name():
    with torch.device("meta"):
        network = build("unet", 4, 2, channels=(8, 16, 24), strides=(2, 1), num_res_units=0)
    assert network.steps == (2, 2, 2)
    assert network(torch.empty(1, 4, 10, 8, 6, device="meta")).shape == (1, 2, 10, 8, 6)
    widths = {part.out_channels for part in network.modules() if isinstance(part, nn.Conv3d)}
    assert widths == {8, 16, 24}
