"""SyntheticTumors (Hu et al., CVPR 2023): networks for liver tumours.

The names are those of the folders of runs in the authors' instructions. No public page with the
files was found.
"""

from __future__ import annotations

from typing import Final

from oncoforge.checkpoints.record import (
    LEGACY,
    NO_DERIVATIVES,
    SEGMENTATION,
    Weights,
    abdominal,
)

_PIPELINE: Final = abdominal("liver", (-21.0, 189.0), "synthetictumors")
_NOWHERE: Final = (
    "No public page with this file is known: if you have it, give its path; it is known by the "
    "name of its folder."
)
_RUNS: Final = (
    ("no_pretrain.unet", "unet"),
    ("pretrain.swin_unetrv2_base", "swin-base-pretrained"),
    ("no_pretrain.swin_unetrv2_base", "swin-base"),
    ("no_pretrain.swin_unetrv2_small", "swin-small"),
    ("no_pretrain.swin_unetrv2_tiny", "swin-tiny"),
)

SYNTHETICTUMORS: Final = tuple(
    Weights(
        name=f"synthetictumors-liver-{kind}-{short}",
        method="SyntheticTumors",
        organs=("liver",),
        kind=SEGMENTATION,
        network="unet" if short == "unet" else "swin_unetr",
        licence=NO_DERIVATIVES,
        source="",
        file=f"runs/{kind}.{run}/model.pt",
        trained_on={"synt": "synthetic tumours", "real": "real tumours (LiTS)"}[kind],
        pipeline=_PIPELINE,
        merging="" if short == "unet" else LEGACY,
        notes=(_NOWHERE,),
    )
    for kind in ("synt", "real")
    for run, short in _RUNS
)
