"""Textured tumours: what the published generator paints, and what it left out.

The published form (Hu et al., CVPR 2023) adds ``contrast x texture x softened mask`` to the CT; the
texture averages one half, so a contrast of -100 HU darkens a lesion by about 50 HU. Rim, necrotic
core, brighter lesions and filling to a wanted HU are switched on by probability or range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oncoforge.errors import InputError
from oncoforge.fields import build
from oncoforge.synthesis.appearance.blur import soft_mask
from oncoforge.synthesis.appearance.effects import capsule, core, filling
from oncoforge.synthesis.appearance.mottle import Mottle, draw_mottle
from oncoforge.synthesis.appearance.tones import Range, Tones, check_hu
from oncoforge.synthesis.base import LesionMask, LesionPlan, Plain
from oncoforge.synthesis.scene import Scene

_WIDEST_MM = 50.0


@dataclass(frozen=True)
class Paint(Mottle):
    """The appearance of one lesion, as drawn.

    Parameters
    ----------
    texture, offset_mm
        See `Mottle`.
    contrast_hu
        HU added where texture and softened mask are 1; negative is darker.
    edge_mm
        Sigma that softens the mask.
    rim_hu
        HU of a capsule; 0 for none.
    core_hu
        HU added in a necrotic core; 0 for none.
    core_part
        Size of the core: the part of the lesion's greatest depth that it takes.
    fill_hu
        HU to fill the lesion to, in place of contrast; None for the published form.
    """

    contrast_hu: float
    edge_mm: float
    rim_hu: float = 0.0
    core_hu: float = 0.0
    core_part: float = 0.0
    fill_hu: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_hu((self.contrast_hu, self.rim_hu, self.core_hu, self.fill_hu))
        if not 0 <= self.edge_mm <= _WIDEST_MM or not 0 <= self.core_part <= 1:
            raise InputError(
                f"edge_mm ({self.edge_mm:g}) is from 0 to {_WIDEST_MM:g} mm, and core_part "
                f"({self.core_part:g}) is from 0 to 1."
            )


@dataclass(frozen=True)
class Textured(Tones):
    """Appearance model: texture, contrast, edge, and what else a lesion may show.

    Parameters
    ----------
    contrast_hu, per_lesion, hyperdense, rim, rim_hu, fill_hu, floor_hu
        See `Tones`.
    edge_mm
        Range of the edge's sigma.
    core, core_hu, core_part
        Probability of a necrotic core, range of its HU change, and range of its size.
    """

    edge_mm: Range = (1.0, 2.0)
    core: float = 0.0
    core_hu: Range = (-40.0, -15.0)
    core_part: Range = (0.3, 0.6)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_probabilities("core")
        self._check_ranges("edge_mm", "core_hu", "core_part")
        if self.edge_mm[0] < 0 or self.edge_mm[1] > _WIDEST_MM:
            raise InputError(f"edge_mm is from 0 to {_WIDEST_MM:g} mm, not {self.edge_mm}.")
        if self.core_part[0] < 0 or self.core_part[1] > 1:
            raise InputError(f"core_part is from 0 to 1, not {self.core_part}.")

    def draw(
        self, scene: Scene, plans: Sequence[LesionPlan], rng: np.random.Generator
    ) -> list[Plain]:
        """Draw each lesion's appearance (see `base.AppearanceModel`)."""
        shared = self._draw_one(rng)
        drawn = [self._draw_one(rng) if self.per_lesion else dict(shared) for _ in plans]
        for one in drawn:
            self._draw_extras(one, rng)
        self._settle(drawn, scene)
        return [dict(vars(Paint(**one))) for one in drawn]

    def _draw_one(self, rng: np.random.Generator) -> Plain:
        return {
            **draw_mottle(rng),
            "edge_mm": float(rng.uniform(*self.edge_mm)),
            "contrast_hu": float(rng.uniform(*self.contrast_hu)),
        }

    def _draw_extras(self, one: Plain, rng: np.random.Generator) -> None:
        if self.hyperdense and rng.random() < self.hyperdense:
            one["contrast_hu"] = -one["contrast_hu"]
        if self.rim and rng.random() < self.rim:
            one["rim_hu"] = float(rng.uniform(*self.rim_hu))
        if self.core and rng.random() < self.core:
            one["core_hu"] = float(rng.uniform(*self.core_hu))
            one["core_part"] = float(rng.uniform(*self.core_part))
        if self.fill_hu is not None:
            one["fill_hu"] = float(rng.uniform(*self.fill_hu))

    def paint(self, scene: Scene, mask: LesionMask, parameters: Plain) -> None:
        """Paint one lesion (see `base.AppearanceModel`)."""
        paint = build(Paint, parameters, "texture parameter")
        box, soft = soft_mask(scene, mask, paint.edge_mm)
        extras = []
        if paint.rim_hu != 0.0:
            extras.append(capsule(soft, paint.rim_hu))
        if paint.core_hu != 0.0:
            extras.append(core(scene, box, mask, paint.core_hu, paint.core_part))
        if paint.fill_hu is None:
            change = paint.times(scene, box, soft, paint.contrast_hu)
        else:
            change = filling(scene, box, paint, soft, paint.fill_hu)
        if extras:
            change += sum(extras)
        image = scene.image[box]
        np.add(image, change, out=image, where=scene.room[box])
