"""What is minimised: MONAI's Dice with cross-entropy or focal loss, at every depth there is."""

from __future__ import annotations

from typing import cast

from monai.losses import DiceCELoss, DiceFocalLoss
from torch import Tensor, nn

from oncoforge.errors import InputError
from oncoforge.training.settings import LossSettings


class SegmentationLoss(nn.Module):
    """Loss of the logits of a network, and of coarser ones where it gives them.

    Parameters
    ----------
    settings
        Which loss.

    Raises
    ------
    InputError
        If a number makes no sense.
    """

    def __init__(self, settings: LossSettings) -> None:
        super().__init__()
        _check(settings)
        options = {
            "include_background": settings.include_background,
            "to_onehot_y": True,
            "softmax": True,
            "squared_pred": settings.squared,
            "smooth_nr": settings.smooth_numerator,
            "smooth_dr": settings.smooth_denominator,
            "lambda_dice": settings.dice_weight,
        }
        self.one: nn.Module = (
            DiceCELoss(lambda_ce=settings.other_weight, **options)
            if settings.name == "dice_ce"
            else DiceFocalLoss(lambda_focal=settings.other_weight, gamma=settings.gamma, **options)
        )

    def forward(self, logits: Tensor, label: Tensor) -> Tensor:
        """Return one number, in float32 whatever the logits are in.

        Parameters
        ----------
        logits
            (batch, classes, X, Y, Z), or (batch, depths, classes, X, Y, Z) with the finest depth
            first, all brought to one size.
        label
            (batch, 1, X, Y, Z), channel indices.
        """
        depths = logits.float().unbind(1) if logits.ndim == 6 else (logits.float(),)
        parts = zip(depth_weights(len(depths)), depths, strict=True)
        return cast(Tensor, sum(weight * self.one(depth, label) for weight, depth in parts))


def depth_weights(depths: int) -> tuple[float, ...]:
    """Return how much each depth counts: half as much as the one before, 1 together.

    As nnU-Net (Isensee et al., Nature Methods 2021) weights its depths.
    """
    weights = [0.5**depth for depth in range(depths)]
    return tuple(weight / sum(weights) for weight in weights)


def _check(settings: LossSettings) -> None:
    """Refuse numbers with which there is no loss, or one that cannot be computed."""
    if settings.smooth_denominator <= 0 or settings.smooth_numerator < 0:
        raise InputError(
            f"smooth_numerator is {settings.smooth_numerator} and smooth_denominator "
            f"{settings.smooth_denominator}; give the first from 0 and the second above 0, so that "
            "a class that is in no patch does not divide by zero."
        )
    weights = settings.dice_weight, settings.other_weight
    if min(weights) < 0 or max(weights) == 0:
        raise InputError(
            f"dice_weight is {weights[0]} and other_weight {weights[1]}; give numbers from 0, one "
            "of them positive."
        )
    if settings.gamma < 0:
        raise InputError(f"gamma is {settings.gamma}; the focal loss takes a number from 0.")
