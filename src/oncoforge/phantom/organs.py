"""Spleen and pancreas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from oncoforge.phantom.canvas import Canvas
from oncoforge.phantom.shapes import Frame, ellipsoid, frame, smooth_max
from oncoforge.phantom.texture import Texture
from oncoforge.phantom.torso import Torso
from oncoforge.phantom.tubes import Tube, shifted, tube


@dataclass(frozen=True)
class Spleen:
    """A cap of tissue under the left dome, hollow towards the stomach and the kidney."""

    place: Frame
    half_mm: tuple[float, float, float]
    hollow_mm: float

    @property
    def hilum(self) -> npt.NDArray[np.float64]:
        """Where its vein leaves, nominal mm."""
        return self.place.world([0.62 * self.half_mm[0], 2.0, -6.0])


def draw_spleen(rng: np.random.Generator, torso: Torso) -> Spleen:
    """Draw a spleen against the left wall."""
    height = 52.0 + rng.normal(0.0, 4.0) + 0.4 * (torso.domes_mm[1] - 99.0)
    size = rng.normal(1.0, 0.07)
    radius = float(
        np.ravel(torso.cavity_radius(np.radians(np.asarray(112.0)), np.asarray(50.0)))[0]
    )
    angle = np.radians(112.0)
    centre = [-(radius - 25.0) * np.sin(angle), (radius - 25.0) * np.cos(angle), height]
    place = frame(centre, [1.0, 0.42, -0.2], [0.12, -0.28, 1.0])
    return Spleen(place, (44.0 * size, 58.0 * size, 62.0 * size), float(rng.uniform(8.0, 13.0)))


def paint_spleen(canvas: Canvas, spleen: Spleen, lumps: Texture) -> None:
    """Paint the spleen in what diaphragm, wall, kidney and liver leave."""
    reach = max(spleen.half_mm) + 4.0
    box = canvas.box(spleen.place.origin - reach, spleen.place.origin + reach)
    if box is None:
        return
    u, v, w = spleen.place.local(box.x, box.y, box.z)
    a, b, c = spleen.half_mm
    distance = ellipsoid(u, v, w, (a, b, c)) + 1.6 * canvas.bumps(box, lumps)
    hollow = ellipsoid(u - 1.62 * a, v - 8.0, w + 4.0, (a, 0.9 * b, 0.9 * c)) - spleen.hollow_mm / 4
    distance = canvas.carve(box, smooth_max(distance, -hollow, 6.0), 1.0, 9.0)
    canvas.paint(box, distance, "spleen")
    canvas.claim(box, distance)


@dataclass(frozen=True)
class Pancreas:
    """Head in the loop of the duodenum, tail at the spleen, one lobulated tube."""

    course: Tube
    lobules_mm: float


def draw_pancreas(rng: np.random.Generator, spleen: Spleen) -> Pancreas:
    """Draw a pancreas that ends near the hilum of a spleen."""
    tail = shifted(spleen.hilum, 14.0, 6.0, -2.0)
    lift = rng.normal(0.0, 4.0)
    knots = np.array([
        [25.0, 14.0, -34.0], [27.0, 21.0, -14.0], [12.0, 31.0, 2.0], [-14.0, 31.0, 12.0 + lift],
        [-44.0, 15.0, 24.0 + lift], tail,
    ])  # fmt: skip
    radii = np.array([11.0, 15.5, 9.0, 10.5, 11.5, 9.5]) * rng.normal(1.0, 0.08)
    course = tube(knots, radii, aspect=1.15, flat=(0.3, 1.0, 0.3))
    return Pancreas(course, float(rng.uniform(1.0, 2.0)))


def paint_pancreas(canvas: Canvas, pancreas: Pancreas, lobules: Texture) -> None:
    """Paint the pancreas around the vessels that run behind and through it."""
    found = canvas.tube(pancreas.course)
    if found is None:
        return
    box, distance = found
    distance = distance + pancreas.lobules_mm * canvas.bumps(box, lobules)
    distance = canvas.carve(box, distance, 0.8, 2.0)
    canvas.paint(box, distance, "pancreas")
    canvas.claim(box, distance)
