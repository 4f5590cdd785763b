"""Pixel2Cancer (Lai et al., MICCAI 2024): networks for tumours of liver, pancreas and kidney."""

from __future__ import annotations

from typing import Final

from oncoforge.checkpoints.record import APACHE, LEGACY, SEGMENTATION, Weights, abdominal

_SHA256: Final = {
    ("kidney", "real", "base"): "2db0478ca621d8b04fff8f39b0b33580bac3d68ef4b30d47e8902eef120ea315",
    ("pancreas", "synt", "small"):
        "9695ba4337077af5b20bd117f9bceb82ba359d8841105353d6dc7ad991e12c15",
}  # fmt: skip
"""As the hub's pages state them; of the others they were not found."""

_TRAINED_ON: Final = {
    ("liver", "real"): "real tumours (LiTS)",
    ("pancreas", "real"): "real tumours (MSD Task07)",
    ("kidney", "real"): "real tumours (KiTS)",
}

_SUPPOSED: Final = (
    "Its folder is on the hub; that the file in it is called model.pt is supposed, as those of "
    "this work are that were seen.",
)

_SMALLER: Final = (("liver", "real"), ("liver", "synt"), ("pancreas", "synt"), ("kidney", "real"))
"""Those of which smaller networks were seen on the hub too."""


def _weights(organ: str, kind: str, size: str) -> Weights:
    """Return one network; no size is the U-Net."""
    model = f"swin_unetrv2_{size}" if size else "unet"
    return Weights(
        name=f"pixel2cancer-{organ}-{kind}-{f'swin-{size}' if size else 'unet'}",
        method="Pixel2Cancer",
        organs=(organ,),
        kind=SEGMENTATION,
        network="swin_unetr" if size else "unet",
        licence=APACHE,
        source="MrGiovanni/Pixel2Cancer",
        file=f"{organ}/{kind}/{kind}.{organ}.no_pretrain.{model}/model.pt",
        sha256=_SHA256.get((organ, kind, size), ""),
        trained_on=_TRAINED_ON.get((organ, kind), "synthetic tumours"),
        pipeline=abdominal(organ, (-175.0, 250.0), "pixel2cancer"),
        merging=LEGACY if size else "",
        notes=() if (organ, kind, size) in _SHA256 else _SUPPOSED,
    )


PIXEL2CANCER: Final = tuple(
    _weights(organ, kind, size)
    for organ in ("liver", "pancreas", "kidney")
    for kind in ("real", "synt")
    for size in ("", "base", *(("small", "tiny") if (organ, kind) in _SMALLER else ()))
)
