"""Stomach, duodenum, colon and small bowel: walls around fluid, stool and gas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oncoforge.phantom.canvas import Array, Box, Canvas
from oncoforge.phantom.texture import Texture
from oncoforge.phantom.tubes import Tube, tube

# Wall, content and gas, by label.
_MATERIALS = {
    "stomach": ("stomach_wall", "stomach_fluid", "stomach_gas"),
    "duodenum": ("duodenum_wall", "bowel_fluid", "bowel_gas"),
    "small_bowel": ("bowel_wall", "bowel_fluid", "bowel_gas"),
    "colon": ("colon_wall", "stool", "bowel_gas"),
}


@dataclass(frozen=True)
class Loop:
    """A piece of gut.

    Attributes
    ----------
    course
        Outer surface, nominal mm.
    wall_mm
        Thickness of the wall.
    gas_above_mm
        Height (y, nominal mm) of the fluid level: gas floats to the front of a patient on the
        back. Infinite if there is no gas.
    """

    course: Tube
    wall_mm: float
    gas_above_mm: float


@dataclass(frozen=True)
class Gut:
    """All pieces, in the order in which they take their place."""

    stomach: Loop
    duodenum: Loop
    colon: tuple[Loop, ...]
    small_bowel: tuple[Loop, ...]


def draw_gut(rng: np.random.Generator) -> Gut:
    """Draw a gut."""
    return Gut(_stomach(rng), _duodenum(rng), _colon(rng), _small_bowel(rng))


def _stomach(rng: np.random.Generator) -> Loop:
    sag = rng.normal(0.0, 6.0)
    full = rng.uniform(0.75, 1.1)
    knots = np.array([
        [-58.0, -18.0, 78.0], [-66.0, 6.0, 62.0], [-66.0, 34.0, 36.0], [-48.0, 56.0, 6.0 + sag],
        [-18.0, 62.0, -12.0 + sag], [14.0, 54.0, -2.0], [30.0, 44.0, 8.0],
    ]) + rng.normal(0.0, 2.0, (7, 3))  # fmt: skip
    radii = np.array([31.0, 33.0, 30.0, 25.0, 20.0, 14.0, 8.0]) * full
    return Loop(tube(knots, radii), 4.0, float(rng.uniform(36.0, 58.0)))


def _duodenum(rng: np.random.Generator) -> Loop:
    knots = np.array([
        [34.0, 43.0, 6.0], [45.0, 28.0, 4.0], [48.0, 16.0, -18.0], [45.0, 12.0, -48.0],
        [28.0, 11.0, -62.0], [0.0, 13.0, -60.0], [-24.0, 14.0, -50.0], [-34.0, 26.0, -30.0],
    ]) + rng.normal(0.0, 1.5, (8, 3))  # fmt: skip
    return Loop(tube(knots, [12.0, 12, 12.5, 12.5, 11.5, 9.0, 11, 11]), 2.6, float("inf"))


def _haustra(rng: np.random.Generator, course: Tube, depth: float) -> Tube:
    """Pinch a tube every few centimetres, as the bands of the colon do."""
    step = np.linalg.norm(np.diff(course.points, axis=0), axis=1)
    arc = np.concatenate([[0.0], np.cumsum(step)])
    pinch = np.abs(np.sin(np.pi * arc / rng.uniform(24.0, 32.0) + rng.uniform(0, np.pi)))
    slow = 1.0 + 0.08 * np.sin(arc / 37.0 + rng.uniform(0, 6.3))
    radii = course.radii * slow * (1.0 - depth * (1.0 - pinch**0.7))
    return Tube(course.points, radii, course.edges, course.normals, course.aspect)


def _colon(rng: np.random.Generator) -> tuple[Loop, ...]:
    sag = rng.normal(0.0, 10.0)
    ascending = [[82, 4, -150], [90, -2, -115], [92, -2, -80], [86, 8, -52], [80, 28, -40]]
    transverse = [
        [80, 30, -42], [62, 58, -44], [30, 72, -52 + sag], [-8, 74, -56 + sag],
        [-48, 66, -46 + sag], [-80, 40, -14], [-98, 8, 16],
    ]  # fmt: skip
    descending = [[-98, 6, 16], [-106, -16, 4], [-104, -22, -40], [-100, -16, -90], [-92, 0, -135],
                  [-72, 14, -165]]  # fmt: skip
    loops = []
    for knots, radii, level in (
        (ascending, [24.0, 26.0, 24.0, 22.0, 18.0], 14.0),
        (transverse, [18.0, 19.0, 19.0, 18.0, 17.0, 17.0, 15.0], 66.0),
        (descending, [14.0, 14.0, 12.5, 12.0, 12.0, 12.0], 2.0),
    ):
        wander = np.array(knots, float) + rng.normal(0.0, 3.0, (len(knots), 3))
        course = tube(wander, np.array(radii) * rng.normal(1.0, 0.1), step_mm=3.0)
        loops.append(Loop(_haustra(rng, course, 0.32), 2.2, level + rng.normal(0.0, 5.0)))
    return tuple(loops)


def _small_bowel(rng: np.random.Generator) -> tuple[Loop, ...]:
    """Draw sausages of a few centimetres at random in the middle of the abdomen."""
    loops = []
    for _ in range(90):
        centre = rng.uniform([-84.0, -8.0, -178.0], [76.0, 76.0, -14.0])
        heading = rng.normal(0.0, 1.0, 3) * [1.0, 0.7, 0.8]
        heading /= np.linalg.norm(heading)
        bend = np.cross(heading, rng.normal(0.0, 1.0, 3))
        length = rng.uniform(36.0, 80.0)
        t = np.linspace(-1.0, 1.0, 5)[:, None]
        knots = centre + t * heading * length / 2 + (1 - t**2) * bend * rng.uniform(8.0, 22.0)
        radius = rng.uniform(9.0, 14.5)
        wall = rng.uniform(1.8, 0.5 * radius)
        gas = centre[1] + rng.uniform(-2, 6) if rng.random() < 0.2 else float("inf")
        course = tube(knots, np.array([0.75, 1.0, 0.95, 1.0, 0.75]) * radius)
        loops.append(Loop(course, wall, gas))
    return tuple(loops)


def paint_gut(canvas: Canvas, gut: Gut, lumps: Texture, folds: Texture) -> None:
    """Paint the gut in what the solid organs leave; its inner surface is folded."""
    textures = (lumps, folds)
    for label, loops in (
        ("duodenum", (gut.duodenum,)),
        ("stomach", (gut.stomach,)),
        ("colon", gut.colon),
        ("small_bowel", gut.small_bowel),
    ):
        for loop in loops:
            _paint_loop(canvas, loop, textures, label)


def _paint_loop(
    canvas: Canvas,
    loop: Loop,
    textures: tuple[Texture, Texture],
    label: str,
) -> None:
    """Paint wall, content and gas of one piece."""
    found = canvas.tube(loop.course)
    if found is None:
        return
    box, distance = found
    lumps, folds = (canvas.bumps(box, texture) for texture in textures)
    distance = canvas.carve(box, distance + 0.8 * lumps, 1.2, 4.0)
    wall, content, gas = _MATERIALS[label]
    lumen = distance + loop.wall_mm + 0.5 * lumps + 0.25 * loop.wall_mm * folds
    canvas.paint(box, distance, wall, label)
    canvas.paint(box, lumen, content, label)
    if np.isfinite(loop.gas_above_mm):
        canvas.paint(box, np.maximum(lumen, _below(canvas, box, loop.gas_above_mm)), gas, label)
    canvas.claim(box, distance)


def _below(canvas: Canvas, box: Box, level_mm: float) -> Array:
    """Distance to the space in front of a level; fluid is level with the room, not the patient."""
    y = canvas.axes[1][box.at[1]] / canvas.pose.scale[1]
    below: Array = (level_mm - y).astype(np.float32)[None, :, None]
    return below
