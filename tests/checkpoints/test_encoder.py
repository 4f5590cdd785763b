"""Encoders go into networks, wherever they were saved; the rest stays as it is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from oncoforge import checkpoints, networks
from oncoforge.checkpoints.encoder import EncoderOnlyError
from oncoforge.errors import InputError


def _swin(seed: int, **options: Any) -> Any:
    return networks.build(
        "swin_unetr", 1, 3, seed=seed, **{"size": "tiny", "merging": "legacy", **options}
    )


def _encoder(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {k: t for k, t in module.state_dict().items() if k.startswith("swinViT.")}


def _alone(module: torch.nn.Module) -> dict[str, Any]:
    """Swin UNETR's own: the encoder, older names, its last norm, heads of its training."""
    names = {
        "module." + name.removeprefix("swinViT.").replace("mlp.linear", "mlp.fc"): tensor
        for name, tensor in _encoder(module).items()
    }
    others = ("module.norm.weight", "module.rotation_head.bias", "module.convTrans3d.weight")
    return {"epoch": 1, "state_dict": {**names, **{name: torch.ones(3) for name in others}}}


def _disrupted(module: torch.nn.Module) -> dict[str, Any]:
    """That of 50,000 scans."""
    names = {}
    for name, tensor in _encoder(module).items():
        bare = name.removeprefix("swinViT.")
        names["encoder." + bare.replace(".0.", ".0.0.", 1 if bare[:6] == "layers" else 0)] = tensor
    return {"model": {**names, "encoder.mask_token": torch.ones(1)}, "epoch": 1}


def _supervised(module: torch.nn.Module) -> dict[str, Any]:
    """SuPreM: the network in a backbone, beside what its training needed."""
    names = {f"module.backbone.{name}": t for name, t in module.state_dict().items()
             if not name.startswith("out.")}  # fmt: skip
    return {"net": OrderedDict(names, **{"module.organ_embedding": torch.ones(32, 256)})}


def _volume_contrast(module: torch.nn.Module) -> dict[str, Any]:
    """VoCo: bare names, older or not, with a projection head."""
    names = {name.replace("swinViT.", "swin_vit."): t for name, t in _encoder(module).items()}
    return {f"module.{name}": t for name, t in {**names, "proj.weight": torch.ones(2)}.items()}


@pytest.mark.parametrize("form", [_alone, _disrupted, _supervised, _volume_contrast])
def test_an_encoder_is_taken_over_and_nothing_else(
    tmp_path: Path, form: Callable[[torch.nn.Module], dict[str, Any]]
) -> None:
    theirs, ours = _swin(1), _swin(2)
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    torch.save(form(theirs), tmp_path / "a.pt")
    moved = checkpoints.load_encoder(ours, tmp_path / "a.pt")
    wanted = set(_encoder(theirs))
    assert wanted <= set(moved.taken)
    assert all(name.startswith(("swinViT.", "encoder")) for name in moved.taken)
    for name, tensor in ours.state_dict().items():
        source = theirs.state_dict() if name in moved.taken else before
        assert torch.equal(tensor, source[name])
    assert set(moved.kept) == {
        name for name in before if name.startswith("encoder") and name not in moved.taken
    }
    assert moved.unused
    assert moved.notes == ()


def test_the_decoder_comes_too_if_asked_for(tmp_path: Path) -> None:
    theirs, ours = _swin(1), _swin(2)
    torch.save(_supervised(theirs), tmp_path / "a.pth")
    moved = checkpoints.load_encoder(ours, tmp_path / "a.pth", whole=True)
    left = {name for name in ours.state_dict() if name not in moved.taken}
    assert left == {"out.conv.conv.weight", "out.conv.conv.bias"}


def test_the_corrected_merging_is_warned_of(tmp_path: Path) -> None:
    torch.save(_alone(_swin(1)), tmp_path / "model_swinvit.pt")
    moved = checkpoints.load_encoder(_swin(2, merging="corrected"), tmp_path / "model_swinvit.pt")
    assert "merging='legacy'" in moved.notes[0]


def test_another_size_gets_a_sentence_and_changes_nothing(tmp_path: Path) -> None:
    torch.save(_alone(_swin(1)), tmp_path / "a.pt")
    ours = _swin(2, size="small")
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    with pytest.raises(InputError, match="another size than swin_unetr small"):
        checkpoints.load_encoder(ours, tmp_path / "a.pt")
    assert all(torch.equal(tensor, before[name]) for name, tensor in ours.state_dict().items())


