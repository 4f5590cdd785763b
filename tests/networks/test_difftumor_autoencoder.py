"""DiffTumor's autoencoder: the published names, and what they compute by another way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from oncoforge.errors import InputError
from oncoforge.networks import build
from oncoforge.networks import difftumor_autoencoder as module
from oncoforge.networks.difftumor_autoencoder import (
    TRAINING_ONLY,
    Codebook,
    SameConv,
    SameConvTranspose,
)

SMALL = {"width": 4, "latent_channels": 3, "codes": 16, "groups": 2}


def _published():
    with torch.device("meta"):
        return build("difftumor_autoencoder", 1, 1)


def _small(seed: int = 0, **options):
    network = build("difftumor_autoencoder", 1, 1, seed=seed, **{**SMALL, **options})
    return _stirred(network.double().eval())


def _stirred(network):
    """Gains and offsets of normalisation other than 1 and 0, so that their place matters."""
    generator = torch.Generator().manual_seed(5)
    for name, value in network.named_parameters():
        if "norm" in name or "final_block" in name:
            value.data += 0.5 * torch.rand(value.shape, generator=generator, dtype=value.dtype)
    return network


def _random(*shape: int, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1


def _shapes(network) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in network.state_dict().items()}


def _parameters(network) -> int:
    return sum(value.numel() for value in network.parameters())


def test_names_and_sizes_are_those_of_the_published_weights():
    network = _published()
    block = ["norm1", "conv1.conv", "norm2", "conv2.conv"]
    layers = ["encoder.conv_first.conv", "decoder.conv_last.conv"]
    layers += ["pre_vq_conv.conv", "post_vq_conv.conv"]
    layers += ["encoder.final_block.0", "decoder.final_block.0"]
    for stage in "01":
        layers += [
            f"encoder.conv_blocks.{stage}.down.conv",
            f"decoder.conv_blocks.{stage}.up.convt",
        ]
        layers += [f"encoder.conv_blocks.{stage}.res.{part}" for part in block]
        for res in ("res1", "res2"):
            layers += [f"decoder.conv_blocks.{stage}.{res}.{part}" for part in block]
    expected = {f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")}
    assert set(network.state_dict()) == expected | {"codebook.embeddings"}
    assert _parameters(network.encoder) == 441_568
    assert _parameters(network.decoder) == 948_417
    assert _parameters(network.pre_vq_conv) == 520
    assert _parameters(network.post_vq_conv) == 576


def test_every_shape_is_that_of_the_table(published_keys):
    table = published_keys("difftumor_autoencoder")["keys"]
    needed = {name: shape for name, shape in table.items() if not name.startswith(TRAINING_ONLY)}
    assert _shapes(_published()) == needed
    assert len(needed) < len(table) == 154
    copy = published_keys("difftumor_diffusion")["keys"]
    assert {name for name in copy if name.startswith(module.PREFIX)} == {
        module.PREFIX + name for name in table
    }


def test_a_volume_of_96_becomes_8_channels_of_24_and_comes_back():
    network = _published()
    volume = torch.empty(1, 1, 96, 96, 96, device="meta")
    latent = network.encode(volume)
    assert latent.shape == (1, 8, 24, 24, 24)
    assert network.decode(latent, quantize=False).shape == volume.shape


@pytest.mark.parametrize("downsample", [(4, 4, 4), (4, 2, 1), (1, 8, 2)])
def test_each_axis_shrinks_by_its_own_factor(downsample):
    network = _small(downsample=downsample)
    volume = _random(1, 1, 8, 8, 8)
    latent = network.encode(volume)
    assert latent.shape == (1, 3, *(8 // factor for factor in downsample))
    assert network.decode(latent).shape == volume.shape


def _edge_padded(x: np.ndarray, kernel: int, stride: tuple[int, ...]) -> np.ndarray:
    missing = [kernel - step for step in stride]
    return np.pad(x, [(0, 0), *((-(-t // 2), t // 2) for t in missing)], mode="edge")


def _convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride) -> np.ndarray:
    padded = _edge_padded(x, weight.shape[-1], stride)
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=(1, 2, 3))
    windows = windows[:, :: stride[0], :: stride[1], :: stride[2]]
    return np.einsum("cxyzijk,ocijk->oxyz", windows, weight) + bias[:, None, None, None]


def _spread(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride) -> np.ndarray:
    """Add the kernel at each place of the padded volume, then cut the rim off."""
    kernel = weight.shape[-1]
    padded = _edge_padded(x, kernel, stride)
    sizes = [(n - 1) * step + kernel for n, step in zip(padded.shape[1:], stride, strict=True)]
    out = np.zeros((weight.shape[1], *sizes))
    for place in np.ndindex(*padded.shape[1:]):
        at = [slice(p * s, p * s + kernel) for p, s in zip(place, stride, strict=True)]
        out[:, *at] += np.einsum("c,coijk->oijk", padded[:, *place], weight)
    rim = slice(kernel - 1, 1 - kernel)
    return out[:, rim, rim, rim] + bias[:, None, None, None]


@pytest.mark.parametrize(
    ("kernel", "stride"), [(3, (1, 1, 1)), (4, (2, 2, 2)), (1, (1, 1, 1)), (4, (1, 2, 2))]
)
def test_the_border_of_a_convolution_repeats_the_outermost_voxels(kernel, stride):
    layer = SameConv(2, 3, kernel, stride).double()
    x = _random(1, 2, 6, 4, 8)
    weight, bias = layer.conv.weight.detach().numpy(), layer.conv.bias.detach().numpy()
    found = layer(x).detach().numpy()[0]
    np.testing.assert_allclose(found, _convolved(x.numpy()[0], weight, bias, stride), atol=1e-12)
    assert found.shape[1:] == tuple(n // s for n, s in zip((6, 4, 8), stride, strict=True))


@pytest.mark.parametrize("stride", [(2, 2, 2), (1, 2, 2)])
def test_a_transposed_convolution_doubles_where_its_stride_is_two(stride):
    layer = SameConvTranspose(2, 3, stride).double()
    x = _random(1, 2, 3, 4, 5)
    weight, bias = layer.convt.weight.detach().numpy(), layer.convt.bias.detach().numpy()
    found = layer(x).detach().numpy()[0]
    np.testing.assert_allclose(found, _spread(x.numpy()[0], weight, bias, stride), atol=1e-12)
    assert found.shape[1:] == tuple(n * s for n, s in zip((3, 4, 5), stride, strict=True))


class _Reference:
    """The layers one after the other, by the names of their weights."""

    def __init__(self, network) -> None:
        self.values = {name: value.numpy() for name, value in network.state_dict().items()}

    def _pair(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        return self.values[f"{name}.weight"], self.values[f"{name}.bias"]

    def conv(self, name: str, x: np.ndarray, step: int = 1) -> np.ndarray:
        return _convolved(x, *self._pair(name), (step,) * 3)

    def active(self, name: str, x: np.ndarray) -> np.ndarray:
        weight, bias = self._pair(name)
        groups = x.reshape(SMALL["groups"], -1)
        mean, variance = groups.mean(1, keepdims=True), groups.var(1, keepdims=True)
        flat = ((groups - mean) / np.sqrt(variance + 1e-6)).reshape(x.shape)
        flat = flat * weight[:, None, None, None] + bias[:, None, None, None]
        return flat / (1 + np.exp(-flat))

    def block(self, name: str, x: np.ndarray) -> np.ndarray:
        inner = self.conv(f"{name}.conv1.conv", self.active(f"{name}.norm1", x))
        return x + self.conv(f"{name}.conv2.conv", self.active(f"{name}.norm2", inner))

    def encode(self, volume: np.ndarray) -> np.ndarray:
        x = self.conv("encoder.conv_first.conv", volume.transpose(0, 3, 1, 2))
        for stage in ("encoder.conv_blocks.0", "encoder.conv_blocks.1"):
            x = self.block(f"{stage}.res", self.conv(f"{stage}.down.conv", x, 2))
        x = self.active("encoder.final_block.0", x)
        return self.conv("pre_vq_conv.conv", x).transpose(0, 2, 3, 1)

    def decode(self, latent: np.ndarray) -> np.ndarray:
        x = self.conv("post_vq_conv.conv", latent.transpose(0, 3, 1, 2))
        x = self.active("decoder.final_block.0", x)
        for stage in ("decoder.conv_blocks.0", "decoder.conv_blocks.1"):
            x = _spread(x, *self._pair(f"{stage}.up.convt"), (2, 2, 2))
            x = self.block(f"{stage}.res2", self.block(f"{stage}.res1", x))
        return self.conv("decoder.conv_last.conv", x).transpose(0, 2, 3, 1)


@torch.no_grad()
def test_it_computes_what_its_layers_do_one_by_one_with_z_as_depth():
    network = _small()
    reference = _Reference(network)
    volume = _random(1, 1, 8, 12, 4)
    latent = network.encode(volume)
    expected = reference.encode(volume.numpy()[0])
    np.testing.assert_allclose(latent.numpy()[0], expected, atol=1e-11)
    assert expected.std() > 0.01
    out = network.decode(latent, quantize=False)
    np.testing.assert_allclose(out.numpy()[0], reference.decode(expected), atol=1e-11)


@settings(max_examples=15, deadline=None)
@given(
    codes=st.integers(1, 40), channels=st.integers(1, 9), seed=st.integers(0, 99),
    scale=st.sampled_from([1e-3, 1.0, 30.0]),
)  # fmt: skip
def test_a_vector_goes_to_the_entry_nearest_to_it(codes, channels, seed, scale):
    codebook = Codebook(codes, channels)
    vectors = scale * _random(50, channels, seed=seed).float()
    differences = vectors.double()[:, None] - codebook.embeddings.double()
    distances = differences.square().sum(dim=-1)
    chosen = distances.gather(1, codebook.nearest(vectors)[:, None])[:, 0]
    torch.testing.assert_close(chosen, distances.min(dim=1).values, rtol=1e-5, atol=0)


def test_snapping_twice_is_snapping_once_even_if_entries_lie_close_together():
    codebook = Codebook(64, 8)
    codebook.embeddings[1:] = 1000 + 1e-3 * codebook.embeddings[1:]
    latent = 1000 + 1e-3 * _random(2, 8, 5, 4, 3).float()
    snapped = codebook(latent)
    assert snapped.shape == latent.shape
    rows = snapped.movedim(1, -1).reshape(-1, 8)
    assert all((row == codebook.embeddings).all(dim=1).any() for row in rows)
    assert torch.equal(codebook(snapped), snapped)


def test_distances_to_the_codebook_are_never_held_all_at_once(monkeypatch):
    codebook = Codebook(500, 8)
    latent = _random(1, 8, 9, 9, 9).float()
    whole = codebook(latent)
    cdist, held = torch.cdist, []

    def watched(vectors, entries, **how):
        held.append(len(vectors) * len(entries))
        return cdist(vectors, entries, **how)

    monkeypatch.setattr(torch, "cdist", watched)
    monkeypatch.setattr(module, "_DISTANCES_AT_ONCE", 4000)
    assert torch.equal(codebook(latent), whole)
    assert sum(held) == 9**3 * 500
    assert max(held) <= 4000
    monkeypatch.undo()
    assert module._DISTANCES_AT_ONCE * 4 <= 64 * 2**20  # bytes


@torch.no_grad()
def test_decoding_snaps_to_the_codebook_unless_asked_not_to():
    network = _small()
    volume = _random(2, 1, 8, 4, 12)
    latent = network.encode(volume)
    snapped = network.codebook(latent.movedim(-1, 2)).movedim(2, -1)
    assert not torch.equal(snapped, latent)
    assert torch.equal(network.decode(latent), network.decode(snapped, quantize=False))
    assert torch.equal(network(volume), network.decode(latent))
    assert not torch.allclose(network.decode(latent), network.decode(latent, quantize=False))


def test_half_precision_snaps_to_entries_too():
    codebook = Codebook(32, 8).to(torch.bfloat16)
    latent = codebook.embeddings[[3, 31, 0]].T.reshape(1, 8, 3, 1, 1)
    snapped = codebook(latent + 1e-3)
    assert snapped.dtype == torch.bfloat16
    assert torch.equal(snapped, latent)


@torch.no_grad()
def test_a_batch_is_its_volumes_one_by_one_and_a_seed_its_weights():
    volumes = _random(2, 1, 8, 8, 4)
    together = _small()(volumes)
    apart = torch.cat([_small()(volume[None]) for volume in volumes])
    torch.testing.assert_close(together, apart, rtol=0, atol=1e-12)
    assert not torch.allclose(_small(seed=1)(volumes), together)


def test_weights_of_any_values_load_without_a_missing_name():
    network = _small()
    values = {name: torch.rand_like(value) for name, value in network.state_dict().items()}
    network.load_state_dict(values, strict=True)
    assert torch.equal(network.codebook.embeddings, values["codebook.embeddings"])
    volume = _random(1, 1, 4, 4, 4)
    assert functional.mse_loss(network(volume), _small()(volume)) > 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"downsample": (4, 4, 3)}, "three powers of two"),
        ({"downsample": (4, 4, 0)}, "three powers of two"),
        ({"downsample": (1, 1, 1)}, "three powers of two"),
        ({"groups": 32}, "8 channels in 32 groups"),
        ({"codes": 0}, "give numbers from 1"),
    ],
)
def test_options_that_make_no_sense_are_sentences(options, says):
    with pytest.raises(InputError, match=says):
        _small(**options)


def test_sizes_that_do_not_fit_are_sentences():
    network = _small(downsample=(4, 4, 2))
    with pytest.raises(InputError, match="multiples of 4 x 4 x 2, and the volume is 8 x 8 x 5"):
        network.encode(_random(1, 1, 8, 8, 5))
    with pytest.raises(InputError, match=r"shape is \(1, 8, 8, 8\)"):
        network.encode(_random(1, 8, 8, 8))
