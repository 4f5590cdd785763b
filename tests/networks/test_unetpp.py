"""UNet++ is MONAI's, and gives a tensor."""

from __future__ import annotations

import torch
from monai.networks.nets import BasicUNetPlusPlus
from torch import nn

from oncoforge.networks import build

SMALL = (4, 4, 6, 8, 10, 4)


def test_it_computes_what_monai_does_with_the_same_weights():
    ours = build("unetpp", 1, 3, features=SMALL, seed=3).eval()
    theirs = BasicUNetPlusPlus(3, 1, 3, SMALL).eval()
    theirs.load_state_dict(ours.state_dict())
    volume = torch.rand(1, 1, 32, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(ours(volume), theirs(volume)[0])


def test_it_is_as_the_predecessors_describe_it():
    with torch.device("meta"):
        network = build("unetpp", 1, 3)
    parts = list(network.modules())
    assert {part.negative_slope for part in parts if isinstance(part, nn.LeakyReLU)} == {0.1}
    norms = [part for part in parts if isinstance(part, nn.InstanceNorm3d)]
    assert norms
    assert all(norm.affine for norm in norms)
    assert any(isinstance(part, nn.ConvTranspose3d) for part in parts)
    assert network.conv_4_0.convs.conv_1.conv.out_channels == 256
    assert network.final_conv_0_4.in_channels == 32


def test_odd_sizes_come_out_as_they_went_in():
    with torch.device("meta"):
        network = build("unetpp", 1, 2, features=SMALL)
    assert network(torch.empty(2, 1, 47, 33, 18, device="meta")).shape == (2, 2, 47, 33, 18)


def test_every_weight_that_is_trained_has_a_gradient():
    """Several processes would wait for those of others."""
    network = build("unetpp", 1, 2, features=(4, 4, 4, 4, 4, 4))
    network(torch.rand(1, 1, 32, 32, 32)).sum().backward()
    without = [n for n, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []
