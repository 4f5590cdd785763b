"""Files in exactly the published formats load, strictly and without a warning."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from oncoforge import checkpoints, networks
from oncoforge.checkpoints import fit
from oncoforge.checkpoints.recognize import recognize
from oncoforge.checkpoints.views import views, weights_of

Table = Callable[..., dict[str, list[int]]]
Filled = Callable[[dict[str, list[int]]], dict[str, Any]]

# Table and entry, network that is looked for, what it is, its parameters as measured on the
# originals (specs of the predecessors), and what its Swin UNETR's merging is called.
_TABLES = [
    ("difftumor_autoencoder", "keys", None, "difftumor_autoencoder", (1, 1)),
    ("difftumor_diffusion", "keys", None, "difftumor_denoiser", (17, 8)),
    ("difftumor_diffusion", "keys", "difftumor_autoencoder", "difftumor_autoencoder", (1, 1)),
    ("freetumor_gan", "TGAN_abdomen", None, "freetumor_unet", (1, 3)),
    ("freetumor_gan", "TGAN_chest", None, "freetumor_unet", (1, 1)),
    ("freetumor_gan", "TGAN_abdomen", "swin_unetr", "swin_unetr", (1, 7)),
    ("freetumor_gan", "TGAN_chest", "swin_unetr", "swin_unetr", (1, 2)),
    ("freetumor_gan", "baseline_segmentor_abdomen_out7", None, "swin_unetr", (1, 7)),
    ("freetumor_gan", "baseline_segmentor_chest_out2", None, "swin_unetr", (1, 2)),
    ("freetumor_gan", "free_segmentor_out3", None, "swin_unetr", (1, 3)),
]


@pytest.mark.parametrize(("file", "entry", "wanted", "name", "channels"), _TABLES)
def test_every_published_name_and_shape_is_known(
    published: Table,
    file: str,
    entry: str,
    wanted: str | None,
    name: str,
    channels: tuple[int, int],
) -> None:
    from oncoforge.networks.difftumor_autoencoder import TRAINING_ONLY

    meta = {key: torch.empty(shape, device="meta") for key, shape in published(file, entry).items()}
    for view in views(weights_of(meta, file)):
        shapes = {key: tuple(tensor.shape) for key, tensor in view.tensors.items()}
        if found := recognize(shapes, wanted):
            break
    assert found
    assert found.network == name
    assert (found.in_channels, found.out_channels) == channels
    built = networks.build(name, *channels, seed=0, **found.options)
    training = TRAINING_ONLY if name == "difftumor_autoencoder" else ()
    needed = {k: t for k, t in view.tensors.items() if not (training and k.startswith(training))}
    assert fit.check(built, needed, file, name, strict=True) == ()
    if name == "swin_unetr":
        assert (found.options["size"], found.options["version"]) == ("base", 2)


def _as_published(path: Path, module: torch.nn.Module, *, old: bool = False) -> Path:
    """Write what the predecessors' trainers leave behind."""
    state = OrderedDict()
    for name, tensor in module.state_dict().items():
        swin = old and name.startswith("swinViT.")
        state[name.replace(".mlp.linear", ".mlp.fc") if swin else name] = tensor
    if old:
        last = module.state_dict()["swinViT.layers4.0.downsample.norm.weight"].shape[0] // 8
        state |= {f"swinViT.norm.{kind}": torch.ones(last) for kind in ("weight", "bias")}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"epoch": 3999, "best_acc": np.float64(0.58), "state_dict": state}, path)
    return path


def _parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("file", "name", "organ"),
    [
        ("synt.no_pretrain.unet/model.pt", "synthetictumors-liver-synt-unet", "liver"),
        ("synt.pancreas.no_pretrain.unet/model.pt", "pixel2cancer-pancreas-synt-unet", "pancreas"),
        ("unet_synt_kidney_tumors.pt", "difftumor-kidney-unet", "kidney"),
    ],
)
def test_the_published_unet(tmp_path: Path, file: str, name: str, organ: str) -> None:
    module: Any = checkpoints.load(_as_published(tmp_path / file, networks.build("unet", 1, 3)))
    assert module.config.origin.name == name
    assert module.config.pipeline.classes == ("background", organ, f"{organ}_tumor")
    assert _parameters(module) == 4_807_482


def test_the_published_nnunet(tmp_path: Path) -> None:
    path = tmp_path / "nnunet_synt_pancreas_tumors.pt"
    module: Any = checkpoints.load(_as_published(path, networks.build("nnunet", 1, 3)))
    assert module.config.origin.name == "difftumor-pancreas-nnunet"
    assert module.config.options == networks.NETWORKS["nnunet"].options
    assert _parameters(module) == 16_538_563


