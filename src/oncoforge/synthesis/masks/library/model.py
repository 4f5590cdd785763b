"""Real tumour shapes as a mask model: which of a library, how large, how turned, where.

Pasting real lesions into other patients is the baseline of TumorCP (Yang et al., MICCAI 2021) and
CarveMix (Zhang et al., MICCAI 2021).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.fields import build
from oncoforge.synthesis.base import LesionMask, LesionPlan
from oncoforge.synthesis.library.items import Item
from oncoforge.synthesis.library.pose import UPRIGHT, Quaternion
from oncoforge.synthesis.library.shelf import open_shelf
from oncoforge.synthesis.masks import sizes
from oncoforge.synthesis.masks.library.pasted import Pasted
from oncoforge.synthesis.masks.library.shape import shape_of
from oncoforge.synthesis.masks.location import Places, check_place
from oncoforge.synthesis.scene import Scene, Vector

AXIAL = "axial"
_NEAREST = 3
"""Where no tumour is of the size that is wanted, one of so many nearest ones is taken."""


class _Choice(NamedTuple):
    """A tumour and its scale, and what should be said of them."""

    item: Item
    scale: float
    remark: str = ""

    @property
    def diameter_mm(self) -> float:
        return self.item.equivalent_diameter_mm * self.scale


@dataclass(frozen=True)
class LibraryModel:
    """Mask model: shapes of real tumours.

    Parameters
    ----------
    library
        Folder of the library; empty only for recipes, which say theirs. Given, it goes before what
        a recipe says: libraries move.
    tumors_of
        Organ whose tumours are taken; empty for those of any organ.
    size
        One of `sizes.SIZE_NAMES`; None takes tumours as they come, and as many as a case of the
        library has.
    count
        Number of lesions; None draws it from the library's cases, or from the size class.
    diameter_mm
        Diameter of the sphere of the same volume; tumours that need the least scaling are taken.
    at_mm
        Centroids that the user asks for, mm from the scan's first voxel; the first lesions go
        there.
    scale
        Range of the factor by which tumours are scaled. A diameter that was asked for is reached
        beyond it if need be (a remark says so); a size class is not.
    rotate
        True turns tumours about all axes, ``"axial"`` about the body's axis only, False not at all.
    flip
        Mirror every other tumour.
    place, margin, avoid_vessels, min_distance_mm
        See `location.Places`.
    min_inside
        Least part of a tumour that must lie where lesions may; lesions below it are left out,
        unless count or positions are asked for.

    Raises
    ------
    UnknownNameError
        If a size or place does not exist.
    InputError
        If a value makes no sense.
    """

    library: str = field(default="", metadata={"setting": False})
    tumors_of: str = ""
    size: str | None = None
    count: int | None = None
    diameter_mm: float | None = None
    at_mm: tuple[Vector, ...] = ()
    scale: tuple[float, float] = (0.8, 1.25)
    rotate: bool | str = True
    flip: bool = True
    place: str = "inside"
    margin: float = 0.5
    avoid_vessels: bool = False
    min_distance_mm: float | None = None
    min_inside: float = 0.3

    def __post_init__(self) -> None:
        if self.size is not None:
            sizes.check_size(self.size)
        check_place(self.place)
        sizes.check_lesions(self.count, self.diameter_mm, len(self.at_mm))
        if self.rotate not in (True, False, AXIAL):
            raise UnknownNameError("way to rotate", self.rotate, ("true", AXIAL, "false"))
        if not 0.01 <= self.scale[0] <= self.scale[1] <= 10:
            raise InputError(f"scale is a range within 0.01 to 10, not {self.scale}.")
        if self.margin < 0 or (self.min_distance_mm or 0) < 0 or not 0 <= self.min_inside <= 1:
            raise InputError(
                f"margin ({self.margin:g}) and min_distance_mm ({self.min_distance_mm}) are not "
                f"negative, and min_inside ({self.min_inside:g}) is from 0 to 1."
            )

    def draw(self, scene: Scene, rng: np.random.Generator) -> tuple[list[LesionPlan], list[str]]:
        """Draw the lesions of one scan (see `base.MaskModel`)."""
        if not self.library:
            raise InputError("Give the library of real tumours to draw from, with --library.")
        shelf = open_shelf(self.library)
        choices = self._choose(shelf.of_organ(self.tumors_of), scene.share, rng)
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
        if self.min_distance_mm is not None:
            # Small lesions still find a place between large ones, not the reverse.
            choices = sorted(choices, key=lambda choice: -choice.diameter_mm)
        plans: list[LesionPlan] = []
        skipped: list[str] = []
        for number, choice in enumerate(choices):
            quaternion, flip = self._draw_turn(rng), bool(self.flip and rng.random() < 0.5)
            radius = choice.diameter_mm / 2
            kind = sizes.nearest_size(radius)
            if number < len(self.at_mm):
                centre = np.asarray(self.at_mm[number], float)
                places.take(centre, radius)
            else:
                found = places.find(kind, radius, rng)
                if isinstance(found, str):
                    skipped.append(found)
                    continue
                centre = found
            pasted = Pasted(
                centre_mm=tuple(float(c) for c in centre),  # type: ignore[arg-type]
                quaternion=quaternion,
                scale=choice.scale,
                flip=flip,
                library=self.library,
                tumor=choice.item.name,
                sha256=choice.item.mask_sha256,
                # Whoever asks for so many lesions gets them, clipped by a thin organ if need be.
                min_inside=0.0 if self.count or self.at_mm else self.min_inside,
                remark=choice.remark,
            )
            plans.append(LesionPlan(kind, dict(vars(pasted))))
        return plans, skipped

    def render(self, scene: Scene, plans: Sequence[LesionPlan]) -> Iterator[LesionMask | str]:
        """Yield each lesion's voxels (see `base.MaskModel`)."""
        for plan in plans:
            pasted = build(Pasted, plan.mask, "parameter of a pasted tumour")
            shelf = open_shelf(self.library or pasted.library)
            crop = shelf.crop(pasted.tumor, pasted.sha256)
            yield pasted.mask(scene, shape_of(crop), plan.kind)

    def _choose(
        self, items: Sequence[Item], share: float, rng: np.random.Generator
    ) -> list[_Choice]:
        """Draw the tumours of one scan, and their scales."""
        count = self.count or len(self.at_mm) or None
        if self.size is None and self.diameter_mm is None:
            number = count or _draw_count(items, rng)
            drawn = [self._as_it_comes(items, rng) for _ in range(number)]
            return drawn if count else sizes.share_of(drawn, share, rng)
        kinds = sizes.draw_kinds(self.size or sizes.MIX, count, self.diameter_mm, share, rng)
        return [self._of_size(items, kind, rng) for kind in kinds]

    def _as_it_comes(self, items: Sequence[Item], rng: np.random.Generator) -> _Choice:
        item = items[int(rng.integers(len(items)))]
        low, high = np.log(self.scale)
        return _Choice(item, float(np.exp(rng.uniform(low, high))))

    def _of_size(self, items: Sequence[Item], kind: str, rng: np.random.Generator) -> _Choice:
        """Draw a tumour that can be scaled to a diameter, or else one that is near to it."""
        wanted = self.diameter_mm
        if wanted is None:
            wanted = 2 * math.prod(sizes.SIZES[kind].draw_radii(rng)) ** (1 / 3)
        scales = np.array([wanted / item.equivalent_diameter_mm for item in items])
        low, high = self.scale
        fitting = np.flatnonzero((scales >= low) & (scales <= high))
        if fitting.size:
            chosen = int(rng.choice(fitting))
            return _Choice(items[chosen], float(scales[chosen]))
        nearest = np.argsort(np.abs(np.log(scales)), kind="stable")[:_NEAREST]
        chosen = int(rng.choice(nearest))
        item = items[chosen]
        scale = (
            float(scales[chosen]) if self.diameter_mm else float(np.clip(scales[chosen], low, high))
        )
        return _Choice(
            item,
            scale,
            f"No tumour of the library is near {wanted:.0f} mm; one of "
            f"{item.equivalent_diameter_mm:.0f} mm was scaled by {scale:.2g} to "
            f"{item.equivalent_diameter_mm * scale:.0f} mm.",
        )

    def _draw_turn(self, rng: np.random.Generator) -> Quaternion:
        if self.rotate is False:
            return UPRIGHT
        if self.rotate == AXIAL:
            half = rng.uniform(0.0, math.pi)
            return (0.0, 0.0, float(np.sin(half)), float(np.cos(half)))
        four = rng.normal(size=4)
        x, y, z, w = (float(q) for q in four / np.linalg.norm(four))
        return x, y, z, w


def _draw_count(items: Sequence[Item], rng: np.random.Generator) -> int:
    """Draw how many tumours a case has, as the cases of a library have them."""
    counts = list(Counter(item.case for item in items).values())
    return int(counts[int(rng.integers(len(counts)))])
