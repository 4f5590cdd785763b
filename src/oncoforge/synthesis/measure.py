"""Sums over one lesion and the organ around it, in one pass."""

from __future__ import annotations

import numpy as np

from oncoforge.compiled import compiled


@compiled
def lesion_sums(image, organ, instances, ident):  # type: ignore[no-untyped-def]
    """Sum a lesion and its surroundings.

    Parameters
    ----------
    image, organ, instances
        float32, bool and uint16 (x, y, z), contiguous.
    ident
        The lesion's id.

    Returns
    -------
    inside, around : float64 (2,)
        Number of voxels and sum of HU of the lesion, and of organ voxels that hold no lesion.
    centroid : float64 (3,)
        Of the lesion, voxel indices.
    """
    inside = np.zeros(2)
    around = np.zeros(2)
    centroid = np.zeros(3)
    nx, ny, nz = image.shape
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                if instances[i, j, k] == ident:
                    inside[0] += 1
                    inside[1] += image[i, j, k]
                    centroid[0] += i
                    centroid[1] += j
                    centroid[2] += k
                elif organ[i, j, k] and instances[i, j, k] == 0:
                    around[0] += 1
                    around[1] += image[i, j, k]
    return inside, around, centroid / max(inside[0], 1.0)