@pytest.mark.parametrize(
    ("size", "parameters"),
    [
        ("tiny", 4_078_269),
        ("small", 15_703_413),
        pytest.param("base", 62_187_525, marks=pytest.mark.slow),
    ],
)
def test_the_predecessors_swin_unetr(tmp_path: Path, size: str, parameters: int) -> None:
    path = tmp_path / f"real.liver.no_pretrain.swin_unetrv2_{size}" / "model.pt"
    written = networks.build("swin_unetr", 1, 3, seed=0, size=size)
    module: Any = checkpoints.load(_as_published(path, written, old=True))
    assert module.config.origin.name == f"pixel2cancer-liver-real-swin-{size}"
    assert module.config.options == {
        "size": size, "version": 1, "merging": "legacy", "checkpointing": False
    }  # fmt: skip
    unused = 16 * written.state_dict()["swinViT.patch_embed.proj.weight"].shape[0]
    assert _parameters(module) + unused == parameters  # they count the last norm
    assert all(torch.equal(t, written.state_dict()[k]) for k, t in module.state_dict().items())


@pytest.mark.slow
def test_the_file_of_difftumors_autoencoder(
    tmp_path: Path, published: Table, filled: Filled
) -> None:
    values = filled(published("difftumor_autoencoder"))
    held = {"epoch": 9, "global_step": 40_000, "pytorch-lightning_version": "1.6.4",
            "state_dict": values, "hyper_parameters": {}}  # fmt: skip
    torch.save(held, tmp_path / "AutoencoderModel.ckpt")
    module: Any = checkpoints.load(tmp_path / "AutoencoderModel.ckpt")
    origin = module.config.origin
    assert origin.name == "difftumor-autoencoder"
    assert "codebook.N, codebook.z_avg, image_discriminator" in " ".join(origin.notes)
    assert all(torch.equal(tensor, values[key]) for key, tensor in module.state_dict().items())


@pytest.mark.slow
def test_the_file_of_difftumors_denoiser(tmp_path: Path, published: Table, filled: Filled) -> None:
    """The average is taken, and what is in it and in the model differs."""
    table = published("difftumor_diffusion")
    ema = filled(table)
    model = {key: tensor + 1 for key, tensor in ema.items()}
    path = tmp_path / "liver_early.pt"
    torch.save({"step": 60_000, "model": model, "ema": ema, "scaler": {}}, path)
    for part, values, begin in (
        (None, ema, "denoise_fn."),
        ("ema", ema, "denoise_fn."),
        ("model", model, "denoise_fn."),
        ("vqgan", ema, "vqgan."),
    ):
        module: Any = checkpoints.load(path, part=part)
        assert module.config.network == (
            "difftumor_autoencoder" if part == "vqgan" else "difftumor_denoiser"
        )
        own = module.state_dict()
        assert all(torch.equal(tensor, values[begin + key]) for key, tensor in own.items())
    assert "Diffusion of 4 steps." in checkpoints.load(path).config.origin.notes  # type: ignore[union-attr]


@pytest.mark.slow
def test_the_file_of_freetumors_generator(tmp_path: Path, published: Table, filled: Filled) -> None:
    values = filled(published("freetumor_gan", "TGAN_abdomen"))
    path = tmp_path / "TGAN.pt"
    torch.save({"epoch": 99, "state_dict": values}, path)
    for part, name, outs in (
        (None, "freetumor_unet", 3),
        ("netG", "freetumor_unet", 3),
        ("netD", "freetumor_unet", 3),
        ("netSeg", "swin_unetr", 7),
    ):
        module: Any = checkpoints.load(path, part=part)
        assert (module.config.network, module.config.out_channels) == (name, outs)
        begin = f"{part or 'netG'}."
        own = module.state_dict()
        assert all(torch.equal(tensor, values[begin + key]) for key, tensor in own.items())
    assert module.config.options["merging"] == "legacy"


@pytest.mark.slow
def test_the_file_of_freetumors_segmentor(tmp_path: Path, published: Table, filled: Filled) -> None:
    values = filled(published("freetumor_gan", "baseline_segmentor_abdomen_out7"))
    path = tmp_path / "model_baseline_segmentor.pt"
    torch.save({"epoch": 99, "best_acc": np.float64(0.5), "state_dict": values}, path)
    config: Any = checkpoints.load(path).config
    assert config.origin.name == "freetumor-segmentor"
    assert config.options == {
        "size": "base", "version": 2, "merging": "legacy", "checkpointing": False
    }  # fmt: skip
    assert config.pipeline.spacing_mm == (1.5, 1.5, 1.5)
    assert config.pipeline.labels == (0, 1, 2, 3, 4, 5, 6)
