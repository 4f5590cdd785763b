"""The container: skin, fat, the muscle wall, the diaphragm and the lungs above it.

Cross-sections are radii over the angle from the front, the same on both sides, blended between
chest, waist and hip along z.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from oncoforge.phantom.canvas import Array, Box, Canvas
from oncoforge.phantom.shapes import smooth_max, smooth_step
from oncoforge.phantom.texture import Texture

# Beyond these the patient is not modelled: a scan range ends too.
LOWEST_MM, HIGHEST_MM = -175.0, 195.0

# Half-widths in mm of the trunk inside its subcutaneous fat: lateral, to the front, to the back;
# rows chest, waist, hip.
_TRUNK_MM = ((147.0, 96.0, 109.0), (144.0, 98.0, 99.0), (154.0, 95.0, 100.0))
_ROUNDNESS = (2.35, 2.25, 2.3)
_ANGLE = (0, 20, 42, 65, 90, 120, 135, 150, 165, 180)
# Wall thickness in mm by angle in degrees from the front (0) to the back (180).
_WALL_MM = (
    (14, 14, 15, 16, 17, 18, 20, 26, 38, 44),
    (8, 11, 9, 16, 19, 21, 26, 37, 46, 50),
    (8, 11, 10, 20, 36, 52, 58, 62, 60, 56),
)
_FAT_FACTOR = (
    (0.7, 0.75, 0.7, 0.6, 0.55, 0.6, 0.65, 0.6, 0.5, 0.35),
    (1.0, 1.1, 1.1, 0.95, 0.85, 1.15, 1.4, 1.2, 0.8, 0.5),
    (1.2, 1.2, 1.2, 1.1, 1.2, 1.6, 1.9, 1.7, 1.2, 0.8),
)
# Height in mm of the costophrenic line over the same angles.
_RECESS_MM = (66, 62, 50, 34, 14, -2, -4, 4, 16, 22)


@dataclass(frozen=True)
class Torso:
    """Habitus of one patient, in nominal mm.

    Attributes
    ----------
    fat_mm
        Subcutaneous fat at the front of the waist.
    girth
        Factors on the trunk's half-widths: lateral, front, back.
    domes_mm
        Heights of the right and the left dome of the diaphragm.
    wall
        Thickness of the muscle wall relative to nominal.
    """

    fat_mm: float
    girth: tuple[float, float, float]
    domes_mm: tuple[float, float]
    wall: float

    @property
    def back_mm(self) -> float:
        """Height (y) of the couch: it presses the lowest part of the back flat."""
        angle = np.radians(np.linspace(125.0, 180.0, 40))
        trunks, _, fats, _ = self._radii(np.sin(angle), np.cos(angle))
        depths = [np.max((t + f) * -np.cos(angle)) for t, f in zip(trunks, fats, strict=True)]
        return 5.0 - float(max(depths[:2]))

    def _radii(self, x: Array, y: Array) -> tuple[list[Array], list[Array], list[Array], Array]:
        """Per level (chest, waist, hip): radii of trunk, wall thickness, fat; and the radius."""
        angle = np.abs(np.arctan2(x, y))
        degrees = np.degrees(angle)
        sine, cosine = np.abs(np.sin(angle)), np.abs(np.cos(angle))
        groove = np.exp(-(((180.0 - degrees) / 9.0) ** 2))
        bulk = np.exp(-(((158.0 - degrees) / 13.0) ** 2))
        trunks, walls, fats = [], [], []
        for level in range(3):
            side, front, back = (
                size * factor for size, factor in zip(_TRUNK_MM[level], self.girth, strict=True)
            )
            depth = np.where(degrees < 90.0, front, back)
            n = _ROUNDNESS[level]
            trunk = ((sine / side) ** n + (cosine / depth) ** n) ** (-1.0 / n)
            trunks.append((trunk - 5.0 * groove + 3.0 * bulk).astype(np.float32))
            wall = PchipInterpolator(_ANGLE, _WALL_MM[level])(degrees) * self.wall
            walls.append(wall.astype(np.float32))
            fat = PchipInterpolator(_ANGLE, _FAT_FACTOR[level])(degrees) * self.fat_mm
            fats.append((fat + 3.0).astype(np.float32))
        return trunks, walls, fats, np.hypot(x, y).astype(np.float32)

    def surfaces(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
        """Distances to the skin, to the outside of the muscle wall, and to the cavity's lining."""
        trunks, walls, fats, radius = self._radii(x, y)
        weights = _levels(z)
        trunk = radius - _blend(trunks, weights)
        return trunk - _blend(fats, weights), trunk, trunk + _blend(walls, weights)

    def cavity_radius(self, angle: Array, z: Array) -> Array:
        """Distance in mm from the axis to the cavity's lining, ``angle`` from the front."""
        trunks, walls, _, _ = self._radii(np.sin(angle), np.cos(angle))
        inner = [trunk - wall for trunk, wall in zip(trunks, walls, strict=True)]
        return _blend(inner, _levels(np.asarray(z)))

    def dome(self, x: Array, y: Array) -> Array:
        """Height in mm of the diaphragm over a point of the transverse plane."""
        trunks, walls, _, radius = self._radii(x, y)
        u = np.clip(radius / (trunks[0] - walls[0]), 0.0, 1.0)
        right, left = self.domes_mm
        middle, half = (right + left) / 2, (right - left) / 2
        # Heart in front and spine behind press the middle down, the latter much more.
        dip = 9.0 + 38.0 * smooth_step(15.0, -50.0, y)
        top = middle + half * np.tanh(x / 35.0) - dip * np.exp(-((x / 30.0) ** 2))
        degrees = np.degrees(np.abs(np.arctan2(x, y)))
        recess = PchipInterpolator(_ANGLE, _RECESS_MM)(degrees)
        height: Array = recess + (top - recess) * (1.0 - u**3.2) ** 0.58
        return height

    def above_diaphragm(self, x: Array, y: Array, z: Array) -> Array:
        """Distance in mm to the diaphragm, positive above it."""
        height = self.dome(x, y)
        slope_x = (self.dome(x + 0.5, y) - self.dome(x - 0.5, y)).clip(-8, 8)
        slope_y = (self.dome(x, y + 0.5) - self.dome(x, y - 0.5)).clip(-8, 8)
        steepness = np.sqrt(1.0 + slope_x**2 + slope_y**2)
        scale = (1.0 / steepness).astype(np.float32)
        distance: Array = (z - height.astype(np.float32)) * scale
        return distance


