"""One tumour of a library as it is pasted: the plan of it, and its voxels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from oncoforge.errors import InputError
from oncoforge.synthesis.base import LesionMask, sphere_diameter
from oncoforge.synthesis.library.pose import Pose
from oncoforge.synthesis.masks.library.shape import Shape
from oncoforge.synthesis.scene import Scene, bounding_box

_ALL_NEIGHBOURS = np.ones((3, 3, 3), np.bool_)


@dataclass(frozen=True)
class Pasted(Pose):
    """A real tumour where it was pasted.

    Parameters
    ----------
    centre_mm, quaternion, scale, flip
        See `Pose`.
    library
        Folder of its library.
    tumor
        Its name there.
    sha256
        Of its mask's file.
    min_inside
        Least part of it that must lie where lesions may, and clear of other lesions.
    remark
        What whoever asked for it should know: a sentence, or nothing.
    """

    library: str
    tumor: str
    sha256: str
    min_inside: float = 0.0
    remark: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.min_inside <= 1:
            raise InputError(f"min_inside is from 0 to 1, not {self.min_inside:g}.")

    def mask(self, scene: Scene, shape: Shape, kind: str) -> LesionMask | str:
        """Return its voxels in a scene, or a sentence that says why there are none.

        Parameters
        ----------
        scene
            Where it goes.
        shape
            Its shape.
        kind
            What to call it.
        """
        box = self.box(scene, shape.low_mm, shape.high_mm)
        volume = shape.volume_mm3 * self.scale**3
        part = 0.0
        if box is not None:
            beyond = float(shape.distance.min())
            distance = self.sample(
                shape.distance, shape.spacing, shape.centroid_vox, scene, box, beyond
            )
            inside = (distance >= 0) & scene.room[box] & (scene.instances[box] == 0)
            inside = _largest_piece(inside)
            part = min(np.count_nonzero(inside) * math.prod(scene.spacing) / volume, 1.0)
            tight = bounding_box(inside)
            if tight is not None and part >= self.min_inside:
                place = tuple(
                    slice(b.start + t.start, b.start + t.stop)
                    for b, t in zip(box, tight, strict=True)
                )
                voxels = np.ascontiguousarray(inside[tight])
                return LesionMask(place, voxels, remark=self.remark)  # type: ignore[arg-type]
        return (
            f"A {kind} lesion ({sphere_diameter(volume):.0f} mm) was left out: {part:.0%} of it "
            "lay in the organ and clear of other lesions"
            + (f", and {self.min_inside:.0%} were asked for." if self.min_inside else ".")
        )


def _largest_piece(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep one piece: a tumour is one, and the organ's shape may have cut it apart."""
    pieces, number = scipy.ndimage.label(inside, _ALL_NEIGHBOURS)
    if number <= 1:
        return inside
    return np.asarray(pieces == 1 + int(np.bincount(pieces.ravel())[1:].argmax()))
