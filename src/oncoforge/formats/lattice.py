"""From the grid of a scan to the spacing of a network and back: linear, axis by axis.

Both grids share their directions and their first voxel, so the interpolation in space is one along
each axis in turn. The other way, with a coordinate for every voxel, needs three times the memory of
the image for the coordinates alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
import numpy.typing as npt

from oncoforge.compiled import compiled

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]
Box = tuple[slice, slice, slice]
Label = TypeVar("Label", bound=np.generic)

_SAME_MM = 1e-3
"""Spacings that differ by less are the same, as for MONAI's ``Spacing``."""


@dataclass(frozen=True, eq=False)
class Axis:
    """Where the voxels of a target lie on a source, along one axis.

    Parameters
    ----------
    lower, upper
        int64 (n,): the voxels of the source before and after each voxel of the target, never
        falling; the border is repeated.
    weight
        float32 (n,), 0 to 1: part that `upper` has.
    """

    lower: npt.NDArray[np.int64]
    upper: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float32]

    @classmethod
    def between(cls, source: int, target: int, ratio: float) -> Axis:
        """Place `target` voxels, each `ratio` voxels of the `source` apart, from its first on."""
        at = np.minimum(np.arange(target) * ratio, source - 1)
        lower = np.floor(at).astype(np.int64)
        upper = np.minimum(lower + 1, source - 1)
        return cls(lower, upper, (at - lower).astype(np.float32))

    def part(self, rows: slice, start: int = 0) -> Axis:
        """Return some voxels of the target, on a source that begins at its voxel `start`."""
        return Axis(self.lower[rows] - start, self.upper[rows] - start, self.weight[rows])

    @property
    def nearest(self) -> npt.NDArray[np.int64]:
        """int64 (n,): the voxel of the source nearest to each of the target; of two, the upper."""
        return np.where(self.weight < 0.5, self.lower, self.upper)

    @property
    def size(self) -> int:
        """Voxels of the target."""
        return len(self.lower)


