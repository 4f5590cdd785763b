"""FreeTumor's U-Net: the published names, and statistics of the batch in evaluation too."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from oncoforge.errors import InputError
from oncoforge.networks import build
from oncoforge.networks.freetumor_unet import PREFIXES, BatchStatisticsNorm


def _published(out_channels: int):
    with torch.device("meta"):
        return build("freetumor_unet", 1, out_channels)


def _small(seed: int = 0):
    network = build("freetumor_unet", 1, 3, width=4, seed=seed).double().eval()
    generator = torch.Generator().manual_seed(5)
    for name, value in network.named_parameters():
        if ".bn1." in name:  # other than 1 and 0, so that their place matters
            value.data += torch.rand(value.shape, generator=generator, dtype=value.dtype) - 0.5
    return network


def _random(*shape: int, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(("out_channels", "parameters"), [(3, 19_073_795), (1, 19_073_665)])
def test_names_and_sizes_are_those_of_the_published_weights(out_channels, parameters):
    network = _published(out_channels)
    kinds = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    levels = ["down_tr64", "down_tr128", "down_tr256", "down_tr512"]
    ups = ["up_tr256", "up_tr128", "up_tr64"]
    expected = {f"{name}.{kind}" for name in ("out_tr.final_conv",) for kind in kinds[:2]}
    expected |= {f"{up}.up_conv.{kind}" for up in ups for kind in kinds[:2]}
    for unit in (f"{level}.ops.{i}" for level in levels + ups for i in (0, 1)):
        expected |= {f"{unit}.conv1.{kind}" for kind in kinds[:2]}
        expected |= {f"{unit}.bn1.{kind}" for kind in kinds}
    assert set(network.state_dict()) == expected
    assert len(expected) == 106
    assert sum(value.numel() for value in network.parameters()) == parameters


@pytest.mark.parametrize(("table", "outputs"), [("TGAN_abdomen", (3, 3)), ("TGAN_chest", (1, 3))])
def test_every_shape_is_that_of_the_table(published_keys, table, outputs):
    published = published_keys("freetumor_gan")[table]
    for prefix, out_channels in zip(PREFIXES, outputs, strict=True):
        theirs = {
            name.removeprefix(prefix): shape
            for name, shape in published.items()
            if name.startswith(prefix)
        }
        ours = _published(out_channels).state_dict()
        assert {name: list(value.shape) for name, value in ours.items()} == theirs


@torch.no_grad()
def test_the_running_statistics_of_a_file_neither_count_nor_change():
    network, poisoned = _small(), _small()
    for name, value in poisoned.state_dict().items():
        if "running" in name:
            value.fill_(7.0)
    before = copy.deepcopy(poisoned.state_dict())
    volume = _random(1, 1, 16, 8, 24)
    out = network(volume)
    for mode in (False, True):
        assert torch.equal(poisoned.train(mode)(volume), out)
    assert before.keys() == poisoned.state_dict().keys()
    for name, value in poisoned.state_dict().items():
        assert torch.equal(value, before[name]), name


@torch.no_grad()
def test_the_normalisation_is_that_of_training_and_forgets_scale_and_offset():
    norm, torchs = BatchStatisticsNorm(3).double().eval(), nn.BatchNorm3d(3).double().train()
    for layer in (norm, torchs):
        layer.weight.copy_(torch.tensor([1.0, -2.0, 0.5]))
        layer.bias.copy_(torch.tensor([0.0, 3.0, -1.0]))
    x = 50 * _random(2, 3, 4, 5, 6)
    torch.testing.assert_close(norm(x), torchs(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(norm(9 * x - 400), norm(x), rtol=0, atol=1e-6)


@torch.no_grad()
def test_a_unit_forgets_the_scale_of_its_input():
    unit = _small().down_tr128.ops[0]
    x = 100 * _random(1, 4, 8, 8, 8)
    assert unit(x).std() > 0.1
    torch.testing.assert_close(unit(10 * x), unit(x), rtol=0, atol=1e-5)


def _reference(values: dict[str, torch.Tensor], volume: torch.Tensor) -> torch.Tensor:
    """The layers one after the other, by the names of their weights."""

    def units(level: str, x: torch.Tensor) -> torch.Tensor:
        for i in range(2):
            name = f"{level}.ops.{i}"
            kernel, offset = values[f"{name}.conv1.weight"], values[f"{name}.conv1.bias"]
            x = functional.conv3d(x, kernel, offset, padding=1)
            mean = x.mean(dim=(0, 2, 3, 4), keepdim=True)
            deviation = ((x - mean).square().mean(dim=(0, 2, 3, 4), keepdim=True) + 1e-5).sqrt()
            gain, shift = values[f"{name}.bn1.weight"], values[f"{name}.bn1.bias"]
            x = (x - mean) / deviation * gain[:, None, None, None] + shift[:, None, None, None]
            x = x.clamp(min=0)
        return x

    skips = []
    x = volume
    for level in ("down_tr64", "down_tr128", "down_tr256"):
        x = units(level, x)
        skips.append(x)
        blocks = x.unflatten(2, (-1, 2)).unflatten(4, (-1, 2)).unflatten(6, (-1, 2))
        x = blocks.amax(dim=(3, 5, 7))
    x = units("down_tr512", x)
    for level in ("up_tr256", "up_tr128", "up_tr64"):
        kernel, offset = values[f"{level}.up_conv.weight"], values[f"{level}.up_conv.bias"]
        wide = torch.einsum("ncxyz,coijk->noxiyjzk", x, kernel)
        x = wide.flatten(6, 7).flatten(4, 5).flatten(2, 3) + offset[:, None, None, None]
        x = units(level, torch.cat([x, skips.pop()], dim=1))
    head = values["out_tr.final_conv.weight"].flatten(1)
    out = torch.einsum("ncxyz,oc->noxyz", x, head)
    return out + values["out_tr.final_conv.bias"][:, None, None, None]


@torch.no_grad()
def test_it_computes_what_its_layers_do_one_by_one():
    network = _small()
    volume = _random(2, 1, 16, 8, 24)
    expected = _reference(network.state_dict(), volume)
    torch.testing.assert_close(network(volume), expected, rtol=0, atol=1e-10)
    assert expected.std() > 0.01


@torch.no_grad()
def test_the_same_input_gives_the_same_output_and_its_batch_matters():
    network = _small()
    volumes = _random(2, 1, 16, 16, 8)
    together = network(volumes)
    assert together.shape == (2, 3, 16, 16, 8)
    assert torch.equal(network(volumes), together)
    assert torch.equal(_small()(volumes), together)
    assert not torch.allclose(network(volumes[:1])[0], together[0])


def test_wrong_sizes_and_options_are_sentences():
    network = _small()
    with pytest.raises(InputError, match="multiples of 8 x 8 x 8, and the volume is 16 x 12 x 16"):
        network(_random(1, 1, 16, 12, 16))
    with pytest.raises(InputError, match="8 x 8 x 8"):
        network(_random(1, 1, 8, 8, 8))
    with pytest.raises(InputError, match="even number from 2"):
        build("freetumor_unet", 1, 1, width=5)
