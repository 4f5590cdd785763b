"""Encoders that were trained without tumours: SuPreM, VoCo and Swin UNETR's own."""

from __future__ import annotations

from typing import Final

from oncoforge.checkpoints.record import APACHE, ENCODER, LEGACY, Weights

_SUPREM: Final = "MrGiovanni/SuPreM"
_VOCO: Final = "Luffy503/VoCo"
_CARD: Final = "The licence is that of the card of the repository that passes it on."


def _encoder(
    name: str,
    method: str,
    source: str,
    file: str,
    trained_on: str,
    sha256: str = "",
    licence: str = APACHE,
    notes: tuple[str, ...] = (),
) -> Weights:
    return Weights(
        name=name,
        method=method,
        organs=(),
        kind=ENCODER,
        network="swin_unetr",
        licence=licence,
        source=source,
        file=file,
        sha256=sha256,
        trained_on=trained_on,
        merging=LEGACY,
        notes=notes,
    )


PRETRAINING: Final = (
    _encoder(
        "suprem-swin-base",
        "SuPreM",
        _SUPREM,
        "supervised_suprem_swinunetr_2100.pth",
        "2,100 CT with labels of organs",
        "b1672096465974502ccd5e2f2e5fce2ce214d6fb9848b23fc24f7b8888ffb4a3",
        notes=("For version 1.",),
    ),
    _encoder(
        "voco-swin-base",
        "VoCo",
        _VOCO,
        "VoCo_B_SSL_head.pt",
        "160,000 CT without labels",
        "06664b629e73a25aacfaf9e0dd3f2df36f93a9f60f0bf8cf4d8b5cc95cd01298",
        notes=("For version 2.",),
    ),
    _encoder(
        "vocomni-swin-base",
        "VoCo",
        _VOCO,
        "VoComni_B.pt",
        "160,000 CT, 20,000 of them with labels that a network gave",
        "b3b3e2710eb5c8f08f0e0b54eb0791537f70efc95f725b83d8bb0389ab0dc4a6",
        notes=("For version 2.",),
    ),
    _encoder(
        "swin-unetr-ssl",
        "Swin UNETR",
        "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/"
        "model_swinvit.pt",
        "model_swinvit.pt",
        "5,050 CT without labels",
        licence="",
        notes=(
            "For version 1; the predecessors start from it.",
            "No licence is stated with the file; the code of its authors is Apache-2.0.",
        ),
    ),
    _encoder(
        "swin-unetr-ssl-5050",
        "Swin UNETR",
        _SUPREM,
        "self_supervised_nv_swin_unetr_5050.pt",
        "5,050 CT without labels",
        "8dc39e511328ec842f13cb0b84da7e9304ef3656173512fa422653b5e64d90e0",
        notes=("For version 1.", _CARD),
    ),
    _encoder(
        "swin-unetr-ssl-50000",
        "Swin UNETR",
        _SUPREM,
        "self_supervised_nv_swin_unetr_50000.pth",
        "50,000 CT and MR without labels",
        "c3564f40a6a051d3753a6d8fae5cc8eaf21ce8d82a9a3baf80748d15664055e8",
        notes=("For version 1.", _CARD),
    ),
)
