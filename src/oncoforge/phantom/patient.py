"""One patient: everything that is drawn from the seed, and the order in which it is painted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oncoforge.phantom.canvas import Canvas, Pose
from oncoforge.phantom.chest import Chest, draw_chest, paint_chest, paint_esophagus
from oncoforge.phantom.gut import Gut, draw_gut, paint_gut
from oncoforge.phantom.kidneys import Kidney, draw_kidneys, paint_kidney
from oncoforge.phantom.liver import Liver, draw_liver, paint_liver
from oncoforge.phantom.muscles import Muscles, draw_muscles, paint_muscles
from oncoforge.phantom.organs import (
    Pancreas,
    Spleen,
    draw_pancreas,
    draw_spleen,
    paint_pancreas,
    paint_spleen,
)
from oncoforge.phantom.ribs import Cage, draw_cage, paint_cage
from oncoforge.phantom.spine import Spine, draw_spine, paint_spine
from oncoforge.phantom.texture import Texture, draw_texture
from oncoforge.phantom.torso import Torso, cut_ends, draw_torso, paint_torso
from oncoforge.phantom.vessels import (
    Vessels,
    draw_vessels,
    paint_great_vessels,
    paint_mesentery,
    paint_portal_vessels,
)


@dataclass(frozen=True)
class Patient:
    """Anatomy in nominal mm, the pose that brings it into the scanner, and its textures."""

    pose: Pose
    torso: Torso
    spine: Spine
    cage: Cage
    muscles: Muscles
    chest: Chest
    kidneys: tuple[Kidney, Kidney]
    liver: Liver
    spleen: Spleen
    pancreas: Pancreas
    gut: Gut
    vessels: Vessels
    lumps: Texture
    lobules: Texture
    fine_grain: Texture
    coarse_grain: Texture
    septa: Texture
    drift: Texture

    def paint(self, canvas: Canvas) -> None:
        """Paint the patient; what comes first holds its place against what comes later."""
        paint_torso(canvas, self.torso, self.lumps, self.lobules)
        paint_chest(canvas, self.chest, self.torso, self.lumps)
        paint_cage(canvas, self.cage)
        paint_spine(canvas, self.spine, self.fine_grain)
        paint_muscles(canvas, self.muscles)
        paint_great_vessels(canvas, self.vessels)
        paint_esophagus(canvas, self.chest)
        for kidney in self.kidneys:
            paint_kidney(canvas, kidney, self.lumps)
        paint_liver(canvas, self.liver, self.lumps)
        paint_portal_vessels(canvas, (self.liver.portal, *self.vessels.portal))
        paint_spleen(canvas, self.spleen, self.lumps)
        paint_pancreas(canvas, self.pancreas, self.lobules)
        paint_gut(canvas, self.gut, self.lumps, self.lobules)
        paint_mesentery(canvas, self.vessels.mesentery)
        cut_ends(canvas)


def draw_patient(rng: np.random.Generator) -> Patient:
    """Draw a patient; every part has its own stream, so that one does not disturb another."""
    parts = rng.spawn(12)
    size = parts[0].normal(1.0, 0.035)
    scale = size * parts[0].normal(1.0, [0.025, 0.025, 0.02])
    roll = float(np.radians(np.clip(parts[0].normal(0.0, 1.5), -4.0, 4.0)))
    torso, spine = draw_torso(parts[1]), draw_spine(parts[2])
    kidneys = draw_kidneys(parts[3], spine)
    spleen = draw_spleen(parts[4], torso)
    return Patient(
        pose=Pose(roll, (float(scale[0]), float(scale[1]), float(scale[2]))),
        torso=torso,
        spine=spine,
        cage=draw_cage(parts[5], torso, spine),
        muscles=draw_muscles(parts[6], spine),
        chest=draw_chest(parts[7], torso, spine),
        kidneys=kidneys,
        liver=draw_liver(parts[8], torso),
        spleen=spleen,
        pancreas=draw_pancreas(parts[4], spleen),
        gut=draw_gut(parts[9]),
        vessels=draw_vessels(parts[10], spine, kidneys, spleen.hilum),
        lumps=draw_texture(parts[11], 9.0, 40),
        lobules=draw_texture(parts[11], 2.4),
        fine_grain=draw_texture(parts[11], 1.0),
        coarse_grain=draw_texture(parts[11], 5.0),
        septa=draw_texture(parts[11], 4.5),
        drift=draw_texture(parts[11], 40.0, 16),
    )
