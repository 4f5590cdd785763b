"""Where in a scan an organ can be: windows that hold nothing of it need not be run."""

from __future__ import annotations

from typing import Final

import numpy as np

from oncoforge.analysis.body import Mask, Spacing, box_of
from oncoforge.errors import InputError

GATES: Final = ("organ", "body", "coarse", "none")
"""What a gate can be by name: a margin around the organ, the body, where a first, coarse run of the
network finds anything, or everything."""

MARGIN_MM: Final = 5.0
"""How far outside its organ a tumour may reach, unless something else is said."""


def around(mask: Mask, spacing: Spacing, margin_mm: float) -> Mask:
    """Return a mask with all that lies within a distance of it.

    Parameters
    ----------
    mask
        bool (X, Y, Z).
    spacing
        mm.
    margin_mm
        The distance between voxel centres, mm; 0 gives the mask itself.

    Raises
    ------
    InputError
        If the margin is negative.
    """
    import edt

    if margin_mm < 0:
        raise InputError(f"margin_mm is {margin_mm}; give a length from 0 mm.")
    grown = np.zeros_like(mask)
    box = box_of(mask)
    if box is None:
        return grown
    wide = tuple(
        slice(max(0, part.start - reach), part.stop + reach)
        for part, reach in zip(box, _voxels(margin_mm, spacing), strict=True)
    )
    outside = np.ascontiguousarray(~mask[wide])
    squared = edt.edtsq(outside, anisotropy=spacing, black_border=False)
    # Rounding of the squares must not lose voxels at exactly this distance.
    grown[wide] = squared <= margin_mm**2 * (1 + 1e-5)
    return grown


def _voxels(length_mm: float, spacing: Spacing) -> list[int]:
    return [int(np.ceil(length_mm / mm)) for mm in spacing]
