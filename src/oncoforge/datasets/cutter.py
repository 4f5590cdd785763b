"""Cut the tumours of one organ out of one case."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oncoforge import anatomy
from oncoforge.anatomy.organs import tumor_bearing
from oncoforge.errors import InputError
from oncoforge.formats import write_image, write_labels
from oncoforge.grid import Grid
from oncoforge.organ_frame import Frame, frames
from oncoforge.reports.wording import count
from oncoforge.synthesis.base import sphere_diameter
from oncoforge.synthesis.library.items import ORGAN, TUMOR, Item
from oncoforge.synthesis.scene import Box, bounding_box

FILE_KINDS = ("_mask.nii.gz", "_image.nii.gz")
"""How the files of a crop end."""

_WIDEST_MM = 200.0


@dataclass(frozen=True)
class Wanted:
    """Which tumours are cut out, and how.

    Parameters
    ----------
    convention
        How the label maps number organs and tumours.
    organ
        Organ whose tumours are wanted; None for all that have tumours.
    margin_mm
        What is kept around a tumour.
    min_diameter_mm, max_diameter_mm
        Range of the diameter of the sphere of the same volume.
    min_voxels
        Fewer voxels are a speck and not a shape.
    force
        Skip the checks that images are CT in HU.

    Raises
    ------
    UnknownNameError
        If the convention or organ does not exist.
    InputError
        If a number makes no sense.
    """

    convention: str = "oncoforge"
    organ: str | None = None
    margin_mm: float = 10.0
    min_diameter_mm: float = 0.0
    max_diameter_mm: float = np.inf
    min_voxels: int = 8
    force: bool = False

    def __post_init__(self) -> None:
        if self.organ is not None:
            object.__setattr__(self, "organ", tumor_bearing(self.organ).name)
        anatomy.convention(self.convention, self.organ)
        if not 0 <= self.margin_mm <= _WIDEST_MM or self.min_voxels < 1:
            raise InputError(
                f"The margin ({self.margin_mm:g} mm) is from 0 to {_WIDEST_MM:g} mm, and "
                f"min_voxels ({self.min_voxels}) is at least 1."
            )
        if not 0 <= self.min_diameter_mm <= self.max_diameter_mm:
            raise InputError(
                f"No tumour is at least {self.min_diameter_mm:g} mm and at most "
                f"{self.max_diameter_mm:g} mm wide."
            )

    def names(self) -> tuple[str, ...]:
        """Return the organs that are looked at."""
        if self.organ is not None:
            return (self.organ,)
        return tuple(name for name, o in anatomy.ORGANS.items() if o.tumor_label is not None)


@dataclass
class Found:
    """Tumours of one case, and why others are left out."""

    items: list[Item] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Cutter:
    """Cuts the tumours out of one organ of one case."""

    case: str
    stem: str
    organ: str
    labels: NDArray[np.uint8]
    image: NDArray[np.float32] | None
    grid: Grid
    wanted: Wanted
    folder: Path

    def cut(self, result: Found) -> None:
        """Write the crops, largest first, and note what they are."""
        import cc3d  # slow to import

        record = anatomy.organ(self.organ)
        tumors = np.asarray(self.labels == record.tumor_label)
        box = bounding_box(tumors)
        assert box is not None  # the case has tumours of this organ
        pieces = cc3d.connected_components(np.ascontiguousarray(tumors[box]), connectivity=26)
        stats = cc3d.statistics(pieces)
        counts = np.asarray(stats["voxel_counts"], np.int64)
        boxes = stats["bounding_boxes"]
        sides = frames(tumors | (self.labels == record.label), self.grid.spacing, self.organ)
        # Largest first; among equals in the order of their voxels.
        order = 1 + np.argsort(-counts[1:], kind="stable")
        for number, piece in enumerate(order, 1):
            name = f"{self.stem}_{number}"
            tight = _inside(box, boxes[piece])
            if reason := self._unwanted(int(counts[piece]), tight):
                result.left_out.append(f"{name} {reason}.")
                continue
            this = np.asarray(pieces[boxes[piece]] == piece)
            result.items.append(self._write(name, tight, this, sides))

    def _unwanted(self, voxels: int, box: Box) -> str:
        """Say why a tumour is left out; nothing if it is not."""
        wanted = self.wanted
        diameter = sphere_diameter(voxels * float(np.prod(self.grid.spacing)))
        if voxels < wanted.min_voxels:
            return f"has {count(voxels, 'voxel')}, fewer than {wanted.min_voxels}"
        if not wanted.min_diameter_mm <= diameter <= wanted.max_diameter_mm:
            return f"is {diameter:.1f} mm wide, which is not asked for"
        if any(s.start == 0 or s.stop == n for s, n in zip(box, self.labels.shape, strict=True)):
            return "is cut off by the edge of the scan"
        return ""

    def _write(
        self, name: str, tight: Box, this: NDArray[np.bool_], sides: Sequence[Frame]
    ) -> Item:
        spacing = np.asarray(self.grid.spacing)
        pad = np.ceil(self.wanted.margin_mm / spacing - 1e-6).astype(int)
        wide: Box = tuple(  # type: ignore[assignment]
            slice(max(s.start - int(p), 0), min(s.stop + int(p), n))
            for s, p, n in zip(tight, pad, self.labels.shape, strict=True)
        )
        record = anatomy.organ(self.organ)
        part = self.labels[wide]
        mask = np.where((part == record.label) | (part == record.tumor_label), ORGAN, 0)
        mask = mask.astype(np.uint8)
        place = tuple(
            slice(t.start - w.start, t.stop - w.start) for t, w in zip(tight, wide, strict=True)
        )
        mask[place][this] = TUMOR
        start = [s.start for s in wide]
        affine = self.grid.affine.copy()
        affine[:3, 3] = self.grid.to_world(start)
        grid = Grid(mask.shape, affine)
        centroid = np.argwhere(mask == TUMOR).mean(axis=0)
        voxels = int(np.count_nonzero(this))
        volume = voxels * float(spacing.prod())
        write_labels(self.folder / f"{name}{FILE_KINDS[0]}", mask, grid)
        image_sha, lesion_hu, organ_hu = None, None, None
        if self.image is not None:
            values = self.image[wide]
            write_image(self.folder / f"{name}{FILE_KINDS[1]}", values, grid)
            image_sha = _sha256(self.folder / f"{name}{FILE_KINDS[1]}")
            lesion_hu = _mean(values[mask == TUMOR])
            organ_hu = _mean(values[part == record.label])
        x, y, z = (float(c) for c in grid.to_world(centroid))
        sx, sy, sz = (float(s) for s in spacing)
        return Item(
            name=name,
            organ=self.organ,
            case=self.case,
            side=_side(sides, (centroid + start) * spacing),
            volume_mm3=volume,
            equivalent_diameter_mm=sphere_diameter(volume),
            spacing=(sx, sy, sz),
            centroid_mm=(x, y, z),
            mask_sha256=_sha256(self.folder / f"{name}{FILE_KINDS[0]}"),
            image_sha256=image_sha,
            lesion_hu=lesion_hu,
            organ_hu=organ_hu,
        )


def _inside(outer: Box, inner: Sequence[slice]) -> Box:
    """Return the box in the array of which `inner` is a box in a box."""
    x, y, z = (
        slice(o.start + i.start, o.start + i.stop) for o, i in zip(outer, inner, strict=True)
    )
    return x, y, z


def _side(sides: Sequence[Frame], centroid_mm: NDArray[np.float64]) -> str:
    """Return the side of the frame that a point lies in, or nearest to."""

    def away(frame: Frame) -> float:
        unit = frame.to_unit(centroid_mm)
        return float(np.linalg.norm((unit - np.clip(unit, 0, 1)) * frame.size_mm))

    return min(sides, key=away).side


def _mean(values: NDArray[np.float32]) -> float | None:
    return float(values.mean(dtype=np.float64)) if values.size else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
