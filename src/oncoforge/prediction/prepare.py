"""A scan as a network wants it: its spacing, its window, and at least the size of its patch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from oncoforge.formats.lattice import Lattice, Spacing
from oncoforge.networks import Pipeline
from oncoforge.prediction.windows import Windows, plan_windows

if TYPE_CHECKING:
    from torch import Tensor

Image = npt.NDArray[np.float32]

_SLAB_VOXELS = 1 << 23


@dataclass(frozen=True, eq=False)
class Prepared:
    """A scan as a network takes it.

    Parameters
    ----------
    image
        float32 (1, X, Y, Z), in the values of the pipeline.
    lattice
        Between the scan and the image without what was added to it.
    added
        Voxels in front of the first one, along each axis, to fill up a patch.
    """

    image: Tensor
    lattice: Lattice
    added: tuple[int, ...]

    def windows(
        self, patch: Sequence[int], overlap: float, gate: npt.NDArray[np.bool_] | None
    ) -> Windows:
        """Place windows, by a gate on the voxels of the scan; None runs all of them."""
        shape = tuple(self.image.shape[1:])
        if gate is not None:
            gate = self.lattice.needed(gate)
            after = [
                whole - n - before
                for whole, n, before in zip(shape, gate.shape, self.added, strict=True)
            ]
            if any(self.added) or any(after):
                gate = np.pad(gate, list(zip(self.added, after, strict=True)))
        return plan_windows(shape, patch, overlap, gate)


def prepare(image: Image, spacing: Spacing, pipeline: Pipeline) -> Prepared:
    """Resample a scan, turn its HU into the values of a network, and fill up to a patch.

    In this order, as the published pipelines do: HU are interpolated, then clipped. What is added
    has the lowest value of its row, as for MONAI's ``SpatialPad`` with the mode ``minimum``.

    Parameters
    ----------
    image
        float32 (X, Y, Z), HU, RAS+; it stays as it is.
    spacing
        mm.
    pipeline
        What the network wants.
    """
    import torch

    lattice = Lattice.between(image.shape, spacing, pipeline.spacing_mm)
    made = np.empty(lattice.network, dtype=np.float32)
    step = max(1, _SLAB_VOXELS // made[0].size)
    for start in range(0, len(made), step):
        rows = slice(start, min(start + step, len(made)))
        box = rows, slice(0, made.shape[1]), slice(0, made.shape[2])
        set_values(made[rows], lattice.image(image, box), pipeline)
    missing = [max(n - size, 0) for size, n in zip(made.shape, pipeline.patch, strict=True)]
    ends = [(n // 2, n - n // 2) for n in missing]
    if any(missing):
        made = np.pad(made, ends, mode="minimum")
    return Prepared(torch.from_numpy(made)[None], lattice, tuple(first for first, _ in ends))


def set_values(made: Image, hu: Image, pipeline: Pipeline) -> None:
    """Write the values that a network has for HU.

    Parameters
    ----------
    made
        float32 (X, Y, Z), which receives them; it may be `hu` itself.
    hu
        float32 (X, Y, Z).
    pipeline
        Its window, and the values of its ends.
    """
    (low, high), (bottom, top) = pipeline.window_hu, pipeline.values
    np.subtract(hu, low, out=made)
    made /= high - low
    np.clip(made, 0, 1, out=made)
    made *= top - bottom
    made += bottom
