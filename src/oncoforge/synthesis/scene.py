"""The part of a scan that a synthesizer works on: the organ's box."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oncoforge.errors import InputError

Box = tuple[slice, slice, slice]
Vector = tuple[float, float, float]

_CLIPPED = 0.02
"""Part of voxels at exactly 0 above which the lower end was cut off."""

_ENOUGH = 50
"""Fewer voxels of an organ say nothing about the scan's units."""

_TRIES = 64
"""Voxels drawn at random before all of them are listed."""

_HU_SPREAD = 10.0
"""An organ whose values all lie within this many HU is no CT: noise alone spreads wider."""


@dataclass(frozen=True)
class Scene:
    """Views of a scan on the box of one organ, and what has been placed there so far.

    Parameters
    ----------
    image
        float32 view (x, y, z) of the scan, HU. Painting writes through it.
    organ
        bool view (x, y, z); all False in an empty scene.
    spacing
        Voxel size along the array axes, mm.
    box
        Slices of this box in the scan.
    share
        Part of the organ that is in view, 0 to 1: a patch holds fewer lesions than a whole organ.
    room
        bool view (x, y, z): where lesions may lie. The organ by default; more than that if they
        may bulge out.
    middle_mm
        Middle of the scan along its first axis, mm from its first voxel; None if it is not known.
    instances
        uint16 (x, y, z): ids of the lesions placed so far.
    """

    image: NDArray[np.float32]
    organ: NDArray[np.bool_]
    spacing: Vector
    box: Box
    share: float = 1.0
    # Never None once built, which spares every reader a check.
    room: NDArray[np.bool_] = None  # type: ignore[assignment]
    middle_mm: float | None = None
    instances: NDArray[np.uint16] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "room", self.organ if self.room is None else self.room)
        object.__setattr__(self, "instances", np.zeros(self.organ.shape, np.uint16))

    @property
    def bulges(self) -> bool:
        """Whether lesions may bulge out of the organ."""
        return self.room is not self.organ

    @property
    def is_empty(self) -> bool:
        """Whether there is no organ voxel at all."""
        return 0 in self.organ.shape

    @property
    def origin_mm(self) -> NDArray[np.float64]:
        """Position of the box's first voxel, mm from the scan's first voxel."""
        return np.array([s.start for s in self.box]) * np.asarray(self.spacing)

    def to_mm(self, voxel: ArrayLike) -> NDArray[np.float64]:
        """Turn voxel indices of this box into mm from the scan's first voxel."""
        return np.asarray(voxel) * np.asarray(self.spacing) + self.origin_mm

    def to_voxel(self, point_mm: ArrayLike) -> NDArray[np.float64]:
        """Turn mm from the scan's first voxel into (fractional) voxel indices of this box."""
        return (np.asarray(point_mm, float) - self.origin_mm) / np.asarray(self.spacing)

    def clip(self, low: ArrayLike, high: ArrayLike) -> Box | None:
        """Return the slices of the half-open voxel range ``[low, high)``, or None if outside."""
        start = np.maximum(np.asarray(low, int), 0)
        stop = np.minimum(np.asarray(high, int), self.organ.shape)
        if (stop <= start).any():
            return None
        return tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))  # type: ignore[return-value]

    def organ_sample(self, most: int = 20_000) -> NDArray[np.float32]:
        """Return HU of up to about `most` organ voxels, evenly strided and so repeatable."""
        step = max(1, round((self.organ.size / (4 * most)) ** (1 / 3)))
        grid = (slice(step // 2, None, step),) * 3
        values = self.image[grid][self.organ[grid]]
        return values if values.size else self.image[self.organ][:most]


def bounding_box(mask: NDArray[np.bool_]) -> Box | None:
    """Return the tight box of a 3-D mask's True voxels, or None if it has none."""
    # Slowest axis first, so that a large volume is read in order, and only once and a bit.
    order = np.argsort([-abs(s) for s in mask.strides], kind="stable")
    ordered = mask.transpose(order)
    planes = np.flatnonzero(ordered.reshape(len(ordered), -1).any(axis=1))
    if planes.size == 0:
        return None
    shadow = np.any(ordered[planes[0] : planes[-1] + 1], axis=0)
    bounds = [slice(0, 0)] * 3
    hits = (planes, *(np.flatnonzero(np.any(shadow, axis=a)) for a in (1, 0)))
    for axis, hit in zip(order, hits, strict=True):
        bounds[axis] = slice(int(hit[0]), int(hit[-1]) + 1)
    return bounds[0], bounds[1], bounds[2]


def draw_voxel(mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw one of a mask's True voxels: by trial, which is quick, else among all of them.

    Parameters
    ----------
    mask
        bool (x, y, z); at least one is True.
    rng
        Source of randomness.
    """
    for _ in range(_TRIES):
        voxel = rng.integers(0, mask.shape)
        if mask[tuple(voxel)]:
            return voxel
    voxels = np.argwhere(mask)
    return voxels[rng.integers(len(voxels))]


def make_scene(
    image: NDArray[np.float32],
    organ: NDArray[np.bool_],
    spacing: Vector,
    share: float = 1.0,
    room: NDArray[np.bool_] | None = None,
) -> Scene:
    """Look at a scan through the box of one organ, or of the room around it.

    Parameters
    ----------
    image
        float32 (X, Y, Z), HU.
    organ
        bool (X, Y, Z) on the same grid.
    spacing
        Voxel size, mm.
    share, room
        See `Scene`; `room` is bool (X, Y, Z) and holds the organ.
    """
    box = bounding_box(organ if room is None else room) or (slice(0, 0),) * 3
    inner: Any = None if room is None else room[box]
    middle = (image.shape[0] - 1) / 2 * spacing[0]
    return Scene(image[box], organ[box], spacing, box, share, inner, middle)


def check_hu(scene: Scene) -> None:
    """Raise `InputError` if the organ's values cannot be HU, such as a CT scaled to [0, 1]."""
    values = scene.organ_sample() if not scene.is_empty else np.empty(0)
    if values.size < _ENOUGH:
        return
    low, high = float(values.min()), float(values.max())
    if not np.isfinite(high - low):
        raise InputError("The organ holds NaN or infinite values; give a CT in HU.")
    if high - low < _HU_SPREAD and max(abs(low), abs(high)) <= _HU_SPREAD:
        raise InputError(
            f"The organ's values run from {low:g} to {high:g}, which are not HU; "
            "give the CT before any scaling to [0, 1]."
        )
    around = scene.image[(slice(None, None, 3),) * 3]
    if around.min() == 0 and around.max() <= 255 and (around == 0).mean() > _CLIPPED:
        raise InputError(
            f"Values run from 0 to {around.max():g}, and {(around == 0).mean():.0%} of them are "
            "exactly 0, as in a windowed image; give the CT in HU."
        )
