"""What the pictures of growing lesions are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oncoforge.reports.planes import Plane, Section, cut
from oncoforge.reports.synthesis_view import Vector
from oncoforge.reports.wording import number, volume


@dataclass(frozen=True)
class Frame:
    """A crop of a scan at one moment of the growth.

    Parameters
    ----------
    step
        On the clock of the oldest lesion.
    image
        float32 (X, Y, Z), HU, RAS+: the scan around the lesions.
    instances
        uint16 on the crop: lesion ids, 0 for none.
    volume_mm3
        Of all lesions together.
    diameter_mm
        Of the largest lesion.
    """

    step: int
    image: NDArray[np.float32]
    instances: NDArray[np.uint16]
    volume_mm3: float
    diameter_mm: float

    @property
    def diameter(self) -> str:
        """The diameter as a text; before the first voxel there is none."""
        return f"{number(self.diameter_mm, 1)} mm" if self.instances.any() else "no voxel yet"

    @property
    def volume(self) -> str:
        """The volume as a text; before the first voxel it is empty."""
        return volume(self.volume_mm3) if self.instances.any() else ""


@dataclass(frozen=True)
class GrowthView:
    """Lesions of one scan as they grow.

    Parameters
    ----------
    frames
        In order of step, one at least; the last is the finished synthesis.
    organ
        bool on the crop.
    spacing
        Voxel size along the array axes, mm.
    window
        Lowest and highest HU of the grey scale.
    focus
        Voxel of the crop to cut through, such as where the largest lesion started.
    title
        Heading of the pictures.
    """

    frames: Sequence[Frame]
    organ: NDArray[np.bool_]
    spacing: Vector
    window: tuple[float, float]
    focus: tuple[int, int, int]
    title: str

    @property
    def several(self) -> bool:
        """Whether there is more than one lesion in the end."""
        return int(np.count_nonzero(np.unique(self.frames[-1].instances))) > 1

    @property
    def size_mm(self) -> Vector:
        """Size of the crop, mm."""
        x, y, z = (n * mm for n, mm in zip(self.organ.shape, self.spacing, strict=True))
        return x, y, z

    @property
    def focus_mm(self) -> Vector:
        """Place of the focus, mm from the crop's first voxel."""
        x, y, z = (i * mm for i, mm in zip(self.focus, self.spacing, strict=True))
        return x, y, z

    def section(self, frame: Frame, plane: Plane) -> Section:
        """Cut a frame through the focus; nothing is known of the scan before."""
        index = self.focus[plane.normal]
        image = cut(frame.image, plane, index)
        return Section.of(
            plane,
            self.spacing,
            after=image,
            before=image,
            organ=cut(self.organ, plane, index),
            instances=cut(frame.instances, plane, index),
        )
