"""Growth as a mask model: where tumours start, and how long they grow.

Lai et al., "From Pixel to Cancer: Cellular Automata in Computed Tomography", MICCAI 2024, by a
description of what its released program does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from oncoforge.errors import InputError
from oncoforge.fields import build
from oncoforge.synthesis.base import LesionMask, LesionPlan, sphere_diameter
from oncoforge.synthesis.masks import sizes
from oncoforge.synthesis.masks.growth.clock import diameter_after, steps_for
from oncoforge.synthesis.masks.growth.fill import fill
from oncoforge.synthesis.masks.growth.ground import Ground, draw_seed
from oncoforge.synthesis.masks.growth.grown import settle
from oncoforge.synthesis.masks.growth.lattice import Lattice
from oncoforge.synthesis.masks.growth.plan import (
    MOST_STEPS,
    PATIENCE,
    GrowthPlan,
    backend,
    check_pitch,
)
from oncoforge.synthesis.masks.growth.rules import Rules
from oncoforge.synthesis.masks.location import Places, check_place
from oncoforge.synthesis.scene import Scene, Vector
from oncoforge.synthesis.tissue import Tissue, levels_of

Span = tuple[int, int]

_COUNT = (1, 9)
_CLUSTER, _CLUSTER_REACH = (3, 9), 10
"""A scan has 1 to 9 lesions; a cluster has 3 to 9 more seeds, up to 10 points from the first along
each axis."""

_RIM = 1.0
"""Points by which a ragged rim reaches beyond the sphere of the same volume."""

_OFF = 0.15
"""A lesion whose diameter is this part off the one asked for gets a remark."""

_MATURE_STEPS = 20
"""Earlier there is hardly anything mature that could die."""

_SHORTEST, _LONGEST = 5, 149
_LEAST_SHARE = 1e-3
_FILLS = 0.45
"""Part of the organ's diameter that its largest tumour fills where steps are not set: about that of
the published limits in liver and kidney."""


@dataclass(frozen=True)
class GrowthModel:
    """Mask model: how many tumours grow, from where, for how long, by which rules.

    Parameters
    ----------
    size
        One of `sizes.SIZE_NAMES`: tumours stop at a diameter of that class, and count is its. None
        lets them grow for `steps`.
    count
        Number of lesions; None draws 1 to 9, or from the size class.
    diameter_mm
        Diameter at which every lesion stops; None for that of the size or after the steps.
    at_mm
        Foci that the user asks for, mm from the scan's first voxel; the first lesions start there.
    steps
        How long lesions grow, or the range (both ends included) to draw it from; None draws up to
        what fills 0.45 of the organ's diameter (the sphere of its volume), at most 149.
    clustered
        Probability that a lesion starts from a cluster of seeds.
    per_lesion
        Draw the steps of every lesion; False lets those of a scan grow equally long, as published.
    place, margin, avoid_vessels, min_distance_mm
        See `location.Places`; the margin is a part of the expected radius.
    necrosis
        Probability that the middle of a large lesion dies.
    necrosis_steps
        A lesion is large if it grows longer than this; None for a third of the longest that `steps`
        allows.
    levels_hu
        HU from which tissue is of level 2, level 3, and a wall; None estimates them from the organ
        (see `tissue.levels_of`).
    smooth_mm
        Sigma of the filter through which levels are told apart; 0 for none, as published.
    acceptance
        Probability with which tissue of level 1, 2 and 3 accepts growth.
    neighbours
        27, or 28 for the released draw (see `rules.Rules`).
    pitch_mm
        Distance of the lattice's points: 1 mm as published.
    device
        ``"cpu"``, or a device of PyTorch such as ``"cuda"``; the result is the same on each.
    """

    size: str | None = None
    count: int | None = None
    diameter_mm: float | None = None
    at_mm: tuple[Vector, ...] = ()
    steps: int | Span | None = (5, 149)
    clustered: float = 1 / 3
    per_lesion: bool = False
    place: str = "anywhere"
    margin: float = 0.5
    avoid_vessels: bool = False
    min_distance_mm: float | None = None
    necrosis: float = 0.5
    necrosis_steps: int | None = 50
    levels_hu: Vector | None = (120.0, 140.0, 160.0)
    smooth_mm: float = 0.0
    acceptance: Vector = (1.0, 0.3, 0.1)
    neighbours: int = 27
    pitch_mm: float = 1.0
    device: str = field(default="cpu", metadata={"setting": False})

    def __post_init__(self) -> None:
        if self.size is not None:
            sizes.check_size(self.size)
        sizes.check_lesions(self.count, self.diameter_mm, len(self.at_mm))
        low, high = (
            (self.steps, self.steps) if isinstance(self.steps, int) else self.steps or (1, 1)
        )
        if not 1 <= low <= high <= MOST_STEPS:
            raise InputError(
                f"steps is a number or a range (low, high) within 1 to {MOST_STEPS}, not "
                f"{self.steps}."
            )
        for name in ("clustered", "necrosis"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is a probability, not {getattr(self, name):g}.")
        if self.margin < 0 or (self.min_distance_mm or 0) < 0 or (self.necrosis_steps or 0) < 0:
            raise InputError(
                f"margin ({self.margin:g}), min_distance_mm ({self.min_distance_mm}) and "
                f"necrosis_steps ({self.necrosis_steps}) are not negative."
            )
        check_pitch(self.pitch_mm, self.diameter_mm)
        check_place(self.place)
        Tissue(self.levels_hu or (0.0, 0.0, 0.0), self.smooth_mm)
        Rules(self.acceptance, self.neighbours)
        backend(self.device)

    def draw(self, scene: Scene, rng: np.random.Generator) -> tuple[list[LesionPlan], list[str]]:
        """Draw the lesions of one scan (see `base.MaskModel`)."""
        if scene.is_empty:
            return [], ["The organ mask is empty, so there is no place for a lesion."]
        tissue = Tissue(self.levels_hu or levels_of(scene, self.smooth_mm), self.smooth_mm)
        places = Places(scene, self.place, self.margin, self.avoid_vessels, self.min_distance_mm)
        ground = Ground(places, tissue, Lattice(scene, self.pitch_mm))
        span = self._span(scene)
        large = self.necrosis_steps
        if large is None:
            large = max(span[1] // 3, _MATURE_STEPS)
        plans: list[LesionPlan] = []
        skipped: list[str] = []
        for number, life in enumerate(self._lives(scene.share, span, rng)):
            offsets = self._cluster(rng)
            reach = life.points / 2 + float(np.linalg.norm(offsets, axis=1).max())
            # Between lesions that keep their distance there is room for ragged rims too.
            radius = (reach + (_RIM if self.min_distance_mm is not None else 0.0)) * self.pitch_mm
            found: NDArray[np.int64] | str
            if number < len(self.at_mm):
                found = ground.nearest(self.at_mm[number], radius)
            else:
                found = ground.find(life.kind, radius, rng)
            if isinstance(found, str):
                skipped.append(found)
                continue
            dies = rng.random() < self.necrosis and steps_for(life.points) > large
            plan = GrowthPlan(
                cores_mm=tuple(_mm(core, self.pitch_mm) for core in found + offsets),
                steps=life.steps,
                levels_hu=tissue.levels_hu,
                diameter_mm=life.diameter_mm,
                seed=draw_seed(found, Rules(self.acceptance, self.neighbours), rng),
                necrosis=bool(dies),
                smooth_mm=self.smooth_mm,
                acceptance=self.acceptance,
                neighbours=self.neighbours,
                pitch_mm=self.pitch_mm,
            )
            plans.append(LesionPlan(life.kind, dict(vars(plan))))
        # One reason that holds for all is given once.
        return plans, list(dict.fromkeys(skipped)) if not plans else skipped

    def _span(self, scene: Scene) -> Span:
        """Return the range of steps."""
        if self.steps is None:
            volume = np.count_nonzero(scene.organ) * math.prod(scene.spacing)
            # Of a patch, the whole organ's: its lesions are what they would be in the organ.
            volume /= max(scene.share, _LEAST_SHARE)
            steps = steps_for(_FILLS * sphere_diameter(volume) / self.pitch_mm)
            return _SHORTEST, min(max(steps, _SHORTEST), _LONGEST)
        return (self.steps, self.steps) if isinstance(self.steps, int) else self.steps

    def _lives(self, share: float, span: Span, rng: np.random.Generator) -> list[_Life]:
        """Draw how long, or to what diameter, each lesion of a scan grows."""
        count = self.count or len(self.at_mm) or None
        if self.size is not None or self.diameter_mm is not None:
            size = self.size or sizes.MIX
            kinds = sizes.draw_kinds(size, count, self.diameter_mm, share, rng)
            lives = [self._life_to(kind, rng) for kind in kinds]
        else:
            number = count or int(rng.integers(*_COUNT, endpoint=True))
            shared = int(rng.integers(*span, endpoint=True))
            lives = [
                self._life_of(
                    int(rng.integers(*span, endpoint=True)) if self.per_lesion else shared
                )
                for _ in range(number)
            ]
            lives = lives if count else sizes.share_of(lives, share, rng)
        if self.min_distance_mm is not None:
            # Small ones still fit between large ones, but not the reverse.
            lives.sort(key=lambda life: -life.points)
        return lives

    def _life_to(self, kind: str, rng: np.random.Generator) -> _Life:
        diameter = self.diameter_mm
        if diameter is None:
            diameter = 2 * float(np.prod(sizes.SIZES[kind].draw_radii(rng))) ** (1 / 3)
        points = diameter / self.pitch_mm
        # Dense tissue takes up to about three times as long as what the table says.
        return _Life(kind, min(4 * steps_for(points) + PATIENCE, MOST_STEPS), points, diameter)

    def _life_of(self, steps: int) -> _Life:
        points = diameter_after(steps)
        return _Life(sizes.nearest_size(points * self.pitch_mm / 2), steps, points, None)

    def _cluster(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw where a lesion's seeds lie from its focus: there, and in a cluster also around."""
        if rng.random() >= self.clustered:
            return np.zeros((1, 3), np.int64)
        number = int(rng.integers(*_CLUSTER, endpoint=True))
        around = rng.integers(-_CLUSTER_REACH, _CLUSTER_REACH, (number, 3), endpoint=True)
        return np.concatenate([np.zeros((1, 3), np.int64), around])

    def render(self, scene: Scene, plans: Sequence[LesionPlan]) -> Iterator[LesionMask | str]:
        """Yield each lesion's voxels (see `base.MaskModel`)."""
        run = backend(self.device)
        # All grow before any is painted: tissue is what the scan was, not what lesions made of it.
        drawn = [build(GrowthPlan, plan.mask, "growth parameter") for plan in plans]
        tumours = settle([plan.grow(scene, run) for plan in drawn])
        for plan, own, tumour in zip(plans, drawn, tumours, strict=True):
            mask = None if tumour is None else fill(scene, tumour)
            if tumour is None:
                yield f"A {plan.kind} lesion was left out: it would start outside the organ."
            elif mask is None:
                yield (
                    f"A {plan.kind} lesion was left out: it has no voxel in the organ and clear of "
                    "other lesions."
                )
            else:
                yield replace(mask, remark=_remark(scene, own, mask))


class _Life(NamedTuple):
    """What one lesion is to become.

    Its steps are the most that it may take if it has a diameter to reach, and `points` is its
    diameter in points of the lattice, as expected.
    """

    kind: str
    steps: int
    points: float
    diameter_mm: float | None


def _remark(scene: Scene, plan: GrowthPlan, mask: LesionMask) -> str:
    """Say in a sentence that a lesion has not the size that was asked for."""
    volume = np.count_nonzero(mask.inside) * math.prod(scene.spacing)
    reached, wanted = sphere_diameter(volume), plan.diameter_mm
    if wanted is None or abs(reached / wanted - 1) <= _OFF:
        return ""
    why = "there is no more room for it" if reached < wanted else "voxels are no smaller"
    return f"A lesion of {wanted:.1f} mm came to {reached:.1f} mm: {why}."


def _mm(point: NDArray[np.int64], pitch_mm: float) -> Vector:
    """Return a point's place, mm from the scan's first voxel."""
    x, y, z = (float(n * pitch_mm) for n in point)
    return x, y, z
