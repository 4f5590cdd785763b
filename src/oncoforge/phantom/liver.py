"""The liver, its two vessel trees and the gallbladder beneath it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from oncoforge.anatomy import LABELS
from oncoforge.phantom.canvas import Array, Canvas
from oncoforge.phantom.shapes import smooth_max
from oncoforge.phantom.texture import Texture
from oncoforge.phantom.torso import Torso
from oncoforge.phantom.trees import grow_tree
from oncoforge.phantom.tubes import Tube, tube

# Height of the visceral surface over x, from the tip of the left lobe to the right flank.
_UNDER_X = (-110, -85, -60, -35, -8, 12, 32, 60, 88, 112, 145)
_UNDER_Z = (98, 90, 72, 55, 40, 34, 24, -4, -34, -48, -56)
# Front to back: y of the surface that faces stomach, caudate and spine, over x.
_BACK_X = (-110, -70, -30, -8, 8, 20, 32, 46, 150)
_BACK_Y = (26, 16, 8, 0, -10, -32, -64, -92, -140)


@dataclass(frozen=True)
class Liver:
    """Shape of one liver, nominal mm.

    Attributes
    ----------
    lower_mm
        How much lower than nominal its under-surface lies.
    left
        Length of the left lobe relative to nominal.
    slope
        Rise of the under-surface from front to back.
    hilum
        (x, y) of the porta hepatis.
    portal, hepatic
        Vessel trees.
    gallbladder
        A pear below the under-surface.
    """

    lower_mm: float
    left: float
    slope: float
    hilum: tuple[float, float]
    portal: Tube
    hepatic: tuple[Tube, ...]
    gallbladder: Tube

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        """Distance to the liver as if it had the abdomen for itself."""
        return liver_distance(x, y, z, (self.lower_mm, self.left, self.slope), self.hilum)


def liver_distance(
    x: Array,
    y: Array,
    z: Array,
    form: tuple[float, float, float],
    hilum: tuple[float, float],
) -> Array:
    """Distance to the wedge between under-surface and back; wall and diaphragm cut the rest."""
    lower, left, slope = form
    reach = np.where(x < -5.0, -5.0 + (x + 5.0) / left, x)
    under = PchipInterpolator(_UNDER_X, _UNDER_Z)(np.clip(reach, -110, 145)) - lower
    under = under + slope * (np.clip(y, -70.0, 80.0) - 15.0)
    porta = ((x - hilum[0]) / 24.0) ** 2 + ((y - hilum[1]) / 16.0) ** 2
    under = under + 20.0 * np.exp(-porta)
    back = PchipInterpolator(_BACK_X, _BACK_Y)(np.clip(reach, -110, 150))
    below = ((under - z) * 0.78).astype(np.float32)
    behind = ((back - y) * 0.72).astype(np.float32) + np.float32(0.0) * z
    wedge = smooth_max(below, behind.astype(np.float32), 16.0)
    tip = (-(x + 105.0 * left) * 0.9).astype(np.float32)
    return smooth_max(wedge, tip + np.float32(0.0) * z, 14.0)


def draw_liver(rng: np.random.Generator, torso: Torso) -> Liver:
    """Draw a liver and grow its vessels in it."""
    form = (
        float(rng.normal(0.0, 5.0)),
        float(rng.normal(0.95, 0.08)),
        float(rng.normal(-0.22, 0.04)),
    )
    hilum = (float(rng.normal(22.0, 2.0)), float(rng.normal(8.0, 2.0)))
    points = rng.uniform([-105, -95, -70], [140, 90, 115], (14000, 3))
    x, y, z = points.T
    room = np.minimum(-torso.surfaces(x, y, z)[2], -1.4 - torso.above_diaphragm(x, y, z))
    inside = np.maximum(liver_distance(x, y, z, form, hilum), 2.0 - room) < -6.0
    targets = points[inside]
    half = len(targets) // 2
    portal = _grow_portal(rng, targets[: min(half, 650)], hilum, form[0])
    hepatic = _grow_hepatic(rng, targets[half : half + 520])
    fundus = np.array([44.0, 52.0, 2.0 - form[0]]) + rng.normal(0.0, 4.0, 3)
    neck = np.array([hilum[0] + 6.0, hilum[1] + 8.0, 28.0 - form[0]])
    bladder = tube(
        [neck, 0.6 * neck + 0.4 * fundus + [1, 0, 3], fundus],
        np.array([4.0, 9.5, 14.0]) * rng.uniform(0.8, 1.15),
        step_mm=3.0,
    )
    return Liver(*form, hilum, portal, hepatic, bladder)


def _grow_portal(
    rng: np.random.Generator, targets: Array, hilum: tuple[float, float], lower: float
) -> Tube:
    """Run from the confluence behind the pancreas to the porta, then branch."""
    hx, hy = hilum
    course = tube(
        [
            [6.0, 14.0, 2.0],
            [14.0, 13.0, 18.0],
            [hx, hy, 36.0 - lower],
            [hx + 9, hy + 1, 47 - lower],
        ],
        1.0,
    )
    return grow_tree(course.points, targets, 7.2, rng=rng, step_mm=4.5, thinnest_mm=0.5)


def _grow_hepatic(rng: np.random.Generator, targets: Array) -> tuple[Tube, ...]:
    """Right, middle and left hepatic vein, each draining what lies nearest to its trunk."""
    cava = np.array([23.0, -2.0, 88.0])
    trunks = [
        np.array([cava, [40.0, -8.0, 86.0], [62.0, -14.0, 76.0], [78.0, -18.0, 58.0]]),
        np.array([cava, [26.0, 12.0, 86.0], [34.0, 30.0, 74.0], [40.0, 42.0, 58.0]]),
        np.array([cava, [12.0, 10.0, 87.0], [-8.0, 22.0, 80.0], [-28.0, 32.0, 72.0]]),
    ]
    sway = np.array([[0.0], [2.5], [4.0], [5.0]])
    lines = [tube(trunk + sway * rng.normal(0.0, 1.0, (4, 3)), 1.0).points for trunk in trunks]
    away = [np.linalg.norm(targets[:, None] - line[None, 2:], axis=2).min(axis=1) for line in lines]
    nearest = np.argmin(np.stack(away), axis=0)
    return tuple(
        grow_tree(line, targets[nearest == i], 5.0, rng=rng, step_mm=4.5, thinnest_mm=0.5)
        for i, line in enumerate(lines)
    )


def paint_liver(canvas: Canvas, liver: Liver, lumps: Texture) -> None:
    """Paint gallbladder, liver and the vessels in it; the portal trunk keeps its own label."""
    _paint_gallbladder(canvas, liver)
    box = canvas.box([-115, -100, -85], [150, 95, 120])
    if box is not None:
        distance = liver.distance(box.x, box.y, box.z)
        distance += 1.6 * canvas.bumps(box, lumps)
        # The fissure of the round ligament: a cleft that narrows upwards and backwards.
        depth = np.maximum(44.0 - box.y, 1.4 * (box.z - 46.0 + liver.lower_mm))
        bumps = canvas.bumps(box, lumps)
        middle = box.x + 7.0 - 0.15 * (box.y - 40.0) + 2.5 * bumps
        fissure = smooth_max(np.abs(middle) - 1.2 + 0.12 * depth, 0.3 * depth, 6.0)
        distance = smooth_max(distance, -fissure, 4.0)
        distance = canvas.carve(box, distance, 0.1, 5.0)
        canvas.paint(box, distance, "liver")
        canvas.claim(box, distance)
    for tree in liver.hepatic:
        _paint_veins(canvas, tree, "hepatic_vein")
    _paint_veins(canvas, liver.portal, "portal_vein")


def _paint_veins(canvas: Canvas, tree: Tube, structure: str) -> None:
    """Paint a tree: the part in the liver is labelled liver, and twigs do not leave it."""
    found = canvas.tube(tree)
    if found is None:
        return
    box, distance = found
    in_liver = canvas.labels[box.at] == LABELS["liver"]
    canvas.paint(box, np.where(in_liver, distance, np.float32(9.0)), structure, "liver")


def _paint_gallbladder(canvas: Canvas, liver: Liver) -> None:
    found = canvas.tube(liver.gallbladder)
    if found is None:
        return
    box, distance = found
    distance = canvas.carve(box, distance, 2.0, 3.0)
    canvas.paint(box, distance, "gallbladder_wall")
    canvas.paint(box, distance + 1.4, "gallbladder")
    canvas.claim(box, distance)
