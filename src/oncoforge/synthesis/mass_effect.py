"""Mass effect: a growing lesion pushes the tissue around it outwards, inside its organ."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from oncoforge.synthesis.base import LesionMask
from oncoforge.synthesis.scene import Scene

REACH = 1.3
"""The push ends at this many radii (value of a public re-implementation of Hu et al. 2023)."""


def push(scene: Scene, mask: LesionMask, strength: float) -> None:
    """Magnify the organ about a lesion's centre, image and earlier lesions alike, in place.

    A voxel at distance d from the centre takes its value from distance
    ``d (1 - (1 - d / d_max)^2 strength)`` in the same direction; beyond ``d_max`` = 1.3 radii, and
    wherever that source is not in the organ, nothing changes. HU are interpolated linearly, lesion
    ids by the nearest voxel.

    Parameters
    ----------
    scene
        Its image and instances are changed.
    mask
        The lesion that pushes.
    strength
        0 (no effect) to below 1.
    """
    spacing = np.asarray(scene.spacing)
    inside = np.argwhere(mask.inside)
    centre = inside.mean(axis=0) + [s.start for s in mask.box]
    radius = (3 * len(inside) * spacing.prod() / (4 * np.pi)) ** (1 / 3)
    farthest = REACH * radius
    reach = farthest / spacing
    box = scene.clip(np.floor(centre - reach), np.ceil(centre + reach) + 1)
    if box is None:
        return
    start = np.array([s.start for s in box])
    organ = scene.organ[box]
    voxels = np.argwhere(organ)
    offset = (voxels + start - centre) * spacing
    distance = np.sqrt((offset**2).sum(axis=1))
    near = (distance < farthest) & (distance > 0)
    voxels, offset, distance = voxels[near], offset[near], distance[near]
    factor = 1.0 - (1.0 - distance / farthest) ** 2 * strength
    source = offset * factor[:, None] / spacing + centre - start
    nearest = np.rint(source).astype(int)
    kept = organ[tuple(nearest.T)]
    voxels, source, nearest = voxels[kept], source[kept], nearest[kept]
    target = tuple(voxels.T)
    image, instances = scene.image[box], scene.instances[box]
    # Both are read whole before either is written.
    pushed = ndimage.map_coordinates(image, source.T, order=1, mode="nearest")
    image[target] = pushed
    instances[target] = instances[tuple(nearest.T)]
