"""How a crop is laid into a scene: turned, scaled, perhaps mirrored, and sampled there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from oncoforge.errors import InputError
from oncoforge.synthesis.scene import Box, Scene, Vector

Quaternion = tuple[float, float, float, float]
UPRIGHT: Quaternion = (0.0, 0.0, 0.0, 1.0)

_FARTHEST_MM = 1e5
_SCALES = (1e-3, 100.0)


@dataclass(frozen=True)
class Pose:
    """Where a crop goes, and how it is turned.

    A point of the crop that lies s mm from the tumour's centroid goes to
    ``centre_mm + scale * R m(s)``, where m mirrors x if `flip` is set and R is the rotation.

    Parameters
    ----------
    centre_mm
        Where the tumour's centroid goes, mm from the scan's first voxel.
    quaternion
        The rotation R, (x, y, z, w).
    scale
        Factor of all lengths.
    flip
        Mirror left and right first.
    """

    centre_mm: Vector
    quaternion: Quaternion
    scale: float
    flip: bool

    def __post_init__(self) -> None:
        if max(map(abs, self.centre_mm)) > _FARTHEST_MM:
            raise InputError(f"centre_mm {self.centre_mm} is not in any scan.")
        if abs(sum(q * q for q in self.quaternion) - 1.0) > 1e-3:
            raise InputError(f"quaternion {self.quaternion} is not of length 1.")
        if not _SCALES[0] <= self.scale <= _SCALES[1]:
            raise InputError(f"scale is from {_SCALES[0]:g} to {_SCALES[1]:g}, not {self.scale}.")

    def matrix(self) -> NDArray[np.float64]:
        """Return the (3, 3) matrix that carries mm of the crop to mm of the scene."""
        turn = np.eye(3)
        if self.quaternion != UPRIGHT:
            from scipy.spatial.transform import Rotation  # slow to import

            turn = Rotation.from_quat(self.quaternion).as_matrix()
        mirror = np.diag([-1.0 if self.flip else 1.0, 1.0, 1.0])
        return np.asarray(self.scale * turn @ mirror)

    def box(
        self, scene: Scene, low_mm: NDArray[np.float64], high_mm: NDArray[np.float64]
    ) -> Box | None:
        """Return the box of the scene that a box of the crop reaches; None if it lies outside.

        Parameters
        ----------
        scene
            Where it goes.
        low_mm, high_mm
            Corners of the crop's box, mm from the tumour's centroid.
        """
        corners = np.array(np.meshgrid(*zip(low_mm, high_mm, strict=True))).reshape(3, -1)
        turned = self.matrix() @ corners
        low, high = (
            scene.to_voxel(np.asarray(self.centre_mm) + end)
            for end in (turned.min(1), turned.max(1))
        )
        return scene.clip(np.floor(low), np.ceil(high) + 1)

    def sample(
        self,
        array: NDArray[np.float32],
        spacing: Vector,
        centroid_vox: NDArray[np.float64],
        scene: Scene,
        box: Box,
        beyond: float | None = None,
    ) -> NDArray[np.float32]:
        """Sample an array of the crop at the voxels of a box of the scene, linearly.

        Parameters
        ----------
        array, spacing, centroid_vox
            float32 (x, y, z), its voxel size (mm), and where in it the tumour's centroid is.
        scene, box
            Where to sample.
        beyond
            Value outside the array; None continues its border.

        Returns
        -------
        float32, shape of the box
        """
        back = np.linalg.inv(self.matrix()) / np.asarray(spacing)[:, None]
        first = scene.to_mm([s.start for s in box]) - self.centre_mm
        sampled: NDArray[np.float32] = scipy.ndimage.affine_transform(
            array,
            back * np.asarray(scene.spacing),
            offset=back @ first + centroid_vox,
            output_shape=tuple(s.stop - s.start for s in box),
            order=1,
            mode="nearest" if beyond is None else "constant",
            cval=beyond or 0.0,
        )
        return sampled
