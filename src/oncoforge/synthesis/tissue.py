"""Tissue as growth sees it: three levels of density and walls, told apart by HU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oncoforge.errors import InputError
from oncoforge.synthesis.scene import Scene, Vector
from oncoforge.synthesis.smoothing import smooth_inside

_LEAST_STEP_HU = 10.0
"""Noise alone leaves about this spread in a smoothed organ."""

_WIDEST_SMOOTH_MM = 10.0

_BLOCK_MM = 24.0
_ENOUGH = 500
"""Fewer voxels in the blocks do not stand for the organ."""


@dataclass(frozen=True)
class Tissue:
    """Where the levels of an organ's tissue begin.

    Parameters
    ----------
    levels_hu
        HU from which tissue is of level 2, of level 3, and a wall.
    smooth_mm
        Sigma of the filter that the scan is looked at through; 0 for none, as published.
    """

    levels_hu: Vector
    smooth_mm: float = 0.0

    def __post_init__(self) -> None:
        low, middle, wall = self.levels_hu
        if not low <= middle <= wall:
            raise InputError(f"levels_hu ascend, and {self.levels_hu} do not.")
        if not 0 <= self.smooth_mm <= _WIDEST_SMOOTH_MM:
            raise InputError(
                f"smooth_mm is from 0 to {_WIDEST_SMOOTH_MM:g} mm, not {self.smooth_mm:g}."
            )


def levels_of(scene: Scene, smooth_mm: float) -> Vector:
    """Estimate an organ's levels from its own HU, for any organ and contrast phase.

    Level 2 begins one step above the organ's median, level 3 two and walls three; the step is the
    robust standard deviation of the scan as it is looked at, at least 10 HU. (The published levels
    of the liver begin 20, 40 and 60 HU above 100.)

    Parameters
    ----------
    scene
        The organ.
    smooth_mm
        As in `Tissue`.
    """
    values = scene.organ_sample() if smooth_mm == 0.0 else _smooth_sample(scene, smooth_mm)
    middle = float(np.median(values))
    step = max(1.4826 * float(np.median(np.abs(values - middle))), _LEAST_STEP_HU)
    return middle + step, middle + 2 * step, middle + 3 * step


def _smooth_sample(scene: Scene, smooth_mm: float) -> NDArray[np.float32]:
    """Return HU of organ voxels of eight blocks, smoothed: the whole organ would take long."""
    shape = np.array(scene.organ.shape)
    size = np.minimum(np.ceil(_BLOCK_MM / np.asarray(scene.spacing)).astype(int), shape)
    parts = []
    for corner in np.ndindex(2, 2, 2):
        start = (shape - size) * (1 + np.array(corner)) // 3
        block = scene.clip(start, start + size)
        assert block is not None  # the scene is not empty
        organ = scene.organ[block]
        parts.append(smooth_inside(scene.image[block], organ, scene.spacing, smooth_mm)[organ])
    values = np.concatenate(parts)
    return values if values.size >= _ENOUGH else scene.organ_sample()
