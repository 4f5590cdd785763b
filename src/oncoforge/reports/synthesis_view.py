"""What a report of one synthesis is made from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = tuple[slice, slice, slice]
Vector = tuple[float, float, float]


@dataclass(frozen=True)
class SynthesisView:
    """A scan with its synthetic lesions, and what to say about them.

    Parameters
    ----------
    image
        float32 (X, Y, Z), HU after synthesis, RAS+: indices grow to the right, anterior, superior.
    before
        float32, HU before synthesis on `box`; nothing changed outside it.
    box
        Slices of the organ's box in the scan; ``slice(0, 0)`` three times if there is no organ.
    organ
        bool on `box`.
    instances
        uint16 on `box`: lesion ids, 0 for none.
    spacing
        Voxel size along the array axes, mm.
    window
        Lowest and highest HU of the grey scale.
    lesions
        Rows with ``id``, ``kind``, ``centre_ras_mm``, ``centre_voxel`` (index in the scan, may be
        fractional), ``diameter_mm``, ``volume_mm3``, ``voxels``, ``mean_hu`` and ``contrast_hu``
        (NaN or None when unknown). Those of lesions that grew step by step also have ``growth``,
        a list of ``step``, ``volume_mm3`` and ``diameter_mm``, and ``necrotic_fraction``, 0 to 1.
    skipped
        Why lesions that were asked for are not there: one sentence each.
    title
        Heading of the report.
    facts
        What was done, as rows of a label and a text.
    strip
        PNG of the lesions as they grew, from :func:`oncoforge.reports.growth.render`.
    """

    image: NDArray[np.float32]
    before: NDArray[np.float32]
    box: Box
    organ: NDArray[np.bool_]
    instances: NDArray[np.uint16]
    spacing: Vector
    window: tuple[float, float]
    lesions: Sequence[Mapping[str, Any]]
    skipped: Sequence[str]
    title: str
    facts: Mapping[str, str]
    remarks: Sequence[str] = ()
    strip: bytes | None = None

    @property
    def largest(self) -> Mapping[str, Any] | None:
        """The lesion with the largest volume; the first of them on a tie, None without lesions."""
        return max(self.lesions, key=lambda row: float(row["volume_mm3"]), default=None)

    def focus(self) -> tuple[int, int, int]:
        """Return the voxel to look at: centre of the largest lesion, or the organ's middle.

        Returns
        -------
        Index in the scan; the scan's own middle if there is neither lesion nor organ.
        """
        lesion = self.largest
        if lesion is not None:
            centre = [math.floor(float(c) + 0.5) for c in lesion["centre_voxel"]]
        elif self.organ.any():
            centre = [s.start + _median(self.organ, a) for a, s in enumerate(self.box)]
        else:
            centre = [n // 2 for n in self.image.shape]
        i, j, k = (min(max(c, 0), n - 1) for c, n in zip(centre, self.image.shape, strict=True))
        return i, j, k


def _median(mask: NDArray[np.bool_], axis: int) -> int:
    """Return the index along an axis that splits a mask into halves of equal volume."""
    others = tuple(a for a in range(mask.ndim) if a != axis)
    filled = np.cumsum(mask.sum(axis=others))
    return int(np.searchsorted(filled, filled[-1] / 2))
