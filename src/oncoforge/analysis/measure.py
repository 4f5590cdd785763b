"""Measure every tumour of a label map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from oncoforge.analysis.rows import CaseRow, LesionRow
from oncoforge.analysis.shape import (
    axial_diameters,
    equivalent_diameter,
    principal_axes,
    sphericity,
)
from oncoforge.analysis.surroundings import Hull, depth
from oncoforge.anatomy import ORGANS, Organ
from oncoforge.anatomy.organs import tumor_bearing
from oncoforge.errors import InputError
from oncoforge.grid import Grid
from oncoforge.organ_frame import Frame, frames
from oncoforge.synthesis.masks.sizes import nearest_size

MIN_VOXELS = 8
"""Smaller components are specks: what DiffTumor and MedCraft drop too."""

_SURROUND_MM = 5.0
"""How far around a lesion's box the organ is compared with it."""

Mask = NDArray[np.bool_]
Labels = NDArray[np.uint8]
Image = NDArray[np.float32]
Box = tuple[slice, slice, slice]


def measure(
    labels: Labels,
    grid: Grid,
    case: str,
    organs: Sequence[str] | None = None,
    image: Image | None = None,
    min_voxels: int = MIN_VOXELS,
    connectivity: int = 26,
    axis_codes: str | None = None,
) -> tuple[list[LesionRow], list[CaseRow]]:
    """Measure every tumour of a label map.

    Parameters
    ----------
    labels
        uint8 (X, Y, Z): oncoforge labels in RAS+ order.
    grid
        The grid of the array: `Volume.grid`.
    case
        Its id.
    organs
        Which organs to look at; None for each that is there, or has a tumour there.
    image
        float32 (X, Y, Z), HU, on the same grid; None leaves the columns of HU empty.
    min_voxels
        Smaller components do not count.
    connectivity
        What makes voxels one lesion: 6, 18 or 26 neighbours.
    axis_codes
        Axis order of the file, for the row of the case; by default that of the grid.

    Returns
    -------
    lesions : list of LesionRow
        By organ in the order of the table of organs, the largest first.
    cases : list of CaseRow
        One for each organ, with tumours or without.

    Raises
    ------
    InputError
        If the arrays are not on the grid.
    UnknownNameError
        If there is no such organ.
    """
    for array, name in ((labels, "label map"), (image, "image")):
        if array is not None and array.shape != grid.shape:
            raise InputError(
                f"{case}: the {name} has shape {array.shape} and its grid {grid.shape}; give both "
                "in RAS+ order."
            )
    boxes = scipy.ndimage.find_objects(labels)
    boxes += [None] * (256 - len(boxes))
    chosen = ORGANS if organs is None else dict.fromkeys(tumor_bearing(o).name for o in organs)
    lesions: list[LesionRow] = []
    cases: list[CaseRow] = []
    for name in chosen:
        organ = ORGANS[name]
        box = (
            None if organ.tumor_label is None else _union(boxes[organ.label - 1 : organ.label + 1])
        )
        if box is None:
            continue
        # Across the whole scan: its middle tells the side of a lone kidney.
        part = (slice(0, labels.shape[0]), box[1], box[2])
        region = _Region(
            case, organ, labels[part], grid, _starts(part), None if image is None else image[part]
        )
        rows = _lesions(region, min_voxels, connectivity)
        lesions += rows
        cases.append(_case_row(region, rows, axis_codes or grid.axis_codes))
    return lesions, cases


@dataclass(frozen=True)
class _Region:
    """One organ of one case: the part of the scan that holds it, from `start` on."""

    case: str
    organ: Organ
    labels: Labels
    grid: Grid
    start: NDArray[np.int64]
    image: Image | None

    @property
    def voxel_mm3(self) -> float:
        return float(abs(np.linalg.det(self.grid.affine[:3, :3])))

    @cached_property
    def tumors(self) -> Mask:
        return np.asarray(self.labels == self.organ.label + 1)

    @cached_property
    def whole(self) -> Mask:
        """The organ with its tumours."""
        return np.asarray((self.labels == self.organ.label) | self.tumors)

    @cached_property
    def sides(self) -> tuple[_Side, ...]:
        if not (self.labels == self.organ.label).any():
            return ()
        found = frames(self.whole, self.grid.spacing, self.organ.name)
        return tuple(_Side(frame, self) for frame in found)


@dataclass(frozen=True)
class _Side:
    """One side of an organ (or all of an organ that has none)."""

    frame: Frame
    region: _Region

    @cached_property
    def hull(self) -> Hull | None:
        labels = self.region.labels[self.frame.slices]
        return Hull.of(labels == self.region.organ.label, self.region.grid.spacing)

    @property
    def corner_mm(self) -> NDArray[np.float64]:
        """Place of the first voxel of its box."""
        return np.asarray(np.array(self.frame.low_vox) * self.region.grid.spacing)

    def apart(self, point_mm: NDArray[np.float64]) -> float:
        """Return the distance of a point from its box; 0 inside."""
        beyond = np.maximum(self.frame.low_mm - point_mm, point_mm - self.frame.high_mm)
        return float(np.linalg.norm(np.maximum(beyond, 0.0)))


