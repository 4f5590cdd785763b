"""An image and a label map of any axis order, as synthesizers and recipes want them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oncoforge.errors import InputError
from oncoforge.grid import Grid
from oncoforge.synthesis.base import Synthesis
from oncoforge.synthesis.room import room_around
from oncoforge.synthesis.scene import Vector


@dataclass(frozen=True, eq=False)
class Site:
    """Where tumours are put: views of a scan and its organ along R, A and S.

    Parameters
    ----------
    scan
        (X, Y, Z), HU, of any number type; what is written into it goes to the image.
    organ
        bool (X, Y, Z).
    spacing
        mm.
    room
        bool (X, Y, Z): where lesions may lie if they may bulge out; None keeps them inside.
    """

    scan: NDArray[Any]
    organ: NDArray[np.bool_]
    spacing: Vector
    room: NDArray[np.bool_] | None = None

    @classmethod
    def of(
        cls,
        image: NDArray[Any],
        organ: NDArray[np.bool_],
        grid: Grid,
        taken: NDArray[np.bool_] | None = None,
    ) -> Site:
        """Look at an image.

        Parameters
        ----------
        image
            (X, Y, Z) in the axis order of the grid, HU.
        organ
            bool, the same shape.
        grid
            Where they lie.
        taken
            bool, the same shape: what is an organ or another thing that lesions may not bulge into.
            None keeps them inside.
        """
        scan, mask, spacing = grid.to_ras(image), grid.to_ras(organ), grid.ras().spacing
        room = None
        if taken is not None:
            values = scan.astype(np.float32, copy=False)
            room = room_around(values, grid.to_ras(taken).astype(np.uint8), mask, spacing)
        return cls(scan, mask, spacing, room)

    @property
    def out(self) -> NDArray[np.float32] | None:
        """The array that a synthesizer may write into, if it is one of its kind."""
        return self.scan if self.scan.dtype == np.float32 else None

    def write(self, made: Synthesis, labels: NDArray[Any], value: int) -> None:
        """Write a synthesis into the image, and its tumours into a label map (RAS) as a value.

        Voxels that no tumour reaches keep their bits.
        """
        if made.image is not self.scan:
            reached = self.organ if self.room is None else self.room
            _write_back(made.image, reached, self.scan)
        labels[made.tumor] = value


def check_parts(synthesizer: object, organ_label: int, tumor_label: int) -> None:
    """Raise `InputError` if transforms could not work with what they are given."""
    if not callable(synthesizer):
        raise InputError(
            f"synthesizer is one such as oncoforge.Handcrafted(), not {synthesizer!r}."
        )
    if organ_label == tumor_label:
        raise InputError(f"organ_label and tumor_label are both {organ_label}.")


def _write_back(made: NDArray[np.float32], organ: NDArray[np.bool_], scan: NDArray[Any]) -> None:
    """Write what changed into a scan of another number type; all else keeps its bits."""
    changed = organ & (made != scan.astype(np.float32))
    values = made[changed]
    if scan.dtype.kind in "iu":
        limits = np.iinfo(scan.dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    scan[changed] = values
