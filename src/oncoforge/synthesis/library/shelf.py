"""Reading a library: its index at once, its files when they are needed and as they were made."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oncoforge.errors import InputError
from oncoforge.formats.open import open_labels, open_volume
from oncoforge.formats.stored import StoredVolume
from oncoforge.synthesis.library.items import INDEX, ORGAN, TUMOR, Index, Item
from oncoforge.synthesis.scene import Vector

_MOST_VOXELS = 2**27
"""More than any organ at clinical resolution; a crop is smaller."""

_KEPT = 16
"""So many crops stay in memory."""


@dataclass(frozen=True, eq=False)
class Crop:
    """One tumour and what is around it, as cut out.

    Parameters
    ----------
    tumor, organ
        bool (x, y, z) in RAS order: the tumour; the organ without this tumour.
    image
        float32 (x, y, z), HU; None if it was not asked for.
    spacing
        Voxel size, mm.
    """

    tumor: NDArray[np.bool_]
    organ: NDArray[np.bool_]
    image: NDArray[np.float32] | None
    spacing: Vector

    @cached_property
    def centroid_vox(self) -> NDArray[np.float64]:
        """Centroid of the tumour, voxel indices."""
        return np.argwhere(self.tumor).mean(axis=0)


@dataclass(frozen=True, eq=False)
class Shelf:
    """An opened library.

    Parameters
    ----------
    folder
        Where it is.
    index
        What it holds.
    """

    folder: Path
    index: Index

    @cached_property
    def by_name(self) -> Mapping[str, Item]:
        """Its tumours by their names."""
        return {item.name: item for item in self.index.items}

    def of_organ(self, organ: str) -> tuple[Item, ...]:
        """Return the tumours of one organ, or of all where `organ` is empty.

        Raises
        ------
        InputError
            If there are none; the sentence names the organs that there are.
        """
        found = tuple(item for item in self.index.items if organ in ("", item.organ))
        if not found:
            organs = ", ".join(sorted({item.organ for item in self.index.items})) or "nothing"
            raise InputError(
                f"Library {self.folder} has no tumours of the {organ.replace('_', ' ')}; it has: "
                f"{organs}."
            )
        return found

    def item(self, name: str) -> Item:
        """Return a tumour by its name, or raise `InputError`."""
        if name not in self.by_name:
            raise InputError(
                f"Library {self.folder} has no tumour {name!r}; give the library that the recipe "
                "was drawn from with --library."
            )
        return self.by_name[name]

    def crop(self, name: str, mask_sha256: str, image_sha256: str | None = None) -> Crop:
        """Read a tumour.

        Parameters
        ----------
        name
            Which.
        mask_sha256, image_sha256
            What its files must be; None leaves the image away.

        Raises
        ------
        InputError
            If a file is missing, changed or unusable; the sentence names it.
        """
        item = self.item(name)
        stamps = [_stamp(self.folder / item.mask_file)]
        if image_sha256 is not None:
            stamps.append(_stamp(self.folder / item.image_file))
        return _crop(self.folder, item, mask_sha256, image_sha256, tuple(stamps))


def open_shelf(folder: str | Path) -> Shelf:
    """Open a library, or raise `InputError` if there is none in the folder."""
    place = Path(folder)
    return _shelf(place, _stamp(place / INDEX))


def _stamp(path: Path) -> tuple[int, int]:
    """Return what changes when a file does, so that nothing is kept beyond that."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=8)
def _shelf(folder: Path, _: tuple[int, int]) -> Shelf:
    return Shelf(folder, Index.from_json(folder / INDEX))


@lru_cache(maxsize=_KEPT)
def _crop(
    folder: Path,
    item: Item,
    mask_sha256: str,
    image_sha256: str | None,
    _: tuple[tuple[int, int], ...],
) -> Crop:
    stored = open_labels(_checked(folder / item.mask_file, mask_sha256))
    labels = _small(stored).labels()
    grid = stored.source.grid.ras()
    tumor = np.asarray(labels == TUMOR)
    if not tumor.any():
        raise InputError(f"{stored.path} holds no tumour (voxels of value {TUMOR}).")
    image = None
    if image_sha256 is not None:
        picture = open_volume(_checked(folder / item.image_file, image_sha256))
        if difference := grid.difference(picture.source.grid.ras()):
            raise InputError(f"{picture.path} is not on the grid of its mask: {difference}.")
        image = _frozen(_small(picture).image())
    return Crop(_frozen(tumor), _frozen(np.asarray(labels == ORGAN)), image, grid.spacing)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that those who share it cannot change."""
    array.flags.writeable = False
    return array


def _small(stored: StoredVolume) -> StoredVolume:
    if int(np.prod(stored.source.grid.shape, dtype=np.int64)) > _MOST_VOXELS:
        raise InputError(f"{stored.path} is no crop of a tumour: it has too many voxels.")
    return stored


def _checked(path: Path, sha256: str) -> Path:
    """Return a path whose file is what it was when the library was made."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); give the library whole, with --library if "
            "it has moved."
        ) from None
    if found != sha256:
        raise InputError(
            f"{path} is not the file that was in the library (its SHA-256 differs); restore it, or "
            "give the library that the recipe was drawn from with --library."
        )
    return path
