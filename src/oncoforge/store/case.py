"""One case of a store: what is known of it, and the way to its voxels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from oncoforge.grid import Affine, Grid, Shape
from oncoforge.lists import Entry
from oncoforge.store import arrays
from oncoforge.store.build import IMAGE, LABELS, LOCATIONS, RECORD
from oncoforge.store.settings import Spacing

Rows = Mapping[int, tuple[int, int]]


@dataclass(frozen=True, eq=False)
class StoredCase:
    """A case that is read patch by patch.

    It holds no voxels and no open files: those are opened in the process that reads, few at a time.

    Parameters
    ----------
    case, patient
        As in its list.
    folder
        Where its files are.
    shape
        Voxels along R, A and S.
    affine
        (4, 4) voxel index to RAS+ mm.
    voxels
        oncoforge label to the number of its voxels; 0, the background, among them.
    bright
        The same of the voxels that are brighter than `StoreSettings.above_hu`.
    rows, bright_rows
        Where the locations of a label are in their file.
    """

    case: str
    patient: str
    folder: Path
    shape: Shape
    affine: Affine
    voxels: Mapping[int, int]
    bright: Mapping[int, int]
    rows: Rows
    bright_rows: Rows

    @classmethod
    def open(cls, folder: Path, entry: Entry, record: Mapping[str, Any]) -> StoredCase:
        """Make it from the record in its folder, as from `whole`."""
        x, y, z = record["shape"]
        voxels, bright = (
            {int(label): row for label, row in record[kind].items()}
            for kind in ("voxels", "bright")
        )
        return cls(
            case=entry.case,
            patient=entry.patient,
            folder=folder,
            shape=(x, y, z),
            affine=np.asarray(record["affine"], dtype=np.float64),
            voxels={label: number for label, (number, _, _) in voxels.items()},
            bright={label: number for label, (number, _, _) in bright.items()},
            rows={label: (start, stop) for label, (_, start, stop) in voxels.items()},
            bright_rows={label: (start, stop) for label, (_, start, stop) in bright.items()},
        )

    @property
    def spacing_mm(self) -> Spacing:
        """Distance of voxels along each axis, mm."""
        return Grid(self.shape, self.affine).spacing

    def image(self, start: Sequence[int], size: Sequence[int]) -> npt.NDArray[np.float32]:
        """Read a box of the image.

        Parameters
        ----------
        start, size
            First voxel and number of voxels along each axis; the box lies inside the volume.

        Returns
        -------
        numpy.ndarray
            float32 (X, Y, Z), whole HU.
        """
        return arrays.read(self.folder / IMAGE, start, size).astype(np.float32)

    def labels(self, start: Sequence[int], size: Sequence[int]) -> npt.NDArray[np.uint8]:
        """Read a box of the label map, as `image`: uint8 (X, Y, Z), oncoforge labels."""
        return arrays.read(self.folder / LABELS, start, size)

    def locations(self, label: int, bright: bool = False) -> npt.NDArray[np.int64]:
        """Return some voxels of a label, drawn uniformly when the case was built.

        Parameters
        ----------
        label
            In oncoforge numbers; 0 for the background.
        bright
            Only voxels that are brighter than `StoreSettings.above_hu`.

        Returns
        -------
        numpy.ndarray
            int64 (N, 3): all of them, or 10 000; none if the case does not have the label.

        Raises
        ------
        InputError
            If the file is gone or damaged.
        """
        start, stop = (self.bright_rows if bright else self.rows).get(int(label), (0, 0))
        if start == stop:
            return np.empty((0, 3), dtype=np.int64)
        path = self.folder / LOCATIONS
        try:
            points = np.load(path, mmap_mode="r")
        except (OSError, ValueError, EOFError) as error:
            raise arrays.unread(path, error) from error
        return np.asarray(points[start:stop], dtype=np.int64)


def whole(folder: Path, key: str) -> dict[str, Any] | None:
    """Return the record of a case, if all of its files are there and as large as they should be."""
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
        sizes = {name: (folder / name).stat().st_size for name in (IMAGE, LABELS, LOCATIONS)}
        complete = record["key"] == key and record["bytes"] == sizes
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if complete else None
