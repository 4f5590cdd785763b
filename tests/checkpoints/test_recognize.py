"""Networks are told from names and shapes; every network that is built is told again."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoforge import networks
from oncoforge.checkpoints.loading import inspect
from oncoforge.checkpoints.recognize import RECOGNIZERS, recognize
from oncoforge.checkpoints.views import unwrapped, views
from oncoforge.errors import InputError
from oncoforge.networks import NETWORKS

SMALL: list[tuple[str, int, int, dict[str, Any]]] = [
    ("unet", 1, 3, {}),
    ("unet", 2, 5, {"channels": (4, 6, 8), "strides": (2, 2), "num_res_units": 1}),
    ("unet", 1, 2, {"channels": (4, 8, 8, 8), "strides": (2, 1, 2), "num_res_units": 3}),
    ("unet", 1, 3, {"channels": (4, 8), "strides": (2,), "num_res_units": 0}),
    ("nnunet", 1, 3, {}),
    ("nnunet", 1, 3, {"deep_supervision": True}),
    ("nnunet", 2, 4, {"spacing_mm": (1.0, 1.0, 1.0), "patch": (32, 32, 32)}),
    ("nnunet", 1, 3, {"spacing_mm": (0.8, 0.8, 3.0), "patch": (160, 160, 32)}),
    ("nnunet", 1, 3, {"spacing_mm": (0.75, 0.75, 5.0), "patch": (192, 192, 16)}),
    ("nnunet", 1, 2, {"spacing_mm": (5.0, 1.0, 1.0), "patch": (24, 128, 96)}),
    ("swin_unetr", 1, 3, {"size": "tiny", "merging": "legacy"}),
    ("swin_unetr", 2, 4, {"size": "tiny", "version": 2, "merging": "legacy"}),
    ("unetpp", 1, 3, {"features": (4, 5, 6, 7, 8, 9)}),
    ("segresnet", 1, 3, {"init_filters": 8, "blocks_down": (1, 2, 0), "blocks_up": (2, 1)}),
    ("segresnet", 1, 3, {}),
    ("segmamba", 1, 3, {"version": 0, "dims": (4, 8, 12, 16), "hidden": 20}),
    ("segmamba", 2, 4, {"version": 1, "dims": (4, 8, 12, 16), "depths": (1, 2, 1, 3)}),
    ("difftumor_autoencoder", 1, 1, {"width": 32, "downsample": (2, 2, 2), "codes": 20}),
    ("difftumor_denoiser", 17, 8, {"width": 8, "multipliers": (1, 2, 4), "heads": 2}),
    ("freetumor_unet", 1, 3, {"width": 4}),
]


def _built(name: str, ins: int, outs: int, options: dict[str, Any]) -> torch.nn.Module:
    if name == "swin_unetr":  # needs numbers while it is built
        return networks.build(name, ins, outs, seed=0, **options)
    with torch.device("meta"):
        return networks.build(name, ins, outs, seed=0, **options)


def _shapes(module: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize(("name", "ins", "outs", "options"), SMALL)
def test_a_network_is_told_from_its_weights(
    name: str, ins: int, outs: int, options: dict[str, Any]
) -> None:
    """So that what is built from it has the same names and shapes, and the same strides."""
    module: Any = _built(name, ins, outs, options)
    found = recognize(_shapes(module))
    assert found is not None
    assert (found.network, found.in_channels, found.out_channels) == (name, ins, outs)
    again: Any = _built(name, ins, outs, dict(found.options))
    assert _shapes(again) == _shapes(module)
    if hasattr(module, "steps"):
        assert again.steps == module.steps


def test_every_network_of_the_registry_is_told() -> None:
    assert set(RECOGNIZERS) == set(NETWORKS)
    assert {name for name, *_ in SMALL} == set(NETWORKS)


def test_a_plan_that_is_not_of_the_rule_gets_a_sentence() -> None:
    shapes = _shapes(_built("nnunet", 1, 3, {}))
    shapes["input_block.conv1.conv.weight"] = (32, 1, 5, 5, 5)
    with pytest.raises(InputError, match="nnU-Net's rule"):
        recognize(shapes)


def test_a_swin_unetr_of_another_size_gets_a_sentence() -> None:
    first, last = "swinViT.patch_embed.proj.weight", "out.conv.conv.weight"
    shapes = {first: (96, 1, 2, 2, 2), last: (3, 96, 1, 1, 1)}
    with pytest.raises(InputError, match="96 features"):
        recognize(shapes)


def test_an_encoder_alone_is_no_network() -> None:
    assert recognize({"swinViT.patch_embed.proj.weight": (48, 1, 2, 2, 2)}) is None


_NAMES = sorted({key for name, *rest in SMALL[:4] for key in _shapes(_built(name, *rest))})


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(_NAMES), st.lists(st.integers(0, 9), max_size=6).map(tuple)))
def test_any_shapes_give_a_network_or_none(shapes: dict[str, tuple[int, ...]]) -> None:
    found = recognize(shapes)
    assert found is None or found.network in NETWORKS


@pytest.mark.parametrize("wrapper", ["", "module.", "module.network.", "_orig_mod.module.",
                                     "backbone.", "model.", "net.", "module.model."])  # fmt: skip
@pytest.mark.parametrize("top", ["state_dict", "network_weights", "net", "model",
                                 "model_state_dict", "ema", ""])  # fmt: skip
def test_weights_are_found_whatever_is_around_them(tmp_path: Path, wrapper: str, top: str) -> None:
    """MONAI's U-Net has names that begin with ``model.`` themselves, which are kept."""
    module = networks.build("unet", 1, 2, seed=0, channels=(2, 4), strides=(2,), num_res_units=1)
    weights = OrderedDict((wrapper + name, t) for name, t in module.state_dict().items())
    torch.save({top: weights, "epoch": 3} if top else weights, tmp_path / "a.pt")
    found = inspect(tmp_path / "a.pt")
    assert found.config.network == "unet"
    assert list(found.tensors) == list(module.state_dict())


def test_a_wrapper_is_taken_off_only_if_it_is_around_all() -> None:
    one = torch.zeros(1)
    assert unwrapped({"module.a": one, "module.b": one}) == {"a": one, "b": one}
    assert unwrapped({"module.a": one, "b": one}) == {"module.a": one, "b": one}
    assert unwrapped({}) == {}


def test_swin_has_todays_names_and_no_last_norm() -> None:
    one = torch.zeros(1)
    names = ("swin_vit.layers1.0.blocks.0.mlp.fc1.weight", "swin_vit.norm.bias",
             "encoder1.mlp.fc1.weight")  # fmt: skip
    old = {f"module.{name}": one for name in names}
    view = next(views(old))
    assert set(view.tensors) == {
        "swinViT.layers1.0.blocks.0.mlp.linear1.weight",
        "encoder1.mlp.fc1.weight",
    }
    assert view.old
    new = {"swinViT.layers1.0.blocks.0.mlp.linear1.weight": one}
    assert not next(views(new)).old