@dataclass(frozen=True, eq=False)
class Lattice:
    """The voxels of a scan and those of a network, and the way from each to the other.

    Parameters
    ----------
    scan, network
        Voxels along each axis.
    to_network, to_scan
        One axis each; None where both are the same voxels.
    """

    scan: Shape
    network: Shape
    to_network: tuple[Axis, Axis, Axis] | None
    to_scan: tuple[Axis, Axis, Axis] | None

    @classmethod
    def between(cls, shape: Sequence[int], spacing: Spacing, wanted: Spacing | None) -> Lattice:
        """Find the lattice of a spacing: as MONAI's ``Spacing`` does with its defaults.

        Parameters
        ----------
        shape
            Voxels of the scan.
        spacing
            Of the scan, mm.
        wanted
            Of the network, mm; None to take the scan as it is.
        """
        scan = cast(Shape, tuple(map(int, shape)))
        if wanted is None or np.abs(np.subtract(spacing, wanted)).max() <= _SAME_MM:
            return cls(scan, scan, None, None)
        ratios = ratios_of(spacing, wanted)
        network = [
            int(np.round((n - 1) / ratio + 1)) for n, ratio in zip(scan, ratios, strict=True)
        ]
        there = [Axis.between(n, m, r) for n, m, r in zip(scan, network, ratios, strict=True)]
        back = [Axis.between(m, n, 1 / r) for n, m, r in zip(scan, network, ratios, strict=True)]
        return cls(
            scan,
            cast(Shape, tuple(network)),
            cast(tuple[Axis, Axis, Axis], tuple(there)),
            cast(tuple[Axis, Axis, Axis], tuple(back)),
        )

    def image(self, scan: npt.NDArray[np.float32], box: Box) -> npt.NDArray[np.float32]:
        """Interpolate a box of the network's voxels.

        Parameters
        ----------
        scan
            float32 (X, Y, Z).
        box
            Of the network's voxels, each slice with its start and stop.

        Returns
        -------
        numpy.ndarray
            float32, of the shape of the box; a view of the scan where both are the same voxels.
        """
        if self.to_network is None:
            return scan[box]
        x, y, z = (axis.part(part) for axis, part in zip(self.to_network, box, strict=True))
        first, last = int(x.lower[0]), int(x.upper[-1])
        rows = slice(0, x.size)
        return interpolate(scan[None, first : last + 1], (x.part(rows, first), y, z))[0]

    def labels(self, scan: npt.NDArray[Label], box: Box) -> npt.NDArray[Label]:
        """Return the label of the nearest voxel of the scan, for a box of the network's voxels.

        Parameters
        ----------
        scan
            (X, Y, Z).
        box
            Of the network's voxels.

        Returns
        -------
        numpy.ndarray
            Labels of the shape of the box; a view of the scan where both are the same voxels.
        """
        if self.to_network is None:
            return scan[box]
        x, y, z = (axis.part(part) for axis, part in zip(self.to_network, box, strict=True))
        return scan[x.nearest][:, y.nearest][:, :, z.nearest]

    def needed(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Return the network's voxels that the voxels of a mask are interpolated from.

        Parameters
        ----------
        mask
            bool (X, Y, Z) on the scan.

        Returns
        -------
        numpy.ndarray
            bool (X, Y, Z) on the network's voxels.
        """
        if self.to_scan is None:
            return mask
        found = np.zeros(self.network, dtype=np.bool_)
        ends = [end for axis in self.to_scan for end in (axis.lower, axis.upper)]
        _mark(np.ascontiguousarray(mask), found, *ends)
        return found


def ratios_of(spacing: Spacing, wanted: Spacing | None) -> tuple[float, float, float]:
    """Return how many voxels of a scan the network's are apart, along each axis.

    An axis that has the wanted spacing already keeps its own.
    """
    x, y, z = (
        1.0 if abs(mine - theirs) <= _SAME_MM else theirs / mine
        for mine, theirs in zip(spacing, wanted or spacing, strict=True)
    )
    return x, y, z


def interpolate(values: npt.NDArray[np.float32], axes: Sequence[Axis]) -> npt.NDArray[np.float32]:
    """Interpolate an array linearly.

    Parameters
    ----------
    values
        float32 (channels, X, Y, Z), any memory order.
    axes
        One for each of the last three.

    Returns
    -------
    numpy.ndarray
        float32 (channels, X', Y', Z'), of its own memory. A voxel depends on its neighbours only:
        it is the same, to the bit, however many others are interpolated with it.
    """
    made = np.empty((len(values), *(axis.size for axis in axes)), dtype=np.float32)
    parts = [part for axis in axes for part in (axis.lower, axis.upper, axis.weight)]
    _interpolate(np.ascontiguousarray(values), made, *parts)
    return made


def interpolate_tensor(values: Tensor, axes: Sequence[Axis]) -> Tensor:
    """Do the same with a tensor, where it is."""
    import torch

    if values.device.type == "cpu":
        return torch.from_numpy(interpolate(values.numpy(), axes))
    return _interpolated_by_torch(values, axes)


def _interpolated_by_torch(values: Tensor, axes: Sequence[Axis]) -> Tensor:
    """Interpolate on a GPU; on a CPU PyTorch's indexing takes thirty times as long as ours."""
    import torch

    for dim, axis in enumerate(axes, 1):
        device = values.device
        lower, upper = (torch.from_numpy(i).to(device) for i in (axis.lower, axis.upper))
        shape = [1] * values.ndim
        shape[dim] = -1
        weight = torch.from_numpy(axis.weight).to(device).view(shape)
        # Two roundings rather than a fused one, which a processor may use for some voxels only.
        low = values.index_select(dim, lower).mul_(1 - weight)
        values = low.add_(values.index_select(dim, upper).mul_(weight))
    return values


@compiled
def _interpolate(  # type: ignore[no-untyped-def]
    values, made, low_x, high_x, weight_x, low_y, high_y, weight_y, low_z, high_z, weight_z
):
    channels, rows, columns, lines = made.shape
    one = np.float32(1)
    line = np.empty(values.shape[3], np.float32)
    for c in range(channels):
        for x in range(rows):
            before, after, p = values[c, low_x[x]], values[c, high_x[x]], weight_x[x]
            for y in range(columns):
                a, b, q = low_y[y], high_y[y], weight_y[y]
                for z in range(len(line)):
                    left = before[a, z] * (one - p) + after[a, z] * p
                    right = before[b, z] * (one - p) + after[b, z] * p
                    line[z] = left * (one - q) + right * q
                target = made[c, x, y]
                for z in range(lines):
                    r = weight_z[z]
                    target[z] = line[low_z[z]] * (one - r) + line[high_z[z]] * r


@compiled
def _mark(mask, found, low_x, high_x, low_y, high_y, low_z, high_z):  # type: ignore[no-untyped-def]
    """Mark the eight voxels that each voxel of a mask lies between."""
    rows, columns, lines = mask.shape
    for x in range(rows):
        for y in range(columns):
            for z in range(lines):
                if mask[x, y, z]:
                    for i in (low_x[x], high_x[x]):
                        for j in (low_y[y], high_y[y]):
                            found[i, j, low_z[z]] = True
                            found[i, j, high_z[z]] = True
