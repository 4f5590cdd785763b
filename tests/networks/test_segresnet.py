"""SegResNet is MONAI's, with the blocks of the predecessors."""

from __future__ import annotations

import pytest
import torch
from monai.networks.nets import SegResNet

from oncoforge.networks import build


def test_it_computes_what_monai_does_with_the_same_weights():
    ours = build("segresnet", 2, 3, init_filters=8, seed=3).eval()
    theirs = SegResNet(3, 8, 2, 3).eval()
    theirs.load_state_dict(ours.state_dict())
    volume = torch.rand(1, 2, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(ours(volume), theirs(volume))


def test_it_is_as_the_predecessors_describe_it():
    with torch.device("meta"):
        network = build("segresnet", 1, 3)
    assert network.convInit.conv.out_channels == 16
    assert [len(level) - 1 for level in network.down_layers] == [1, 2, 2, 4]
    assert [len(level) for level in network.up_layers] == [1, 1, 1]
    assert network.steps == (8, 8, 8)


@pytest.mark.parametrize(("dropout", "same"), [(0.0, True), (0.5, False)])
def test_dropout_acts_in_training_only(dropout, same):
    network = build("segresnet", 1, 2, init_filters=8, blocks_down=(1, 1), blocks_up=(1,),
                    dropout=dropout, seed=0)  # fmt: skip
    volume = torch.rand(1, 1, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert torch.equal(network.train()(volume), network(volume)) == same
        assert torch.equal(network.eval()(volume), network(volume))
