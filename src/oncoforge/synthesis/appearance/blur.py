"""Gaussian filter of a small mask, in float32, on a box padded to the filter's full reach."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from oncoforge.compiled import compiled
from oncoforge.synthesis.base import LesionMask
from oncoforge.synthesis.scene import Box, Scene

TRUNCATE = 4.0
"""The kernel ends at this many sigma, as scipy.ndimage.gaussian_filter's does."""


@lru_cache(maxsize=256)
def kernel(sigma: float) -> NDArray[np.float32]:
    """Return the right half (centre first) of the normalised Gaussian of `sigma` voxels."""
    radius = int(TRUNCATE * sigma + 0.5)
    x = np.arange(-radius, radius + 1)
    whole = np.exp(-0.5 * (x / max(sigma, 1e-9)) ** 2)
    return np.ascontiguousarray((whole / whole.sum())[radius:], np.float32)


@compiled
def _spread(mask, k0, k1, k2):  # type: ignore[no-untyped-def]
    """Filter a bool mask; the result is larger by each kernel's radius on both sides."""
    nx, ny, nz = mask.shape
    p0, p1, p2 = len(k0) - 1, len(k1) - 1, len(k2) - 1
    along_z = np.zeros((nx, ny, nz + 2 * p2), np.float32)
    hit = np.zeros((nx, ny), np.bool_)
    line = np.empty(nz, np.float32)
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                line[k] = mask[i, j, k]
                hit[i, j] |= mask[i, j, k]
            if not hit[i, j]:
                continue
            row = along_z[i, j]
            for t in range(2 * p2 + 1):
                weight = k2[abs(t - p2)]
                for k in range(nz):
                    row[k + t] += weight * line[k]
    along_y = np.zeros((nx, ny + 2 * p1, nz + 2 * p2), np.float32)
    some = np.zeros((nx, ny + 2 * p1), np.bool_)
    for i in range(nx):
        for j in range(ny):
            if not hit[i, j]:
                continue
            source = along_z[i, j]
            for t in range(-p1, p1 + 1):
                weight = k1[abs(t)]
                target = along_y[i, j + p1 + t]
                some[i, j + p1 + t] = True
                for k in range(len(source)):
                    target[k] += weight * source[k]
    out = np.zeros((nx + 2 * p0, ny + 2 * p1, nz + 2 * p2), np.float32)
    for i in range(nx):
        for j in range(ny + 2 * p1):
            if not some[i, j]:
                continue
            source = along_y[i, j]
            for t in range(-p0, p0 + 1):
                weight = k0[abs(t)]
                target = out[i + p0 + t, j]
                for k in range(len(source)):
                    target[k] += weight * source[k]
    return out


def soften(
    mask: NDArray[np.bool_], sigma_vox: tuple[float, float, float]
) -> tuple[NDArray[np.float32], tuple[int, int, int]]:
    """Blur a mask with a Gaussian; nothing lies outside the given box.

    Parameters
    ----------
    mask
        bool (x, y, z).
    sigma_vox
        Standard deviation along each axis, voxels.

    Returns
    -------
    soft : float32 (x + 2 p0, y + 2 p1, z + 2 p2)
        Between 0 and 1.
    pad : tuple of int
        (p0, p1, p2), how far it reaches beyond the mask's box on each side.
    """
    kernels = [kernel(float(s)) for s in sigma_vox]
    pad = (len(kernels[0]) - 1, len(kernels[1]) - 1, len(kernels[2]) - 1)
    return _spread(np.ascontiguousarray(mask), *kernels), pad


def soft_mask(scene: Scene, mask: LesionMask, edge_mm: float) -> tuple[Box, NDArray[np.float32]]:
    """Soften a lesion's edge, as far as it lies in the scene.

    Parameters
    ----------
    scene
        Where the lesion lies.
    mask
        Its voxels.
    edge_mm
        Sigma of the Gaussian.

    Returns
    -------
    box : tuple of slice
        Where in the scene's arrays it lies.
    soft : float32, shape of the box
        Between 0 and 1.
    """
    x, y, z = (edge_mm / s for s in scene.spacing)
    soft, pad = soften(mask.inside, (x, y, z))
    start = [s.start - p for s, p in zip(mask.box, pad, strict=True)]
    box = scene.clip(start, [a + n for a, n in zip(start, soft.shape, strict=True)])
    assert box is not None  # the mask lies in the scene
    return box, soft[tuple(slice(s.start - a, s.stop - a) for s, a in zip(box, start, strict=True))]
