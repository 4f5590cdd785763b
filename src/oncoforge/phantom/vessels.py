"""The great vessels and their larger branches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oncoforge.phantom.canvas import Canvas
from oncoforge.phantom.kidneys import Kidney
from oncoforge.phantom.spine import Spine
from oncoforge.phantom.trees import grow_tree
from oncoforge.phantom.tubes import FloatArray, Tube, shifted, tube


@dataclass(frozen=True)
class Vessels:
    """Tubes in nominal mm, by structure."""

    aorta: tuple[Tube, ...]
    cava: tuple[Tube, ...]
    arteries: tuple[Tube, ...]
    veins: tuple[Tube, ...]
    portal: tuple[Tube, ...]
    mesentery: tuple[Tube, ...]


def draw_vessels(
    rng: np.random.Generator, spine: Spine, kidneys: tuple[Kidney, Kidney], spleen_hilum: FloatArray
) -> Vessels:
    """Draw the vessels in front of a column, to two kidneys and a spleen."""
    heights = np.array([225.0, 160.0, 110.0, 70.0, 30.0, -30.0, -75.0, -106.0])
    x, y = spine.axis(heights)
    left = np.array([-24, -24, -18, -9, -8, -10, -8, -5]) + rng.normal(0, 1.0, 8)
    ahead = np.array([16, 18, 24, 29, 29, 28, 27.5, 27.0])
    radii = np.array([12.5, 12.2, 11.6, 11.0, 10.2, 9.2, 8.6, 8.2]) * rng.normal(1.0, 0.06)
    aorta = tube(np.stack([x + left, y + ahead, heights], axis=1), radii)
    fork = aorta.points[-1]
    iliacs = [_iliac(fork, side, 5.4) for side in (-1.0, 1.0)]
    cava, veins_low = _cava(rng, spine)
    arteries, veins = _renal(kidneys, aorta, cava)
    arteries += _gut_arteries(rng, aorta)
    portal, mesentery = _portal(rng, spleen_hilum)
    return Vessels((aorta,), (cava,), (*iliacs, *arteries), (*veins_low, *veins), portal, mesentery)


def _iliac(fork: FloatArray, side: float, radius: float) -> Tube:
    points = [
        fork,
        shifted(fork, side * 12, 2, -18),
        shifted(fork, side * 32, 0, -50),
        shifted(fork, side * 50, 4, -90),
    ]
    return tube(points, radius)


def _cava(rng: np.random.Generator, spine: Spine) -> tuple[Tube, list[Tube]]:
    heights = np.array([-122.0, -80.0, -35.0, 10.0, 45.0, 85.0, 108.0, 128.0])
    x, y = spine.axis(heights)
    right = np.array([14.0, 19.0, 20.0, 21.0, 23.0, 24.0, 25.0, 22.0]) + rng.normal(0, 0.8, 8)
    front = np.array([21.0, 24.0, 25.0, 28.0, 33.0, 42.0, 50.0, 58.0])
    radii = np.array([10.0, 11.0, 11.5, 12.5, 13.0, 13.5, 13.0, 13.0]) * rng.normal(1.0, 0.07)
    points = np.stack([x + right, y + front, heights], axis=1)
    cava = tube(points, radii, aspect=float(rng.uniform(1.15, 1.5)), flat=(0.2, 1.0, 0.2))
    return cava, [_iliac(points[0], side, 6.5) for side in (-1.0, 1.0)]


def _renal(
    kidneys: tuple[Kidney, Kidney], aorta: Tube, cava: Tube
) -> tuple[list[Tube], list[Tube]]:
    arteries, veins = [], []
    for kidney in kidneys:
        a, _, c = kidney.half_mm
        sinus = kidney.place.world([0.35 * a, 2.0, 0.10 * c])
        mouth = kidney.place.world([1.15 * a, 2.0, 0.08 * c])
        origin = _nearest(aorta, mouth)
        bend = 0.5 * (origin + mouth) + [0.0, -3.0, 4.0]
        arteries.append(tube([origin, bend, mouth, sinus], [3.2, 2.8, 2.6, 1.6]))
        sinus = kidney.place.world([0.40 * a, -3.0, -0.02 * c])
        mouth = kidney.place.world([1.2 * a, -4.0, 0.0])
        drain = _nearest(cava, mouth)
        across = [] if mouth[0] > 0 else [[aorta.points[:, 0].mean(), 16.0, mouth[2] + 8.0]]
        veins.append(tube([drain, *across, mouth, sinus], [5.2] * (2 + len(across)) + [2.2]))
        for level in (-0.35, 0.35):
            twig = kidney.place.world([[1.0 * a, -3.0, 0.0], [0.2 * a, 0.0, level * c]])
            veins.append(tube(twig, [3.0, 1.4]))
    return arteries, veins


def _nearest(vessel: Tube, point: FloatArray) -> FloatArray:
    """Point of a vessel at the height of another point."""
    nearest: FloatArray = vessel.points[np.argmin(np.abs(vessel.points[:, 2] - point[2] - 6.0))]
    return nearest


def _gut_arteries(rng: np.random.Generator, aorta: Tube) -> list[Tube]:
    def at(height: float) -> FloatArray:
        point: FloatArray = aorta.points[np.argmin(np.abs(aorta.points[:, 2] - height))]
        return point

    celiac, mesenteric = at(30.0), at(14.0)
    hub = shifted(celiac, 2.0, 20.0, 3.0)
    splenic = [
        hub,
        shifted(hub, -18.0, 2.0, 4.0),
        shifted(hub, -40.0, -12.0, 2.0),
        np.array([-72.0, -18.0, 44.0]),
    ]
    superior = [
        mesenteric,
        shifted(mesenteric, 1.0, 14.0, -4.0),
        shifted(mesenteric, 2.0, 19.0, -25.0),
        shifted(mesenteric, 4.0, 24.0, -70.0),
        np.array([8.0 + rng.normal(0.0, 4.0), 28.0, -105.0]),
    ]
    return [
        tube([celiac, shifted(celiac, 0, 11, 3), hub], [3.8, 3.6, 3.4]),
        tube([hub, shifted(hub, 12, 3, 2), [20.0, 16.0, 34.0]], [2.8, 2.5, 2.2]),
        tube(splenic, [2.8, 2.6, 2.4, 2.0]),
        tube(superior, [3.9, 3.7, 3.5, 2.8, 1.5]),
    ]


def _portal(
    rng: np.random.Generator, spleen_hilum: FloatArray
) -> tuple[tuple[Tube, ...], tuple[Tube, ...]]:
    """Splenic and superior mesenteric vein, and the mesenteric twigs that feed the latter."""
    confluence = np.array([6.0, 14.0, 2.0])
    splenic = tube(
        [confluence, [-14.0, 19.0, 10.0], [-42.0, 2.0, 22.0], spleen_hilum], [4.8, 4.6, 4.2, 3.0]
    )
    superior = tube(
        [confluence, [9.0, 20.0, -20.0], [10.0, 26.0, -55.0], [12.0, 30.0, -85.0]],
        [5.4, 5.2, 4.4, 2.8],
    )
    targets = rng.uniform([-90, 0, -140], [85, 75, -15], (1100, 3))
    keep = ((targets[:, 0] / 92) ** 2 + ((targets[:, 1] - 36) / 45) ** 2) < 1.0
    trees = grow_tree(
        superior.points[3:], targets[keep], 4.4, rng=rng, step_mm=5.0, thinnest_mm=0.9
    )
    return (splenic, superior), (trees,)


def paint_great_vessels(canvas: Canvas, vessels: Vessels) -> None:
    """Paint aorta and vena cava and hold their place."""
    groups = (
        ("vein", vessels.veins),
        ("inferior_vena_cava", vessels.cava),
        ("artery", vessels.arteries),
        ("aorta", vessels.aorta),
    )
    for structure, shapes in groups:
        for shape in shapes:
            found = canvas.tube(shape)
            if found is not None:
                canvas.paint(*found, structure)
                canvas.claim(*found)


def paint_portal_vessels(canvas: Canvas, shapes: tuple[Tube, ...]) -> None:
    """Paint the portal system outside the liver."""
    for shape in shapes:
        found = canvas.tube(shape)
        if found is None:
            continue
        box, distance = found
        distance = canvas.carve(box, distance, 0.3, 1.0)
        canvas.paint(box, distance, "portal_vein")
        canvas.claim(box, distance - 0.4)


def paint_mesentery(canvas: Canvas, shapes: tuple[Tube, ...]) -> None:
    """Paint the twigs that run in the fat between the loops, last of all."""
    for shape in shapes:
        found = canvas.tube(shape)
        if found is None:
            continue
        box, distance = found
        canvas.paint(box, canvas.carve(box, distance, 0.4, 1.0), "vein")