def test_a_file_without_an_encoder_gets_a_sentence(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a.weight": torch.ones(2)}}, tmp_path / "a.pt")
    with pytest.raises(InputError, match="nothing for the encoder"):
        checkpoints.load_encoder(_swin(2), tmp_path / "a.pt")
    with pytest.raises(InputError, match="built with"):
        checkpoints.load_encoder(torch.nn.Linear(2, 2), tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("unet", {"channels": (2, 4, 6), "strides": (2, 2)}),
        ("nnunet", {"spacing_mm": (1, 1, 1), "patch": (16, 16, 16)}),
        ("segresnet", {"init_filters": 8, "blocks_down": (1, 1), "blocks_up": (1,)}),
        ("unetpp", {"features": (2, 3, 4, 5, 6, 2)}),
        ("segmamba", {"dims": (4, 6, 8, 10), "hidden": 12}),
    ],
)
def test_other_networks_have_encoders_too(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    """Of a network of other classes: everything but the way up."""
    theirs = networks.build(name, 1, 5, seed=1, **options)
    ours = networks.build(name, 1, 2, seed=2, **options)
    torch.save(theirs.state_dict(), tmp_path / "a.pt")
    moved = checkpoints.load_encoder(ours, tmp_path / "a.pt")
    assert moved.kept == ()
    values = sum(ours.state_dict()[key].numel() for key in moved.taken)
    assert 0.2 < values / sum(t.numel() for t in ours.state_dict().values()) < 0.95
    assert all(torch.equal(ours.state_dict()[k], theirs.state_dict()[k]) for k in moved.taken)


@pytest.mark.parametrize("form", [_alone, _disrupted, _supervised, _volume_contrast])
def test_what_an_encoder_is_said_to_be_is_what_it_goes_into(
    tmp_path: Path, form: Callable[[torch.nn.Module], dict[str, Any]]
) -> None:
    path = tmp_path / "a.pt"
    torch.save(form(_swin(1, size="small")), path)
    with pytest.raises(EncoderOnlyError, match=r"encoder only.*load_encoder") as caught:
        checkpoints.load(path)
    found = caught.value.encoder
    assert (found.features, found.in_channels) == (24, 1)
    assert found.options == {"size": "small", "version": 1, "merging": "legacy"}
    assert found.decoder is (form is _supervised)
    assert str(caught.value).count(". ") == 0
    network = networks.build(found.network, found.in_channels, 3, seed=2, **found.options)
    moved = checkpoints.load_encoder(network, path, whole=True)
    assert set(moved.taken) == set(found.tensors)


def test_an_encoder_of_version_2_is_told(tmp_path: Path) -> None:
    torch.save(_alone(_swin(1, version=2)), tmp_path / "a.pt")
    with pytest.raises(EncoderOnlyError) as caught:
        checkpoints.load(tmp_path / "a.pt")
    assert caught.value.encoder.options["version"] == 2


def test_supposed_merging_of_an_encoder_is_noted(tmp_path: Path) -> None:
    torch.save(_encoder(_swin(1)), tmp_path / "new.pt")
    torch.save(_alone(_swin(1)), tmp_path / "old.pt")
    for name, supposed in (("new.pt", True), ("old.pt", False)):
        with pytest.raises(EncoderOnlyError) as caught:
            checkpoints.load(tmp_path / name)
        notes = caught.value.encoder.origin.notes
        assert any("supposed" in note for note in notes) is supposed


def test_what_is_called_as_an_encoder_and_is_none_gets_a_sentence(tmp_path: Path) -> None:
    for shape, says in (((96, 1, 2, 2, 2), "96 features"), ((4,), "no network that is known")):
        torch.save({"patch_embed.proj.weight": torch.zeros(shape)}, tmp_path / "a.pt")
        with pytest.raises(InputError, match=says):
            checkpoints.load(tmp_path / "a.pt")
    torch.save(_alone(_swin(1)), tmp_path / "a.pt")
    with pytest.raises(InputError, match="no unet"):
        checkpoints.load(tmp_path / "a.pt", "unet")
