"""Kidneys with cortex, pyramids, sinus and pelvis; adrenal glands above them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oncoforge.anatomy import LABELS
from oncoforge.phantom.canvas import Array, Box, Canvas
from oncoforge.phantom.shapes import Frame, ellipsoid, frame, smooth_max, smooth_min
from oncoforge.phantom.spine import Spine
from oncoforge.phantom.texture import Texture
from oncoforge.phantom.tubes import Tube, join, polyline, shifted, tube


@dataclass(frozen=True)
class Kidney:
    """One kidney: a frame (to the hilum, across, to the upper pole) and what lies in it.

    Attributes
    ----------
    place
        Local frame; u points to the hilum.
    half_mm
        Half-depth towards the hilum, half-thickness, half-length.
    pyramids, calyces
        Medulla and collecting system.
    adrenal
        The gland above.
    fat_mm
        Thickness of the perirenal fat.
    """

    place: Frame
    half_mm: tuple[float, float, float]
    pyramids: Tube
    calyces: Tube
    adrenal: Tube
    fat_mm: float

    def distances(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        """Distance to the bean and to its sinus."""
        u, v, w = self.place.local(x, y, z)
        a, b, c = self.half_mm
        bend = u + 5.0 * (w / c) ** 2 - 3.0
        bean = ellipsoid(bend, v, w, (a, b, c))
        notch = ellipsoid(u - 1.1 * a, v, w, (0.62 * a, 0.42 * b, 0.40 * c))
        bean = smooth_max(bean, -notch, 6.0)
        core = ellipsoid(u - 0.28 * a, v, w, (0.48 * a, 0.42 * b, 0.56 * c))
        mouth = ellipsoid(u - 0.9 * a, v, w, (0.8 * a, 0.38 * b, 0.34 * c))
        return bean, smooth_min(core, mouth, 4.0)


def draw_kidneys(rng: np.random.Generator, spine: Spine) -> tuple[Kidney, Kidney]:
    """Draw the right and the left kidney."""
    return _draw_kidney(rng, spine, 1.0), _draw_kidney(rng, spine, -1.0)


def _draw_kidney(rng: np.random.Generator, spine: Spine, side: float) -> Kidney:
    height = (-22.0 if side > 0 else -8.0) + rng.normal(0.0, 5.0)
    _, back = spine.axis(np.asarray(height))
    centre = [side * (68.0 + rng.normal(0.0, 2.0)), float(back) - 3.0 + rng.normal(0, 2.0), height]
    axis = [-0.22 * side, -0.20 + rng.normal(0.0, 0.04), 1.0]
    hilum = [-side, 0.55 + rng.normal(0.0, 0.12), 0.0]
    place = frame(centre, hilum, axis)
    size = rng.normal(1.05, 0.04)
    half = (28.5 * size, 25.0 * size, 53.0 * size * rng.normal(1.0, 0.03))
    return Kidney(
        place,
        half,
        _pyramids(rng, place, half),
        _calyces(rng, place, half, side),
        _adrenal(spine, height + half[2] - 6.0, side),
        float(rng.uniform(3.0, 6.5)),
    )


def _pyramids(rng: np.random.Generator, place: Frame, half: tuple[float, float, float]) -> Tube:
    """Cones that stand on the sinus and point away from it, in rows from pole to pole."""
    a, b, c = half
    cones = []
    for level in (-0.72, -0.42, -0.14, 0.14, 0.42, 0.72):
        for turn in (-0.62, 0.0, 0.62) if abs(level) < 0.6 else (-0.4, 0.4):
            angle = np.pi + turn * 1.9 + rng.normal(0.0, 0.1)
            out = np.array([np.cos(angle), np.sin(angle), 1.25 * level + rng.normal(0.0, 0.05)])
            start = np.array([0.12 * a, 0.0, 0.52 * level * c])
            shrink = np.sqrt(1.0 - 0.75 * level**2)
            end = start + out * [0.62 * a * shrink, 0.62 * b * shrink, 0.26 * c]
            near = start + 0.45 * (end - start)
            width = rng.uniform(6.0, 7.4) * a / 28.0
            cones.append(polyline(place.world([near, end]), [2.2, width]))
    return join(cones)


def _calyces(
    rng: np.random.Generator, place: Frame, half: tuple[float, float, float], side: float
) -> Tube:
    """Run calyces from the poles into the pelvis, and the pelvis into the ureter."""
    a, _, c = half
    pelvis = np.array([0.75 * a, 0.0, -0.05 * c])
    parts = []
    for level in (-0.38, 0.0, 0.38):
        start = np.array([0.15 * a, rng.normal(0.0, 1.5), level * c])
        parts.append(tube(place.world([start, 0.5 * (start + pelvis), pelvis]), [2.6, 1.6, 2.8]))
    exit_ = place.world([1.25 * a, 0.0, -0.18 * c])
    low = np.array([side * 38.0, exit_[1] + 2.0, -75.0])
    end = np.array([side * 36.0, exit_[1] + 12.0, -140.0])
    parts.append(tube([place.world(pelvis), exit_, low, end], [3.8, 3.0, 1.7, 1.7]))
    return join(parts)


def _adrenal(spine: Spine, top_mm: float, side: float) -> Tube:
    """Thin limbs, an inverted V: behind the vena cava on the right, beside the crus on the left."""
    x, y = (float(value) for value in spine.axis(np.asarray(top_mm)))
    apex = np.array([x + (29.0 if side > 0 else -37.0), y + (16.0 if side > 0 else 20.0), top_mm])
    limbs = []
    for outward, back in ((1.0, -24.0), (9.0, -19.0)):
        knee = shifted(apex, side * outward / 3, back / 2, -6.0)
        tip = shifted(apex, side * outward, back, -14.0)
        limbs.append(tube([shifted(apex, 0.0, 3.0, 6.0), knee, tip], [4.0, 5.0, 3.0]))
    limbs.append(tube([shifted(apex, 0.0, 5.0, -6.0), shifted(apex, 0.0, 2.0, 9.0)], [4.5, 4.0]))
    flat = np.array([1.0, 0.3 * side, 0.0])
    thin = [
        Tube(limb.points, limb.radii, limb.edges, np.tile(flat, (len(limb.edges), 1)), 1.7)
        for limb in limbs
    ]
    return join(thin)


def paint_kidney(canvas: Canvas, kidney: Kidney, lumps: Texture) -> None:
    """Paint a kidney, its adrenal gland, and hold the fat around both."""
    gland = canvas.tube(kidney.adrenal)
    if gland is not None:
        box, distance = gland
        distance = canvas.carve(box, distance, 1.0, 1.0)
        canvas.paint(box, distance, "adrenal_gland")
        canvas.claim(box, distance - 1.5)
    reach = max(kidney.half_mm) + 6.0
    region = canvas.box(kidney.place.origin - reach, kidney.place.origin + reach)
    if region is not None:
        _paint_bean(canvas, region, kidney, lumps)
    _paint_collecting(canvas, kidney)


def _paint_bean(canvas: Canvas, box: Box, kidney: Kidney, lumps: Texture) -> None:
    """Paint cortex, medulla and sinus."""
    bean, sinus = kidney.distances(box.x, box.y, box.z)
    bumps = canvas.bumps(box, lumps)
    bean = canvas.carve(box, bean + 1.0 * bumps, 2.5, 4.0)
    sinus = np.maximum(sinus + 1.2 * bumps, bean - 9.0).astype(np.float32)
    canvas.paint(box, bean, "kidney_cortex")
    _paint_pyramids(canvas, kidney)
    canvas.paint(box, np.maximum(sinus, bean), "renal_sinus_fat")
    canvas.claim(box, bean - np.float32(kidney.fat_mm))


def _paint_pyramids(canvas: Canvas, kidney: Kidney) -> None:
    """Paint the medulla and leave a rind of cortex around it."""
    found = canvas.tube(kidney.pyramids)
    if found is None:
        return
    box, distance = found
    bean, _ = kidney.distances(box.x, box.y, box.z)
    distance = smooth_max(distance, bean + 5.5, 3.0)
    in_kidney = canvas.labels[box.at] == LABELS["kidney"]
    canvas.paint(box, np.where(in_kidney, distance, np.float32(5.0)), "kidney_medulla")


def _paint_collecting(canvas: Canvas, kidney: Kidney) -> None:
    """Paint calyces and ureter; what runs outside the kidney is not labelled kidney."""
    found = canvas.tube(kidney.calyces)
    if found is None:
        return
    box, distance = found
    canvas.paint(box, distance, "renal_pelvis", "body")
    bean, _ = kidney.distances(box.x, box.y, box.z)
    canvas.relabel(box, (distance < 0) & (bean < 0), "kidney")
    canvas.claim(box, distance)
