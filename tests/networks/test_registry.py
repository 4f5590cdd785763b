"""Networks by name: what is asked for is what is built, and it can be built again."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.networks import NETWORKS, Config, Origin, Pipeline, build, rebuild
from oncoforge.networks.registry import ALIASES

SEGMENTING = [name for name, network in NETWORKS.items() if not network.generative]

# Small ones, with a size that they take.
SMALL = {
    "unet": ({"channels": (4, 8, 16), "strides": (2, 2)}, (16, 12, 8)),
    "nnunet": ({"spacing_mm": (1.0, 1.0, 3.0), "patch": (16, 16, 8)}, (16, 12, 8)),
    "swin_unetr": ({"size": "tiny", "version": 2}, (64, 32, 32)),
    "unetpp": ({"features": (4, 4, 6, 8, 10, 4)}, (33, 17, 18)),
    "segmamba": (
        {"version": 1, "dims": (4, 4, 8, 8), "depths": (1, 1, 1, 1), "hidden": 8},
        (32, 16, 16),
    ),
    "segresnet": ({"init_filters": 8, "blocks_down": (1, 1, 2), "blocks_up": (1, 1)}, (8, 12, 16)),
}

# Heads for deep supervision, which MONAI has and which give nothing here.
UNUSED = {"unetpp": {f"final_conv_0_{i}.{kind}" for i in (1, 2, 3) for kind in ("weight", "bias")}}


def _meta(name: str, *channels: int, **options):
    with torch.device("meta"):
        return build(name, *(channels or (1, 3)), **options)


def _shapes(network: torch.nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in network.state_dict().items()}


def _run(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_names_are_known_without_pytorch():
    script = (
        "import sys, oncoforge as of\n"
        "assert {'unet', 'nnunet', 'swin_unetr'} < set(of.networks.NETWORKS)\n"
        "print([name for name in ('torch', 'monai') if name in sys.modules])"
    )
    assert _run(script) == "[]\n"


@pytest.mark.parametrize("lacking", ["torch", "monai"])
def test_what_is_not_installed_is_said_with_the_extra_that_brings_it(lacking):
    script = (
        f"import sys; sys.modules[{lacking!r}] = None\n"
        "import oncoforge as of\n"
        "try: of.networks.build('unet', 1, 3)\n"
        "except of.OncoforgeError as error: print(error)"
    )
    said = _run(script)
    assert lacking in said
    assert 'pip install "oncoforge[networks]"' in said


def test_records_say_what_a_network_is():
    for name, network in NETWORKS.items():
        assert network.name == name
        assert network.title
        assert network.source
    assert "difftumor_denoiser" not in SEGMENTING
    assert NETWORKS["swin_unetr"].options == {
        "size": "base", "version": 1, "merging": "corrected", "checkpointing": False,
    }  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_output_is_of_the_size_of_the_input_and_gradients_reach_what_is_used(name):
    options, size = SMALL[name]
    network = build(name, 2, 3, seed=1, **options).train()
    volume = torch.rand(1, 2, *size, generator=torch.Generator().manual_seed(2))
    output = network(volume)
    assert isinstance(output, torch.Tensor)
    assert output.shape == (1, 3, *size)
    output.square().sum().backward()
    without = {key for key, value in network.named_parameters() if value.grad is None}
    assert without == UNUSED.get(name, set())
    # The bias in front of an instance norm has a gradient of zero, as it should.
    weights = {k: v for k, v in network.named_parameters() if k not in without and v.ndim > 1}
    assert [key for key, value in weights.items() if not value.grad.any()] == []
    with torch.no_grad():
        quiet = network.eval()(volume)
    assert quiet.shape == output.shape
    assert torch.allclose(quiet, output, atol=1e-5)  # nothing is dropped by default


@pytest.mark.parametrize("name", [name for name in SMALL if name != "swin_unetr"])
def test_same_seed_gives_same_weights_and_leaves_the_random_state(name):
    options, _ = SMALL[name]
    before = torch.random.get_rng_state()
    one, same, other = (build(name, 1, 2, seed=seed, **options) for seed in (7, 7, 8))
    assert torch.equal(torch.random.get_rng_state(), before)
    pairs = zip(one.state_dict().values(), same.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)


def test_without_a_seed_weights_come_from_the_random_state_of_torch():
    options, _ = SMALL["unet"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        drawn = build("unet", 1, 2, **options)
        again = build("unet", 1, 2, **options)
    first, second, seeded = (
        next(net.parameters()) for net in (drawn, again, build("unet", 1, 2, seed=7, **options))
    )
    assert torch.equal(first, seeded)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("name", NETWORKS)
def test_config_holds_every_option_and_rebuilds_the_same_network(name):
    network = _meta(name)
    config = network.config
    assert config.network == name
    assert set(config.options) == set(NETWORKS[name].options)
    again = Config.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    with torch.device("meta"):
        rebuilt = rebuild(again)
    assert rebuilt.config == config
    assert _shapes(rebuilt) == _shapes(network)


def test_rebuilt_network_knows_its_pipeline_and_origin():
    pipeline = Pipeline(("background", "liver", "liver_tumor"))
    config = _meta("unet").config.having(pipeline=pipeline, origin=Origin("some", "file.pt"))
    assert rebuild(config).config == config


def test_config_goes_with_copies_and_pickles():
    options, size = SMALL["unet"]
    network = build("unet", 1, 2, seed=0, **options)
    volume = torch.rand(1, 1, *size)
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert twin.config == network.config
        assert torch.equal(twin(volume), network(volume))


@pytest.mark.parametrize("alias", ALIASES)
def test_another_name_is_the_same_network(alias):
    target = ALIASES[alias]
    assert _meta(alias).config == _meta(target.name, **target.options).config


def test_predecessors_v2_is_version_1():
    assert _meta("swin_unetrv2", size="tiny").config.options["version"] == 1
    with pytest.raises(InputError, match="version=1, and version=2 was given"):
        build("swin_unetrv2", 1, 3, version=2)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("swin_untr", {}, "did you mean 'swin_unetr'"),
        ("resnet", {}, "There is no network 'resnet'"),
        ("unet", {"chanels": (1,)}, "did you mean 'channels'"),
        ("swin_unetr", {"size": "bass"}, "did you mean 'base'"),
        ("swin_unetr", {"size": 48}, "size is a word, and 48 is not"),
        ("swin_unetr", {"version": 3}, "version is 1 or 2, and 3 is not"),
        ("swin_unetr", {"version": True}, "version is a whole number"),
        ("swin_unetr", {"checkpointing": 1}, "checkpointing is true or false"),
        ("nnunet", {"patch": (96, 96)}, "patch is 3 numbers or none"),
        ("unet", {"strides": (2, 2)}, "a stride between each two"),
        ("unet", {"strides": (2, 2, 2, 0)}, "positive"),
        ("unet", {"num_res_units": -1}, "-1 residual units"),
        ("unetpp", {"features": (32, 32)}, "six"),
        ("unetpp", {"dropout": 1.0}, "below 1"),
        ("segresnet", {"init_filters": 12}, "multiple of 8"),
        ("segresnet", {"blocks_up": (1, 1)}, "two levels"),
        ("segresnet", {"dropout": -0.1}, "dropout from 0"),
        ("nnunet", {"patch": (96, 96, 96)}, "give both, or neither"),
    ],
)
def test_mistakes_are_sentences(name, options, said):
    with pytest.raises(InputError, match=said) as raised:
        build(name, 1, 3, **options)
    assert isinstance(raised.value, UnknownNameError) == ("did you" in said or "There is" in said)


@pytest.mark.parametrize("channels", [(0, 3), (1, 0), (1.0, 3), (1, True), ("1", 3)])
def test_channels_are_whole_numbers_from_1(channels):
    with pytest.raises(InputError, match=r"channel|whole number"):
        build("unet", *channels)


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("unet", (1, 1, 100, 96, 96), "multiples of 16 x 16 x 16, and the volume is 100 x 96 x 96"),
        ("nnunet", (1, 1, 96, 96, 90), "multiples of 16 x 16 x 16"),
        ("swin_unetr", (1, 1, 80, 96, 96), "multiples of 32 x 32 x 32"),
        ("segresnet", (1, 1, 96, 92, 96), "multiples of 8 x 8 x 8"),
        ("unet", (1, 96, 96, 96), r"\(batch, channels, X, Y, Z\)"),
        ("unet", (1, 2, 96, 96, 96), "built for 1 channels, and the volume has 2"),
        ("unet", (1, 1, 16, 16, 16), "too few for unet; give it more than 16 x 16 x 16"),
        ("unetpp", (1, 1, 31, 17, 16), "too few for unetpp"),
    ],
)
def test_volumes_that_do_not_fit_are_refused_with_a_sentence(name, shape, said):
    network = _meta(name)
    with pytest.raises(InputError, match=said):
        network(torch.empty(shape, device="meta"))
    assert len(network.steps) == 3


def test_page_lists_every_network_with_every_option_and_its_default():
    text = (Path(__file__).resolve().parents[2] / "docs/reference/networks.md").read_text("utf-8")
    names = [*NETWORKS, *ALIASES]
    assert [name for name in names if f"`{name}`" not in text] == []
    table = text.split("\n## Options\n")[1].split("\n## ")[0]
    for name in SEGMENTING:
        rows = table.split(f"| `{name}` |")[1].split("\n| `")[0]
        for option, default in NETWORKS[name].options.items():
            said = {"None": "none", "False": "no", "True": "yes"}.get(str(default), f"`{default}`")
            assert any(
                f"`{option}`" in row and f"| {said} |" in row for row in rows.splitlines()
            ), (name, option)
