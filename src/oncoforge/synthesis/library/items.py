"""The index of a library, ``library.json``: which tumours it holds, and what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from oncoforge.errors import InputError, OncoforgeError
from oncoforge.fields import build, plain
from oncoforge.synthesis.scene import Vector

INDEX = "library.json"
"""Name of the index in the folder of a library."""

VERSION = 1
ORGAN, TUMOR = 1, 2
"""Values of a mask file: the organ (with its other tumours), and this tumour."""

_LONGEST_BYTES = 64 * 2**20
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class Item:
    """One tumour of a library. Lengths in mm; x, y, z are R, A, S.

    Parameters
    ----------
    name
        Unique in the library; its files are named after it.
    organ
        Name of its organ, as in `anatomy.ORGANS`.
    case
        Id of the case that it is of.
    side
        ``"left"`` or ``"right"`` of a paired organ, else empty.
    volume_mm3, equivalent_diameter_mm
        Its size.
    spacing
        Voxel size of its files.
    centroid_mm
        In the patient (world of its files).
    mask_sha256, image_sha256
        SHA-256 of its files; None if it has no image.
    lesion_hu, organ_hu
        Mean HU inside, and of the organ in its crop; None without an image, or without organ.
    """

    name: str
    organ: str
    case: str
    side: str
    volume_mm3: float
    equivalent_diameter_mm: float
    spacing: Vector
    centroid_mm: Vector
    mask_sha256: str
    image_sha256: str | None = None
    lesion_hu: float | None = None
    organ_hu: float | None = None

    def __post_init__(self) -> None:
        if not is_file_stem(self.name):
            raise InputError(f"A tumour cannot be named {self.name!r}: its files bear that name.")
        if min(*self.spacing, self.volume_mm3, self.equivalent_diameter_mm) <= 0:
            raise InputError(f"Tumour {self.name} has a size or a spacing that is not above 0.")
        for found in (self.mask_sha256, self.image_sha256):
            if found is not None and not (len(found) == 64 and set(found) <= _HEX):
                raise InputError(f"Tumour {self.name} has {found!r} for the SHA-256 of a file.")

    @property
    def mask_file(self) -> str:
        """Name of its label map."""
        return f"{self.name}_mask.nii.gz"

    @property
    def image_file(self) -> str:
        """Name of its image, if it has one."""
        return f"{self.name}_image.nii.gz"


@dataclass(frozen=True)
class Index:
    """What a library holds.

    Parameters
    ----------
    items
        Its tumours.
    licence
        Under which terms they may be used; empty if nobody said.
    left_out
        Why other tumours of the same cases are not in it: one sentence each.

    Raises
    ------
    InputError
        If two tumours have one name.
    """

    items: tuple[Item, ...]
    licence: str = ""
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [item.name for item in self.items]
        if len(set(names)) < len(names):
            raise InputError("Two tumours have one name; every tumour needs its own.")

    def to_json(self) -> str:
        """Return the contents of the index file."""
        data = {
            "version": VERSION,
            "licence": self.licence,
            "items": [asdict(item) for item in self.items],
            "left_out": list(self.left_out),
        }
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, path: Path) -> Index:
        """Read an index file.

        Raises
        ------
        InputError
            If it is no index that oncoforge wrote.
        """
        data = _load(path)
        if data.get("version") != VERSION:
            raise InputError(
                f"{path} is an index of version {data.get('version')!r}, and this oncoforge reads "
                f"version {VERSION}; make the library anew with oncoforge prepare crops."
            )
        try:
            items = tuple(build(Item, item, "tumour's entry") for item in data["items"])
            left_out = plain(data.get("left_out", ()))
            return cls(items, str(data.get("licence", "")), left_out)
        except (KeyError, TypeError, OncoforgeError) as error:
            raise InputError(
                f"{path} is not an index that oncoforge prepare crops wrote ({error}); make the "
                "library anew."
            ) from error


def is_file_stem(name: str) -> bool:
    """Tell whether files can be named after something without leaving their folder."""
    return bool(name) and name[0] != "." and not set(name) & set('/\\:\0\n\r\t"<>|?*')


def _load(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > _LONGEST_BYTES:
            raise ValueError(f"it is longer than {_LONGEST_BYTES >> 20} MiB")
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise ValueError("it holds no object")
    except FileNotFoundError:
        raise InputError(
            f"{path.parent} is not a library of tumours: it has no {path.name}. Make one with "
            "oncoforge prepare crops, or give the right folder with --library."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a readable index of a library ({error}).") from None
    return data
