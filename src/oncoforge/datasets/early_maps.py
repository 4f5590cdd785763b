"""Which tumours of a label map are early, and the map with only these as tumours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import scipy
from numpy.typing import NDArray

from oncoforge import anatomy
from oncoforge.analysis.measure import MIN_VOXELS
from oncoforge.analysis.shape import equivalent_diameter
from oncoforge.errors import InputError
from oncoforge.formats import write_labels
from oncoforge.formats.open import open_labels
from oncoforge.lists import Entry

EARLY_MM: Final = 20.0
"""Largest diameter of an early tumour, as in DiffTumor (Chen et al., CVPR 2024)."""

_NEAR_MM = 10.0
_CONNECTIVITIES = (6, 18, 26)

Classes = Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
"""Organ to the values of its tumours, and of the organ itself."""


@dataclass(frozen=True)
class Limits:
    """What counts as an early tumour.

    Parameters
    ----------
    max_diameter_mm
        Largest diameter of the sphere of the same volume.
    min_voxels
        Smaller components are specks: they become organ too.
    connectivity
        What makes voxels one tumour: 6 (as DiffTumor), 18 or 26 neighbours.

    Raises
    ------
    InputError
        If a number makes no sense.
    """

    max_diameter_mm: float = EARLY_MM
    min_voxels: int = MIN_VOXELS
    connectivity: int = 26

    def __post_init__(self) -> None:
        if not 0 < self.max_diameter_mm < np.inf or self.min_voxels < 1:
            raise InputError(
                f"The largest diameter ({self.max_diameter_mm:g} mm) is above 0, and min_voxels "
                f"({self.min_voxels}) at least 1."
            )
        if self.connectivity not in _CONNECTIVITIES:
            raise InputError(f"connectivity is {self.connectivity}; it is 6, 18 or 26.")


@dataclass(frozen=True)
class Tally:
    """The tumours of one organ of one case.

    Parameters
    ----------
    case, organ
        Which.
    early, late, specks
        Numbers of tumours up to the limit, of larger ones, and of components too small to count.
    smallest_mm
        Diameter of the smallest tumour; None without tumours.
    """

    case: str
    organ: str
    early: int
    late: int
    specks: int
    smallest_mm: float | None


def tumor_classes(convention: anatomy.Convention, organ: str | None) -> Classes:
    """Return the values of tumours and organs in a convention.

    Raises
    ------
    InputError
        If it numbers no tumours of the organ, or none at all.
    """
    found = {}
    for name in anatomy.ORGANS if organ is None else (organ,):
        tumor = tuple(v for v, target in convention.targets.items() if target == f"{name}_tumor")
        if tumor:
            found[name] = (tumor, tuple(v for v, t in convention.targets.items() if t == name))
    if not found:
        whose = "tumours" if organ is None else f"tumours of the {organ.replace('_', ' ')}"
        raise InputError(f"The convention {convention.name!r} has no {whose}; nothing to select.")
    return found


def select_case(
    named: tuple[Entry, str],
    convention: anatomy.Convention,
    classes: Classes,
    limits: Limits,
    paired: bool,
    folder: Path,
) -> list[Tally]:
    """Select in one case, and write its map if an early tumour is left.

    Parameters
    ----------
    named
        The case, and the name of the file to write.
    convention, classes
        How its map numbers organs and tumours.
    limits
        What counts as early.
    paired
        Whether it must have an image.
    folder
        Where the map goes.

    Raises
    ------
    InputError
        If the map cannot be read, or does not fit the convention.
    """
    entry, file = named
    assert entry.label is not None  # find_sources gives no others
    if paired and entry.image is None:
        raise InputError(f"{entry.label} has no image of its id in the folder of --images.")
    stored = open_labels(entry.label)
    labels = stored.labels()
    try:
        convention.to_oncoforge(labels)  # only to see that it fits
    except InputError as error:
        raise InputError(f"{entry.label} does not fit its label convention. {error}") from None
    spacing = np.array(stored.source.grid.ras().spacing)
    voxel_mm3 = float(abs(np.linalg.det(stored.source.grid.affine[:3, :3])))
    tallies = []
    for organ, (tumors, organs) in classes.items():
        counts = _select(labels, tumors, organs, limits, spacing, voxel_mm3)
        if counts is not None:
            tallies.append(Tally(entry.case, organ, *counts))
    if any(tally.early for tally in tallies):
        write_labels(folder / file, labels, stored.source)
    return tallies


def _select(
    labels: NDArray[Any],
    tumors: tuple[int, ...],
    organs: tuple[int, ...],
    limits: Limits,
    spacing: NDArray[np.float64],
    voxel_mm3: float,
) -> tuple[int, int, int, float | None] | None:
    """Turn all but early tumours into organ, in place; return numbers, None without tumours."""
    import cc3d  # slow to import

    mask = np.isin(labels, tumors)
    box = next(iter(scipy.ndimage.find_objects(mask.view(np.uint8))), None)
    if box is None:
        return None
    parts = cc3d.connected_components(
        np.ascontiguousarray(mask[box]), connectivity=limits.connectivity
    )
    del mask
    stats = cc3d.statistics(parts)
    early = late = specks = 0
    smallest: float | None = None
    for part, voxels in enumerate(np.asarray(stats["voxel_counts"], np.int64)[1:].tolist(), 1):
        across = equivalent_diameter(voxels * voxel_mm3)
        if voxels >= limits.min_voxels:
            smallest = across if smallest is None else min(smallest, across)
            if across <= limits.max_diameter_mm:
                early += 1
                continue
            late += 1
        else:
            specks += 1
        inner = stats["bounding_boxes"][part]
        place = tuple(
            slice(o.start + i.start, o.start + i.stop) for o, i in zip(box, inner, strict=True)
        )
        labels[place][parts[inner] == part] = _organ_around(labels, place, organs, spacing)
    return early, late, specks, smallest


def _organ_around(
    labels: NDArray[Any],
    place: tuple[slice, ...],
    organs: tuple[int, ...],
    spacing: NDArray[np.float64],
) -> int:
    """Return the value of the organ around a tumour, background if the dataset has none."""
    if len(organs) <= 1:
        return next(iter(organs), 0)
    # Left and right have values of their own: the one with more voxels nearby.
    pad = np.ceil(_NEAR_MM / spacing).astype(int).tolist()
    near = labels[
        tuple(slice(max(s.start - p, 0), s.stop + p) for s, p in zip(place, pad, strict=True))
    ]
    return max(organs, key=lambda value: int(np.count_nonzero(near == value)))
