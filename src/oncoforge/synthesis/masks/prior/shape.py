"""The shape of a lesion that was drawn from a prior: an uneven ellipsoid of a given volume."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from oncoforge.errors import InputError
from oncoforge.synthesis.masks.sizes import LARGEST_MM
from oncoforge.synthesis.scene import Box, Scene, Vector

_FARTHEST_MM = 1e5

_WIDEST = 1.6
"""A lesion that lacks room fills what there is up to this many times its axes."""

_WAVES = 16
_CYCLES = (0.4, 1.1)
"""Waves that make a surface uneven, and how many of each there are in a radius."""

_ENOUGH = 0.97
_TRIES = 6


@dataclass(frozen=True)
class FittedShape:
    """One lesion, as drawn.

    Parameters
    ----------
    centre_mm
        Its centre, mm from the centre of the scan's first voxel along the array axes.
    axes_mm
        Semi-axes, largest first.
    quaternion
        Rotation (x, y, z, w) that carries the array axes to the lesion's.
    volume_mm3
        Volume that it takes wherever there is room: it grows past obstacles on their free sides.
    unevenness
        Standard deviation of its radius, as a part of it.
    seed
        Of its unevenness.
    touches
        Least part of it that must lie in the organ itself.
    """

    centre_mm: Vector
    axes_mm: Vector
    quaternion: tuple[float, float, float, float]
    volume_mm3: float
    unevenness: float = 0.0
    seed: int = 0
    touches: float = 0.0

    def __post_init__(self) -> None:
        if max(map(abs, self.centre_mm)) > _FARTHEST_MM:
            raise InputError(f"centre_mm {self.centre_mm} is not in any scan.")
        if not all(0 < axis <= LARGEST_MM for axis in self.axes_mm) or self.volume_mm3 <= 0:
            raise InputError(
                f"axes_mm {self.axes_mm} are above 0 and at most {LARGEST_MM:g} mm, and volume_mm3 "
                f"({self.volume_mm3:g}) is above 0."
            )
        if not 0 <= self.unevenness <= 0.5 or self.seed < 0 or not 0 <= self.touches <= 1:
            raise InputError(
                f"unevenness ({self.unevenness:g}) is from 0 to 0.5, touches ({self.touches:g}) "
                f"from 0 to 1, and seed ({self.seed}) not negative."
            )
        if abs(sum(q * q for q in self.quaternion) - 1.0) > 1e-3:
            raise InputError(f"quaternion {self.quaternion} is not of length 1.")

    def turned(self) -> NDArray[np.float64]:
        """Return the rotation matrix whose rows are the lesion's axes."""
        from scipy.spatial.transform import Rotation  # slow to import

        return np.ascontiguousarray(Rotation.from_quat(self.quaternion).as_matrix().T)

    def half_extents(self) -> NDArray[np.float64]:
        """Return half of the edges of its even ellipsoid's box along the array axes, mm."""
        return np.asarray(np.linalg.norm(self.turned().T * self.axes_mm, axis=1))

    def voxels(self, scene: Scene) -> tuple[Box, NDArray[np.bool_]] | None:
        """Mark its voxels in the scene's room, clear of other lesions.

        Returns
        -------
        box : tuple of slice
            Into the scene's arrays.
        inside : bool, shape of the box
            None in place of both if there is no room at all.
        """
        reach = _WIDEST * self.half_extents() / scene.spacing
        centre = scene.to_voxel(self.centre_mm)
        box = scene.clip(np.floor(centre - reach), np.ceil(centre + reach) + 1)
        if box is None:
            return None
        free = scene.room[box] & (scene.instances[box] == 0)
        start = scene.origin_mm + [s.start * h for s, h in zip(box, scene.spacing, strict=True)]
        radius = self._radius(free.shape, start, scene.spacing)
        wanted = max(1, round(self.volume_mm3 / math.prod(scene.spacing)))
        inside = _fill(radius, free & (radius <= _WIDEST), wanted)
        return None if inside is None else (box, inside)

    def _radius(
        self, shape: tuple[int, ...], start_mm: NDArray[np.float64], spacing: Vector
    ) -> NDArray[np.float32]:
        """Return the distance of every voxel from the centre, in radii of the uneven ellipsoid."""
        turned = self.turned() / np.asarray(self.axes_mm)[:, None]
        steps = [
            start + h * np.arange(n) - c
            for start, h, n, c in zip(start_mm, spacing, shape, self.centre_mm, strict=True)
        ]
        x, y, z = (step.astype(np.float32) for step in steps)
        # Coordinates in which the ellipsoid is the unit ball.
        u, v, w = (
            (a * x)[:, None, None] + (b * y)[None, :, None] + (c * z)[None, None, :]
            for a, b, c in turned.astype(np.float32)
        )
        radius = np.sqrt(u * u + v * v + w * w)
        if self.unevenness == 0.0:
            return radius
        rng = np.random.default_rng(self.seed)
        directions = rng.normal(size=(_WAVES, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        waves = directions * (2 * math.pi * rng.uniform(*_CYCLES, (_WAVES, 1)))
        phases = rng.uniform(0.0, 2 * math.pi, _WAVES)
        uneven = np.zeros_like(radius)
        for (a, b, c), phase in zip(waves.astype(np.float32), phases, strict=True):
            uneven += np.cos(a * u + b * v + c * w + np.float32(phase))
        # The mean square of a cosine is one half.
        uneven *= np.float32(self.unevenness / math.sqrt(_WAVES / 2))
        return radius + np.minimum(radius, 1.0) * uneven


def _fill(
    radius: NDArray[np.float32], free: NDArray[np.bool_], wanted: int
) -> NDArray[np.bool_] | None:
    """Return the connected free voxels of least radius, as many as are wanted or there are."""
    import cc3d  # slow to import

    candidates = np.flatnonzero(free)
    if candidates.size == 0:
        return None
    order = candidates[np.argsort(radius.reshape(-1)[candidates], kind="stable")]
    number, best = wanted, np.zeros(radius.shape, np.bool_)
    for _ in range(_TRIES):
        inside = np.zeros(radius.shape, np.bool_)
        inside.reshape(-1)[order[:number]] = True
        # What lies behind an obstacle is no part of the lesion: others take its place.
        piece = cc3d.largest_k(inside, k=1, connectivity=6).astype(np.bool_)
        lacking = wanted - int(np.count_nonzero(piece))
        if lacking < 0:
            # The way around the obstacle opened, and all that lies behind it came at once.
            start = best & piece
            if not start.any():
                start.reshape(-1)[order[piece.reshape(-1)[order]][:1]] = True
            return _spread(start, piece, wanted)
        best = piece
        if lacking <= (1 - _ENOUGH) * wanted or number >= len(order):
            break
        number = min(number + lacking, len(order))
    return best


def _spread(start: NDArray[np.bool_], within: NDArray[np.bool_], wanted: int) -> NDArray[np.bool_]:
    """Return a piece grown layer by layer inside another, to a number of voxels."""
    piece = start
    while (lacking := wanted - int(np.count_nonzero(piece))) > 0:
        layer = np.flatnonzero(scipy.ndimage.binary_dilation(piece, mask=within) & ~piece)
        if layer.size == 0:
            break
        piece = piece.copy()
        piece.reshape(-1)[layer[:lacking]] = True
    return piece
