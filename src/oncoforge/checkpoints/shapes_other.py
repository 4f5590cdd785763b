"""Swin UNETR, SegResNet and SegMamba told from the shapes of their weights."""

from __future__ import annotations

from typing import Any

from oncoforge.checkpoints.blueprint import Blueprint, Shapes, count
from oncoforge.errors import InputError

SIZES = {12: "tiny", 24: "small", 48: "base"}
"""Features of Swin UNETR's first stage to the size that is called by."""


def swin_unetr(shapes: Shapes) -> Blueprint | None:
    """Tell MONAI's Swin UNETR; nothing tells its patch merging.

    Raises
    ------
    InputError
        If it has another number of features than the sizes here.
    """
    last = "out.conv.conv.weight"
    if last not in shapes or (found := swin_encoder(shapes)) is None:
        return None
    channels, options = found
    return Blueprint("swin_unetr", channels, shapes[last][0], options)


def swin_encoder(shapes: Shapes) -> tuple[int, dict[str, Any]] | None:
    """Tell the channels and options of the encoder of a Swin UNETR.

    Raises
    ------
    InputError
        If it has another number of features than the sizes here.
    """
    first = "swinViT.patch_embed.proj.weight"
    if first not in shapes:
        return None
    features, channels, *_ = shapes[first]
    if features not in SIZES:
        known = ", ".join(f"{number} ({name})" for number, name in SIZES.items())
        raise InputError(
            f"The file holds a Swin UNETR of {features} features, and those that are built here "
            f"have {known}."
        )
    version = 2 if any(name.startswith("swinViT.layers1c.") for name in shapes) else 1
    return channels, {"size": SIZES[features], "version": version}


def segresnet(shapes: Shapes) -> Blueprint | None:
    """Tell MONAI's SegResNet."""
    first, last = "convInit.conv.weight", "conv_final.2.conv.weight"
    if first not in shapes or last not in shapes:
        return None
    down, up = (_levels(shapes, kind) for kind in ("down_layers", "up_layers"))
    # The first module of a level of the encoder halves it, or does nothing.
    blocks_down = tuple(
        sum(f"down_layers.{n}.{b}.conv1.conv.weight" in shapes for b in range(1, 100))
        for n in range(down)
    )
    blocks_up = tuple(count(shapes, f"up_layers.{n}.{{}}.conv1.conv.weight") for n in range(up))
    options = {
        "init_filters": shapes[first][0],
        "blocks_down": blocks_down,
        "blocks_up": blocks_up,
    }
    return Blueprint("segresnet", shapes[first][1], shapes[last][0], options)


def _levels(shapes: Shapes, kind: str) -> int:
    numbers = {int(name.split(".")[1]) for name in shapes if name.startswith(f"{kind}.")}
    return max(numbers, default=-1) + 1


def segmamba(shapes: Shapes) -> Blueprint | None:
    """Tell SegMamba; version 1 has gated spatial convolutions (``gscs``), version 0 has none."""
    first, last = "vit.downsample_layers.0.0.weight", "out.conv.conv.weight"
    deepest = "decoder5.transp_conv.conv.weight"
    if any(name not in shapes for name in (first, last, deepest)):
        return None
    depths = (count(shapes, f"vit.stages.{n}.{{}}.norm.weight") for n in range(4))
    version = 1 if "vit.gscs.0.proj.weight" in shapes else 0
    options = {
        "version": version,
        "depths": tuple(depths),
        "dims": tuple(shapes[f"vit.downsample_layers.{n}.{min(n, 1)}.weight"][0] for n in range(4)),
        "hidden": shapes[deepest][0],
    }
    supposed = "Weights do not tell its gate; that of its authors' program (sum) is supposed."
    notes = (supposed,) if version else ()
    return Blueprint("segmamba", shapes[first][1], shapes[last][0], options, notes)
