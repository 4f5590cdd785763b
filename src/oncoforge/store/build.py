"""One case brought into a store: read, resampled, cropped to the body, and written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from oncoforge import anatomy
from oncoforge.analysis.body import body, box_of
from oncoforge.analysis.survey import read_oncoforge
from oncoforge.errors import GridMismatchError, InputError
from oncoforge.formats import Volume, read_image
from oncoforge.formats.lattice import Axis, Box, Lattice, ratios_of
from oncoforge.store import arrays
from oncoforge.store.settings import CaseFiles, StoreSettings
from oncoforge.store.voxels import Voxels, encode

IMAGE: Final = "image.b2nd"
LABELS: Final = "labels.b2nd"
LOCATIONS: Final = "locations.npy"
RECORD: Final = "case.json"

_INT16 = np.iinfo(np.int16)


def build(case: CaseFiles, settings: StoreSettings, key: str, folder: Path) -> None:
    """Write a case into an empty folder; ``case.json`` last.

    Parameters
    ----------
    case
        Its files are there.
    settings
        How it is brought there.
    key
        What the case is known by; which locations are drawn depends on it alone.
    folder
        Where to write.

    Raises
    ------
    InputError
        If a file cannot be read, or does not hold what it should.
    GridMismatchError
        If the label map lies on another grid than the image.
    """
    scan, labels = _read(case)
    lattice = Lattice.between(scan.array.shape, scan.spacing, settings.spacing_mm)
    box = _kept(scan, labels, lattice, settings.crop)
    codes = _write(scan.array, labels, lattice, box, settings.above_hu, folder)
    voxels = Voxels.of(codes, np.random.default_rng(int(key, 16)))
    content = {
        "key": key,
        "shape": list(codes.shape),
        "affine": _affine(scan, settings, box).tolist(),
        **_write_voxels(voxels, folder),
    }
    content["bytes"] = {name: (folder / name).stat().st_size for name in (IMAGE, LABELS, LOCATIONS)}
    text = json.dumps(content, indent=1) + "\n"
    (folder / RECORD).write_text(text, encoding="utf-8")


def _read(case: CaseFiles) -> tuple[Volume, npt.NDArray[np.uint8]]:
    entry = case.entry
    assert entry.image is not None  # build_store looked
    assert entry.label is not None
    # Labels first: they need more than their size for a moment, while the image is not there.
    labels = read_oncoforge(entry.label, anatomy.convention(case.convention, case.organ))
    scan = read_image(entry.image)
    difference = scan.grid.difference(labels.grid)
    if difference:
        raise GridMismatchError(
            f"{entry.label} is not on the grid of {entry.image}: {difference}. Give the label map "
            "of this image."
        )
    return scan, labels.array


def _kept(scan: Volume, labels: npt.NDArray[np.uint8], lattice: Lattice, crop: bool) -> Box:
    """Return the box of the body and of all labels, in voxels of the store."""
    kept = box_of(body(scan.array, scan.spacing) | (labels > 0)) if crop else None
    if kept is None:
        x, y, z = (slice(0, n) for n in lattice.network)
        return x, y, z
    if lattice.to_network is None:
        return kept
    x, y, z = (_between(axis, part) for axis, part in zip(lattice.to_network, kept, strict=True))
    return x, y, z


def _between(axis: Axis, part: slice) -> slice:
    """Return the voxels of the store that some of the scan have a share in."""
    inside = np.flatnonzero((axis.upper >= part.start) & (axis.lower < part.stop))
    if not len(inside):
        raise InputError(
            "No voxel of the store would lie in the body, so coarse is its spacing_mm; choose a "
            "finer one."
        )
    return slice(int(inside[0]), int(inside[-1]) + 1)


def _write(
    scan: npt.NDArray[np.float32],
    labels: npt.NDArray[np.uint8],
    lattice: Lattice,
    box: Box,
    above_hu: float,
    folder: Path,
) -> npt.NDArray[np.uint8]:
    """Write the image and the labels, slab by slab; return the codes of all voxels."""
    shape = tuple(part.stop - part.start for part in box)
    image_file = arrays.create(folder / IMAGE, shape, np.int16)
    labels_file = arrays.create(folder / LABELS, shape, np.uint8)
    codes = np.empty(shape, dtype=np.uint8)
    for rows in _slabs(shape[0]):
        first = box[0].start
        here = slice(first + rows.start, first + rows.stop), box[1], box[2]
        hu = np.rint(lattice.image(scan, here))
        image = np.clip(hu, _INT16.min, _INT16.max, out=hu).astype(np.int16)
        named = np.ascontiguousarray(lattice.labels(labels, here))
        arrays.write(image_file, rows, image)
        arrays.write(labels_file, rows, named)
        codes[rows] = encode(named, image > above_hu)
    return codes


def _slabs(length: int) -> Iterator[slice]:
    for start in range(0, length, arrays.CHUNK):
        yield slice(start, min(start + arrays.CHUNK, length))


def _affine(scan: Volume, settings: StoreSettings, box: Box) -> npt.NDArray[np.float64]:
    """Return the affine of the stored grid, (4, 4)."""
    ratios = np.asarray(ratios_of(scan.spacing, settings.spacing_mm))
    affine = scan.affine.copy()
    affine[:3, :3] *= ratios
    affine[:3, 3] = scan.grid.to_world(ratios * [part.start for part in box])
    return affine


def _write_voxels(voxels: Voxels, folder: Path) -> dict[str, Any]:
    """Write locations; return where in their file those of each label are, and the counts."""
    points = [np.empty((0, 3), dtype=np.int64), *voxels.locations.values()]
    np.save(folder / LOCATIONS, np.concatenate(points).astype(np.uint16))
    rows: dict[str, dict[str, list[int]]] = {"voxels": {}, "bright": {}}
    start = 0
    for (label, bright), found in voxels.locations.items():
        stop = start + len(found)
        kind = "bright" if bright else "voxels"
        rows[kind][str(label)] = [voxels.counts[label, bright], start, stop]
        start = stop
    return rows
