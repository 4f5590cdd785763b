"""The inside of the trunk: what muscles and bones enclose, without the fat under the skin."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

_STEP_MM = 3.0
"""The wall is looked for on every voxel that is about this far from the next."""

_AIR_HU = -500.0
_TISSUE_HU = -20.0
"""Muscle and bone are above it, fat below."""

_SKIN_MM = 6.0
"""What is nearer to the air around the patient is skin, or the fat right under it."""

_GAP_MM = 12.0
"""Gaps of up to twice this width do not open the wall, such as those between muscles."""

_APART_MM = 1e6
"""Distance between slices, so that none knows of the next."""

Mask = NDArray[np.bool_]


def beneath_wall(
    image: NDArray[np.float32], organs: Mask, spacing: tuple[float, float, float]
) -> Mask:
    """Return what lies within the wall of the body, slice by slice.

    Fat is beneath the skin where a way through fat, wider than the gaps between muscles, leads to
    it in the slice. Where a scan or a patch ends there is no way out, so that a patch from within
    the trunk is all inside.

    Parameters
    ----------
    image
        float32 (X, Y, Z), HU: whole axial slices.
    organs
        bool (X, Y, Z): what is known to be no fat.
    spacing
        Voxel size, mm.

    Returns
    -------
    numpy.ndarray
        bool (X, Y, Z).
    """
    step = [max(1, int(_STEP_MM // s)) for s in spacing]
    grid = tuple(slice(None, None, n) for n in step)
    pitch = [n * s for n, s in zip(step, spacing, strict=True)]
    smooth = scipy.ndimage.gaussian_filter(image[grid], 0.7)
    outside = _reaching_border(smooth < _AIR_HU)
    shell = _distance(~outside, pitch) <= _SKIN_MM if outside.any() else outside
    wall = ((smooth > _TISSUE_HU) | organs[grid]) & ~shell
    near = _distance(~wall, pitch) <= _GAP_MM if wall.any() else wall
    closed = _distance(near, pitch) > _GAP_MM if not near.all() else near
    under_skin = _parts_with(~(closed | wall), shell)
    inside = ~(under_skin | shell)
    for axis, n in enumerate(step):
        inside = np.repeat(inside, n, axis=axis)
    return np.asarray(inside[tuple(slice(0, n) for n in image.shape)])


def _in_plane(mask: Mask) -> tuple[NDArray[np.int32], int]:
    """Return the parts of every slice by number, and how many there are."""
    structure = np.zeros((3, 3, 3), bool)
    structure[:, 1, 1] = structure[1, :, 1] = True
    numbered: Any = scipy.ndimage.label(mask, structure)
    return numbered[0], int(numbered[1])


def _parts_with(mask: Mask, marked: Mask) -> Mask:
    """Return the parts of every slice that touch, or hold, what is marked in it."""
    parts, number = _in_plane(mask | marked)
    found = np.zeros(number + 1, bool)
    found[np.unique(parts[marked])] = True
    found[0] = False
    return np.asarray(found[parts])


def _reaching_border(air: Mask) -> Mask:
    """Return the air of every slice that reaches its border: that around the patient."""
    border = np.zeros_like(air)
    border[[0, -1]] = True
    border[:, [0, -1]] = True
    return _parts_with(air & ~border, air & border) & air


def _distance(mask: Mask, pitch: list[float]) -> NDArray[np.float32]:
    """Return how far every voxel of a mask is, in its slice, from what is not in it, mm."""
    import edt  # slow to import, and few syntheses bulge

    found: NDArray[np.float32] = edt.edt(
        np.ascontiguousarray(mask),
        anisotropy=(pitch[0], pitch[1], _APART_MM),
        black_border=False,
        parallel=1,
    )
    return found
