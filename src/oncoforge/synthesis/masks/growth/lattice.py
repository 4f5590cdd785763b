"""The lattice that tumours grow on: its own, isotropic, whatever the scan's voxels are.

The published automaton grows on voxels of 1 mm. Here its points lie 1 mm apart (or any other pitch)
at whole multiples of it from the scan's first voxel, so a tumour has the same size and shape in mm
on every grid; where the scan's voxels are cubes of that size, the lattice is the grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from oncoforge.synthesis.scene import Box, Scene
from oncoforge.synthesis.smoothing import smooth_inside

T = TypeVar("T", bound=np.generic)

_SAME = 1e-4
"""Voxels this much off the pitch, as a part of it, are still the lattice's own."""

_TRUNCATE = 4.0
"""Reach of a Gaussian filter, in standard deviations."""


@dataclass(frozen=True)
class Lattice:
    """Points ``i * pitch_mm`` from the scan's first voxel, and the way from the scan and back.

    Parameters
    ----------
    scene
        The organ's box.
    pitch_mm
        Distance of the points.
    """

    scene: Scene
    pitch_mm: float = 1.0

    @property
    def is_grid(self) -> bool:
        """Whether the points are the scan's own voxels."""
        return all(abs(s - self.pitch_mm) <= _SAME * self.pitch_mm for s in self.scene.spacing)

    def nearest(self, point_mm: ArrayLike) -> NDArray[np.int64]:
        """Return the index of the point nearest to a position, mm from the scan's first voxel."""
        return np.floor(np.asarray(point_mm) / self.pitch_mm + 0.5).astype(np.int64)

    def limits(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the half-open range of points that lie in voxels of the organ's box."""
        start = np.array([s.start for s in self.scene.box])
        stop = np.array([s.stop for s in self.scene.box])
        if self.is_grid:
            return start, stop
        ratio = np.asarray(self.scene.spacing) / self.pitch_mm
        low = np.ceil((start - 0.5) * ratio).astype(np.int64)
        return low, np.maximum(np.ceil((stop - 0.5) * ratio).astype(np.int64), low + 1)

    def organ(self, low: ArrayLike, high: ArrayLike) -> NDArray[np.bool_]:
        """Tell which points of a half-open range lie where lesions may."""
        return self._nearest_of(self.scene.room, low, high)

    def free(self, low: ArrayLike, high: ArrayLike) -> NDArray[np.bool_]:
        """Tell which points of a half-open range hold none of the lesions placed so far."""
        return self._nearest_of(self.scene.instances, low, high) == 0

    def hu(self, low: ArrayLike, high: ArrayLike, smooth_mm: float = 0.0) -> NDArray[np.float32]:
        """Return the scan at a half-open range of points.

        Parameters
        ----------
        low, high
            The range, within `limits`.
        smooth_mm
            Sigma of a Gaussian filter over the organ alone; 0 for none.
        """
        low, high = np.asarray(low), np.asarray(high)
        image = self.scene.image
        if smooth_mm == 0.0:
            return self._linear_of(image, low, high, np.zeros(3))
        spacing = np.asarray(self.scene.spacing)
        reach = int(_TRUNCATE * smooth_mm / min(spacing) + 2)
        ratio = self.pitch_mm / spacing
        first = np.floor(low * ratio).astype(int) - [s.start for s in self.scene.box]
        last = np.ceil((high - 1) * ratio).astype(int) - [s.start for s in self.scene.box]
        box = self.scene.clip(first - reach, last + reach + 1)
        assert box is not None  # the range lies in the organ's box
        smooth = smooth_inside(image[box], self.scene.room[box], self.scene.spacing, smooth_mm)
        return self._linear_of(smooth, low, high, np.array([s.start for s in box]))

    def to_grid(self, field: NDArray[np.float32], low: ArrayLike, box: Box) -> NDArray[np.float32]:
        """Bring a field on the lattice to a box of the scene's voxels; it is 0 beyond its points.

        Coarse voxels hold the mean of what lies in them, fine ones are interpolated.

        Parameters
        ----------
        field
            float32 (x, y, z).
        low
            Index of its first point.
        box
            Slices into the scene's arrays.
        """
        start = np.array([s.start for s in box]) + [s.start for s in self.scene.box]
        shape = tuple(s.stop - s.start for s in box)
        if self.is_grid:
            out = np.zeros(shape, np.float32)
            shift = start - np.asarray(low)
            cut = [
                slice(max(-d, 0), min(n, m - d))
                for d, n, m in zip(shift, shape, field.shape, strict=True)
            ]
            out[tuple(cut)] = field[
                tuple(slice(c.start + d, c.stop + d) for c, d in zip(cut, shift, strict=True))
            ]
            return out
        ratio = np.asarray(self.scene.spacing) / self.pitch_mm
        # The filter before thinning out, with scikit-image's and MONAI's width of it. What it
        # spreads beyond the field's own points is kept.
        sigma = np.maximum((ratio - 1) / 2, 0)
        pad = np.ceil(_TRUNCATE * sigma).astype(int) + 1
        wide = np.pad(field, [(p, p) for p in pad])
        wide = scipy.ndimage.gaussian_filter(wide, sigma, mode="constant", truncate=_TRUNCATE)
        return scipy.ndimage.affine_transform(
            wide,
            ratio,
            offset=start * ratio - np.asarray(low) + pad,
            output_shape=shape,
            order=1,
            mode="constant",
        )

    def box_of(self, low: ArrayLike, high: ArrayLike) -> Box | None:
        """Return the scene's box of voxels that a half-open range of points can reach."""
        low, high = np.asarray(low), np.asarray(high)
        origin = np.array([s.start for s in self.scene.box])
        if self.is_grid:
            return self.scene.clip(low - origin, high - origin)
        ratio = self.pitch_mm / np.asarray(self.scene.spacing)
        first = np.floor((low - 1) * ratio).astype(int) - origin
        last = np.ceil(high * ratio).astype(int) - origin
        return self.scene.clip(first, last + 1)

    def voxels(self, points: int) -> int:
        """Return how many voxels have the volume of so many points."""
        return math.floor(points * self.pitch_mm**3 / math.prod(self.scene.spacing) + 0.5)

    def _nearest_of(self, array: NDArray[T], low: ArrayLike, high: ArrayLike) -> NDArray[T]:
        """Return each point's value in the voxel that it lies in."""
        origin = [s.start for s in self.scene.box]
        axes = [
            np.clip(np.floor(np.arange(a, b) * (self.pitch_mm / s) + 0.5).astype(int) - o, 0, n - 1)
            for a, b, s, o, n in zip(
                np.asarray(low),
                np.asarray(high),
                self.scene.spacing,
                origin,
                array.shape,
                strict=True,
            )
        ]
        return array[np.ix_(*axes)]

    def _linear_of(
        self,
        image: NDArray[np.float32],
        low: NDArray[np.int64],
        high: NDArray[np.int64],
        start: NDArray[np.int64] | NDArray[np.float64],
    ) -> NDArray[np.float32]:
        """Interpolate an image whose first voxel is `start` of the scene."""
        first = np.array([s.start for s in self.scene.box]) + start
        if self.is_grid:
            return image[
                tuple(slice(int(a), int(b)) for a, b in zip(low - first, high - first, strict=True))
            ]
        ratio = self.pitch_mm / np.asarray(self.scene.spacing)
        return scipy.ndimage.affine_transform(
            image,
            ratio,
            offset=low * ratio - first,
            output_shape=tuple(high - low),
            order=1,
            mode="nearest",
        )
