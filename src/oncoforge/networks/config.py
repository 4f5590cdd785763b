"""What a network is and how it is used: plain data that travels with its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from oncoforge.anatomy import NAMES
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.fields import build as checked

Range = tuple[float, float]


@dataclass(frozen=True)
class Pipeline:
    """How a volume becomes the input of a network, and what its output channels mean.

    Parameters
    ----------
    classes
        Name of each output channel, in their order: names of `oncoforge.anatomy.NAMES`, such as
        ``("background", "liver", "liver_tumor")``.
    spacing_mm
        Voxel spacing along R, A and S that the network expects; None if it takes volumes as they
        are.
    window_hu
        The HU that become `values`; what lies beyond is clipped.
    values
        What the ends of the window become.
    patch
        Voxels along R, A and S of one window.
    overlap
        Part of a window that it shares with its neighbour, 0 to 1 (1 excluded).
    postprocess
        Name of what is done with the mask: see `oncoforge.prediction`.

    Raises
    ------
    UnknownNameError
        If a class is no name of a label.
    InputError
        If a number makes no sense.
    """

    classes: tuple[str, ...]
    spacing_mm: tuple[float, float, float] | None = (1.0, 1.0, 1.0)
    window_hu: Range = (-175.0, 250.0)
    values: Range = (0.0, 1.0)
    patch: tuple[int, int, int] = (96, 96, 96)
    overlap: float = 0.5
    postprocess: str = "none"

    def __post_init__(self) -> None:
        for name in self.classes:
            if name not in NAMES.values():
                raise UnknownNameError("class", name, NAMES.values())
        if len(set(self.classes)) != len(self.classes):
            raise InputError(f"The classes are {', '.join(self.classes)}; name each once.")
        if self.spacing_mm is not None and min(self.spacing_mm) <= 0:
            raise InputError(f"spacing_mm is {self.spacing_mm}; give three positive lengths.")
        for name in ("window_hu", "values"):
            low, high = getattr(self, name)
            if low >= high:
                raise InputError(f"{name} is {low} to {high}; the first must be the smaller.")
        if min(self.patch) < 1:
            raise InputError(f"patch is {self.patch}; give three numbers of voxels.")
        if not 0 <= self.overlap < 1:
            raise InputError(f"overlap is {self.overlap}; give a part from 0, below 1.")

    @property
    def labels(self) -> tuple[int, ...]:
        """The oncoforge label of each output channel."""
        numbers = {name: label for label, name in NAMES.items()}
        return tuple(numbers[name] for name in self.classes)


@dataclass(frozen=True)
class Origin:
    """Where weights come from.

    Parameters
    ----------
    name
        Name in the catalogue; empty if they are in none.
    file
        Name of the file that they were read from, without its folder.
    sha256
        Of that file, 64 hexadecimal digits; empty if it was not worked out.
    licence
        As an SPDX identifier where there is one; empty if unknown.
    notes
        What to know of them: one sentence each, such as that a variant was chosen.
    """

    name: str = ""
    file: str = ""
    sha256: str = ""
    licence: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Config:
    """What a network is: enough to build it again.

    Parameters
    ----------
    network
        Name in the registry of `oncoforge.networks`.
    in_channels, out_channels
        Channels of its input and its output.
    options
        What else it was built with, by the names that `oncoforge.networks.build` takes, all of
        them, those left at their default too.
    pipeline
        How it is used; None if that is not known.
    origin
        Where its weights come from; None for new ones.
    """

    network: str
    in_channels: int
    out_channels: int
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    pipeline: Pipeline | None = None
    origin: Origin | None = None

    def __post_init__(self) -> None:
        if min(self.in_channels, self.out_channels) < 1:
            raise InputError(
                f"A network has at least one channel in and out; found {self.in_channels} and "
                f"{self.out_channels}."
            )
        if self.pipeline is not None and len(self.pipeline.classes) != self.out_channels:
            raise InputError(
                f"The network has {self.out_channels} output channels, and "
                f"{len(self.pipeline.classes)} classes are named; name one for each."
            )

    def having(self, **changes: Any) -> Config:
        """Return the same with some fields changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Config:
        """Return what `to_dict` made plain data of, which may have been through JSON.

        Raises
        ------
        InputError
            If it is incomplete or holds what does not belong there.
        """
        parts = dict(values)
        for name, kind in (("pipeline", Pipeline), ("origin", Origin)):
            if parts.get(name) is not None:
                parts[name] = checked(kind, parts[name], f"{name} field")
        return checked(cls, parts, "config field")