def draw_torso(rng: np.random.Generator) -> Torso:
    """Draw a habitus."""
    fat = float(np.clip(rng.lognormal(np.log(17.0), 0.38), 6.0, 30.0))
    side, front, back = rng.normal(1.0, 0.025, 3)
    belly = 0.006 * (fat - 15.0)
    right = 108.0 + rng.normal(0.0, 4.0)
    return Torso(
        fat_mm=fat,
        girth=(side + belly / 2, front + belly, back),
        domes_mm=(right, right - 9.0 + rng.normal(0.0, 3.0)),
        wall=float(rng.normal(1.0, 0.06)),
    )


def _levels(z: Array) -> tuple[Array, Array, Array]:
    """Weights of the chest, waist and hip sections at heights ``z``; they add up to one."""
    chest = smooth_step(-5.0, 75.0, z)
    hip = smooth_step(-75.0, -140.0, z)
    return chest, 1.0 - chest - hip, hip


def _blend(parts: list[Array], weights: tuple[Array, Array, Array]) -> Array:
    total: Array = parts[0] * weights[0].astype(np.float32)
    total = total + parts[1] * weights[1].astype(np.float32)
    total += parts[2] * weights[2].astype(np.float32)
    return total


def paint_torso(canvas: Canvas, torso: Torso, lumps: Texture, lobules: Texture) -> None:
    """Paint everything from the couch to the lining of the cavity, diaphragm and lungs."""
    box = canvas.everywhere()
    couch = _paint_couch(canvas, torso, box)
    skin, trunk, cavity = torso.surfaces(box.x, box.y, box.z)
    skin = smooth_max(skin, -couch, 20.0)
    wobble = canvas.bumps(box, lumps)
    trunk += 0.9 * wobble
    cavity -= 0.9 * wobble
    canvas.paint(box, skin, "skin")
    canvas.paint(box, skin + 1.8, "subcutaneous_fat")
    np.maximum(trunk, skin + 4.0, out=trunk)
    canvas.paint(box, trunk, "muscle")
    _paint_wall_planes(canvas, box, (trunk, cavity), (lumps, lobules))
    canvas.paint(box, cavity, "visceral_fat")
    above = torso.above_diaphragm(box.x, box.y, box.z)
    above += 0.7 * wobble
    canvas.paint(box, np.maximum(np.abs(above) - 1.4, cavity), "diaphragm")
    canvas.paint(box, np.maximum(1.2 - above, cavity + 0.8), "lung")
    np.minimum(-cavity, -1.4 - above, out=canvas.free)


