"""The muscles behind the viscera: psoas, quadratus lumborum, crura of the diaphragm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oncoforge.phantom.canvas import Canvas
from oncoforge.phantom.spine import Spine
from oncoforge.phantom.tubes import Tube, tube


@dataclass(frozen=True)
class Muscles:
    """Long muscles as tubes, nominal mm, first painted first."""

    tubes: tuple[Tube, ...]


def draw_muscles(rng: np.random.Generator, spine: Spine) -> Muscles:
    """Draw muscles along a column."""
    strength = rng.normal(1.0, 0.1)
    parts = []
    for side in (-1.0, 1.0):
        heights = np.array([8.0, -20.0, -55.0, -95.0, -135.0, -190.0])
        x, y = spine.axis(heights)
        lateral = np.array([24.0, 31.0, 38.0, 45.0, 53.0, 62.0])
        forward = np.array([-10.0, -11.0, -11.0, -8.0, 1.0, 21.0])
        knots = np.stack([x + side * lateral, y + forward, heights], axis=1)
        radii = np.array([4.0, 10.0, 16.0, 20.0, 21.0, 19.0]) * strength
        parts.append(tube(knots, radii, aspect=1.2, flat=(1.0, 0.7 * side, 0.0)))
        heights = np.array([25.0, -30.0, -70.0, -115.0])
        x, y = spine.axis(heights)
        knots = np.stack([x + side * np.array([50, 58, 64, 72]), y - 30.0, heights], axis=1)
        flat = (0.35 * side, 1.0, 0.0)
        parts.append(tube(knots, np.array([12, 18, 21, 23]) * strength, aspect=1.35, flat=flat))
        heights = np.array([-50.0, -20.0, 15.0, 45.0, 75.0, 92.0])
        x, y = spine.axis(heights)
        inward = np.array([9.0, 11.0, 14.0, 16.0, 20.0, 26.0])
        onto = np.array([15.0, 17.0, 19.0, 22.0, 28.0, 38.0])
        knots = np.stack([x - 5.0 + side * (inward + 2), y + onto, heights], axis=1)
        parts.append(tube(knots, [3.0, 6.5, 9.5, 10.0, 8.0, 4.0], aspect=2.0, flat=(1, side, 0)))
    return Muscles(tuple(parts))


def paint_muscles(canvas: Canvas, muscles: Muscles) -> None:
    """Paint the muscles into what room the bones leave."""
    for part in muscles.tubes:
        found = canvas.tube(part)
        if found is None:
            continue
        box, distance = found
        # They grow from the wall and the bones: no fat plane, and room only in front of them.
        distance = canvas.carve(box, distance, -0.3, 1.0)
        canvas.paint(box, distance, "muscle")
        # A hair of fat stays between one muscle and the next.
        canvas.claim(box, distance - 0.8)
