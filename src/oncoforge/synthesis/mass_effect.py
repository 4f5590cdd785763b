"""Mass effect: a growing lesion pushes the tissue around it outwards, inside its organ."""

from __future__ import annotations

import numpy as np

from oncoforge.compiled import compiled, inlined
from oncoforge.synthesis.base import LesionMask
from oncoforge.synthesis.scene import Scene

REACH = 1.3
"""The push ends at this many radii (value of a public re-implementation of Hu et al. 2023)."""


def push(scene: Scene, mask: LesionMask, strength: float) -> None:
    """Magnify the organ about a lesion's centre, image and earlier lesions alike, in place.

    A voxel at distance d from the centre takes its value from distance
    ``d (1 - (1 - d / d_max)^2 strength)`` in the same direction; beyond ``d_max`` = 1.3 radii, and
    wherever that source is not in the organ, nothing changes. HU are interpolated by cubic splines
    (at the organ's surface by the nearest voxel, so that nothing from beyond it comes in), lesion
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
    reach = REACH * radius / spacing
    box = scene.clip(np.floor(centre - reach), np.ceil(centre + reach) + 1)
    if box is None:
        return
    image, instances = scene.image[box], scene.instances[box]
    new_image, new_instances = _magnify(
        np.ascontiguousarray(image),
        np.ascontiguousarray(instances),
        np.ascontiguousarray(scene.organ[box]),
        centre - [s.start for s in box],
        spacing,
        REACH * radius,
        strength,
    )
    image[...] = new_image
    instances[...] = new_instances


@compiled
def _magnify(image, instances, organ, centre, spacing, farthest, strength):  # type: ignore[no-untyped-def]
    """Return image and instances of a box after the push."""
    new_image, new_instances = image.copy(), instances.copy()
    nx, ny, nz = image.shape
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                if not organ[i, j, k]:
                    continue
                x, y, z = i - centre[0], j - centre[1], k - centre[2]
                distance = np.sqrt(
                    (x * spacing[0]) ** 2 + (y * spacing[1]) ** 2 + (z * spacing[2]) ** 2
                )
                if distance >= farthest or distance == 0.0:
                    continue
                factor = 1.0 - (1.0 - distance / farthest) ** 2 * strength
                # Between the centre and a voxel of the box, so never outside the box itself.
                si, sj, sk = centre[0] + factor * x, centre[1] + factor * y, centre[2] + factor * z
                ni, nj, nk = int(si + 0.5), int(sj + 0.5), int(sk + 0.5)
                if organ[ni, nj, nk]:
                    new_instances[i, j, k] = instances[ni, nj, nk]
                    if _surrounded(organ, si, sj, sk):
                        new_image[i, j, k] = _cubic(image, si, sj, sk)
                    else:
                        new_image[i, j, k] = image[ni, nj, nk]
    return new_image, new_instances


@compiled
def _surrounded(organ, x, y, z):  # type: ignore[no-untyped-def]
    """Tell whether all voxels that `_cubic` reads about a position are organ."""
    nx, ny, nz = organ.shape
    i, j, k = int(x), int(y), int(z)
    if i < 1 or j < 1 or k < 1 or i + 2 >= nx or j + 2 >= ny or k + 2 >= nz:
        return False
    for di in range(-1, 3):
        for dj in range(-1, 3):
            for dk in range(-1, 3):
                if not organ[i + di, j + dj, k + dk]:
                    return False
    return True


@compiled
def _cubic(image, x, y, z):  # type: ignore[no-untyped-def]
    """Interpolate by Catmull-Rom splines, which keep more of the scan's noise than lines do."""
    i, j, k = int(x), int(y), int(z)
    total = 0.0
    for di in range(-1, 3):
        wi = _weight(x - i - di)
        for dj in range(-1, 3):
            wj = wi * _weight(y - j - dj)
            for dk in range(-1, 3):
                total += wj * _weight(z - k - dk) * image[i + di, j + dj, k + dk]
    return total


@inlined
def _weight(distance):  # type: ignore[no-untyped-def]
    """Return the Catmull-Rom weight of a sample at this distance, in voxels."""
    d = abs(distance)
    if d < 1.0:
        return 1.0 + d * d * (1.5 * d - 2.5)
    return 2.0 - d * (4.0 - d * (2.5 - 0.5 * d))
