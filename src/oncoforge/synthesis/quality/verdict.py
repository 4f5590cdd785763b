"""What is judged, what a judge says of it, and what a judge is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import scipy
from numpy.typing import NDArray

from oncoforge.synthesis.base import Lesion
from oncoforge.synthesis.scene import Box, Vector


@dataclass(frozen=True, eq=False)
class Exhibit:
    """What is judged: a scan with its lesions, and as it was before.

    Parameters
    ----------
    image, before
        float32 (X, Y, Z), HU: with and without the lesions.
    organ
        bool (X, Y, Z): the organ without tumours that were there already.
    spacing
        Voxel size, mm.
    lesions
        The lesions.
    box
        Slices of the region that holds them.
    instances
        uint16, shape of the box: their ids.
    """

    image: NDArray[np.float32]
    before: NDArray[Any]
    organ: NDArray[np.bool_]
    spacing: Vector
    lesions: tuple[Lesion, ...]
    box: Box
    instances: NDArray[np.uint16]

    @cached_property
    def boxes(self) -> list[Box | None]:
        """Box of every id, from 1, in `instances`; None where an id has no voxel."""
        found: list[Box | None] = scipy.ndimage.find_objects(self.instances)
        return found


@dataclass(frozen=True)
class Verdict:
    """What one check says of one lesion.

    Parameters
    ----------
    lesion
        Its id.
    check
        Name of the check.
    score
        What was measured, in the unit of the check.
    kept
        Whether the lesion passes.
    sentence
        Why it does not; empty if it does.
    """

    lesion: int
    check: str
    score: float
    kept: bool
    sentence: str = ""


class Judge(Protocol):
    """A check of lesions."""

    def __call__(self, exhibit: Exhibit) -> list[Verdict]:
        """Return one verdict per lesion, in their order."""
        ...


def verdict(check: str, lesion: Lesion, score: float, failed: str) -> Verdict:
    """Return a verdict; `failed` says why the lesion does not pass, if it does not."""
    sentence = ""
    if failed:
        sentence = f"A {lesion.kind} lesion ({lesion.diameter_mm:.0f} mm) was taken out: {failed}."
    return Verdict(lesion.id, check, score, not failed, sentence)
