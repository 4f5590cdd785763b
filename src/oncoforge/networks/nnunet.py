"""nnU-Net's U-Net: as published, or planned from spacing and patch."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import torch
from monai.networks.nets import DynUNet
from torch import nn

from oncoforge.errors import InputError
from oncoforge.networks.inputs import takes

Triple = tuple[int, int, int]
Spacing = tuple[float, float, float]

_FIRST_FILTERS, _MOST_FILTERS = 32, 320
# The largest ratio of spacings at which the coarser axis is treated as the finer ones are.
_MOST_RATIO = 2
# Halved, an axis of 8 voxels has 4: the smallest that nnU-Net leaves.
_FEWEST_VOXELS = 8
# Levels besides the finest that are supervised in depth, where there are as many.
_MOST_HEADS = 3


def build_nnunet(
    in_channels: int,
    out_channels: int,
    *,
    spacing_mm: Spacing | None = None,
    patch: Triple | None = None,
    deep_supervision: bool = False,
) -> nn.Module:
    """Build MONAI's DynUNet (Isensee et al. 2021) with instance norm that has no weights.

    Parameters
    ----------
    spacing_mm, patch
        Spacing in mm and voxels of a window, along the same axes: strides and kernels follow from
        them as in `plan`. Without both it is the network of the published weights: 5 levels, each
        axis halved 4 times.
    deep_supervision
        In training, the output has one more axis, after the batch: the output, and those of up to
        3 coarser levels brought to its size.

    Raises
    ------
    InputError
        If one of `spacing_mm` and `patch` is given without the other, or the patch does not fit.
    """
    if (spacing_mm is None) != (patch is None):
        raise InputError("nnunet plans from spacing_mm and patch together; give both, or neither.")
    if spacing_mm is None or patch is None:
        spacing_mm, patch = (1.0, 1.0, 1.0), (96, 96, 96)
    kernels, strides = plan(spacing_mm, patch)
    levels = len(strides)
    network = _DynUNet(
        3,
        in_channels,
        out_channels,
        kernels,
        strides,
        upsample_kernel_size=strides[1:],
        filters=[min(_FIRST_FILTERS * 2**level, _MOST_FILTERS) for level in range(levels)],
        norm_name="instance",
        deep_supervision=deep_supervision,
        deep_supr_num=min(_MOST_HEADS, levels - 2),
    )
    steps = [prod(axis) for axis in zip(*strides, strict=True)]
    return takes(network, "nnunet", in_channels, steps)


class _DynUNet(DynUNet):
    """MONAI's network; a copy can be made of it after it was trained with deep supervision."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = super().forward(x)
        # MONAI holds on to what its heads gave, and to the graph of that.
        self.heads[:] = [torch.empty(0)] * len(self.heads)
        return output


def plan(spacing_mm: Spacing, patch: Triple) -> tuple[list[Triple], list[Triple]]:
    """Work out the kernels and strides of every level by nnU-Net's rule.

    Level by level, an axis is halved if its spacing is at most twice the finest and it has at least
    8 voxels; kernels are 3 wide along axes of such a spacing, else 1. It ends when no axis can be
    halved. The first level has stride 1, the last one kernel 3.

    Parameters
    ----------
    spacing_mm, patch
        Spacing in mm and voxels of a window, along the same axes.

    Returns
    -------
    kernels, strides
        Three numbers for each level, the finest first.

    Raises
    ------
    InputError
        If a number is not positive, the patch allows fewer than 3 levels, or an axis cannot be
        halved as often as the rule asks.
    """
    if min(spacing_mm) <= 0 or min(patch) < 1:
        raise InputError(f"nnunet needs positive numbers; found {spacing_mm} mm and {patch}.")
    kernels: list[Triple] = []
    strides: list[Triple] = [(1, 1, 1)]
    spacing, sizes = spacing_mm, patch
    while True:
        near = [mm / min(spacing) <= _MOST_RATIO for mm in spacing]
        x, y, z = (
            2 if close and size >= _FEWEST_VOXELS else 1
            for close, size in zip(near, sizes, strict=True)
        )
        if (x, y, z) == (1, 1, 1):
            break
        kernels.append(_triple(3 if close else 1 for close in near))
        strides.append((x, y, z))
        spacing = (spacing[0] * x, spacing[1] * y, spacing[2] * z)
        sizes = (sizes[0] // x, sizes[1] // y, sizes[2] // z)
    kernels.append((3, 3, 3))
    _check_patch(patch, strides)
    return kernels, strides


def _check_patch(patch: Triple, strides: list[Triple]) -> None:
    """Raise if the network would have too few levels, or an axis cannot be halved so often."""
    if len(strides) < 3:
        raise InputError(
            f"nnunet has at least 3 levels, and a patch of {patch} voxels allows {len(strides)}; "
            "give at least 16 voxels along the axes of the finest spacing."
        )
    for axis, size in enumerate(patch):
        step = prod(stride[axis] for stride in strides)
        if size % step:
            raise InputError(
                f"nnunet halves axis {axis} of the patch {patch} {step.bit_length() - 1} times, "
                f"and {size} is no multiple of {step}; give {size // step * step or step} or "
                f"{(size // step + 1) * step}."
            )


def _triple(numbers: Iterable[int]) -> Triple:
    x, y, z = numbers
    return x, y, z