def _lesions(region: _Region, min_voxels: int, connectivity: int) -> list[LesionRow]:
    import cc3d  # slow to import

    box = _union(scipy.ndimage.find_objects(region.tumors.view(np.uint8)))
    if box is None:
        return []
    parts = cc3d.connected_components(
        np.ascontiguousarray(region.tumors[box]), connectivity=connectivity
    )
    stats = cc3d.statistics(parts)
    voxels = np.asarray(stats["voxel_counts"], np.int64)
    voxels[0] = 0
    order = [int(n) for n in np.argsort(-voxels, kind="stable") if voxels[n] >= max(min_voxels, 1)]
    rows = []
    for number, part in enumerate(order, 1):
        inner = stats["bounding_boxes"][part]
        place: Box = tuple(  # type: ignore[assignment]
            slice(o.start + i.start, o.start + i.stop) for o, i in zip(box, inner, strict=True)
        )
        rows.append(_lesion_row(region, number, np.asarray(parts[inner] == part), place))
    return rows


def _lesion_row(region: _Region, number: int, mask: Mask, box: Box) -> LesionRow:
    """Measure one lesion: its mask in its box, which is a part of the region."""
    spacing = np.array(region.grid.spacing)
    voxels = int(np.count_nonzero(mask))
    volume = voxels * region.voxel_mm3
    diameter = equivalent_diameter(volume)
    round_ = sphericity(mask, spacing)
    long, short = axial_diameters(mask, spacing)
    extent = np.array(mask.shape) * spacing
    axes = principal_axes(mask, region.grid.affine[:3, :3])
    centre = _centroid(mask) + _starts(box)
    world = region.grid.to_world(centre + region.start)
    ends = (_starts(box) + region.start, _starts(box) + region.start + mask.shape)
    row = LesionRow(
        case=region.case,
        organ=region.organ.name,
        lesion=number,
        side="",
        size_class=nearest_size(diameter / 2),
        volume_mm3=volume,
        voxels=voxels,
        equivalent_diameter_mm=diameter,
        longest_axial_diameter_mm=long,
        short_axial_diameter_mm=short,
        extent_x_mm=float(extent[0]),
        extent_y_mm=float(extent[1]),
        extent_z_mm=float(extent[2]),
        major_axis_mm=axes[0],
        middle_axis_mm=axes[1],
        minor_axis_mm=axes[2],
        surface_mm2=np.pi * diameter**2 / round_,
        sphericity=round_,
        centroid_x_mm=float(world[0]),
        centroid_y_mm=float(world[1]),
        centroid_z_mm=float(world[2]),
        location_x=None,
        location_y=None,
        location_z=None,
        organ_distance_mm=None,
        exophytic_fraction=None,
        protrusion_mm=None,
        touches_border=bool((ends[0] == 0).any() or (ends[1] == region.grid.shape).any()),
        **_hounsfield(region, mask, box),
    )
    return _placed(row, region, mask, box, centre * spacing)


def _placed(
    row: LesionRow, region: _Region, mask: Mask, box: Box, point_mm: NDArray[np.float64]
) -> LesionRow:
    """Say where a lesion lies in its organ, where the map has one."""
    if not region.sides:
        return row
    side = min(region.sides, key=lambda s: s.apart(point_mm))
    spacing = region.grid.spacing
    unit = side.frame.to_unit(point_mm)
    fraction = reach = None
    if side.hull is not None:
        offset = _starts(box) * spacing - side.corner_mm
        fraction, reach = side.hull.outside(mask, spacing, offset)
    return replace(
        row,
        side=side.frame.side,
        location_x=float(unit[0]),
        location_y=float(unit[1]),
        location_z=float(unit[2]),
        organ_distance_mm=depth(region.whole, spacing, point_mm),
        exophytic_fraction=fraction,
        protrusion_mm=reach,
    )


def _hounsfield(region: _Region, mask: Mask, box: Box) -> dict[str, Any]:
    if region.image is None:
        return {}
    inside = region.image[box][mask].astype(np.float64)
    reach = np.ceil(_SURROUND_MM / np.array(region.grid.spacing)).astype(int)
    wide = tuple(
        slice(max(s.start - r, 0), s.stop + r) for s, r in zip(box, reach.tolist(), strict=True)
    )
    around = region.image[wide][region.labels[wide] == region.organ.label]
    mean = float(inside.mean())
    return {
        "mean_hu": mean,
        "std_hu": float(inside.std()),
        "contrast_hu": mean - float(around.mean(dtype=np.float64)) if around.size else None,
    }


def _case_row(region: _Region, rows: Sequence[LesionRow], axis_codes: str) -> CaseRow:
    burden = sum(row.volume_mm3 for row in rows)
    organ = int(np.count_nonzero(region.whole)) * region.voxel_mm3
    x, y, z = region.grid.spacing
    return CaseRow(
        case=region.case,
        organ=region.organ.name,
        lesions=len(rows),
        organ_mm3=organ,
        burden_mm3=burden,
        burden_fraction=burden / organ,
        largest_diameter_mm=max((row.equivalent_diameter_mm for row in rows), default=0.0),
        spacing_x_mm=x,
        spacing_y_mm=y,
        spacing_z_mm=z,
        axis_codes=axis_codes,
    )


def _centroid(mask: Mask) -> NDArray[np.float64]:
    """Return the mean voxel index of a mask."""
    sums = []
    for axis in range(3):
        counts = np.count_nonzero(mask, axis=tuple(a for a in range(3) if a != axis))
        sums.append(counts @ np.arange(mask.shape[axis]) / counts.sum())
    return np.array(sums)


def _union(boxes: Sequence[Box | None]) -> Box | None:
    """Return the box that holds several, None if there is none."""
    there = [box for box in boxes if box is not None]
    if not there:
        return None
    x, y, z = (
        slice(min(s.start for s in axis), max(s.stop for s in axis))
        for axis in zip(*there, strict=True)
    )
    return x, y, z


def _starts(box: Box) -> NDArray[np.int64]:
    return np.array([s.start for s in box], np.int64)