def _paint_couch(canvas: Canvas, torso: Torso, box: Box) -> Array:
    """Paint two thin curved shells under the back; return the height above the mattress."""
    x, y = (axis.astype(np.float32) for axis in canvas.axes[:2])
    level = np.float32(torso.back_mm * canvas.pose.scale[1])
    curve = level + x[:, None, None] ** 2 / np.float32(1500.0)
    height: Array = (y[None, :, None] - curve) + np.float32(0.0) * box.z
    inside = (np.abs(x) - 205.0)[:, None, None]
    for depth in (7.0, 30.0):
        canvas.paint(box, np.maximum(np.abs(height + depth) - 0.9, inside), "table")
    return height


def _paint_wall_planes(
    canvas: Canvas, box: Box, wall: tuple[Array, Array], textures: tuple[Texture, Texture]
) -> None:
    """Thin fat planes between the muscles of the wall, which come and go."""
    trunk, cavity = wall
    wobble = canvas.bumps(box, textures[0])
    half = np.float32(0.1) + np.float32(0.35) * canvas.bumps(box, textures[1])
    degrees = np.degrees(np.abs(np.arctan2(box.x, box.y))).astype(np.float32)
    inside = np.maximum(trunk + 0.5, 0.5 - cavity)
    flank = np.maximum(np.abs(degrees - 88.0) - 34.0, 0.0) * 1.2
    above = np.maximum(box.z - 25.0, 0.0) * 0.2
    thick = cavity - trunk
    for part, limit in ((0.34, np.zeros_like(above)), (0.66, above)):
        line = np.abs(trunk + part * thick + 1.3 * wobble)
        line -= half
        line += flank
        line += limit
        canvas.paint(box, line, "subcutaneous_fat")
    x = np.abs(box.x)
    front = np.where(degrees < 60.0, 0.0, 40.0).astype(np.float32)
    for across, where, width, top in ((box.x, 0.0, 1.2, 80.0), (x, 66.0, 1.1, 20.0)):
        seam = np.abs(across - where + 1.8 * wobble) - width + front
        seam += np.maximum(box.z - top, 0.0) * 0.1
        canvas.paint(box, np.maximum(seam, inside), "subcutaneous_fat")
    # Outlines of the long muscles of the back, which follow the spine backwards in the chest.
    sunk = box.y + smooth_step(-20.0, 90.0, box.z) * np.float32(14.0)
    for centre_x, centre_y, half_x, half_y in ((40, -74, 30, 24), (12, -72, 17, 26)):
        u, v = (x - centre_x) / half_x, (sunk - centre_y) / half_y
        edge = (np.sqrt(u * u + v * v) - 1.0) * min(half_x, half_y) + 2.6 * wobble
        canvas.paint(box, np.maximum(np.abs(edge) - 1.5 * half, inside), "subcutaneous_fat")


def cut_ends(canvas: Canvas) -> None:
    """Leave air beyond the modelled range, so that no organ ends in the open."""
    z = canvas.axes[2] / canvas.pose.scale[2]
    outside = (z < LOWEST_MM) | (z > HIGHEST_MM)
    canvas.image[:, :, outside] = -1000.0
    canvas.structures[:, :, outside] = 0
    canvas.labels[:, :, outside] = 0
