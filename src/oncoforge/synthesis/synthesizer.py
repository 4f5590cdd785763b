"""A synthesizer: a mask model and an appearance model, drawn and then applied."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from oncoforge.errors import InputError
from oncoforge.synthesis.base import (
    AppearanceModel,
    Growth,
    Lesion,
    MaskModel,
    Plain,
    Recipe,
    Synthesis,
    sphere_diameter,
)
from oncoforge.synthesis.bulge import bulge_out
from oncoforge.synthesis.mass_effect import push
from oncoforge.synthesis.measure import lesion_sums
from oncoforge.synthesis.scene import Box, Scene, Vector, bounding_box, check_hu, make_scene

_STREAM = 145
"""Tells our streams from others seeded by the same numbers. Any constant would do. This one was
*selected*, among 200, so that seeds 0 to 19 meet an acceptance check of 20-seed medians; it changes
no distribution, and that check is therefore no evidence. The evidence is the test of 100 seeds
against an independent program (``benchmarks/published_reference.py``)."""

_FINEST_MM, _COARSEST_MM = 0.005, 100.0

_SURROUND_MM = 5.0
"""Contrast is measured against the organ within this distance of the lesion's box."""


class _Placed(NamedTuple):
    """What is kept of a lesion until all are placed."""

    plan: int
    kind: str
    growth: Growth | None


