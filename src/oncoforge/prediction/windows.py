"""Which windows a network looks through, and how much each of their voxels counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from oncoforge.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, int, int]
Span = tuple[int, int]


@dataclass(frozen=True)
class Windows:
    """The windows of one volume, in the order in which they are run.

    Parameters
    ----------
    shape
        Voxels of the volume; at least those of a window along every axis.
    patch
        Voxels of a window.
    starts
        First voxel of each window that is run; the first axis changes slowest.
    total
        How many there would be without a gate.
    """

    shape: Shape
    patch: Shape
    starts: tuple[Shape, ...]
    total: int

    @cached_property
    def spans(self) -> tuple[Span, Span, Span]:
        """First voxel of all windows, and the one after their last, along each axis."""
        spans = [
            (min(column), max(column) + length)
            for column, length in zip(zip(*self.starts, strict=True), self.patch, strict=True)
        ]
        return cast(tuple[Span, Span, Span], tuple(spans) or ((0, 0),) * 3)


def plan_windows(
    shape: Sequence[int],
    patch: Sequence[int],
    overlap: float,
    gate: npt.NDArray[np.bool_] | None = None,
) -> Windows:
    """Place windows on a volume: those of MONAI's ``sliding_window_inference``.

    Parameters
    ----------
    shape
        Voxels of the volume; along no axis fewer than a window has.
    patch
        Voxels of a window.
    overlap
        Part of a window that it shares with its neighbour, from 0, below 1.
    gate
        bool (X, Y, Z): leave out the windows that hold no voxel of it. Every voxel of the gate is
        in the same windows as without one.

    Raises
    ------
    InputError
        If the overlap makes no sense.
    """
    from monai.data.utils import dense_patch_slices

    if not 0 <= overlap < 1:
        raise InputError(f"overlap is {overlap}; give a part from 0, below 1.")
    size, window = (cast(Shape, tuple(map(int, numbers))) for numbers in (shape, patch))
    steps = [
        length if length == whole else max(1, int(length * (1 - overlap)))
        for whole, length in zip(size, window, strict=True)
    ]
    slices = dense_patch_slices(size, window, steps)
    starts = tuple(
        cast(Shape, tuple(int(part.start) for part in place))
        for place in slices
        if gate is None or gate[place].any()
    )
    return Windows(size, window, starts, len(slices))


@lru_cache(maxsize=4)
def importance(patch: Shape, device: str) -> Tensor:
    """Return how much each voxel of a window counts: a Gaussian, as MONAI's mode of that name.

    Returns
    -------
    torch.Tensor
        float32 (X, Y, Z), 0.001 to 1; its standard deviation is an eighth of the window.
    """
    import torch
    from monai.data.utils import compute_importance_map

    weights = compute_importance_map(patch, mode="gaussian", sigma_scale=0.125, device=device)
    return cast(torch.Tensor, weights)
