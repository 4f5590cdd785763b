"""Tumours shaded by the density of their growth, and what they make of vessels and fat.

Lai et al., "From Pixel to Cancer: Cellular Automata in Computed Tomography", MICCAI 2024, by a
description of what its released program does: ``contrast x texture x density`` is added to the CT,
a further such term where the tumour is dead, and vessels within it fade. Where the original blurs
in sagittal planes, steps hard or writes whole HU, this is smooth in three dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oncoforge.errors import InputError
from oncoforge.fields import build
from oncoforge.synthesis.appearance.blur import soft_mask
from oncoforge.synthesis.appearance.effects import capsule, filling
from oncoforge.synthesis.appearance.mottle import Mottle, draw_mottle
from oncoforge.synthesis.appearance.tones import Range, Tones, check_hu
from oncoforge.synthesis.base import Density, LesionMask, LesionPlan, Plain
from oncoforge.synthesis.scene import Scene, Vector
from oncoforge.synthesis.smoothing import smooth_inside
from oncoforge.synthesis.tissue import Tissue, levels_of

_EDGE_MM = 0.7
"""Softness of a lesion that has no density of its own."""

_CAPSULE_MM = 2.0
"""Softness of the mask that a capsule follows."""

_WIDEST_MM = 10.0
_MOST_GAIN = 10.0

_STEPS_TO_ZERO = 8.0
"""Estimated levels fade towards this many steps below walls, as the liver's 160 HU lie 8 steps of
20 HU above 0."""


@dataclass(frozen=True)
class Shade(Mottle):
    """The appearance of one grown lesion, as drawn.

    Parameters
    ----------
    texture, offset_mm
        See `Mottle`.
    contrast_hu
        HU added where texture and density are 1; negative is darker.
    levels_hu, smooth_mm
        See `Tissue`.
    zero_hu, bright_keep, vessel_keep
        In the lesion, tissue of level 3 and vessels keep this part of their height above
        ``zero_hu``.
    blur_mm
        Sigma of the filter of bright tissue in the lesion; 0 for none.
    necrosis_hu
        HU added to dead parts, where texture is 1.
    fat_hu
        Tissue below this is fat that the lesion fills; None leaves it.
    fat_gain
        HU added to fat, as a part of the mean in the lesion, where texture and density are 1.
    rim_hu
        HU of a capsule; 0 for none.
    fill_hu
        HU to fill the lesion to, in place of contrast; None for the published form.
    """

    contrast_hu: float
    levels_hu: Vector
    smooth_mm: float = 0.0
    zero_hu: float = 0.0
    bright_keep: float = 1.0
    vessel_keep: float = 1.0
    blur_mm: float = 0.0
    necrosis_hu: float = 0.0
    fat_hu: float | None = None
    fat_gain: float = 0.0
    rim_hu: float = 0.0
    fill_hu: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_hu((self.contrast_hu, self.necrosis_hu, self.rim_hu, self.fill_hu, self.fat_hu))
        Tissue(self.levels_hu, self.smooth_mm)
        _check(self.blur_mm, (self.fat_gain,))


@dataclass(frozen=True)
class Shaded(Tones):
    """Appearance model: contrast by density of growth, necrosis, vessels and fat.

    Parameters
    ----------
    contrast_hu, per_lesion, hyperdense, rim, rim_hu, fill_hu, floor_hu
        See `Tones`.
    necrosis_hu
        Range of the further contrast of dead parts.
    levels_hu, smooth_mm
        As for growth: what counts as vessel and as bright tissue.
    vessel_keep, bright_keep
        In a lesion, vessels and tissue of level 3 keep this part of their HU (of their height above
        8 steps below walls, where levels are estimated).
    blur_mm
        Sigma of the filter of vessels and bright tissue in the lesion; 0 for none.
    fat_hu, fat_gain
        Tissue below this HU is fat that lesions fill, by a part of the mean in the lesion that is
        drawn from this range; None leaves fat as it is.
    """

    necrosis_hu: Range = (-110.0, -90.0)
    levels_hu: Vector | None = (120.0, 140.0, 160.0)
    smooth_mm: float = 0.0
    vessel_keep: float = 0.6875
    bright_keep: float = 0.875
    blur_mm: float = 0.7
    fat_hu: float | None = None
    fat_gain: Range = (1.0, 2.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_probabilities("vessel_keep", "bright_keep")
        self._check_ranges("necrosis_hu", "fat_gain")
        check_hu((self.fat_hu,))
        Tissue(self.levels_hu or (0.0, 0.0, 0.0), self.smooth_mm)
        _check(self.blur_mm, self.fat_gain)

    def draw(
        self, scene: Scene, plans: Sequence[LesionPlan], rng: np.random.Generator
    ) -> list[Plain]:
        """Draw each lesion's appearance (see `base.AppearanceModel`)."""
        if not plans:
            return []
        tissue = self._tissue(scene)
        shared = self._draw_one(rng)
        drawn = [self._draw_one(rng) if self.per_lesion else dict(shared) for _ in plans]
        for one in drawn:
            if self.hyperdense and rng.random() < self.hyperdense:
                one["contrast_hu"] = -one["contrast_hu"]
            if self.rim and rng.random() < self.rim:
                one["rim_hu"] = float(rng.uniform(*self.rim_hu))
            if self.fill_hu is not None:
                one["fill_hu"] = float(rng.uniform(*self.fill_hu))
        self._settle(drawn, scene)
        return [dict(vars(Shade(**one, **tissue))) for one in drawn]

    def _tissue(self, scene: Scene) -> Plain:
        """Return what holds for all lesions of a scan."""
        levels, zero = self.levels_hu, 0.0
        if levels is None:
            levels = levels_of(scene, self.smooth_mm)
            zero = levels[2] - _STEPS_TO_ZERO * (levels[1] - levels[0])
        return {
            "levels_hu": levels,
            "smooth_mm": self.smooth_mm,
            "zero_hu": zero,
            "bright_keep": self.bright_keep,
            "vessel_keep": self.vessel_keep,
            "blur_mm": self.blur_mm,
            "fat_hu": self.fat_hu,
        }

    def _draw_one(self, rng: np.random.Generator) -> Plain:
        drawn = {
            **draw_mottle(rng),
            "contrast_hu": float(rng.uniform(*self.contrast_hu)),
            "necrosis_hu": float(rng.uniform(*self.necrosis_hu)),
        }
        if self.fat_hu is not None:
            drawn["fat_gain"] = float(rng.uniform(*self.fat_gain))
        return drawn

    def paint(self, scene: Scene, mask: LesionMask, parameters: Plain) -> None:
        """Paint one lesion (see `base.AppearanceModel`)."""
        shade = build(Shade, parameters, "shading parameter")
        density = mask.density or Density(*soft_mask(scene, mask, _EDGE_MM))
        box, filled = density.box, density.filled
        image, room = scene.image[box], scene.room[box]
        if shade.fill_hu is not None:
            new = image + filling(scene, box, shade, filled, shade.fill_hu)
            special = np.zeros(room.shape, np.bool_)
        else:
            new, special = _fade(scene, density, shade)
            new += shade.times(scene, box, filled, shade.contrast_hu)
        if density.necrosis is not None:
            new += shade.times(scene, box, density.necrosis, shade.necrosis_hu)
        lesion = room & (filled > 0)
        special &= lesion & (filled >= 0.5)
        if shade.blur_mm > 0.0 and special.any():
            smooth = smooth_inside(new, lesion, scene.spacing, shade.blur_mm)
            np.copyto(new, smooth, where=special)
        np.copyto(image, new, where=lesion)
        if shade.rim_hu != 0.0:
            # The rim of a growth is ragged and thin: a capsule follows its mask, softened.
            box, soft = soft_mask(scene, mask, _CAPSULE_MM)
            image = scene.image[box]
            np.add(image, capsule(soft, shade.rim_hu), out=image, where=scene.room[box])


