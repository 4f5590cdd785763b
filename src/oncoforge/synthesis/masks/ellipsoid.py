"""Deformed ellipsoids: the shapes of hand-crafted tumours (Hu et al., CVPR 2023)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.fields import build
from oncoforge.synthesis.base import LesionMask, LesionPlan
from oncoforge.synthesis.masks import sizes
from oncoforge.synthesis.masks.deformation import MODES
from oncoforge.synthesis.masks.location import Places, check_place
from oncoforge.synthesis.masks.voxelize import Marked, mark_turned, mark_upright
from oncoforge.synthesis.scene import Box, Scene, Vector

_UPRIGHT = (0.0, 0.0, 0.0, 1.0)

_ENOUGH_VOX = 24
_FARTHEST_MM = 1e5

_LATTICE_MM = 1.25
"""Up to this voxel size shapes are sampled by nearest voxels, as published at 1 mm; rounding three
times to coarser voxels would make blocks of them."""


@dataclass(frozen=True)
class Ellipsoid:
    """One deformed ellipsoid, as drawn.

    Parameters
    ----------
    centre_mm
        Centre, mm from the centre of the scan's first voxel along the array axes.
    radii_mm
        Semi-axes.
    quaternion
        Rotation (x, y, z, w) that carries the array axes to the ellipsoid's.
    elastic
        One of `deformation.MODES`.
    sigma_mm
        Strength of the deformation.
    seed
        Seed of its displacement field.
    min_inside
        Least part of it that must lie inside the organ and clear of other lesions.
    """

    centre_mm: Vector
    radii_mm: Vector
    quaternion: tuple[float, float, float, float] = _UPRIGHT
    elastic: str = "planes"
    sigma_mm: float = 0.0
    seed: int = 0
    min_inside: float = 0.0

    def __post_init__(self) -> None:
        if self.elastic not in MODES:
            raise UnknownNameError("elastic mode", self.elastic, MODES)
        if max(map(abs, self.centre_mm)) > _FARTHEST_MM:
            raise InputError(f"centre_mm {self.centre_mm} is not in any scan.")
        if not all(0 < radius <= sizes.LARGEST_MM for radius in self.radii_mm):
            raise InputError(
                f"radii_mm are above 0 and at most {sizes.LARGEST_MM:g} mm, not {self.radii_mm}."
            )
        if not 0 <= self.sigma_mm <= sizes.LARGEST_MM or self.seed < 0:
            raise InputError(
                f"sigma_mm ({self.sigma_mm:g}) is from 0 to {sizes.LARGEST_MM:g} mm, and seed "
                f"({self.seed}) is not negative."
            )
        if abs(sum(q * q for q in self.quaternion) - 1.0) > 1e-3:
            raise InputError(f"quaternion {self.quaternion} is not of length 1.")

    def reach_vox(self, spacing: Vector) -> NDArray[np.float64]:
        """Return the half-widths, in voxels, of the box that holds the local box (2 radii)."""
        half = 2.0 * np.asarray(self.radii_mm)
        if self.quaternion != _UPRIGHT:
            half = np.abs(self.axes().T) @ half
        return half / np.asarray(spacing)

    def axes(self) -> NDArray[np.float64]:
        """Return the rotation matrix whose rows are the ellipsoid's axes."""
        if self.quaternion == _UPRIGHT:
            return np.eye(3)
        from scipy.spatial.transform import Rotation  # slow to import, and rarely needed

        return np.ascontiguousarray(Rotation.from_quat(self.quaternion).as_matrix().T)

    def voxels(
        self, spacing: Vector, centre: NDArray[np.float64], free: NDArray[np.bool_]
    ) -> Marked:
        """Mark the free voxels inside.

        Parameters
        ----------
        spacing
            Voxel size, mm.
        centre
            Centre in voxel indices of `free`.
        free
            bool (x, y, z): voxels that may be taken.

        Returns
        -------
        inside : bool (x, y, z)
        found : int64 (7,)
            Number of voxels, then first and last index along each axis.
        """
        voxel, radii = np.asarray(spacing, float), np.asarray(self.radii_mm, float)
        fine = max(spacing) <= _LATTICE_MM
        if self.elastic == "planes" and self.quaternion == _UPRIGHT and fine:
            return mark_upright(centre, voxel, radii, self.sigma_mm, self.seed, free)
        return mark_turned(
            centre, voxel, radii, self.axes(), self.elastic, self.sigma_mm, self.seed, free
        )

    def measured(self, spacing: Vector) -> tuple[float, NDArray[np.float64]]:
        """Measure the whole shape, before any clipping, on voxels no finer than is needed.

        Returns
        -------
        radius_mm : float
            Of the sphere of the same volume.
        offset_mm : float64 (3,)
            Centroid less centre.
        """
        pitch = max(self.radii_mm) / _ENOUGH_VOX
        x, y, z = (max(s, pitch) for s in spacing)
        half = np.ceil(self.reach_vox((x, y, z))).astype(int)
        inside, found = self.voxels((x, y, z), half.astype(float), np.ones(2 * half + 1, np.bool_))
        radius = (3 * found[0] * x * y * z / (4 * math.pi)) ** (1 / 3)
        if found[0] == 0:
            return 0.0, np.zeros(3)
        return float(radius), (np.argwhere(inside).mean(axis=0) - half) * (x, y, z)


