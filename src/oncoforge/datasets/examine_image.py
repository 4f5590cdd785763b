"""What can be wrong with an image: its geometry and its values."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from oncoforge.analysis.geometry import doubts, unplaced
from oncoforge.errors import InputError
from oncoforge.formats.hounsfield import check_hu, subsample
from oncoforge.formats.stored import StoredVolume
from oncoforge.grid import Grid

_FEWEST_VOXELS: Final = 8
_LEAST_MM: Final = 20.0
_FAT_HU: Final = -150.0
_FORCE: Final = " If it is right all the same"


def geometry_findings(file: StoredVolume) -> list[tuple[str, str]]:
    """Say what is odd about where a file places its voxels: kinds and sentences."""
    grid = file.source.grid
    found = [(kind, f"{file.path} {what}") for kind, what in doubts(file.source)]
    if lost_geometry(grid) and not unplaced(file.source):
        found.append(
            (
                "lost-geometry",
                f"{file.path} has voxels of 1 x 1 x 1 mm that start at 0, 0, 0 along the axes: "
                "most likely its header was lost on writing.",
            )
        )
    extent = [n * mm for n, mm in zip(grid.shape, grid.spacing, strict=True)]
    if min(grid.shape) < _FEWEST_VOXELS or min(extent) < _LEAST_MM:
        size = " x ".join(str(n) for n in grid.shape)
        across = " x ".join(f"{mm:.4g}" for mm in extent)
        found.append(("tiny", f"{file.path} has {size} voxels only, {across} mm."))
    return found


def lost_geometry(grid: Grid) -> bool:
    """Say whether a grid is what writers make up: unit voxels, no offset, no rotation."""
    # The signs differ: what was written as LPS identity reads as -1, -1, 1 in RAS.
    return bool(np.allclose(np.abs(grid.affine), np.eye(4), atol=1e-6))


def hu_findings(image: NDArray[np.float32], name: str) -> list[tuple[str, str]]:
    """Say why an image does not look like CT in HU, if it does not."""
    try:
        check_hu(image, name=name)
    except InputError as error:
        # Without the advice on an option that this command does not have.
        return [("not-hu", str(error).partition(_FORCE)[0])]
    return []


def spread(image: NDArray[np.float32]) -> tuple[float, float]:
    """Return the 1st and the 99th percentile."""
    low, high = np.percentile(subsample(image), (1, 99))
    return float(low), float(high)


def tissue_median(image: NDArray[np.float32], labels: NDArray[Any] | None) -> float | None:
    """Return the median of what is labelled, else of what is denser than fat; None if nothing is.

    Parameters
    ----------
    image
        (X, Y, Z).
    labels
        Label map on the same grid; None if there is none.
    """
    values = subsample(image)
    inside = values > _FAT_HU if labels is None else subsample(labels) > 0
    if labels is not None and not inside.any():
        values, inside = image, labels > 0
    chosen = values[inside]
    return float(np.median(chosen)) if chosen.size else None
