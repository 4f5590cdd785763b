"""Grid: where the voxels of an array lie in the patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from oncoforge.errors import InputError

Affine = npt.NDArray[np.float64]
Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Grid:
    """The shape of a volume and its affine, in any axis order.

    Parameters
    ----------
    shape
        Voxels along each of the three axes.
    affine
        (4, 4) float64: voxel index to RAS+ millimetres. Oblique axes are kept as they are.

    Raises
    ------
    InputError
        If the volume is empty, or the affine cannot place voxels (not finite, no spacing, or two
        axes that point the same way).
    """

    shape: Shape
    affine: Affine

    def __post_init__(self) -> None:
        """Take a private, read-only copy of the affine and check both parts."""
        shape = tuple(int(n) for n in self.shape)
        affine = np.array(self.affine, dtype=np.float64)
        if len(shape) != 3 or min(shape) < 1:
            raise InputError(
                f"A volume needs three axes with at least one voxel each; found shape {shape}."
            )
        _check_affine(affine)
        affine += 0.0  # so that -0.0 and 0.0 are one and the same bytes
        affine.flags.writeable = False
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance in mm between neighbouring voxel centres along each axis."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def directions(self) -> Affine:
        """(3, 3): the unit vector in RAS+ of each axis, as columns."""
        return np.asarray(self.affine[:3, :3] / np.asarray(self.spacing), dtype=np.float64)

    @property
    def axis_codes(self) -> str:
        """The nearest anatomical direction of each axis, such as ``"LPS"``."""
        codes = [""] * 3
        order, signs = self._moves()
        for ends, axis, sign in zip(("LR", "PA", "IS"), order, signs, strict=True):
            codes[axis] = ends[int(sign > 0)]
        return "".join(codes)

    def to_world(self, points_vox: npt.ArrayLike) -> Affine:
        """Voxel coordinates (..., 3), integer at voxel centres, to RAS+ mm (..., 3)."""
        points = np.asarray(points_vox, dtype=np.float64)
        return np.asarray(points @ self.affine[:3, :3].T + self.affine[:3, 3])

    def to_voxel(self, points_mm: npt.ArrayLike) -> Affine:
        """RAS+ mm (..., 3) to voxel coordinates (..., 3), which need not be integers."""
        inverse = np.linalg.inv(self.affine)
        points = np.asarray(points_mm, dtype=np.float64)
        return np.asarray(points @ inverse[:3, :3].T + inverse[:3, 3])

    def corners(self) -> Affine:
        """(8, 3): the centres of the eight corner voxels in RAS+ mm."""
        ends = [(0, n - 1) for n in self.shape]
        return self.to_world([(x, y, z) for x in ends[0] for y in ends[1] for z in ends[2]])

    def is_ras(self) -> bool:
        """Whether each axis already runs nearest to R, A and S."""
        return self.axis_codes == "RAS"

    def ras(self) -> Grid:
        """Return the same voxels with axes permuted and flipped to the nearest RAS+ order."""
        order, signs = self._moves()
        shape = (self.shape[order[0]], self.shape[order[1]], self.shape[order[2]])
        first = [0, 0, 0]  # the voxel that becomes index 0, 0, 0
        for axis, sign in zip(order, signs, strict=True):
            first[axis] = 0 if sign > 0 else self.shape[axis] - 1
        affine = np.eye(4)
        affine[:3, :3] = self.affine[:3, list(order)] * signs
        affine[:3, 3] = self.to_world(first)
        return Grid(shape, affine)

    def to_ras(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """View an array of this grid in the axis order of :meth:`ras`, without a copy."""
        order, signs = self._moves()
        return stored.transpose(order)[tuple(slice(None, None, sign) for sign in signs)]

    def from_ras(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """View an array of :meth:`ras` in the axis order of this grid: undoes :meth:`to_ras`."""
        order, signs = self._moves()
        flipped = array[tuple(slice(None, None, sign) for sign in signs)]
        return flipped.transpose(np.argsort(order).tolist())

    def difference(self, other: Grid, tolerance_mm: float | None = None) -> str | None:
        """Say how another grid differs from this one, or nothing where they agree.

        Parameters
        ----------
        other
            The grid to compare, in the same axis order.
        tolerance_mm
            Largest distance between the same corner of both grids that still counts as equal.
            By default 1 % of the smallest voxel edge and at least 0.001 mm: headers round.

        Returns
        -------
        str or None
            A clause such as ``"its spacing is 1 x 1 x 1 mm, not 1 x 1 x 3 mm"``.
        """
        if tolerance_mm is None:
            tolerance_mm = max(1e-3, 0.01 * min(self.spacing))
        if self.shape == other.shape:
            apart = np.linalg.norm(self.corners() - other.corners(), axis=1).max()
            if apart <= tolerance_mm:
                return None
        found = [clause for clause in self._clauses(other, tolerance_mm) if clause]
        return " and ".join(found)

    def _clauses(self, other: Grid, tolerance_mm: float) -> Sequence[str]:
        voxels = max(max(self.shape), max(other.shape))
        shape = spacing = direction = origin = ""
        if self.shape != other.shape:
            shape = f"its shape is {_by(other.shape)}, not {_by(self.shape)} voxels"
        if np.abs(np.subtract(self.spacing, other.spacing)).max() * voxels > tolerance_mm:
            spacing = f"its spacing is {_by(other.spacing)}, not {_by(self.spacing)} mm"
        angle = _largest_angle(self.directions, other.directions)
        if np.radians(angle) * voxels * max(self.spacing) > tolerance_mm:
            direction = f"its axes are turned by {angle:.3g} degrees"
        offset = other.affine[:3, 3] - self.affine[:3, 3]
        if np.linalg.norm(offset) > tolerance_mm or not (shape or spacing or direction):
            apart = np.linalg.norm(offset)
            origin = f"its origin is {apart:.4g} mm away ({_by(offset, ', ')} mm in R, A, S)"
        return shape, spacing, direction, origin

    def _moves(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Which axis runs nearest to R, A and S, and whether with it (1) or against it (-1)."""
        # The best assignment as a whole, rather than axis by axis, so that what has been put in
        # order once stays so. At ties (45 degrees) the earlier permutation wins: the present one.
        cosines = self.directions
        near = np.abs(cosines)
        best = max(permutations(range(3)), key=lambda p: round(near[[0, 1, 2], list(p)].sum(), 6))
        signs = tuple(-1 if cosines[world, axis] < 0 else 1 for world, axis in enumerate(best))
        return best, signs


def _check_affine(affine: Affine) -> None:
    if affine.shape != (4, 4):
        raise InputError(f"An affine is a 4 x 4 matrix; found shape {affine.shape}.")
    if not np.isfinite(affine).all():
        raise InputError("The affine holds NaN or infinite values; it cannot place voxels.")
    if not np.allclose(affine[3], (0, 0, 0, 1)):
        raise InputError(f"The last row of an affine is 0 0 0 1; found {_by(affine[3], ' ')}.")
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if spacing.min() <= 0:
        raise InputError(f"The voxel spacing must be above 0 mm; found {_by(spacing)} mm.")
    # Unit columns, so that the test does not depend on the voxel size.
    if abs(np.linalg.det(affine[:3, :3] / spacing)) < 1e-4:
        raise InputError("The affine is singular: two of its axes lie in one plane or line.")


def _largest_angle(ours: Affine, theirs: Affine) -> float:
    across = np.linalg.norm(np.cross(ours, theirs, axis=0), axis=0)
    along = np.sum(ours * theirs, axis=0)
    return float(np.degrees(np.arctan2(across, along)).max())


def _by(values: npt.ArrayLike, between: str = " x ") -> str:
    return between.join(f"{value:.6g}" for value in np.asarray(values).tolist())
