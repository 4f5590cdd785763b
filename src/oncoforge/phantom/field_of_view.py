"""Which part of the patient is scanned, and how finely: checked before anything is allocated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from oncoforge.errors import InputError

DEFAULT_EXTENT_MM = (380.0, 300.0, 300.0)
# Ten bytes per voxel at the peak: this is about 6 GB.
MAX_VOXELS = 600_000_000


@dataclass(frozen=True)
class FieldOfView:
    """A RAS+ grid centred on the anatomical centre (midline, mid-body, first lumbar vertebra).

    Attributes
    ----------
    spacing
        Voxel size in mm along x (right), y (anterior), z (superior).
    shape
        Number of voxels along the same axes.
    """

    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]

    @property
    def axes(self) -> tuple[npt.NDArray[np.float64], ...]:
        """Voxel centres along x, y, z in mm."""
        return tuple(
            (np.arange(count, dtype=np.float64) - (count - 1) / 2) * step
            for count, step in zip(self.shape, self.spacing, strict=True)
        )

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """Voxel index -> RAS mm, shape (4, 4)."""
        affine = np.diag([*self.spacing, 1.0])
        affine[:3, 3] = [axis[0] for axis in self.axes]
        return affine


def make_field_of_view(spacing_mm: Sequence[float], shape: Sequence[int] | None) -> FieldOfView:
    """Check what the caller asked for.

    Parameters
    ----------
    spacing_mm
        Three positive numbers.
    shape
        Three positive whole numbers, or None for the default field of view.
    """
    spacing = _three_positive("spacing_mm", spacing_mm)
    if shape is None:
        counts = tuple(
            max(1, round(extent / step))
            for extent, step in zip(DEFAULT_EXTENT_MM, spacing, strict=True)
        )
    else:
        sizes = _three_positive("shape", shape)
        if any(size != int(size) for size in sizes):
            raise InputError(f"shape must be three whole numbers of voxels, not {shape!r}.")
        counts = tuple(int(size) for size in sizes)
    voxels = math.prod(counts)
    if voxels > MAX_VOXELS:
        raise InputError(
            f"A phantom of {counts[0]} x {counts[1]} x {counts[2]} voxels would need about "
            f"{voxels * 10 / 1e9:.0f} GB of memory; at most {MAX_VOXELS:,} voxels are allowed, "
            "so ask for a larger spacing_mm or a smaller shape."
        )
    return FieldOfView(spacing, (counts[0], counts[1], counts[2]))


def _three_positive(name: str, values: Sequence[float]) -> tuple[float, float, float]:
    """Return ``values`` as three positive finite floats, or raise a sentence."""
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != 3 or not all(math.isfinite(n) and n > 0 for n in numbers):
        raise InputError(f"{name} must be three positive numbers (x, y, z), not {values!r}.")
    return (numbers[0], numbers[1], numbers[2])
