"""DiffTumor's denoiser: the published names, and what they compute by another way."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from oncoforge.errors import InputError
from oncoforge.networks import build
from oncoforge.networks.difftumor_denoiser import PREFIX, SCHEDULE
from oncoforge.networks.factorised_attention import relative_buckets

SMALL = {"width": 8, "multipliers": (1, 2), "heads": 2, "head_dim": 6, "groups": 4}


def _published():
    with torch.device("meta"):
        return build("difftumor_denoiser", 17, 8)


def _small(seed: int = 0):
    network = build("difftumor_denoiser", 5, 2, seed=seed, **SMALL).double().eval()
    generator = torch.Generator().manual_seed(5)
    for name, value in network.named_parameters():
        if "norm" in name:  # gains and offsets other than 1 and 0, so that their place matters
            value.data += 0.5 * torch.rand(value.shape, generator=generator, dtype=value.dtype)
    return network


def _random(*shape: int, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def _inputs(batch: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    steps = torch.tensor([3, 150])[:batch]
    return _random(batch, 2, 4, 6, 5), steps, _random(batch, 3, 4, 6, 5, seed=2)


def test_names_and_sizes_are_those_of_the_published_weights():
    network = _published()
    both = ("weight", "bias")
    block = [f"block{i}.{part}.{kind}" for i in "12" for part in ("proj", "norm") for kind in both]
    timed = [*block, *(f"mlp.1.{kind}" for kind in both)]
    shortcut = [f"res_conv.{kind}" for kind in both]
    linear = ["fn.norm.gamma", "fn.fn.to_qkv.weight", "fn.fn.to_out.weight", "fn.fn.to_out.bias"]
    slices = ["fn.norm.gamma", "fn.fn.fn.to_qkv.weight", "fn.fn.fn.to_out.weight"]
    depth = [*slices, "fn.fn.fn.rotary_emb.freqs"]
    parts = {
        "init_conv": both,
        "init_temporal_attn": depth,
        "time_rel_pos_bias.relative_attention_bias": ["weight"],
        "time_mlp.1": both,
        "time_mlp.3": both,
        "mid_block1": timed,
        "mid_spatial_attn": slices,
        "mid_temporal_attn": depth,
        "mid_block2": timed,
        "final_conv.0": block + shortcut,
        "final_conv.1": both,
    }
    for level in (f"{way}.{i}" for way in ("downs", "ups") for i in range(4)):
        widens = level != "downs.0"
        parts |= {f"{level}.0": timed + shortcut * widens, f"{level}.1": timed}
        parts |= {f"{level}.2": linear, f"{level}.3": depth}
        if not level.endswith("3"):
            parts[f"{level}.4"] = both
    expected = {f"{part}.{name}" for part, names in parts.items() for name in names}
    assert set(network.state_dict()) == expected
    assert len(expected) == 300
    assert sum(value.numel() for value in network.parameters()) == 6_018_576


def test_every_shape_is_that_of_the_table(published_keys):
    table = published_keys("difftumor_diffusion")["keys"]
    theirs = {
        name.removeprefix(PREFIX): shape for name, shape in table.items() if name.startswith(PREFIX)
    }
    ours = {name: list(value.shape) for name, value in _published().state_dict().items()}
    assert ours == theirs
    assert {name for name in table if not name.startswith((PREFIX, "vqgan."))} == set(SCHEDULE)


def test_a_latent_keeps_its_shape_and_any_depth_is_fine():
    network = _published()
    for depth in (24, 7):
        latent = torch.empty(1, 8, 24, 24, depth, device="meta")
        condition = torch.empty(1, 9, 24, 24, depth, device="meta")
        time = torch.zeros(1, dtype=torch.long, device="meta")
        assert network(latent, time, condition).shape == latent.shape


class _Reference:
    """The network's layers one after the other, by the names of their weights."""

    def __init__(self, network) -> None:
        self.network = network
        self.values = network.state_dict()

    def linear(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return x @ self.values[f"{name}.weight"].T + self.values[f"{name}.bias"]

    def conv(self, name: str, x: torch.Tensor, **how) -> torch.Tensor:
        kernel, offset = self.values[f"{name}.weight"], self.values[f"{name}.bias"]
        pad = (0, kernel.shape[-1] // 2, kernel.shape[-1] // 2)
        return functional.conv3d(x, kernel, offset, **{"padding": pad, **how})

    def half(self, name: str, x: torch.Tensor, by=None) -> torch.Tensor:
        gain, offset = self.values[f"{name}.norm.weight"], self.values[f"{name}.norm.bias"]
        x = functional.group_norm(self.conv(f"{name}.proj", x), SMALL["groups"], gain, offset)
        if by is not None:
            channels = x.shape[1]
            by = by[:, :, None, None, None]
            x = x * (by[:, :channels] + 1) + by[:, channels:]
        return x * torch.sigmoid(x)

    def block(self, name: str, x: torch.Tensor, time=None) -> torch.Tensor:
        by = None if time is None else self.linear(f"{name}.mlp.1", time * torch.sigmoid(time))
        inner = self.half(f"{name}.block2", self.half(f"{name}.block1", x, by))
        shortcut = f"{name}.res_conv.weight" in self.values
        return inner + (self.conv(f"{name}.res_conv", x) if shortcut else x)

    def attend(self, name: str, x: torch.Tensor, *bias) -> torch.Tensor:
        gain = self.values[f"{name}.fn.norm.gamma"].flatten()
        normal = functional.layer_norm(x.movedim(1, -1), gain.shape, gain).movedim(-1, 1)
        return x + self.network.get_submodule(f"{name}.fn.fn")(normal, *bias)

    def level(self, name: str, x: torch.Tensor, time: torch.Tensor, bias) -> torch.Tensor:
        x = self.block(f"{name}.1", self.block(f"{name}.0", x, time), time)
        return self.attend(f"{name}.3", self.attend(f"{name}.2", x), bias)

    def __call__(self, noisy, steps, condition) -> torch.Tensor:
        x = torch.cat([noisy, condition], dim=1).permute(0, 1, 4, 2, 3)
        table = self.values["time_rel_pos_bias.relative_attention_bias.weight"]
        depth = range(x.shape[2])
        offset = torch.tensor([[key - query for key in depth] for query in depth])
        bias = table[relative_buckets(offset, 32, 32)].permute(2, 0, 1)
        wave = torch.tensor([10000 ** (-i / 3) for i in range(4)])  # width 8: 4 wavelengths
        angles = steps[:, None].double() * wave.double()
        time = self.linear("time_mlp.1", torch.cat([angles.sin(), angles.cos()], dim=1))
        time = self.linear("time_mlp.3", time * (1 + torch.erf(time / math.sqrt(2))) / 2)
        stem = self.conv("init_conv", x)
        x = self.attend("init_temporal_attn", stem, bias)
        first = self.level("downs.0", x, time, bias)
        x = self.conv("downs.0.4", first, stride=(1, 2, 2), padding=(0, 1, 1))
        second = self.level("downs.1", x, time, bias)
        x = self.attend("mid_spatial_attn", self.block("mid_block1", second, time))
        x = self.block("mid_block2", self.attend("mid_temporal_attn", x, bias), time)
        x = self.level("ups.0", torch.cat([x, second], dim=1), time, bias)
        kernel, offset = self.values["ups.0.4.weight"], self.values["ups.0.4.bias"]
        x = functional.conv_transpose3d(x, kernel, offset, (1, 2, 2), (0, 1, 1))
        x = self.level("ups.1", torch.cat([x, first], dim=1), time, bias)
        x = self.block("final_conv.0", torch.cat([x, stem], dim=1))
        return self.conv("final_conv.1", x).permute(0, 1, 3, 4, 2)


@torch.no_grad()
def test_it_computes_what_its_layers_do_one_by_one_with_z_as_depth():
    network = _small()
    inputs = _inputs()
    expected = _Reference(network)(*inputs)
    torch.testing.assert_close(network(*inputs), expected, rtol=0, atol=1e-5)
    assert expected.std() > 0.1


@torch.no_grad()
def test_a_batch_is_its_latents_one_by_one_and_the_step_matters():
    network = _small()
    noisy, steps, condition = _inputs()
    together = network(noisy, steps, condition)
    apart = [network(noisy[i : i + 1], steps[i : i + 1], condition[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(together, torch.cat(apart), rtol=0, atol=1e-12)
    assert torch.equal(_small()(noisy, steps, condition), together)
    assert not torch.allclose(network(noisy, steps.flip(0), condition), together, atol=1e-3)
    assert not torch.allclose(network(noisy, steps, condition.flip(0)), together, atol=1e-3)


def test_wrong_inputs_are_sentences():
    network = _small()
    noisy, steps, condition = _inputs()
    with pytest.raises(InputError, match="multiples of 2 x 2 x 1, and the volume is 4 x 5 x 5"):
        network(noisy[:, :, :, :5], steps, condition[:, :, :, :5])
    with pytest.raises(InputError, match="5 channels together"):
        network(noisy, steps, condition[:, :2])
    with pytest.raises(InputError, match="of one size"):
        network(noisy, steps, condition[..., :4])
    with pytest.raises(InputError, match="one step for each of 2 latents"):
        network(noisy, steps[0], condition)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"width": 7}, "even width from 4"),
        ({"multipliers": ()}, "at least one multiplier"),
        ({"head_dim": 5}, "an even head_dim"),
        ({"groups": 3}, "8 channels in 3 groups"),
        ({"buckets": 30}, "multiple of 4"),
        ({"max_distance": 8}, "beyond a quarter"),
    ],
)
def test_options_that_make_no_sense_are_sentences(options, says):
    with pytest.raises(InputError, match=says):
        build("difftumor_denoiser", 5, 2, **{**SMALL, **options})
