"""Smooth random fields in space: the grain of tissue, and the small bumps of organ surfaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Texture:
    """A periodic random field with mean 0 and standard deviation 1.

    Attributes
    ----------
    tile
        (n, n, n) samples of one period.
    pitch_mm
        Distance between two samples; features are about three times as large.
    """

    tile: FloatArray
    pitch_mm: float

    def sample(
        self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], z: npt.NDArray[np.float64]
    ) -> FloatArray:
        """Interpolate on the grid of three axes in mm; the result has shape (x, y, z)."""
        field = self.tile
        # z first: the tile is small, so only the last of the three passes is over the full grid.
        for axis, where in ((2, z), (1, y), (0, x)):
            field = _interpolate(field, np.asarray(where) / self.pitch_mm, axis)
        return field


def _interpolate(field: FloatArray, index: npt.NDArray[np.float64], axis: int) -> FloatArray:
    """Linear interpolation along one periodic axis."""
    count = field.shape[axis]
    low = np.floor(index).astype(np.int64)
    shape = [1, 1, 1]
    shape[axis] = -1
    weight = (index - low).astype(np.float32).reshape(shape)
    below = np.take(field, low % count, axis=axis)
    above = np.take(field, (low + 1) % count, axis=axis)
    above -= below
    above *= weight
    blended: FloatArray = above + below
    return blended


def draw_texture(rng: np.random.Generator, pitch_mm: float, count: int = 56) -> Texture:
    """Draw a field whose features are about three times ``pitch_mm`` wide."""
    white = rng.standard_normal((count, count, count), dtype=np.float32)
    tile = gaussian_filter(white, 0.9, mode="wrap")
    tile -= tile.mean()
    tile /= tile.std()
    return Texture(tile, pitch_mm)
