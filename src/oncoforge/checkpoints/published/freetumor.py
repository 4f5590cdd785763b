"""FreeTumor (Wu et al., Nature Communications 2025): generator, critic and segmentors."""

from __future__ import annotations

from typing import Final

from oncoforge.checkpoints.record import APACHE, GENERATOR, LEGACY, SEGMENTATION, Weights
from oncoforge.networks.config import Pipeline

_HUB: Final = "Luffy503/FreeTumor"
_ORGANS: Final = ("liver", "pancreas", "kidney")
_INFERRED: Final = (
    "The authors point to this repository; the file's name is that of their instructions, and was "
    "not seen there: if fetching fails, open the page and give the path of the file."
)

_ABDOMEN: Final = Pipeline(
    classes=("background", *(name for organ in _ORGANS for name in (organ, f"{organ}_tumor"))),
    spacing_mm=(1.5, 1.5, 1.5),
    overlap=0.75,
    postprocess="freetumor",
)
_CHEST: Final = Pipeline(
    classes=("background", "lung_tumor"),
    spacing_mm=(1.25, 1.25, 5.0),
    window_hu=(-1000.0, 500.0),
    patch=(192, 192, 32),
    overlap=0.75,
    postprocess="freetumor",
)

FREETUMOR: Final = (
    Weights(
        name="freetumor-generator",
        method="FreeTumor",
        organs=_ORGANS,
        kind=GENERATOR,
        network="freetumor_unet",
        licence=APACHE,
        source=_HUB,
        file="TGAN.pt",
        trained_on="1,548 abdomens of 11 datasets",
        part="netG",
        merging=LEGACY,
        notes=(
            _INFERRED,
            "The file holds the critic (netD) and the segmentor (netSeg) too.",
            "As it was trained, its first channel serves every organ.",
        ),
    ),
    Weights(
        name="freetumor-segmentor",
        method="FreeTumor",
        organs=_ORGANS,
        kind=SEGMENTATION,
        network="swin_unetr",
        licence=APACHE,
        source=_HUB,
        file="model_baseline_segmentor.pt",
        trained_on="real tumours (LiTS, MSD Task07, KiTS)",
        pipeline=_ABDOMEN,
        merging=LEGACY,
        notes=(_INFERRED,),
    ),
    Weights(
        name="freetumor-flare",
        method="FreeTumor",
        organs=_ORGANS,
        kind=SEGMENTATION,
        network="swin_unetr",
        licence=APACHE,
        source=_HUB,
        file="FreeTumor_flare.pt",
        trained_on="real and synthetic tumours",
        pipeline=_ABDOMEN,
        merging=LEGACY,
        notes=(_INFERRED,),
    ),
    Weights(
        name="freetumor-covid-segmentor",
        method="FreeTumor",
        organs=("lung",),
        kind=SEGMENTATION,
        network="swin_unetr",
        licence=APACHE,
        source=_HUB,
        file="model_covid_voco160k.pt",
        trained_on="real lesions (COVID-19-20)",
        pipeline=_CHEST,
        merging=LEGACY,
        notes=(_INFERRED, "Its lesions are those of COVID-19; lung_tumor is the nearest label."),
    ),
)