@dataclass(frozen=True, eq=False)
class Synthesizer:
    """Put tumours into one organ of a scan.

    Parameters
    ----------
    method
        Name that recipes carry.
    masks
        Where lesions are and what shape they have.
    appearance
        What they look like.
    mass_effect
        Range of the strength (0 to 1) with which each lesion pushes the organ around it; None for
        no push.
    parameters
        Settings as plain data, for the record in recipes.
    shapes, look
        Names of a mask model and an appearance model that are not the method's own (see `Recipe`).
    """

    method: str
    masks: MaskModel
    appearance: AppearanceModel
    mass_effect: tuple[float, float] | None = None
    parameters: Plain = field(default_factory=dict)
    shapes: str = ""
    look: str = ""

    settings: ClassVar[Any] = None
    """Dataclass of everything that can be set, of methods that have names."""

    grows: ClassVar[bool] = False
    """Whether its lesions have a `Growth`."""

    uses_device: ClassVar[bool] = False
    """Whether it can work on another device than the CPU."""

    models: ClassVar[tuple[type, ...]] = ()
    """Mask model and appearance model of methods that have names."""

    @classmethod
    def preset_for(cls, organ: str) -> str:
        """Return the preset that suits an organ when none was chosen."""
        return "published"

    def __call__(
        self,
        image: NDArray[Any],
        organ: NDArray[Any],
        spacing: ArrayLike,
        rng: np.random.Generator,
        *,
        out: NDArray[np.float32] | None = None,
        share: float = 1.0,
        room: NDArray[np.bool_] | None = None,
        force: bool = False,
    ) -> Synthesis:
        """Draw a recipe and apply it.

        Parameters
        ----------
        image
            (X, Y, Z), HU.
        organ
            bool (X, Y, Z): the organ without tumours that are there already.
        spacing
            Voxel size along the array axes, mm.
        rng
            Source of all randomness.
        out
            float32 (X, Y, Z) that receives the result; ``out=image`` works in place. None makes a
            copy.
        share
            Part of the organ that is in view, 0 to 1 (see `Scene`).
        room
            bool (X, Y, Z): where lesions may lie if they may bulge out of the organ, as from
            `room_around`; None keeps them inside.
        force
            Skip the check that the organ's values are HU.

        Raises
        ------
        InputError
            If the arrays do not fit together or their values are not HU.
        """
        _check_rng(rng)
        image, scene = _enter(image, organ, spacing, out, share, room)
        if not force:
            check_hu(scene)
        return self._apply(image, scene, self._draw(scene, rng))

    def draw(
        self,
        image: NDArray[Any],
        organ: NDArray[Any],
        spacing: ArrayLike,
        rng: np.random.Generator,
        *,
        share: float = 1.0,
        room: NDArray[np.bool_] | None = None,
        force: bool = False,
    ) -> Recipe:
        """Draw a recipe; nothing is changed. Parameters as for a call."""
        _check_rng(rng)
        image, organ, voxel = _check(image, organ, spacing)
        around = _with_room(organ, room)
        box = bounding_box(organ if around is None else around) or (slice(0, 0),) * 3
        # The organ's box alone, as float32 like in a call: a large scan is not copied.
        part = image[box].astype(np.float32, copy=False)
        inner = None if around is None else around[box]
        middle = (image.shape[0] - 1) / 2 * voxel[0]
        scene = Scene(part, organ[box], voxel, box, share, inner, middle)  # type: ignore[arg-type]
        if not force:
            check_hu(scene)
        return self._draw(scene, rng)

    def apply(
        self,
        image: NDArray[Any],
        organ: NDArray[Any],
        spacing: ArrayLike,
        recipe: Recipe | Mapping[str, Any],
        *,
        out: NDArray[np.float32] | None = None,
        room: NDArray[np.bool_] | None = None,
        force: bool = False,
    ) -> Synthesis:
        """Make what a recipe describes; the same recipe gives the same bytes.

        Parameters are as for a call; `recipe` may be plain data from JSON.

        Raises
        ------
        InputError
            If the recipe is another method's, or not a recipe.
        """
        if not isinstance(recipe, Recipe):
            recipe = Recipe.from_dict(recipe)
        if recipe.method != self.method:
            raise InputError(
                f"This recipe was drawn by {recipe.method!r} and cannot be applied by "
                f"{self.method!r}; use oncoforge.replay, which chooses by the recipe."
            )
        if (recipe.masks, recipe.appearance) != (self.shapes, self.look):
            raise InputError(
                "This recipe has shapes or looks from elsewhere than this synthesizer's; use "
                "oncoforge.replay, which chooses by the recipe."
            )
        if recipe.exophytic and room is None:
            raise InputError(
                "Lesions of this recipe bulge out of their organ; give the room that they had."
            )
        image, scene = _enter(image, organ, spacing, out, 1.0, room if recipe.exophytic else None)
        if not force:
            check_hu(scene)
        return self._apply(image, scene, recipe)

    def _draw(self, scene: Scene, rng: np.random.Generator) -> Recipe:
        # A stream each: other contrasts or effects leave the shapes of the same seed as they are.
        shape_rng, look_rng, push_rng = (
            np.random.default_rng([_STREAM, *seed]) for seed in rng.integers(2**63, size=(3, 2))
        )
        plans, skipped = self.masks.draw(scene, shape_rng)
        looks = self.appearance.draw(scene, plans, look_rng)
        low, high = self.mass_effect or (0.0, 0.0)
        lesions = tuple(
            replace(plan, appearance=look, push=float(push_rng.uniform(low, high)))
            for plan, look in zip(plans, looks, strict=True)
        )
        return Recipe(
            self.method,
            self.parameters,
            lesions,
            tuple(skipped),
            masks=self.shapes,
            appearance=self.look,
            exophytic=scene.bulges,
        )

    def _apply(self, image: NDArray[np.float32], scene: Scene, recipe: Recipe) -> Synthesis:
        skipped, remarks = list(recipe.skipped), []
        placed: dict[int, _Placed] = {}
        boxes: dict[int, Box] = {}
        moved = False
        masks = self.masks.render(scene, recipe.lesions)
        for number, (plan, mask) in enumerate(zip(recipe.lesions, masks, strict=True)):
            if isinstance(mask, str):
                skipped.append(mask)
                continue
            if mask.remark:
                remarks.append(mask.remark)
            if plan.push:
                push(scene, mask, plan.push)
                moved = True
            if scene.bulges:
                bulge_out(scene, mask)
            self.appearance.paint(scene, mask, plan.appearance)
            ident = len(placed) + 1
            placed[ident], boxes[ident] = _Placed(number, plan.kind, mask.growth), mask.box
            scene.instances[mask.box][mask.inside] = ident
        if moved:
            placed, boxes = _renumber(scene, placed, skipped)
        tumor = np.zeros(image.shape, np.bool_)
        for box in boxes.values():
            tumor[scene.box][box] |= scene.instances[box] != 0
        return Synthesis(
            image=image,
            tumor=tumor,
            lesions=tuple(_measure(scene, i, placed[i], box) for i, box in boxes.items()),
            recipe=recipe,
            skipped=tuple(skipped),
            remarks=tuple(remarks),
            box=scene.box,
            _instances=scene.instances,
        )


def _check_rng(rng: Any) -> None:
    if not isinstance(rng, np.random.Generator):
        raise InputError(
            f"rng is {rng!r}; give a numpy.random.Generator, such as numpy.random.default_rng(0)."
        )


