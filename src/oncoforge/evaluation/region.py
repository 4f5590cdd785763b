"""The part of a case that holds one organ: masks of prediction and truth, and where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from oncoforge.anatomy import ORGANS, Organ
from oncoforge.formats import Volume
from oncoforge.grid import Grid

ORGAN_MASKS: Final = ("whole", "parenchyma")
"""What the mask of an organ is: with its tumours, or without them as the predecessors had it."""

Labels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Region:
    """The part of a case that holds an organ and its tumours, in truth or prediction.

    Parameters
    ----------
    organ
        Which.
    truth, prediction
        uint8, oncoforge labels of that part.
    box
        Where it is in the scan.
    grid
        Of the scan.
    """

    organ: Organ
    truth: Labels
    prediction: Labels
    box: Box
    grid: Grid

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel."""
        return float(abs(np.linalg.det(self.grid.affine[:3, :3])))

    def organ_masks(self, kind: str) -> tuple[Mask, Mask]:
        """Return the organ of prediction and truth."""
        label = self.organ.label
        both = (self.prediction, self.truth)
        if kind == "parenchyma":
            own, true = (labels == label for labels in both)
        else:
            own, true = ((labels == label) | (labels == label + 1) for labels in both)
        return own, true

    def tumor_masks(self) -> tuple[Mask, Mask]:
        """Return the tumours of prediction and truth."""
        label = self.organ.label + 1
        return self.prediction == label, self.truth == label

    def place_mm(self, centre_vox: NDArray[np.float64]) -> tuple[float, float, float]:
        """Return where a voxel of the region is in the patient."""
        starts = [one.start for one in self.box]
        x, y, z = self.grid.to_world(centre_vox + starts)
        return float(x), float(y), float(z)


def regions(
    truth: Volume,
    own: Labels,
    boxes: Sequence[Box | None],
    own_boxes: Sequence[Box | None],
    organs: Sequence[str] | None = None,
) -> list[Region]:
    """Cut out every organ that a truth or its prediction holds, with its tumours.

    Parameters
    ----------
    truth
        uint8 (X, Y, Z), oncoforge labels.
    own
        The prediction, likewise and on its grid.
    boxes, own_boxes
        Of each label from 1, as `scipy.ndimage.find_objects` gives them.
    organs
        Names; None for all that can hold tumours.
    """
    names = list(ORGANS) if organs is None else organs
    found = []
    for name in names:
        organ = ORGANS[name]
        if organ.tumor_label is None:
            continue
        pair = slice(organ.label - 1, organ.label + 1)
        box = _union([*boxes[pair], *own_boxes[pair]])
        if box is not None:
            found.append(Region(organ, truth.array[box], own[box], box, truth.grid))
    return found


def _union(boxes: Sequence[Box | None]) -> Box | None:
    there = [box for box in boxes if box is not None]
    if not there:
        return None
    x, y, z = (
        slice(min(one.start for one in axis), max(one.stop for one in axis))
        for axis in zip(*there, strict=True)
    )
    return x, y, z


def present(boxes: Sequence[Box | None]) -> frozenset[int]:
    """Return the labels that have a box."""
    return frozenset(label for label, box in enumerate(boxes, 1) if box is not None)
