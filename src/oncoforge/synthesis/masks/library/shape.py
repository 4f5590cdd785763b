"""The shape of a real tumour as a field of distances, which can be sampled at any size.

Between slices a shape is told by its signed distance (Raya and Udupa, "Shape-based interpolation of
multidimensional objects", IEEE TMI 1990), so that thick slices do not show as steps. The level at
which the field is cut is chosen so that the volume is the tumour's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy
from numpy.typing import NDArray

from oncoforge.synthesis.base import sphere_diameter
from oncoforge.synthesis.library.shelf import Crop
from oncoforge.synthesis.scene import Vector, bounding_box

_PAD = 2
_ACROSS = 64
"""Samples across a tumour by which its volume is measured."""

_KEPT = 16


@dataclass(frozen=True, eq=False)
class Shape:
    """A tumour, ready to be sampled.

    Parameters
    ----------
    distance
        float32 (x, y, z): distance to its surface in mm, positive inside, less the level of it.
    spacing
        Voxel size, mm.
    centroid_vox
        Its centroid, voxel indices of `distance`.
    low_mm, high_mm
        Corners of a box that holds it, mm from the centroid.
    volume_mm3
        Its volume, by voxels.
    """

    distance: NDArray[np.float32]
    spacing: Vector
    centroid_vox: NDArray[np.float64]
    low_mm: NDArray[np.float64]
    high_mm: NDArray[np.float64]
    volume_mm3: float


@lru_cache(maxsize=_KEPT)
def shape_of(crop: Crop) -> Shape:
    """Return the shape of a crop's tumour."""
    import edt  # slow to import

    tight = bounding_box(crop.tumor)
    assert tight is not None  # a crop holds a tumour
    inside = np.pad(crop.tumor[tight], _PAD)
    spacing = np.asarray(crop.spacing)
    within, without = (
        edt.edt(np.ascontiguousarray(part), anisotropy=crop.spacing, parallel=1)
        for part in (inside, ~inside)
    )
    distance = np.asarray(within - without, np.float32)
    volume = float(np.count_nonzero(inside) * math.prod(crop.spacing))
    distance -= _level(distance, spacing, volume)
    centroid = np.argwhere(inside).mean(axis=0)
    return Shape(
        distance,
        crop.spacing,
        centroid,
        # The level may lie a little outside the voxels.
        (0 - centroid) * spacing,
        (np.array(inside.shape) - 1 - centroid) * spacing,
        volume,
    )


def _level(distance: NDArray[np.float32], spacing: NDArray[np.float64], volume_mm3: float) -> float:
    """Return the value above which a field of distances, interpolated, has a volume."""
    # Even numbers: in the middle of a voxel the field has its kinks, which would count too much.
    parts = 2 * np.ceil(spacing * _ACROSS / 2 / sphere_diameter(volume_mm3)).astype(int)
    fine = scipy.ndimage.affine_transform(
        distance,
        1.0 / parts,
        offset=0.5 / parts - 0.5,
        output_shape=tuple(np.array(distance.shape) * parts),
        order=1,
        mode="nearest",
    ).ravel()
    wanted = round(volume_mm3 / float((spacing / parts).prod()))
    place = min(max(fine.size - wanted, 1), fine.size - 1)
    around = np.partition(fine, (place - 1, place))
    return float(around[place - 1] + around[place]) / 2
