"""What a store is made of: cases, and how they are brought into it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from oncoforge.errors import InputError
from oncoforge.lists import Entry

Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class StoreSettings:
    """How cases are brought into a store.

    Parameters
    ----------
    spacing_mm
        Voxel size; None keeps that of each scan.
    above_hu
        Voxels above this are bright: where patches of background may be centred.
    crop
        Keep the box of the body and of all labels only.

    Raises
    ------
    InputError
        If a number makes no sense.
    """

    spacing_mm: Spacing | None = (1.0, 1.0, 1.0)
    above_hu: float = -175.0
    crop: bool = True

    def __post_init__(self) -> None:
        """Check the numbers, which may come from a recipe."""
        if self.spacing_mm is not None:
            spacing = tuple(float(mm) for mm in self.spacing_mm)
            if len(spacing) != 3 or not all(isfinite(mm) and mm > 0 for mm in spacing):
                raise InputError(
                    f"spacing_mm is {self.spacing_mm}; give three lengths above 0 mm, or none to "
                    "keep that of each scan."
                )
            object.__setattr__(self, "spacing_mm", spacing)
        if not isfinite(self.above_hu):
            raise InputError(f"above_hu is {self.above_hu}; give a number of HU.")


@dataclass(frozen=True)
class CaseFiles:
    """The files of one case.

    Parameters
    ----------
    entry
        Of a list; its image and its label map.
    convention
        How the label map numbers organs and tumours.
    organ
        For conventions that do not say which organ theirs is.
    """

    entry: Entry
    convention: str = "oncoforge"
    organ: str | None = None

    def __str__(self) -> str:
        return str(self.entry.image)