@dataclass(frozen=True)
class Ellipsoids:
    """Mask model: how many ellipsoids, how large, where.

    Parameters
    ----------
    size
        One of `sizes.SIZE_NAMES`.
    count
        Number of lesions; None draws it from the size class.
    diameter_mm
        Diameter of the sphere of the same volume; None draws radii from the size class.
    at_mm
        Centres that the user asks for, mm from the scan's first voxel; the first lesions go there.
    units
        ``"mm"``, or ``"vox"`` for radii in voxels whatever the spacing (as the original on native
        grids).
    rotate
        Give each ellipsoid a random orientation.
    elastic
        One of `deformation.MODES`.
    spheres
        Part of the lesions, 0 to 1, that are plain spheres, whose radius is one of the three that
        were drawn.
    place, margin, avoid_vessels, min_distance_mm
        See `location.Places`.
    min_inside
        Least part of the shape that must lie inside the organ; lesions below it are left out,
        unless count or positions are asked for.
    """

    size: str = sizes.MIX
    count: int | None = None
    diameter_mm: float | None = None
    at_mm: tuple[Vector, ...] = ()
    units: str = "mm"
    rotate: bool = False
    elastic: str = "planes"
    spheres: float = 0.0
    place: str = "band"
    margin: float = 0.5
    avoid_vessels: bool = False
    min_distance_mm: float | None = None
    min_inside: float = 0.0

    def __post_init__(self) -> None:
        sizes.check_size(self.size)
        if self.elastic not in MODES:
            raise UnknownNameError("elastic mode", self.elastic, MODES)
        check_place(self.place)
        if self.units not in ("mm", "vox"):
            raise UnknownNameError("unit", self.units, ("mm", "vox"))
        sizes.check_lesions(self.count, self.diameter_mm, len(self.at_mm))
        if not 0 <= self.spheres <= 1:
            raise InputError(f"spheres is a part of the lesions, 0 to 1, not {self.spheres:g}.")
        if self.margin < 0 or (self.min_distance_mm or 0) < 0 or not 0 <= self.min_inside <= 1:
            raise InputError(
                f"margin ({self.margin:g}) and min_distance_mm ({self.min_distance_mm}) are not "
                f"negative, and min_inside ({self.min_inside:g}) is from 0 to 1."
            )

    def draw(self, scene: Scene, rng: np.random.Generator) -> tuple[list[LesionPlan], list[str]]:
        """Draw the lesions of one scan (see `base.MaskModel`)."""
        if scene.is_empty:
            return [], ["The organ mask is empty, so there is no place for a lesion."]
        places = Places(
            scene,
            self.place,
            self.margin,
            self.avoid_vessels,
            self.min_distance_mm,
            self.min_inside,
        )
        plans: list[LesionPlan] = []
        skipped: list[str] = []
        count = self.count or len(self.at_mm) or None
        kinds = sizes.draw_kinds(self.size, count, self.diameter_mm, scene.share, rng)
        if self.min_distance_mm is not None:
            kinds = sizes.largest_first(kinds)
        for number, kind in enumerate(kinds):
            shape = self._draw_shape(kind, scene.spacing, rng)
            radius = float(np.prod(shape.radii_mm)) ** (1 / 3)
            if number < len(self.at_mm):
                # Deformation moves a shape: its centroid, not its centre, goes where it was asked.
                centre = np.asarray(self.at_mm[number], float) - shape.measured(scene.spacing)[1]
                places.take(centre, radius)
            else:
                found = places.find(kind, radius, rng)
                if isinstance(found, str):
                    skipped.append(found)
                    continue
                centre = found
            drawn = vars(shape) | {"centre_mm": [float(c) for c in centre]}
            plans.append(LesionPlan(kind, drawn))
        return plans, skipped

    def _draw_shape(self, kind: str, spacing: Vector, rng: np.random.Generator) -> Ellipsoid:
        """Draw an ellipsoid at the origin."""
        if self.diameter_mm is None:
            radii = sizes.SIZES[kind].draw_radii(rng)
            sigma = sizes.SIZES[kind].draw_sigma(rng)
        else:
            aspect = rng.uniform(0.75, 1.25, 3)
            radii = list(self.diameter_mm / 2 * aspect / np.prod(aspect) ** (1 / 3))
            sigma = sizes.sigma_for(self.diameter_mm / 2)
        if self.units == "vox":
            radii = [r * s for r, s in zip(radii, spacing, strict=True)]
            sigma *= math.prod(spacing) ** (1 / 3)
        elastic = self.elastic
        if self.spheres and rng.random() < self.spheres:
            radii, elastic = [radii[int(rng.integers(3))]] * 3, "none"
        quaternion = _UPRIGHT
        if self.rotate:
            four = rng.normal(size=4)
            quaternion = tuple(float(q) for q in four / np.linalg.norm(four))  # type: ignore[assignment]
        shape = Ellipsoid(
            centre_mm=(0.0, 0.0, 0.0),
            radii_mm=tuple(float(r) for r in radii),  # type: ignore[arg-type]
            quaternion=quaternion,
            elastic=elastic,
            sigma_mm=sigma if elastic != "none" else 0.0,
            seed=int(rng.integers(2**31)),
            # Whoever asks for so many lesions gets them, clipped by a thin organ if need be.
            min_inside=0.0 if self.count or self.at_mm else self.min_inside,
        )
        return self._to_diameter(shape, spacing)

    def _to_diameter(self, shape: Ellipsoid, spacing: Vector) -> Ellipsoid:
        """Rescale a shape whose diameter was asked for: deformation changes its volume."""
        if self.diameter_mm is None:
            return shape
        for _ in range(3):
            radius, _ = shape.measured(spacing)
            if radius == 0.0:
                break
            scale = self.diameter_mm / 2 / radius
            shape = Ellipsoid(
                **vars(shape) | {"radii_mm": tuple(r * scale for r in shape.radii_mm)}
            )
        return shape

    def render(self, scene: Scene, plans: Sequence[LesionPlan]) -> Iterator[LesionMask | str]:
        """Yield each lesion's voxels (see `base.MaskModel`)."""
        for plan in plans:
            shape = build(Ellipsoid, plan.mask, "ellipsoid parameter")
            yield self._render_one(scene, plan.kind, shape)

    def _render_one(self, scene: Scene, kind: str, shape: Ellipsoid) -> LesionMask | str:
        centre = scene.to_voxel(shape.centre_mm)
        reach = shape.reach_vox(scene.spacing)
        box = scene.clip(np.floor(centre - reach), np.ceil(centre + reach) + 1)
        part = 0.0
        if box is not None:
            free = scene.room[box] & (scene.instances[box] == 0)
            start = np.array([s.start for s in box])
            inside, found = shape.voxels(scene.spacing, centre - start, free)
            volume = 4 / 3 * math.pi * math.prod(shape.radii_mm)
            part = min(found[0] * math.prod(scene.spacing) / volume, 1.0)
            if part > 0.0 and part >= shape.min_inside:
                return LesionMask(*_tighten(box, inside, found))
        size = 2 * math.prod(shape.radii_mm) ** (1 / 3)
        return (
            f"A {kind} lesion ({size:.0f} mm) was left out: {part:.0%} of it lay in the organ and "
            "clear of other lesions"
            + (f", and {shape.min_inside:.0%} were asked for." if shape.min_inside else ".")
        )


def _tighten(
    box: Box, inside: NDArray[np.bool_], found: NDArray[np.int64]
) -> tuple[Box, NDArray[np.bool_]]:
    """Cut a box down to the voxels found in it."""
    first, last = found[1::2], found[2::2] + 1
    cut = tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    tight = tuple(slice(s.start + c.start, s.start + c.stop) for s, c in zip(box, cut, strict=True))
    return tight, np.ascontiguousarray(inside[cut])  # type: ignore[return-value]
