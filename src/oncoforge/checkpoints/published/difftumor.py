"""DiffTumor (Chen et al., CVPR 2024): autoencoder, denoisers and networks for tumours."""

from __future__ import annotations

from typing import Final

from oncoforge.checkpoints.record import (
    GENERATOR,
    LEGACY,
    NO_DERIVATIVES,
    SEGMENTATION,
    Weights,
    abdominal,
)

_HUB: Final = "MrGiovanni/DiffTumor"
_ORGANS: Final = ("liver", "pancreas", "kidney")
_LICENCE: Final = (
    "The authors' repository is CC-BY-NC-ND-4.0 and speaks of patents pending; the card of the "
    "weights says Apache-2.0. The stricter one is given here."
)
_FOLDS: Final = "The cases that it was trained on are not stated; it may know those of your test."

_SHA256: Final = {
    "AutoencoderModel.ckpt": "be83639891cc1f14527feadef9484b2d3887fc5f513b4026a90faa230856ffed",
    "kidney_early.pt": "80c35a1cae950ee4511c1e8525f354f35f794f0793c321db3066aae1b1096b21",
    "kidney_noearly.pt": "63956bc86e60da98d8412137fbf64453d52a25631931300cb671ecd31b3abdd9",
    "liver_early.pt": "0135000f031f741252b3e706748b674d33e7278402a7cb2500fec5f4966847bd",
    "liver_noearly.pt": "c2a21980e53efd6758ae92e79a82668f0e1e6d9b52fdf6b2a709cb929ebedb3b",
    "nnunet_synt_liver_tumors.pt":
        "0a4e2085e30d6b3e8574056e1236757e2571a18a49b6e6946ae31078a4721777",
}  # fmt: skip
"""As the hub's pages state them; of the others they were not found."""

_AUTOENCODER: Final = Weights(
    name="difftumor-autoencoder",
    method="DiffTumor",
    organs=_ORGANS,
    kind=GENERATOR,
    network="difftumor_autoencoder",
    licence=NO_DERIVATIVES,
    source=_HUB,
    file="AutoencoderModel/AutoencoderModel.ckpt",
    sha256=_SHA256["AutoencoderModel.ckpt"],
    trained_on="healthy and ill abdomens (AbdomenAtlas 1.1)",
    notes=(_LICENCE,),
)


def _denoiser(organ: str, stage: str) -> Weights:
    file = f"{organ}_{stage}.pt"
    early = stage == "early"
    return Weights(
        name=f"difftumor-{organ}-{'early' if early else 'late'}",
        method="DiffTumor",
        organs=(organ,),
        kind=GENERATOR,
        network="difftumor_denoiser",
        licence=NO_DERIVATIVES,
        source=_HUB,
        file=f"DiffusionModel/{file}",
        sha256=_SHA256.get(file, ""),
        trained_on=f"real tumours, {'small' if early else 'middle and late'} ones",
        part="ema",
        notes=(_LICENCE, f"Diffusion of {4 if early else 200} steps.", _FOLDS),
    )


def _segmentation(organ: str, network: str, theirs: str, short: str) -> Weights:
    file = f"{theirs}_synt_{organ}_tumors.pt"
    return Weights(
        name=f"difftumor-{organ}-{short}",
        method="DiffTumor",
        organs=(organ,),
        kind=SEGMENTATION,
        network=network,
        licence=NO_DERIVATIVES,
        source=_HUB,
        file=f"SegmentationModel/{file}",
        sha256=_SHA256.get(file, ""),
        trained_on="real and synthetic tumours",
        pipeline=abdominal(organ, (-175.0, 250.0), "difftumor"),
        merging=LEGACY if network == "swin_unetr" else "",
        notes=(_LICENCE,),
    )


DIFFTUMOR: Final = (
    _AUTOENCODER,
    *(_denoiser(organ, stage) for organ in _ORGANS for stage in ("early", "noearly")),
    *(
        _segmentation(organ, *names)
        for organ in _ORGANS
        for names in (
            ("unet", "unet", "unet"),
            ("nnunet", "nnunet", "nnunet"),
            ("swin_unetr", "swinunetr", "swin-base"),
        )
    ),
)
