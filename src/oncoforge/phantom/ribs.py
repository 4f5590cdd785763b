"""Ribs, costal cartilage, breastbone and the wings of the pelvis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from oncoforge.phantom.canvas import Canvas
from oncoforge.phantom.shapes import smooth_step
from oncoforge.phantom.spine import Spine
from oncoforge.phantom.torso import Torso
from oncoforge.phantom.tubes import Tube, join, polyline, tube

FloatArray = npt.NDArray[np.float64]

# Rib: height of its vertebra, fall to its front end (mm), angle of that end from the front (deg).
_RIBS = {
    4: (248.0, 95.0, 42.0), 5: (223.0, 105.0, 42.0), 6: (198.0, 118.0, 44.0),
    7: (173.0, 122.0, 47.0), 8: (147.0, 122.0, 56.0), 9: (120.0, 120.0, 67.0),
    10: (92.0, 112.0, 80.0), 11: (63.0, 82.0, 98.0), 12: (33.0, 46.0, 124.0),
}  # fmt: skip
# Where the cartilage of a rib ends: angle from the front and height.
_CARTILAGE = {4: (9.0, 172.0), 5: (9.0, 140.0), 6: (9.0, 112.0), 7: (9.0, 96.0), 8: (20.0, 70.0),
              9: (40.0, 30.0), 10: (58.0, -5.0)}  # fmt: skip


@dataclass(frozen=True)
class Cage:
    """Bones and cartilage of the wall, as flattened tubes in nominal mm."""

    ribs: tuple[Tube, ...]
    cartilages: tuple[Tube, ...]
    sternum: Tube
    pelvis: tuple[Tube, ...]


def draw_cage(rng: np.random.Generator, torso: Torso, spine: Spine) -> Cage:
    """Draw the cage of a torso."""
    ribs, cartilages = [], []
    shift, slope = rng.normal(0.0, 4.0), rng.normal(1.0, 0.05)
    for number, (height, fall, end) in _RIBS.items():
        for side in (-1.0, 1.0):
            jitter = rng.normal(0.0, 1.5)
            front = end + rng.normal(0.0, 2.0)
            rib = _rib(torso, spine, side, (height, fall * slope + jitter + shift, front))
            ribs.append(rib)
            if number in _CARTILAGE:
                cartilages.append(_cartilage(torso, side, rib.points[-1], _CARTILAGE[number]))
    return Cage(tuple(ribs), tuple(cartilages), _sternum(torso), _pelvis(rng, torso))


def _rib(torso: Torso, spine: Spine, side: float, course: tuple[float, float, float]) -> Tube:
    """Run a rib from its vertebra backwards, round the wall and down to its front end."""
    height, fall, end = course
    angles = np.linspace(156.0, end, 60)
    along = (156.0 - angles) / (156.0 - end)
    z = height + 2.0 - fall * (0.25 * along + 0.75 * smooth_step(0.0, 1.15, along) / 0.957)
    wall = _on_wall(torso, side, angles, z, 4.6)
    x, y = (float(value) for value in spine.axis(np.asarray(height)))
    head = np.array(
        [[x + side * 17.0, y - 10.0, height + 5.0], [x + side * 30, y - 24, height + 4]]
    )
    points = np.concatenate([head, wall])
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    dense = np.arange(0.0, arc[-1], 5.0)
    curve = np.stack([np.interp(dense, arc, points[:, i]) for i in range(3)], axis=1)
    curve = _smooth(curve)
    radii = np.interp(dense / arc[-1], [0, 0.06, 0.15, 0.8, 1.0], [4.5, 4.6, 6.3, 6.6, 6.2])
    middle = 0.5 * (curve[1:] + curve[:-1])
    outward = middle * [1.0, 1.0, 0.0]
    return polyline(curve, radii, aspect=1.75, flat=outward)


def _smooth(curve: FloatArray) -> FloatArray:
    """Round the corner where the neck of a rib meets its shaft; the ends stay."""
    for _ in range(3):
        curve[1:-1] = 0.25 * curve[:-2] + 0.5 * curve[1:-1] + 0.25 * curve[2:]
    return curve


def _on_wall(
    torso: Torso, side: float, degrees: FloatArray, z: FloatArray, outside_mm: float
) -> FloatArray:
    """Points outside the lining of the cavity by ``outside_mm``."""
    angle = np.radians(degrees)
    radius = torso.cavity_radius(angle, z) + outside_mm
    return np.stack([side * radius * np.sin(angle), radius * np.cos(angle), z], axis=1)


def _cartilage(torso: Torso, side: float, start: FloatArray, end: tuple[float, float]) -> Tube:
    """Run the cartilage from a rib's end up to the breastbone or to the cartilage above."""
    first = np.degrees(np.arctan2(abs(start[0]), start[1]))
    t = np.linspace(0.0, 1.0, 14)
    degrees = first + (end[0] - first) * t
    z = start[2] + (end[1] - start[2]) * t**1.5 - 14.0 * np.sin(np.pi * t) * (1 - t)
    points = _on_wall(torso, side, degrees, z, 5.0)
    points[0] = start
    middle = 0.5 * (points[1:] + points[:-1]) * [1.0, 1.0, 0.0]
    return polyline(points, np.linspace(6.3, 5.2, 14), aspect=1.5, flat=middle)


