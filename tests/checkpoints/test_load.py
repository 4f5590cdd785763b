"""Loading: what fits, what does not, and what the config says of it."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from oncoforge import checkpoints, networks
from oncoforge.checkpoints.files import sha256
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.networks import Pipeline

_TINY = {"channels": (2, 4), "strides": (2,), "num_res_units": 1}
_PIPELINE = Pipeline(("background", "liver", "liver_tumor"), patch=(32, 32, 32))


def _unet(seed: int = 1) -> Any:
    return networks.build("unet", 1, 3, seed=seed, **_TINY)


def _saved(path: Path, module: torch.nn.Module, **changes: Any) -> Path:
    """Write a file as the predecessors do, with some tensors changed or (None) left out."""
    state = OrderedDict(module.state_dict())
    state.update(changes)
    for name in [name for name, tensor in state.items() if tensor is None]:
        del state[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"epoch": 7, "best_acc": np.float64(0.5), "state_dict": state}, path)
    return path


def test_a_network_computes_what_it_computed(tmp_path: Path) -> None:
    module = _unet().eval()
    loaded = checkpoints.load(_saved(tmp_path / "a.pt", module))
    volume = torch.randn(1, 1, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded(volume), module(volume))
    assert not loaded.training
    assert not any(part.training for part in loaded.modules())


def test_the_config_tells_what_it_is(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.pt", _unet())
    config: Any = checkpoints.load(path).config
    assert (config.network, config.in_channels, config.out_channels) == ("unet", 1, 3)
    assert config.options == _TINY
    assert config.pipeline is None
    assert config.origin.file == "a.pt"
    assert config.origin.sha256 == sha256(path)
    assert config.origin.licence == ""


def test_loading_leaves_torchs_random_state_alone(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.pt", _unet())
    before = torch.get_rng_state()
    checkpoints.load(path)
    assert torch.equal(torch.get_rng_state(), before)


def test_missing_and_unexpected_keys_are_all_told(tmp_path: Path) -> None:
    path = _saved(
        tmp_path / "a.pt", _unet(), **{"model.0.residual.bias": None, "model.9.bias": torch.ones(1)}
    )
    with pytest.raises(InputError) as caught:
        checkpoints.load(path)
    sentence = str(caught.value)
    assert "1 key missing: model.0.residual.bias" in sentence
    assert "1 key too many: model.9.bias" in sentence
    assert "strict=False" in sentence
    loaded: Any = checkpoints.load(path, strict=False)
    assert set(loaded.config.origin.notes) == {
        "1 key missing: model.0.residual.bias.",
        "1 key too many: model.9.bias.",
    }
    kept = _unet().state_dict()
    assert all(
        torch.equal(tensor, kept[name])
        for name, tensor in loaded.state_dict().items()
        if name != "model.0.residual.bias"
    )


@pytest.mark.parametrize("strict", [True, False])
def test_another_shape_is_refused_strict_or_not(tmp_path: Path, strict: bool) -> None:
    path = _saved(tmp_path / "a.pt", _unet(), **{"model.0.residual.bias": torch.ones(9)})
    with pytest.raises(InputError, match=r"model\.0\.residual\.bias with 9 where 2 is needed"):
        checkpoints.load(path, strict=strict)


def test_shapes_that_make_a_huge_network_take_no_memory(tmp_path: Path) -> None:
    """Each tensor is in the file, and the network of them would have 10^14 weights."""
    first = torch.zeros(1_000_000, 1, 1, 1, 1)
    weights = {
        "model.0.conv.unit0.conv.weight": first,
        "model.1.submodule.conv.unit0.conv.weight": first,
        "model.2.0.conv.weight": first,
    }
    torch.save(weights, tmp_path / "a.pt")
    with pytest.raises(InputError, match="does not fit unet"):
        checkpoints.load(tmp_path / "a.pt", strict=False)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_values_of_other_types_become_float32(tmp_path: Path, kind: torch.dtype) -> None:
    module = _unet()
    state = {name: tensor.to(kind) for name, tensor in module.state_dict().items()}
    loaded: Any = checkpoints.load(_saved(tmp_path / "a.pt", module, **state))
    for name, tensor in loaded.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, state[name].float())
    assert any(str(kind).removeprefix("torch.") in note for note in loaded.config.origin.notes)


def test_values_that_are_not_finite_are_noted(tmp_path: Path) -> None:
    bad = torch.tensor([float("nan"), 1.0])
    loaded: Any = checkpoints.load(
        _saved(tmp_path / "a.pt", _unet(), **{"model.0.residual.bias": bad})
    )
    assert loaded.config.origin.notes == ("1 of its values are not finite.",)


def test_names_of_one_tensor_are_one(tmp_path: Path) -> None:
    """DynUNet keeps its blocks twice; either set of names is enough."""
    module = networks.build("nnunet", 1, 2, seed=0, spacing_mm=(1, 1, 1), patch=(16, 16, 16))
    once = {name: None for name in module.state_dict() if name.startswith("skip_layers.")}
    loaded = checkpoints.load(_saved(tmp_path / "a.pt", module, **once))
    for name, tensor in module.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)


def test_a_network_that_is_not_there_gets_a_sentence(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.pt", _unet())
    with pytest.raises(InputError, match="no swin_unetr"):
        checkpoints.load(path, "swin_unetr")
    with pytest.raises(UnknownNameError, match="swin_unetr"):
        checkpoints.load(path, "swin_unet")
    with pytest.raises(UnknownNameError, match="part"):
        checkpoints.load(path, part="netG")
    with pytest.raises(InputError, match="merging is of swin_unetr"):
        checkpoints.load(path, merging="legacy")
    with pytest.raises(InputError, match="'legacy' or 'corrected'"):
        checkpoints.load(path, merging="old")
    torch.save({"a.weight": torch.ones(2)}, tmp_path / "b.pt")
    with pytest.raises(InputError, match="no network that is known"):
        checkpoints.load(tmp_path / "b.pt")
    torch.save({"epoch": 3, "name": "x"}, tmp_path / "c.pt")
    with pytest.raises(InputError, match="holds no weights: its keys are epoch, name"):
        checkpoints.load(tmp_path / "c.pt")


def _swin(path: Path, *, old: bool, **options: Any) -> Path:
    """Write a tiny Swin UNETR, by the predecessors' names or by MONAI's."""
    module = networks.build("swin_unetr", 1, 3, seed=0, size="tiny", **options)
    state = OrderedDict()
    for name, tensor in module.state_dict().items():
        theirs = name.replace(".mlp.linear", ".mlp.fc") if name.startswith("swinViT.") else name
        state[theirs if old else name] = tensor
    if old:
        state |= {f"swinViT.norm.{kind}": torch.ones(192) for kind in ("weight", "bias")}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"epoch": 0, "best_acc": np.float64(0), "state_dict": state}, path)
    return path


def test_old_names_mean_the_legacy_merging(tmp_path: Path) -> None:
    loaded: Any = checkpoints.load(_swin(tmp_path / "a.pt", old=True))
    assert loaded.config.options["merging"] == "legacy"
    assert loaded.config.origin.notes == ()


def test_names_that_tell_nothing_are_supposed_to_be_legacy_with_a_note(tmp_path: Path) -> None:
    path = _swin(tmp_path / "a.pt", old=False)
    loaded: Any = checkpoints.load(path)
    assert loaded.config.options["merging"] == "legacy"
    assert "merging='corrected'" in loaded.config.origin.notes[0]
    told: Any = checkpoints.load(path, merging="corrected")
    assert told.config.options["merging"] == "corrected"
    assert told.config.origin.notes == ()


def test_the_catalogue_tells_the_merging_without_a_note(tmp_path: Path) -> None:
    path = tmp_path / "synt.liver.no_pretrain.swin_unetrv2_tiny" / "model.pt"
    loaded: Any = checkpoints.load(_swin(path, old=False))
    assert loaded.config.options["merging"] == "legacy"
    assert loaded.config.origin.name == "pixel2cancer-liver-synt-swin-tiny"
    assert loaded.config.origin.notes == ()


def test_the_legacy_network_computes_something_else(tmp_path: Path) -> None:
    path = _swin(tmp_path / "a.pt", old=True)
    volume = torch.randn(1, 1, 64, 32, 32, generator=torch.Generator().manual_seed(0))
    legacy, corrected = (
        checkpoints.load(path, merging=merging) for merging in ("legacy", "corrected")
    )
    with torch.no_grad():
        assert not torch.allclose(legacy(volume), corrected(volume), atol=1e-3)


def test_predecessors_call_version_1_v2(tmp_path: Path) -> None:
    loaded: Any = checkpoints.load(_swin(tmp_path / "a.pt", old=True), "swin_unetrv2")
    assert loaded.config.options["version"] == 1
    newer: Any = checkpoints.load(_swin(tmp_path / "b.pt", old=False, version=2))
    assert newer.config.options["version"] == 2


@pytest.mark.parametrize(
    ("folder", "name", "window"),
    [
        ("synt.no_pretrain.unet", "synthetictumors-liver-synt-unet", (-21.0, 189.0)),
        ("real.kidney.no_pretrain.unet", "pixel2cancer-kidney-real-unet", (-175.0, 250.0)),
    ],
)
def test_a_file_is_known_by_its_folder(
    tmp_path: Path, folder: str, name: str, window: tuple[float, float]
) -> None:
    loaded: Any = checkpoints.load(_saved(tmp_path / folder / "model.pt", _unet()))
    assert loaded.config.origin.name == name
    assert loaded.config.origin.licence
    assert loaded.config.pipeline.window_hu == window
    assert loaded.config.pipeline.overlap == 0.75


def test_only_the_name_of_a_published_file_is_not_enough(tmp_path: Path) -> None:
    path = tmp_path / "synt.no_pretrain.swin_unetrv2_base" / "model.pt"
    loaded: Any = checkpoints.load(_saved(path, _unet()))
    assert loaded.config.origin.name == ""
    assert loaded.config.pipeline is None


def test_another_content_under_a_published_name_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "TGAN.pt"
    module = networks.build("freetumor_unet", 1, 3, seed=0, width=2)
    state = {f"netG.{name}": tensor for name, tensor in module.state_dict().items()}
    torch.save({"epoch": 1, "state_dict": state}, path)
    loaded: Any = checkpoints.load(path)
    assert loaded.config.origin.name == "freetumor-generator"
    path = tmp_path / "nnunet_synt_liver_tumors.pt"
    small = networks.build("nnunet", 1, 3, seed=0, spacing_mm=(1, 1, 1), patch=(16, 16, 16))
    loaded = checkpoints.load(_saved(path, small))
    assert loaded.config.origin.name == "difftumor-liver-nnunet"
    assert any("its content is another" in note for note in loaded.config.origin.notes)


def test_a_pipeline_that_is_given_counts(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.pt", _unet())
    loaded: Any = checkpoints.load(path, pipeline=_PIPELINE)
    assert loaded.config.pipeline == _PIPELINE
    with pytest.raises(InputError, match="2 classes are named"):
        checkpoints.load(path, pipeline=dataclasses.replace(_PIPELINE, classes=("liver", "body")))


def test_a_name_that_was_not_fetched_gets_a_sentence(weights_folder: Path) -> None:
    with pytest.raises(InputError, match="oncoforge weights fetch difftumor-liver-unet"):
        checkpoints.load("difftumor-liver-unet")
    with pytest.raises(InputError, match="no public page"):
        checkpoints.load("synthetictumors-liver-synt-unet")
    with pytest.raises(UnknownNameError, match="difftumor-liver-unet"):
        checkpoints.load("difftumor-liver-unit")
    with pytest.raises(InputError, match="no file or folder"):
        checkpoints.load("some/model.pt")


def test_a_name_that_was_fetched_is_loaded(weights_folder: Path) -> None:
    one = checkpoints.CATALOGUE["difftumor-kidney-unet"]
    _saved(weights_folder / one.name / one.file, _unet())
    config: Any = checkpoints.load(one.name).config
    assert config.origin.name == one.name
    assert config.origin.licence == "CC-BY-NC-ND-4.0"
    assert config.pipeline.classes == ("background", "kidney", "kidney_tumor")
