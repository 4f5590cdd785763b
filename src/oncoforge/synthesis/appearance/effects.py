"""What a lesion may show besides texture: a capsule, a necrotic core, a filling of another HU."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from oncoforge.synthesis.appearance.mottle import Mottle
from oncoforge.synthesis.base import LesionMask
from oncoforge.synthesis.scene import Box, Scene
from oncoforge.synthesis.smoothing import smooth_inside

_RIM_LEVEL, _RIM_WIDTH = 0.55, 0.3
"""The capsule is brightest where the softened mask has this level, and ends this far from it (about
the shell from 0.4 to 0.7 of a public re-implementation of Hu et al. 2023)."""

_CORE_EDGE_MM = 1.5

_GRAIN_HU = 40.0
"""Differences from the smoothed scan up to this count as noise, beyond it as structure."""

_FILL_SMOOTH_MM = 2.0

_FILL_MOTTLE_HU = 40.0
"""Contrast between the darkest and brightest texture of a lesion that is filled to a wanted HU."""


def capsule(soft: NDArray[np.float32], rim_hu: float) -> NDArray[np.float32]:
    """Return the HU that a capsule adds.

    Parameters
    ----------
    soft
        float32: 0 outside the lesion, 1 deep inside.
    rim_hu
        HU at its brightest.
    """
    # A ramp to both sides of the middle level: it shows on coarse grids too, where hardly a
    # voxel would lie between two limits.
    shell = 1.0 - np.abs(soft - _RIM_LEVEL) / _RIM_WIDTH
    # A lesion so small that its softened mask has no inside is no place for a capsule.
    depth = (float(soft.max()) - _RIM_LEVEL) / (1.0 - _RIM_LEVEL)
    return max(depth, 0.0) * rim_hu * np.maximum(shell, 0.0).astype(np.float32)


def core(scene: Scene, box: Box, mask: LesionMask, hu: float, part: float) -> NDArray[np.float32]:
    """Return the HU that a necrotic core adds on a box that holds the lesion's.

    Parameters
    ----------
    scene, box
        Where.
    mask
        The lesion.
    hu
        Change inside the core.
    part
        Size of the core: the part of the lesion's greatest depth that it takes.
    """
    import edt  # slow to import, and only lesions with a core need it

    spacing = np.asarray(scene.spacing)
    inside = np.zeros([s.stop - s.start for s in box], np.bool_)
    place = tuple(
        slice(m.start - b.start, m.stop - b.start) for m, b in zip(mask.box, box, strict=True)
    )
    inside[place] = mask.inside
    distance = edt.edt(inside, anisotropy=tuple(spacing), black_border=True, parallel=1)
    deep = (distance > (1.0 - part) * distance.max()).astype(np.float32)
    return hu * scipy.ndimage.gaussian_filter(deep, _CORE_EDGE_MM / spacing)


def filling(
    scene: Scene, box: Box, mottle: Mottle, soft: NDArray[np.float32], fill_hu: float
) -> NDArray[np.float32]:
    """Return the change that fills a lesion to an HU, whatever was there, and mottles it.

    Parameters
    ----------
    scene, box
        Where.
    mottle
        Texture of the lesion.
    soft
        float32, shape of the box: 0 outside the lesion, 1 deep inside.
    fill_hu
        HU to reach.
    """
    change = mottle.times(scene, box, soft, _FILL_MOTTLE_HU, shift=-0.5)
    image = scene.image[box]
    around = smooth_inside(image, scene.room[box], scene.spacing, _FILL_SMOOTH_MM)
    # The scan's noise stays, but no vessel, wall or gas shows through.
    grain = np.clip(image - around, -_GRAIN_HU, _GRAIN_HU)
    change += soft * (fill_hu + grain - image)
    return change