def _sternum(torso: Torso) -> Tube:
    z = np.array([82.0, 95.0, 108.0, 130.0, 220.0])
    points = _on_wall(torso, 1.0, np.zeros(5), z, 6.0)
    points[:2, 1] -= [7.0, 3.0]
    return tube(points, [4.0, 7.0, 14.0, 17.0, 19.0], aspect=3.0, flat=(0.0, 1.0, 0.12))


def _pelvis(rng: np.random.Generator, torso: Torso) -> tuple[Tube, ...]:
    """Fan flat tubes from the sacroiliac joint up to the crest: together they are the wing."""
    crest = -98.0 + rng.normal(0.0, 6.0)
    wings = []
    for side in (-1.0, 1.0):
        rows = []
        degrees = np.array([158.0, 148.0, 134.0, 118.0, 102.0, 88.0, 74.0])
        top = crest + np.array([-64.0, -44.0, -22.0, -5.0, 0.0, -8.0, -30.0])
        for level in np.arange(0.0, 100.0, 3.0):
            z = top - level
            keep = z > -215.0
            if keep.sum() < 3:
                continue
            inward = -12.0 + 0.1 * level
            points = _on_wall(torso, side, degrees[keep], z[keep], 6.0 - inward - 0.1 * level)
            points[:, :2] *= (1.0 - 0.0022 * (crest - z[keep]))[:, None]
            # Thick at the sacrum, along the crest and at the front spine, thin between.
            thick = np.array([9.0, 8.0, 6.0, 5.0, 5.5, 7.5, 8.5])[keep]
            thick = thick + 2.0 * np.exp(-level / 5.0)
            middle = 0.5 * (points[1:] + points[:-1]) * [1.0, 1.0, 0.0]
            rows.append(polyline(points, thick, aspect=1.6, flat=middle))
        wings.append(join(rows))
    return tuple(wings)


def paint_cage(canvas: Canvas, cage: Cage) -> None:
    """Paint ribs, cartilage, breastbone and pelvis."""
    for part in cage.cartilages:
        _paint(canvas, part, "costal_cartilage", None)
    for part in cage.ribs:
        _paint_bone(canvas, part, "rib", 1.5)
    _paint_bone(canvas, cage.sternum, "sternum", 2.2)
    for part in cage.pelvis:
        _paint_bone(canvas, part, "pelvis", 2.6)


def _paint(canvas: Canvas, part: Tube, structure: str, label: str | None) -> None:
    found = canvas.tube(part)
    if found is not None:
        canvas.paint(*found, structure, label)
        canvas.claim(*found)


def _paint_bone(canvas: Canvas, part: Tube, label: str, cortex_mm: float) -> None:
    found = canvas.tube(part)
    if found is None:
        return
    canvas.paint(*found, "cortical_bone", label)
    canvas.paint(found[0], found[1] + cortex_mm, "trabecular_bone", label)
    canvas.claim(*found)