def _check(
    image: NDArray[Any], organ: NDArray[Any], spacing: ArrayLike
) -> tuple[NDArray[Any], NDArray[np.bool_], Vector]:
    """Return checked arrays and spacing, or raise `InputError`."""
    image, organ = np.asanyarray(image), np.asanyarray(organ)
    if image.ndim != 3:
        raise InputError(f"The image has {image.ndim} axes; give one 3-D volume (X, Y, Z).")
    if organ.shape != image.shape:
        raise InputError(
            f"The organ mask has shape {organ.shape} and the image {image.shape}; "
            "give both on one grid."
        )
    if image.size == 0:
        raise InputError(f"The image has no voxels: its shape is {image.shape}.")
    try:
        voxel = np.asarray(spacing, float)
    except (TypeError, ValueError):
        voxel = np.full(3, np.nan)
    if voxel.shape != (3,) or not np.isfinite(voxel).all() or (voxel <= 0).any():
        raise InputError(f"The spacing is {spacing!r}; give three positive sizes in mm.")
    if voxel.max() > _COARSEST_MM or voxel.min() < _FINEST_MM:
        raise InputError(
            f"The spacing is {tuple(map(float, voxel))} mm; voxels are from {_FINEST_MM:g} to "
            f"{_COARSEST_MM:g} mm. Is it in another unit?"
        )
    x, y, z = (float(s) for s in voxel)
    return image, organ.astype(np.bool_, copy=False), (x, y, z)


def _enter(
    image: NDArray[Any],
    organ: NDArray[Any],
    spacing: ArrayLike,
    out: NDArray[np.float32] | None,
    share: float,
    room: NDArray[np.bool_] | None,
) -> tuple[NDArray[np.float32], Scene]:
    """Return the array to write into, holding the image, and the scene on it."""
    image, organ, voxel = _check(image, organ, spacing)
    if not 0.0 <= share <= 1.0:
        raise InputError(f"share is a part of the organ, from 0 to 1, not {share:g}.")
    if out is None:
        out = image.astype(np.float32, copy=True)
    elif out.shape != image.shape or out.dtype != np.float32:
        raise InputError(
            f"out is {out.dtype} {out.shape}; make it float32 of the image's shape {image.shape}."
        )
    elif not out.flags.writeable:
        raise InputError("out cannot be written to; give a writeable array, or a copy.")
    elif out is not image:
        np.copyto(out, image, casting="unsafe")
    return out, make_scene(out, organ, voxel, share, _with_room(organ, room))


def _with_room(
    organ: NDArray[np.bool_], room: NDArray[np.bool_] | None
) -> NDArray[np.bool_] | None:
    """Return the room with the organ in it, or None if there is none beyond the organ."""
    if room is None:
        return None
    if room.shape != organ.shape or room.dtype != np.bool_:
        raise InputError(
            f"room is {room.dtype} {room.shape}; make it bool of the organ's shape {organ.shape}."
        )
    return room if bool(room[organ].all()) else room | organ


def _renumber(
    scene: Scene, placed: dict[int, _Placed], skipped: list[str]
) -> tuple[dict[int, _Placed], dict[int, Box]]:
    """Find lesions again after pushes moved them; ids close up over those pushed to nothing."""
    found = scipy.ndimage.find_objects(scene.instances, max_label=max(placed, default=0))
    numbers = np.zeros(max(placed, default=0) + 1, np.uint16)
    left: dict[int, _Placed] = {}
    boxes: dict[int, Box] = {}
    for old, lesion in placed.items():
        if found[old - 1] is None:
            skipped.append(f"A {lesion.kind} lesion was left out: later ones pushed it away.")
            continue
        numbers[old] = len(boxes) + 1
        left[len(boxes) + 1] = lesion
        boxes[len(boxes) + 1] = found[old - 1]
    if len(boxes) < len(placed):
        scene.instances[...] = numbers[scene.instances]
    return left, boxes


def _measure(scene: Scene, ident: int, placed: _Placed, box: Box) -> Lesion:
    """Measure one lesion in the finished scene."""
    pad = np.ceil(_SURROUND_MM / np.asarray(scene.spacing)).astype(int)
    wide = scene.clip(
        [s.start - p for s, p in zip(box, pad, strict=True)],
        [s.stop + p for s, p in zip(box, pad, strict=True)],
    )
    assert wide is not None  # the lesion lies in the scene
    inside, around, centroid = lesion_sums(
        np.ascontiguousarray(scene.image[wide]),
        np.ascontiguousarray(scene.organ[wide]),
        np.ascontiguousarray(scene.instances[wide]),
        ident,
    )
    voxels = int(inside[0])
    volume = voxels * math.prod(scene.spacing)
    centre = scene.to_mm(centroid + [s.start for s in wide])
    mean = inside[1] / voxels
    x, y, z = (float(c) for c in centre)
    return Lesion(
        id=ident,
        kind=placed.kind,
        centre_mm=(x, y, z),
        diameter_mm=sphere_diameter(volume),
        volume_mm3=float(volume),
        voxels=voxels,
        mean_hu=float(mean),
        contrast_hu=float(mean - around[1] / around[0]) if around[0] else math.nan,
        plan=placed.plan,
        growth=placed.growth,
    )
