"""Textured tumours: what the published generator paints, and what it left out.

The published form (Hu et al., CVPR 2023) adds ``contrast x texture x softened mask`` to the CT; the
texture averages one half, so a contrast of -100 HU darkens a lesion by about 50 HU. Rim, necrotic
core, brighter lesions and filling to a wanted HU are switched on by probability or range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from oncoforge.compiled import compiled
from oncoforge.errors import InputError
from oncoforge.synthesis.appearance.bank import LEVELS, TEXTURES, TILE, tile
from oncoforge.synthesis.appearance.blur import soften
from oncoforge.synthesis.base import LesionMask, LesionPlan, Plain
from oncoforge.synthesis.fields import build
from oncoforge.synthesis.scene import Box, Scene, Vector

Range = tuple[float, float]

_RIM_LEVEL, _RIM_WIDTH = 0.55, 0.3
"""The capsule is brightest where the softened mask has this level, and ends this far from it (about
the shell from 0.4 to 0.7 of a public re-implementation of Hu et al. 2023)."""

_CORE_EDGE_MM = 1.5
_WIDEST_MM = 50.0
_MOST_HU = 4096.0

_GRAIN_HU = 40.0
"""Differences from the smoothed scan up to this count as noise, beyond it as structure."""

_FAINTEST_HU = 20.0
"""Change of the mean that a lesion keeps in an organ darker than its floor."""

_FILL_MOTTLE_HU = 40.0
"""Contrast between the darkest and brightest texture of a lesion that is filled to a wanted HU."""


@dataclass(frozen=True)
class Paint:
    """The appearance of one lesion, as drawn.

    Parameters
    ----------
    texture
        (sigma_a, sigma_b) of the texture, mm.
    offset_mm
        Where in the texture's tile the scan's first voxel lies.
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

    texture: tuple[float, float]
    offset_mm: Vector
    contrast_hu: float
    edge_mm: float
    rim_hu: float = 0.0
    core_hu: float = 0.0
    core_part: float = 0.0
    fill_hu: float | None = None

    def __post_init__(self) -> None:
        for hu in (self.contrast_hu, self.rim_hu, self.core_hu, self.fill_hu or 0.0):
            if abs(hu) > _MOST_HU:
                raise InputError(f"A change of {hu:g} HU is more than {_MOST_HU:g} HU.")
        if max(map(abs, self.offset_mm)) > TILE:
            raise InputError(f"offset_mm {self.offset_mm} is beyond the tile of {TILE} mm.")
        if tuple(self.texture) not in TEXTURES:
            raise InputError(f"texture {self.texture} is not one of {TEXTURES}.")
        if not 0 <= self.edge_mm <= _WIDEST_MM or not 0 <= self.core_part <= 1:
            raise InputError(
                f"edge_mm ({self.edge_mm:g}) is from 0 to {_WIDEST_MM:g} mm, and core_part "
                f"({self.core_part:g}) is from 0 to 1."
            )


