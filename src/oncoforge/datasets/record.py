"""What is known of a dataset: where it is, what it holds, and how its folder looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

TUMOR: Final = "tumour-labelled"
ORGAN: Final = "organ-labelled"
UNLABELLED: Final = "unlabelled"
ROLES: Final = (TUMOR, ORGAN, UNLABELLED)
"""What the voxel labels of a dataset are good for."""

_PARTS: Final = ("training", "validation", "test", "tuning", "unlabelled", "partly labelled",
                 "FDG", "PSMA")  # fmt: skip

AS_DOWNLOADED: Final = "as downloaded"
NNUNET: Final = "nnU-Net names"


@dataclass(frozen=True)
class Layout:
    """Where the files of one part of a dataset lie.

    Parameters
    ----------
    image, label
        Patterns of paths below the root: ``{case}`` is the id, ``{study}`` and ``{part}`` further
        names, ``*`` any part of a name and a leading ``**/`` any folders. ``.nii.gz`` stands for
        ``.nii`` too. A pattern without an ending is a folder of DICOM files (or, for labels, of
        DICOM files or PNG slices). Empty where there is none.
    case
        Regular expression of an id.
    split
        ``"training"``, ``"validation"`` or ``"test"``: what the dataset calls this part.
    name
        Name of the files that are made from a case.
    way
        Which of several ways to keep the dataset this is; all layouts of a way belong together.
    classes
        Label value to oncoforge name, where it is another than the dataset's.
    """

    image: str
    label: str
    case: str
    split: str = "training"
    name: str = "{case}"
    way: str = AS_DOWNLOADED
    classes: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """One public dataset.

    Parameters
    ----------
    name
        As it is typed, such as ``"msd-liver"``.
    title
        As people write it.
    role
        One of `ROLES`.
    organs
        What its labels show, by the names of :mod:`oncoforge.anatomy`; for unlabelled sets what
        its scans show.
    cases
        Scans in each part, by the dataset's own names of the parts.
    home, access, licence, citation
        Its page, how to get it, under which terms, and what to cite.
    layouts
        How its folder can look.
    modality
        ``"CT"``, or what else there is beside it.
    size_gb, size_note
        How big it is (gigabytes of 10^9 bytes), None where that is not known, and what was
        measured.
    convention
        Label convention of :mod:`oncoforge.anatomy`, None where `classes` or `parts` say it.
    classes
        Label value to oncoforge name (``"background"`` to drop it).
    parts
        For labels in one file per structure: name of the file (``*`` for any letters) to oncoforge
        name. Later ones are painted over earlier ones.
    overlaps
        Name of another dataset to what is shared with it.
    healthy
        Organ to the ids of cases (or ``"all"``) that are known to be without tumours of it.
    notes
        What trips people up.
    aliases
        Other names.
    """

    name: str
    title: str
    role: str
    organs: tuple[str, ...]
    cases: Mapping[str, int]
    home: str
    access: str
    licence: str
    citation: str
    layouts: tuple[Layout, ...]
    modality: str = "CT"
    size_gb: float | None = None
    size_note: str = ""
    convention: str | None = None
    classes: Mapping[int, str] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    overlaps: Mapping[str, str] = field(default_factory=dict)
    healthy: Mapping[str, tuple[str, ...] | str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def labelled(self) -> bool:
        """Whether any of its layouts has voxel labels."""
        return any(layout.label for layout in self.layouts)

    @property
    def total(self) -> int:
        """Number of scans: of all parts, or of the first where the others are counted in it."""
        parts = [number for part, number in self.cases.items() if part in _PARTS]
        return sum(parts) or next(iter(self.cases.values()))

    @property
    def ways(self) -> tuple[str, ...]:
        """Ways in which its folder can look, the original one first."""
        return tuple(dict.fromkeys(layout.way for layout in self.layouts))


def decathlon(case: str) -> tuple[Layout, ...]:
    """Lay out a task of the Medical Segmentation Decathlon, whose ids match `case`."""
    return (
        Layout("imagesTr/{case}.nii.gz", "labelsTr/{case}.nii.gz", case),
        Layout("imagesTs/{case}.nii.gz", "", case, split="test"),
    )


def nnunet(case: str, name: str = "{case}") -> tuple[Layout, ...]:
    """Lay out a folder with the names of nnU-Net, whose ids match `case`."""
    return (
        Layout(
            "imagesTr/{case}_0000.nii.gz", "labelsTr/{case}.nii.gz", case, name=name, way=NNUNET
        ),
        Layout("imagesTs/{case}_0000.nii.gz", "labelsTs/{case}.nii.gz", case, "test", name, NNUNET),
    )
