"""What stands above the diaphragm: heart, mediastinum, oesophagus and the vessels of the lungs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oncoforge.anatomy import LABELS
from oncoforge.phantom.canvas import Canvas
from oncoforge.phantom.shapes import Frame, ellipsoid, frame, smooth_max
from oncoforge.phantom.spine import Spine
from oncoforge.phantom.texture import Texture
from oncoforge.phantom.torso import Torso
from oncoforge.phantom.trees import grow_tree
from oncoforge.phantom.tubes import Tube, tube


@dataclass(frozen=True)
class Chest:
    """Contents of the chest, nominal mm."""

    mediastinum: Tube
    heart: Frame
    heart_half_mm: tuple[float, float, float]
    esophagus: Tube
    lung_vessels: tuple[Tube, ...]


def draw_chest(rng: np.random.Generator, torso: Torso, spine: Spine) -> Chest:
    """Draw the chest over a diaphragm."""
    top = min(torso.domes_mm)
    heights = np.array([55.0, 90.0, 120.0, 160.0, 225.0])
    x, y = spine.axis(heights)
    knots = np.stack([x - 4.0, y + 26.0, heights], axis=1)
    media = tube(knots, [16.0, 26.0, 29.0, 32.0, 34.0])
    place = frame([-26.0 + rng.normal(0, 3), 30.0, top + 40.0], [-1.0, 0.55, -0.25], [0.3, 0.2, 1])
    half = (64.0 * rng.normal(1, 0.04), 46.0, 46.0)
    heights = np.array([225.0, 150.0, 110.0, 92.0, 80.0, 74.0])
    x, y = spine.axis(heights)
    sideways = np.array([0.0, -4.0, -8.0, -12.0, -20.0, -28.0])
    forward = np.array([24.0, 28.0, 33.0, 38.0, 42.0, 44.0])
    knots = np.stack([x + sideways, y + forward, heights], axis=1)
    gullet = tube(knots, 8.5, aspect=1.3, flat=(0.0, 1.0, 0.0))
    vessels = _grow_lung_vessels(rng, torso)
    return Chest(media, place, half, gullet, vessels)


def _grow_lung_vessels(rng: np.random.Generator, torso: Torso) -> tuple[Tube, Tube]:
    """Let a tree grow down into each lung from a hilum above the field of view."""
    points = rng.uniform([-140, -105, 5], [140, 95, 200], (16000, 3))
    px, py, pz = points.T
    inside = np.maximum(torso.surfaces(px, py, pz)[2], -torso.above_diaphragm(px, py, pz)) < -5.0
    inside &= np.abs(px) > 32.0

    def lung(side: float) -> Tube:
        targets = points[inside & (px * side > 0)][:1300]
        root = [[30.0, -8.0, 205.0], [42.0, -14.0, 185.0], [52.0, -22.0, 165.0]]
        trunk = np.array(root) * [side, 1.0, 1.0]
        return grow_tree(trunk, targets, 6.5, rng=rng, step_mm=4.5, murray=2.6)

    return lung(-1.0), lung(1.0)


def paint_chest(canvas: Canvas, chest: Chest, torso: Torso, lumps: Texture) -> None:
    """Paint vessels into the lungs, then the mediastinum between them."""
    for tree in chest.lung_vessels:
        found = canvas.tube(tree)
        if found is not None:
            box, distance = found
            in_lung = canvas.labels[box.at] == LABELS["lung"]
            canvas.paint(box, np.where(in_lung, distance, np.float32(9.0)), "lung_vessel")
    found = canvas.tube(chest.mediastinum)
    if found is not None:
        box, distance = found
        above = torso.above_diaphragm(box.x, box.y, box.z)
        distance = distance + 2.0 * canvas.bumps(box, lumps)
        canvas.paint(box, smooth_max(distance, 1.0 - above, 2.0), "mediastinal_fat")
    _paint_heart(canvas, chest, torso, lumps)


def _paint_heart(canvas: Canvas, chest: Chest, torso: Torso, lumps: Texture) -> None:
    reach = max(chest.heart_half_mm) + 8.0
    box = canvas.box(chest.heart.origin - reach, chest.heart.origin + reach)
    if box is None:
        return
    u, v, w = chest.heart.local(box.x, box.y, box.z)
    a, b, c = chest.heart_half_mm
    heart = ellipsoid(u, v, w, (a, b, c)) + 1.5 * canvas.bumps(box, lumps)
    lining = torso.surfaces(box.x, box.y, box.z)[2]
    floor = 2.0 - torso.above_diaphragm(box.x, box.y, box.z)
    sac = smooth_max(heart - 6.0, np.maximum(floor, lining + 2.0), 6.0)
    canvas.paint(box, sac, "mediastinal_fat")
    heart = smooth_max(heart, np.maximum(floor + 3.0, lining + 7.0), 8.0)
    canvas.paint(box, heart, "heart_muscle")
    left = ellipsoid(u - 8.0, v + 12.0, w - 2.0, (38.0, 19.0, 21.0))
    right = ellipsoid(u + 2.0, v - 20.0, w - 2.0, (40.0, 15.0, 28.0))
    atrium = ellipsoid(u + 40.0, v + 2.0, w - 4.0, (17.0, 28.0, 30.0))
    for chamber in (left, right, atrium):
        canvas.paint(box, np.maximum(chamber, heart + 3.0), "heart_blood")


def paint_esophagus(canvas: Canvas, chest: Chest) -> None:
    """Paint the gullet from the chest to the cardia."""
    found = canvas.tube(chest.esophagus)
    if found is None:
        return
    box, distance = found
    canvas.paint(box, distance, "esophagus_wall")
    canvas.paint(box, distance + 5.5, "esophagus_lumen")
    canvas.claim(box, distance)
