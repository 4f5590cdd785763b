"""Volume: one array that was read, with the place that it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from oncoforge.grid import Affine, Grid
from oncoforge.source import Source


@dataclass(frozen=True, eq=False, repr=False)
class Volume:
    """An image or a label map without its counterpart.

    Parameters
    ----------
    array
        (X, Y, Z) in RAS+ order, C-contiguous: float32 HU, or whole numbers.
    source
        Where it came from; `write_image` and `write_labels` take it.
    """

    array: npt.NDArray[Any]
    source: Source

    @property
    def grid(self) -> Grid:
        """The RAS+ grid of the array."""
        return self.source.grid.ras()

    @property
    def affine(self) -> Affine:
        """(4, 4) voxel index to RAS+ mm."""
        return self.grid.affine

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel spacing in mm along R, A and S."""
        return self.grid.spacing