@dataclass(frozen=True)
class Textured:
    """Appearance model: texture, contrast, edge, and what else a lesion may show.

    Parameters
    ----------
    contrast_hu
        Range of the contrast; the mean change inside a lesion is about half of it.
    edge_mm
        Range of the edge's sigma.
    per_lesion
        Draw texture, contrast and edge for every lesion; False shares them in a scan, as published.
    hyperdense
        Probability that a lesion is brighter than the organ: its contrast changes sign.
    rim, rim_hu
        Probability of a capsule, and range of its HU.
    core, core_hu, core_part
        Probability of a necrotic core, range of its HU change, and range of its size.
    fill_hu
        Range of HU to fill lesions to (nodules in the lung); None adds contrast.
    floor_hu
        About the least mean HU of a darker lesion, by the organ's median: contrast, core and rim
        weaken where the organ is too dark for them, as in an unenhanced scan, but 20 HU of change
        stay. None lets lesions grow as dark as they come, as published.
    """

    contrast_hu: Range = (-145.0, -65.0)
    edge_mm: Range = (1.0, 2.0)
    per_lesion: bool = False
    hyperdense: float = 0.0
    rim: float = 0.0
    rim_hu: Range = (20.0, 60.0)
    core: float = 0.0
    core_hu: Range = (-40.0, -15.0)
    core_part: Range = (0.3, 0.6)
    fill_hu: Range | None = None
    floor_hu: float | None = None

    def __post_init__(self) -> None:
        for name in ("hyperdense", "rim", "core"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InputError(f"{name} is a probability, not {getattr(self, name):g}.")
        for name in ("contrast_hu", "edge_mm", "rim_hu", "core_hu", "core_part", "fill_hu"):
            limits = getattr(self, name)
            if limits is not None and (len(limits) != 2 or limits[0] > limits[1]):
                raise InputError(f"{name} is a range (low, high), not {limits}.")
        for name in ("contrast_hu", "rim_hu", "core_hu", "fill_hu"):
            if any(abs(hu) > _MOST_HU for hu in getattr(self, name) or ()):
                raise InputError(f"{name} is at most {_MOST_HU:g} HU, not {getattr(self, name)}.")
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
        if self.floor_hu is not None and not scene.is_empty:
            organ_hu = float(np.median(scene.organ_sample()))
            for one in drawn:
                _keep_above(one, organ_hu, self.floor_hu)
        return [dict(vars(Paint(**one))) for one in drawn]

    def _draw_one(self, rng: np.random.Generator) -> Plain:
        a, b = TEXTURES[int(rng.integers(len(TEXTURES)))]
        return {
            "texture": (float(a), float(b)),
            "offset_mm": tuple(float(o) for o in rng.integers(0, TILE, 3)),
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
        sigma = tuple(paint.edge_mm / s for s in scene.spacing)
        soft, pad = soften(mask.inside, sigma)  # type: ignore[arg-type]
        start = [s.start - p for s, p in zip(mask.box, pad, strict=True)]
        box = scene.clip(start, [a + n for a, n in zip(start, soft.shape, strict=True)])
        assert box is not None  # the mask lies in the scene
        cut = tuple(slice(s.start - a, s.stop - a) for s, a in zip(box, start, strict=True))
        soft = soft[cut]
        image, organ = scene.image[box], scene.organ[box]
        change = _extras(scene, box, mask, soft, paint)
        if paint.fill_hu is None:
            textured = _texture(scene, box, paint, soft, 0.0, paint.contrast_hu)
        else:
            textured = _texture(scene, box, paint, soft, -0.5, _FILL_MOTTLE_HU)
            around = _smooth_inside(image, organ, scene.spacing)
            # The scan's noise stays, but no vessel, wall or gas shows through.
            grain = np.clip(image - around, -_GRAIN_HU, _GRAIN_HU)
            textured += soft * (paint.fill_hu + grain - image)
        if change is not None:
            textured += change
        np.add(image, textured, out=image, where=organ)


def _keep_above(one: Plain, organ_hu: float, floor_hu: float) -> None:
    """Weaken a darker lesion so that its mean, and its core's, stay above a floor."""
    if one["contrast_hu"] < 0:
        # The texture averages one half, so the mean changes by half of the contrast.
        darkest = -2.0 * max(organ_hu - floor_hu, _FAINTEST_HU)
        one["contrast_hu"] = max(one["contrast_hu"], darkest)
        one["rim_hu"] = min(one.get("rim_hu", 0.0), -one["contrast_hu"] / 2)
    mean_hu = organ_hu + one["contrast_hu"] / 2
    if one.get("core_hu", 0.0) < 0:
        one["core_hu"] = max(one["core_hu"], min(floor_hu - mean_hu, 0.0))


def _texture(
    scene: Scene, box: Box, paint: Paint, soft: NDArray[np.float32], shift: float, scale: float
) -> NDArray[np.float32]:
    """Return ``scale * (texture + shift) * soft`` on a box of the scene."""
    origin = scene.to_mm([s.start for s in box]) + paint.offset_mm
    out = np.empty(soft.shape, np.float32)
    cells = [_cells(origin[axis], scene.spacing[axis], soft.shape[axis]) for axis in range(3)]
    whole = all(not fraction.any() for _, fraction in cells)
    (i, a), (j, b), (k, c) = cells
    _modulate(soft, tile(*paint.texture), i, a, j, b, k, c, whole, shift, scale / LEVELS, out)
    return out


def _cells(origin: float, spacing: float, n: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return each voxel's cell in the periodic tile and how far into it the voxel lies."""
    at = origin + spacing * np.arange(n)
    low = np.floor(at)
    return low.astype(np.int64) % TILE, (at - low).astype(np.float32)


@compiled
def _modulate(soft, texture, ix, fx, iy, fy, iz, fz, whole, shift, scale, out):  # type: ignore[no-untyped-def]
    """Write ``(texture + shift) * scale * soft``; `whole` means that no interpolation is needed."""
    n = texture.shape[0]
    offset = np.float32(shift * LEVELS)
    factor = np.float32(scale)
    nx, ny, nz = soft.shape
    for i in range(nx):
        i0, a = ix[i], fx[i]
        i1 = (i0 + 1) % n
        for j in range(ny):
            j0, b = iy[j], fy[j]
            j1 = (j0 + 1) % n
            for k in range(nz):
                w = soft[i, j, k]
                if w == 0.0:
                    out[i, j, k] = 0.0
                    continue
                k0 = iz[k]
                if whole:
                    value = np.float32(texture[i0, j0, k0])
                else:
                    c = fz[k]
                    k1 = (k0 + 1) % n
                    t00 = texture[i0, j0, k0] * (1 - c) + texture[i0, j0, k1] * c
                    t01 = texture[i0, j1, k0] * (1 - c) + texture[i0, j1, k1] * c
                    t10 = texture[i1, j0, k0] * (1 - c) + texture[i1, j0, k1] * c
                    t11 = texture[i1, j1, k0] * (1 - c) + texture[i1, j1, k1] * c
                    low = t00 * (1 - b) + t01 * b
                    high = t10 * (1 - b) + t11 * b
                    value = np.float32(low * (1 - a) + high * a)
                out[i, j, k] = (value + offset) * factor * w


def _extras(
    scene: Scene, box: Box, mask: LesionMask, soft: NDArray[np.float32], paint: Paint
) -> NDArray[np.float32] | None:
    """Return what rim and core add on a box, or None if the lesion has neither."""
    if paint.rim_hu == 0.0 and paint.core_hu == 0.0:
        return None
    spacing = np.asarray(scene.spacing)
    change = np.zeros(soft.shape, np.float32)
    if paint.rim_hu != 0.0:
        # A ramp to both sides of the middle level: it shows on coarse grids too, where hardly a
        # voxel would lie between two limits.
        shell = 1.0 - np.abs(soft - _RIM_LEVEL) / _RIM_WIDTH
        # A lesion so small that its softened mask has no inside is no place for a capsule.
        depth = (float(soft.max()) - _RIM_LEVEL) / (1.0 - _RIM_LEVEL)
        change += max(depth, 0.0) * paint.rim_hu * np.maximum(shell, 0.0).astype(np.float32)
    if paint.core_hu != 0.0:
        import edt  # slow to import, and only lesions with a core need it

        inside = np.zeros(soft.shape, np.bool_)
        place = tuple(
            slice(m.start - b.start, m.stop - b.start) for m, b in zip(mask.box, box, strict=True)
        )
        inside[place] = mask.inside
        distance = edt.edt(inside, anisotropy=tuple(spacing), black_border=True, parallel=1)
        core = (distance > (1.0 - paint.core_part) * distance.max()).astype(np.float32)
        change += paint.core_hu * scipy.ndimage.gaussian_filter(core, _CORE_EDGE_MM / spacing)
    return change


def _smooth_inside(
    image: NDArray[np.float32], organ: NDArray[np.bool_], spacing: Vector
) -> NDArray[np.float32]:
    """Smooth an image over the organ alone, so that what lies outside does not bleed in."""
    sigma = 2.0 / np.asarray(spacing)
    weight = scipy.ndimage.gaussian_filter(organ.astype(np.float32), sigma)
    total = scipy.ndimage.gaussian_filter(np.where(organ, image, np.float32(0)), sigma)
    return total / np.maximum(weight, np.float32(1e-3))
