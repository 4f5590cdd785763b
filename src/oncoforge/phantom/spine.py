"""Vertebrae, discs, spinal canal: where they stand, and how they are painted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from oncoforge.phantom.canvas import Array, Box, Canvas
from oncoforge.phantom.shapes import smooth_max
from oncoforge.phantom.texture import Texture
from oncoforge.phantom.tubes import Tube, join, polyline, tube

# Centres of the vertebral bodies, sacrum to fifth thoracic, in nominal mm of height.
_HEIGHT_MM = {
    "S1": -181.0, "L5": -146.0, "L4": -109.5, "L3": -73.0, "L2": -36.5, "L1": 0.0, "T12": 33.0,
    "T11": 63.0, "T10": 92.0, "T9": 120.0, "T8": 147.0, "T7": 173.0, "T6": 198.0,
}  # fmt: skip
_CURVE_Z = (-210, -181, -146, -109, -72, -36, 0, 33, 63, 92, 120, 150, 180, 230)
_CURVE_Y = (-62, -50, -37, -28, -25, -27, -31, -35, -39, -42, -45, -47, -49, -50)


@dataclass(frozen=True)
class Vertebra:
    """One vertebral body and its arch, nominal mm.

    Attributes
    ----------
    centre
        (x, y, z) of the body.
    half
        Half-width, half-depth, half-height of the body.
    tilt
        Slope dz/dy of its endplates.
    arch
        Pedicles, laminae, articular and transverse processes.
    spinous
        The spinous process.
    """

    centre: tuple[float, float, float]
    half: tuple[float, float, float]
    tilt: float
    arch: Tube
    spinous: Tube


@dataclass(frozen=True)
class Spine:
    """The visible column and the curve it follows."""

    sway_mm: float
    lordosis: float
    vertebrae: tuple[Vertebra, ...]

    def axis(self, z: Array) -> tuple[Array, Array]:
        """Position (x, y) in mm of the centre of the column at heights ``z``."""
        return spine_axis(z, self.sway_mm, self.lordosis)


def spine_axis(z: Array, sway_mm: float, lordosis: float) -> tuple[Array, Array]:
    """Centre line of the column: a slight sway, a lumbar lordosis, a thoracic kyphosis."""
    z = np.asarray(z, float)
    y = PchipInterpolator(_CURVE_Z, _CURVE_Y)(np.clip(z, -210, 230))
    return sway_mm * np.sin(z / 75.0), -36.0 + (y + 36.0) * lordosis


def draw_spine(rng: np.random.Generator) -> Spine:
    """Draw a column."""
    sway, lordosis = float(rng.normal(0.0, 1.5)), float(rng.normal(1.0, 0.12))
    parts = []
    for name, z in _HEIGHT_MM.items():
        x, y = spine_axis(np.array([z - 8.0, z, z + 8.0]), sway, lordosis)
        slope = float(y[2] - y[0]) / 16.0
        parts.append(_draw_vertebra(rng, name, (float(x[1]), float(y[1]), z), -slope))
    return Spine(sway, lordosis, tuple(parts))


def _draw_vertebra(
    rng: np.random.Generator, name: str, centre: tuple[float, float, float], tilt: float
) -> Vertebra:
    x, y, z = centre
    lumbar = name[0] in "LS"
    grow = float(np.clip(1.0 - z / 900.0, 0.8, 1.15))
    half = (22.5 * grow if lumbar else 18.5 * grow, 16.5 * grow, (14.0 if lumbar else 12.3) * grow)
    back = y - half[1]
    wide = 13.0 if lumbar else 10.5
    reach, drop = (38.0, 2.0) if lumbar else (30.0, -4.0)
    parts = []
    for side in (-1.0, 1.0):
        jitter = rng.normal(0.0, 0.8, 3)
        pillar = [x + side * (wide + 3.5), back - 15.0, z - 1.0]
        pedicle = [[x + side * wide, back + 3.0, z + 4.0], [x + side * wide, back - 13.0, z + 4.0]]
        parts.append(polyline(pedicle, [4.4, 4.6]))
        parts.append(polyline([pillar, [x + side * 3.0, back - 25.0, z - 6.0]], [5.0, 3.6]))
        facet = [
            [pillar[0], back - 15.0, z + 11.0],
            pillar,
            [pillar[0] - side, back - 18.0, z - 14],
        ]
        parts.append(polyline(facet, [4.2, 5.2, 4.4]))
        tip = np.array([x + side * reach, back - 14.0 - (0 if lumbar else 12), z + drop]) + jitter
        parts.append(tube([[x + side * wide, back - 12.0, z + 3.0], tip], [4.6, 2.8]))
    length = 25.0 if lumbar else 17.0
    fall = 8.0 if lumbar else 22.0
    spinous = [
        [x, back - 23.0, z - 6.0],
        [x + rng.normal(0, 0.8), back - 23.0 - length, z - 6.0 - fall],
    ]
    return Vertebra(
        centre,
        half,
        tilt,
        join(parts),
        tube(spinous, [8.5, 9.5] if lumbar else [6.0, 5.0], aspect=2.6, flat=(1.0, 0.0, 0.0)),
    )


def paint_spine(canvas: Canvas, spine: Spine, grain: Texture) -> None:
    """Paint the column from disc to cortex to marrow, and the canal last."""
    for vertebra in spine.vertebrae:
        _paint_disc(canvas, spine, vertebra)
    for vertebra in spine.vertebrae:
        _paint_arch(canvas, vertebra)
        _paint_body(canvas, vertebra, grain)
    _paint_canal(canvas, spine)


def _body_distance(box: Box, vertebra: Vertebra, half: tuple[float, float, float]) -> Array:
    """Distance to a vertebral body: a waisted drum, flat behind, with tilted endplates."""
    cx, cy, cz = vertebra.centre
    width, depth, height = half
    u, v = box.x - cx, box.y - cy
    w = box.z - cz - vertebra.tilt * v
    behind = np.maximum(-v, 0.0)
    squash = 1.0 + 0.25 * (behind / depth) ** 2 * (np.abs(u) < 0.7 * width)
    n = 2.5
    rho = ((np.abs(u) / width) ** n + (np.abs(v) * squash / depth) ** n) ** (1.0 / n)
    waist = 2.2 * np.clip(1.0 - (w / height) ** 2, 0.0, 1.0)
    side = (rho - 1.0) * (0.5 * (width + depth)) + waist
    cup = 1.6 * np.clip(1.0 - rho, 0.0, 1.0)
    return smooth_max(side.astype(np.float32), (np.abs(w) - height + cup).astype(np.float32), 3.0)


def _vertebra_box(canvas: Canvas, vertebra: Vertebra, extra_mm: float) -> Box | None:
    centre, half = np.array(vertebra.centre), np.array(vertebra.half) + extra_mm
    return canvas.box(centre - half, centre + half)


def _paint_disc(canvas: Canvas, spine: Spine, below: Vertebra) -> None:
    """Paint the disc above a vertebra."""
    z = below.centre[2]
    gap = below.half[2] * 1.25
    ax, ay = spine.axis(np.asarray(z + gap))
    disc = Vertebra((float(ax), float(ay), z + gap), below.half, below.tilt, below.arch, below.arch)
    box = _vertebra_box(canvas, disc, 2.0)
    if box is None:
        return
    width, depth, _ = below.half
    distance = _body_distance(box, disc, (width + 0.5, depth + 0.5, 8.0))
    canvas.paint(box, distance, "intervertebral_disc")
    canvas.claim(box, distance)


def _paint_body(canvas: Canvas, vertebra: Vertebra, grain: Texture) -> None:
    box = _vertebra_box(canvas, vertebra, 3.0)
    if box is None:
        return
    distance = _body_distance(box, vertebra, vertebra.half)
    distance += 0.25 * canvas.bumps(box, grain)
    canvas.paint(box, distance, "cortical_bone", "vertebra")
    canvas.paint(box, distance + 1.2, "trabecular_bone", "vertebra")
    canvas.claim(box, distance)


def _paint_arch(canvas: Canvas, vertebra: Vertebra) -> None:
    for part in (vertebra.arch, vertebra.spinous):
        found = canvas.tube(part)
        if found is None:
            continue
        box, distance = found
        # The distance to a flattened tube grows faster across it, so its cortex is thicker in it.
        canvas.paint(box, distance, "cortical_bone", "vertebra")
        canvas.paint(box, distance + 1.7 * np.sqrt(part.aspect), "trabecular_bone", "vertebra")
        canvas.claim(box, distance)


def _paint_canal(canvas: Canvas, spine: Spine) -> None:
    zs = np.arange(-200.0, 221.0, 10.0)
    x, y = spine.axis(zs)
    deep = np.interp(zs, [-150, 0, 60], [17.5, 16.5, 14.8])
    points = np.stack([x, y - deep - 8.5, zs], axis=1)
    found = canvas.tube(polyline(points, np.full(len(zs), 9.8), aspect=1.15, flat=(0, 1, 0)))
    if found is None:
        return
    box, distance = found
    canvas.paint(box, distance, "visceral_fat")
    canvas.paint(box, distance + 2.4, "spinal_canal")
