"""Swin UNETR, with the patch merging of the published weights or the corrected one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Literal

import torch
from monai.networks.nets import SwinUNETR
from monai.networks.nets.swin_unetr import PatchMergingV2
from torch import nn
from torch.overrides import TorchFunctionMode

from oncoforge.networks.inputs import takes

Offset = tuple[int, int, int]

_FEATURES = {"tiny": 12, "small": 24, "base": 48}


def build_swin_unetr(
    in_channels: int,
    out_channels: int,
    *,
    size: Literal["tiny", "small", "base"] = "base",
    version: Literal[1, 2] = 1,
    merging: Literal["corrected", "legacy"] = "corrected",
    checkpointing: bool = False,
) -> nn.Module:
    """Build MONAI's SwinUNETR (Hatamizadeh et al. 2021).

    Patches of 2, windows of 7, 2 blocks in each of 4 stages, instance norm that has no weights.

    Parameters
    ----------
    size
        12, 24 or 48 features in the first stage.
    version
        2 has a residual block of convolutions before each stage (He et al. 2023).
    merging
        How 2 x 2 x 2 patches become one: ``"corrected"`` takes each once; ``"legacy"`` takes two of
        them twice and two never, as every network did that was published before MONAI 1.5, and is
        for their weights.
    checkpointing
        Compute activations anew in the backward pass of training, which spares memory.
    """
    with _RatesInMemory():
        network = SwinUNETR(
            in_channels,
            out_channels,
            feature_size=_FEATURES[size],
            downsample=_Legacy if merging == "legacy" else _Corrected,
            use_v2=version == 2,
            use_checkpoint=checkpointing,
        )
    return takes(network, "swin_unetr", in_channels, (32, 32, 32))


class _RatesInMemory(TorchFunctionMode):
    """Let MONAI read drop-path rates off a tensor where tensors hold none, on ``"meta"``."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        return func(*args, **{**given, "device": "cpu"} if func is torch.linspace else given)


class _Merging(PatchMergingV2):
    """Merging of 2 x 2 x 2 patches, in an order of our own.

    MONAI changed the order of ``"merging"`` in 1.5 under the same name, with the same keys and
    shapes. The order stands here, so that weights mean the same whatever MONAI is installed.
    """

    offsets: ClassVar[tuple[Offset, ...]]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn (batch, D, H, W, C) into (batch, D / 2, H / 2, W / 2, 2 C).

        Odd sizes get a plane of zeros at their end. The original of the legacy order adds none
        along D, where it fails if that is odd; the networks only take what stays even.
        """
        d, h, w = x.shape[1:4]
        x = nn.functional.pad(x, (0, 0, 0, w % 2, 0, h % 2, 0, d % 2))
        corners = [x[:, i::2, j::2, k::2] for i, j, k in self.offsets]
        merged: torch.Tensor = self.reduction(self.norm(torch.cat(corners, dim=-1)))
        return merged


class _Corrected(_Merging):
    """Every patch once: what MONAI calls ``"merging"`` from 1.5 on."""

    offsets = (
        (0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1),
    )  # fmt: skip


class _Legacy(_Merging):
    """Patches 010 and 001 twice, 110 and 011 never."""

    offsets = (
        (0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (0, 1, 0), (0, 0, 1), (1, 1, 1),
    )  # fmt: skip
