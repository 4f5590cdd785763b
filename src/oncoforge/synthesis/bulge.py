"""What a lesion replaces outside of its organ: fat becomes tissue like the organ's own."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from oncoforge.synthesis.appearance.blur import soft_mask
from oncoforge.synthesis.base import LesionMask
from oncoforge.synthesis.scene import Box, Scene, Vector
from oncoforge.synthesis.smoothing import smooth_inside

_EDGE_MM = 1.0
_GRAIN_SMOOTH_MM = 2.0
_GRAIN_HU = 40.0
_NOISE_SD = 3.0
"""Differences from the smoothed scan up to so many of their robust standard deviations, and to this
many HU, count as noise, beyond it as structure."""

_NEIGHBOURS = ((3, -2, 1), (-2, 3, -1), (2, 2, 2), (-3, -3, 1), (5, 0, 0), (0, -5, 0))

_SURROUND_MM = 8.0
_ENOUGH_VOXELS = 20


def bulge_out(scene: Scene, mask: LesionMask) -> None:
    """Turn what a lesion covers outside of the organ into tissue of the organ's HU, in place.

    The lesion's appearance is then painted on it as on the organ itself. The scan's noise stays;
    the organ's own edge, which holds some fat, is filled where the lesion covers both sides of it.

    Parameters
    ----------
    scene
        Its image is changed, within the lesion and one soft edge around it, inside the room only.
    mask
        The lesion.
    """
    if not (mask.inside & ~scene.organ[mask.box]).any():
        return
    box, soft = soft_mask(scene, mask, max(_EDGE_MM, 0.5 * max(scene.spacing)))
    image, room = scene.image[box], scene.room[box]
    outside = room & ~scene.organ[box]
    # One voxel into the organ: its edge is part fat.
    seam = scipy.ndimage.binary_dilation(outside & (soft > 0)) & room
    level = _organ_hu(scene, box)
    filled = level + _grain(image, outside, seam, scene.spacing)
    change = soft * (filled - image)
    inner = seam & ~outside
    # What is as bright as the organ at its edge already has no fat in it.
    change[inner] = np.maximum(change[inner], 0.0)
    np.add(image, change, out=image, where=outside | inner)


def _grain(
    image: NDArray[np.float32],
    outside: NDArray[np.bool_],
    seam: NDArray[np.bool_],
    spacing: Vector,
) -> NDArray[np.float32]:
    """Return the noise of the fat outside; vessels and edges in it are no noise."""
    fat = outside & ~scipy.ndimage.binary_dilation(seam & ~outside)
    grain = image - smooth_inside(image, fat, spacing, _GRAIN_SMOOTH_MM)
    noise = np.abs(grain[fat]) if fat.any() else np.zeros(1, np.float32)
    most = min(_NOISE_SD * 1.4826 * float(np.median(noise)), _GRAIN_HU)
    grain = np.where(fat & (np.abs(grain) <= most), grain, np.float32(np.nan))
    # Where there is no noise of its own, that of a neighbour goes on.
    for shift in _NEIGHBOURS:
        if not np.isnan(grain).any():
            break
        beside = np.roll(grain, shift, axis=(0, 1, 2))
        grain = np.where(np.isnan(grain), beside, grain)
    return np.nan_to_num(grain, copy=False, nan=0.0)


def _organ_hu(scene: Scene, box: Box) -> np.float32:
    """Return the median HU of the organ near a box, and away from other lesions."""
    pad = np.ceil(_SURROUND_MM / np.asarray(scene.spacing)).astype(int)
    wide = scene.clip(
        [s.start - p for s, p in zip(box, pad, strict=True)],
        [s.stop + p for s, p in zip(box, pad, strict=True)],
    )
    assert wide is not None  # the box lies in the scene
    values: NDArray[np.float32] = scene.image[wide][
        _inner(scene.organ[wide]) & (scene.instances[wide] == 0)
    ]
    if values.size < _ENOUGH_VOXELS:
        values = scene.organ_sample()
    return np.float32(np.median(values))


def _inner(organ: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return an organ without its outermost voxels, which hold some of what is around it."""
    eroded: NDArray[np.bool_] = scipy.ndimage.binary_erosion(organ)
    return eroded if np.count_nonzero(eroded) >= _ENOUGH_VOXELS else organ
