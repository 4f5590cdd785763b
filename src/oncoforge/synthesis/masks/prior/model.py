"""Mask models that draw from a prior: with shapes of its own, or with those of a method."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oncoforge.errors import InputError
from oncoforge.fields import build
from oncoforge.synthesis.base import LesionMask, LesionPlan, MaskModel, sphere_diameter
from oncoforge.synthesis.masks import sizes
from oncoforge.synthesis.masks.prior.prior import OrganPrior
from oncoforge.synthesis.masks.prior.shape import FittedShape
from oncoforge.synthesis.masks.prior.sites import LEAST_INSIDE, Sites, Wish, draw_wishes
from oncoforge.synthesis.scene import Scene, Vector, bounding_box

_OFF = 0.1
"""A lesion whose diameter is this part off the one drawn gets a remark."""


@dataclass(frozen=True)
class PriorModel:
    """Mask model: uneven ellipsoids whose number, size, form and place come from a prior.

    Parameters
    ----------
    prior
        Distributions; None for a model that only renders plans that are there.
    count
        Number of lesions; None draws it.
    diameter_mm
        Diameter of the sphere of their volume; None draws it.
    at_mm
        Centres that the user asks for, mm from the scan's first voxel; the first lesions go there.
    """

    prior: OrganPrior | None = None
    count: int | None = None
    diameter_mm: float | None = None
    at_mm: tuple[Vector, ...] = ()

    def __post_init__(self) -> None:
        sizes.check_lesions(self.count, self.diameter_mm, len(self.at_mm))

    def draw(self, scene: Scene, rng: np.random.Generator) -> tuple[list[LesionPlan], list[str]]:
        """Draw the lesions of one scan (see `base.MaskModel`)."""
        found, skipped = self.sites(scene, rng)
        plans = [
            LesionPlan(wish.kind, dict(vars(replace(wish.at(centre), touches=LEAST_INSIDE))))
            for wish, centre in found
        ]
        return plans, skipped

    def sites(
        self, scene: Scene, rng: np.random.Generator
    ) -> tuple[list[tuple[Wish, NDArray[np.float64]]], list[str]]:
        """Draw what lesions are to be and where (mm), and why some found no place."""
        if self.prior is None:
            raise InputError("This model has no prior to draw from; it only renders.")
        if scene.is_empty or not scene.organ.any():
            return [], ["The organ mask is empty, so there is no place for a lesion."]
        count = self.count or len(self.at_mm) or None
        places = Sites(self.prior, scene)
        drawn: list[tuple[Wish, NDArray[np.float64]]] = []
        skipped = []
        wishes = draw_wishes(self.prior, scene, count, self.diameter_mm, rng)
        for number, wish in enumerate(wishes):
            if number < len(self.at_mm):
                drawn.append((wish, places.take(wish, self.at_mm[number])))
                continue
            centre = places.find(wish, rng)
            if centre is None:
                skipped.append(
                    f"A {wish.kind} lesion ({2 * wish.radius_mm:.0f} mm) was left out: none of the "
                    "places drawn for it reaches into the organ."
                )
            else:
                drawn.append((wish, centre))
        return drawn, skipped

    def render(self, scene: Scene, plans: Sequence[LesionPlan]) -> Iterator[LesionMask | str]:
        """Yield each lesion's voxels (see `base.MaskModel`)."""
        for plan in plans:
            shape = build(FittedShape, plan.mask, "shape parameter")
            yield _render_one(scene, plan.kind, shape)


def _render_one(scene: Scene, kind: str, shape: FittedShape) -> LesionMask | str:
    wanted = sphere_diameter(shape.volume_mm3)
    marked = shape.voxels(scene)
    if marked is not None:
        box, inside = marked
        own = np.count_nonzero(inside & scene.organ[box])
        tight = bounding_box(inside)
        if tight is not None and own > 0 and own >= shape.touches * np.count_nonzero(inside) / 2:
            x, y, z = (
                slice(b.start + t.start, b.start + t.stop) for b, t in zip(box, tight, strict=True)
            )
            reached = sphere_diameter(np.count_nonzero(inside) * math.prod(scene.spacing))
            remark = ""
            if reached < (1 - _OFF) * wanted:
                remark = (
                    f"A lesion of {wanted:.1f} mm came to {reached:.1f} mm: there is no more room "
                    "for it."
                )
            return LesionMask((x, y, z), np.ascontiguousarray(inside[tight]), remark=remark)
    return (
        f"A {kind} lesion ({wanted:.0f} mm) was left out: there is no room for it in the organ and "
        "clear of other lesions."
    )


@dataclass(frozen=True)
class SitedGrowth:
    """Mask model: a method's own lesions, at the places and of the sizes of a prior.

    Parameters
    ----------
    where
        Draws places and sizes.
    own
        The method's model; it takes `count`, `diameter_mm` and `at_mm`.
    """

    where: PriorModel
    own: Any

    def draw(self, scene: Scene, rng: np.random.Generator) -> tuple[list[LesionPlan], list[str]]:
        """Draw the lesions of one scan (see `base.MaskModel`)."""
        found, skipped = self.where.sites(scene, rng)
        plans: list[LesionPlan] = []
        for wish, centre in found:
            start = _into(scene, centre)
            one: MaskModel = replace(
                self.own, count=1, diameter_mm=2 * wish.radius_mm, at_mm=(start,)
            )
            drawn, reasons = one.draw(scene, rng)
            plans += drawn
            skipped += reasons
        return plans, skipped

    def render(self, scene: Scene, plans: Sequence[LesionPlan]) -> Iterator[LesionMask | str]:
        """Yield each lesion's voxels (see `base.MaskModel`)."""
        rendered: Iterator[LesionMask | str] = self.own.render(scene, plans)
        return rendered


def _into(scene: Scene, centre_mm: NDArray[np.float64]) -> Vector:
    """Return the place in the scene's room that is nearest to one, mm."""
    voxel = np.rint(scene.to_voxel(centre_mm)).astype(int)
    if (voxel < 0).any() or (voxel >= scene.room.shape).any() or not scene.room[tuple(voxel)]:
        voxels = np.argwhere(scene.room)
        away = np.linalg.norm((voxels - voxel) * np.asarray(scene.spacing), axis=1)
        centre_mm = scene.to_mm(voxels[away.argmin()])
    x, y, z = (float(c) for c in centre_mm)
    return x, y, z
