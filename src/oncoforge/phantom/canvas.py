"""The slab of voxels that is being painted, and who holds which part of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from oncoforge.anatomy import LABELS
from oncoforge.phantom.contrast import STRUCTURE_IDS, structure_hu, structure_label
from oncoforge.phantom.kernels import carve, composite, segments
from oncoforge.phantom.texture import Texture
from oncoforge.phantom.tubes import Tube

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float32]

# How far outside its surface a shape is evaluated: enough for blends, gaps and soft edges.
MARGIN_MM = 9.0


@dataclass(frozen=True)
class Pose:
    """How the patient lies in the scanner and how large he or she is.

    Attributes
    ----------
    roll
        Rotation about the long axis in radians.
    scale
        Size relative to the nominal patient along x, y, z. All anatomy is written in nominal mm.
    """

    roll: float
    scale: tuple[float, float, float]

    def to_scanner(self, points: Array) -> Array:
        """Nominal patient mm, shape (..., 3), to scanner mm."""
        x, y, z = (points[..., i] * self.scale[i] for i in range(3))
        c, s = np.cos(self.roll), np.sin(self.roll)
        return np.stack([c * x - s * y, s * x + c * y, z], axis=-1)

    def to_patient(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
        """Scanner mm to nominal patient mm."""
        c, s = np.cos(self.roll), np.sin(self.roll)
        return (
            (c * x + s * y) / self.scale[0],
            (c * y - s * x) / self.scale[1],
            z / self.scale[2],
        )

    @property
    def mean_scale(self) -> float:
        """Geometric mean of the three scales."""
        return float(np.prod(self.scale) ** (1 / 3))


@dataclass(frozen=True)
class Box:
    """A part of the canvas with the nominal patient coordinates of its voxels.

    ``x`` and ``y`` have shape (X, Y, 1) and ``z`` (1, 1, Z): the patient rolls only about z.
    """

    at: tuple[slice, slice, slice]
    x: FloatArray
    y: FloatArray
    z: FloatArray


class Canvas:
    """HU, structures and labels of a slab, and the room that is left in it.

    Parameters
    ----------
    axes
        Voxel centres in scanner mm.
    pose
        How the patient lies.
    phase
        Contrast phase; decides the HU.
    softness_mm
        Width over which a boundary fades, about one voxel.
    """

    def __init__(
        self,
        axes: tuple[npt.NDArray[np.float64], ...],
        pose: Pose,
        phase: str,
        softness_mm: float,
    ) -> None:
        self.axes = axes
        self.pose = pose
        self.phase = phase
        self.softness_mm = softness_mm
        shape = tuple(len(axis) for axis in axes)
        self.image = np.full(shape, -1000.0, np.float32)
        self.structures = np.zeros(shape, np.uint8)
        self.labels = np.zeros(shape, np.uint8)
        # Distance in mm to the nearest thing that holds its place; set by the torso.
        self.free = np.full(shape, MARGIN_MM, np.float32)

    def everywhere(self) -> Box:
        """Return the whole slab as a box."""
        return self._box(tuple(slice(0, len(axis)) for axis in self.axes))

    def box(self, low: npt.ArrayLike, high: npt.ArrayLike) -> Box | None:
        """Return the part between two nominal corners, with a margin; None if it is elsewhere."""
        lo, hi = np.asarray(low, float), np.asarray(high, float)
        corners = np.stack(np.meshgrid(*zip(lo, hi, strict=True), indexing="ij"), axis=-1)
        scanner = self.pose.to_scanner(corners.reshape(-1, 3))
        return self._between(scanner.min(axis=0) - MARGIN_MM, scanner.max(axis=0) + MARGIN_MM)

    def _between(self, low: Array, high: Array) -> Box | None:
        at = tuple(
            slice(int(np.searchsorted(axis, a)), int(np.searchsorted(axis, b)))
            for axis, a, b in zip(self.axes, low, high, strict=True)
        )
        if any(part.start >= part.stop for part in at):
            return None
        return self._box(at)

    def _box(self, at: tuple[slice, ...]) -> Box:
        x, y, z = (axis[part] for axis, part in zip(self.axes, at, strict=True))
        px, py, pz = self.pose.to_patient(x[:, None, None], y[None, :, None], z[None, None, :])
        px, py = np.broadcast_arrays(px, py)
        return Box(
            (at[0], at[1], at[2]),
            px.astype(np.float32),
            py.astype(np.float32),
            pz.astype(np.float32),
        )

    def bumps(self, box: Box, texture: Texture) -> FloatArray:
        """Sample a texture on a box; it stands still in the scanner, so neighbours share it."""
        x, y, z = (axis[part] for axis, part in zip(self.axes, box.at, strict=True))
        return texture.sample(x, y, z)

    def tube(self, shape: Tube) -> tuple[Box, FloatArray] | None:
        """Return the distance to a tube in the box around it; None if it is elsewhere."""
        scale = self.pose.mean_scale
        points = self.pose.to_scanner(shape.points)
        radii = shape.radii * scale
        # Flat directions only turn: for them the patient's scale is close enough to uniform.
        normals = Pose(self.pose.roll, (1.0, 1.0, 1.0)).to_scanner(shape.normals)
        reach = radii[:, None] + MARGIN_MM
        box = self._between((points - reach).min(axis=0), (points + reach).max(axis=0))
        if box is None:
            return None
        axes = tuple(a[part].astype(np.float32) for a, part in zip(self.axes, box.at, strict=True))
        out = np.full(tuple(len(axis) for axis in axes), MARGIN_MM, np.float32)
        segments(
            out,
            axes,
            points[shape.edges].astype(np.float32),
            radii[shape.edges].astype(np.float32),
            np.ascontiguousarray(normals, dtype=np.float32),
            shape.aspect,
            MARGIN_MM,
        )
        return box, out

    def carve(self, box: Box, distance: Array, gap_mm: float, blend_mm: float = 2.0) -> FloatArray:
        """Return the shape without what others hold and ``gap_mm`` around them."""
        mine = np.array(distance, dtype=np.float32, order="C")
        carve(mine, self.free[box.at], gap_mm, blend_mm)
        return mine

    def claim(self, box: Box, distance: Array) -> None:
        """Hold this shape against all that comes later."""
        free = self.free[box.at]
        np.minimum(free, distance, out=free)

    def paint(self, box: Box, distance: Array, structure: str, label: str | None = None) -> None:
        """Lay a structure on the slab.

        Parameters
        ----------
        box, distance
            Where, as a distance in mm that is negative inside.
        structure
            Row of `oncoforge.phantom.contrast.STRUCTURES`.
        label
            Name of the label if it is not the one of the table.
        """
        number = structure_label(structure) if label is None else LABELS[label]
        composite(
            self.image[box.at],
            self.structures[box.at],
            self.labels[box.at],
            np.ascontiguousarray(distance, dtype=np.float32),
            (structure_hu(structure, self.phase), STRUCTURE_IDS[structure], number),
            self.softness_mm,
        )

    def relabel(self, box: Box, inside: Array, label: str) -> None:
        """Give voxels another label without touching their structure or HU."""
        self.labels[box.at][inside] = LABELS[label]