def _check(blur_mm: float, fat_gains: Sequence[float]) -> None:
    """Raise `InputError` if the filter or what fills fat makes no sense."""
    if not 0 <= blur_mm <= _WIDEST_MM:
        raise InputError(f"blur_mm is from 0 to {_WIDEST_MM:g} mm, not {blur_mm:g}.")
    if not all(0 <= gain <= _MOST_GAIN for gain in fat_gains):
        raise InputError(f"fat_gain is from 0 to {_MOST_GAIN:g}, not {tuple(fat_gains)}.")


def _fade(
    scene: Scene, density: Density, shade: Shade
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the scan with vessels, bright tissue and fat taken over, and where these are."""
    box, filled = density.box, density.filled
    image, room = scene.image[box], scene.room[box]
    seen = image
    if shade.smooth_mm > 0.0:
        seen = smooth_inside(image, room, scene.spacing, shade.smooth_mm)
    vessel = seen >= shade.levels_hu[2]
    bright = (seen >= shade.levels_hu[1]) & ~vessel
    new = image.astype(np.float32, copy=True)
    # Vessels fade where the lesion is half-grown, as published; other tissue by degrees.
    within = np.clip(4.0 * filled - 1.5, 0.0, 1.0)
    for where, weight, keep in (
        (vessel, within, shade.vessel_keep),
        (bright, filled, shade.bright_keep),
    ):
        change = np.float32(keep - 1.0) * weight * (image - np.float32(shade.zero_hu))
        np.add(new, change, out=new, where=where)
    special = vessel | bright
    if shade.fat_hu is not None:
        fat = (image <= shade.fat_hu) & (filled > 0) & room
        inside = image[(filled > 0) & room]
        mean = max(float(inside.mean(dtype=np.float64)), 0.0) if inside.size else 0.0
        new += shade.times(scene, box, np.where(fat, filled, np.float32(0)), shade.fat_gain * mean)
        special |= fat
    return new, special
