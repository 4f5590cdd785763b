"""Label values turned into others by a table, with a count of what went where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from oncoforge import anatomy
from oncoforge.errors import InputError, UnknownNameError

Labels = npt.NDArray[np.uint8]

_STYLES: Final = ("oncoforge", "organ-tumor", "tumor-only")
_SLAB: Final = 1 << 20
_SHOWN: Final = 8


@dataclass(frozen=True)
class Moved:
    """How many voxels of one value became another.

    Parameters
    ----------
    value, to
        Before and after.
    voxels
        How many.
    """

    value: int
    to: int
    voxels: int


@dataclass(frozen=True)
class LabelTable:
    """A translation of label values.

    Parameters
    ----------
    values
        Value found to value wanted (0 to 255); 0 stays 0 unless it is listed.
    what
        What kind of labels it expects, for the sentence about a value that it does not know.
    keep
        Let values that are not listed stay as they are.
    without_organ
        Values of which it is not known which organ they belong to.
    """

    values: Mapping[int, int]
    what: str
    keep: bool = False
    without_organ: tuple[int, ...] = ()

    def apply(self, labels: npt.NDArray[Any]) -> tuple[Labels, tuple[Moved, ...]]:
        """Translate a label map.

        Parameters
        ----------
        labels
            uint8 or uint16, any shape.

        Returns
        -------
        translated : numpy.ndarray
            Same shape, uint8.
        moved : tuple of Moved
            Counts of all values that occur, in their order.

        Raises
        ------
        InputError
            If a value is not in the table, or too large to stay as it is.
        """
        flat = np.asarray(labels).reshape(-1)
        counts = np.zeros(65536, dtype=np.int64)
        for start in range(0, flat.size, _SLAB):
            part = np.bincount(flat[start : start + _SLAB])
            counts[: part.size] += part
        present = np.flatnonzero(counts).tolist()
        wanted = {value: self._wanted(value) for value in present}
        self._check(value for value, to in wanted.items() if to is None)
        table = np.zeros(max(present, default=0) + 1, dtype=np.uint8)
        for value, to in wanted.items():
            table[value] = to or 0
        moved = tuple(Moved(v, int(table[v]), int(counts[v])) for v in present)
        return table[np.asarray(labels)], moved

    def after(self, first: Mapping[int, int]) -> LabelTable:
        """Return the table that replaces some values by others before anything else.

        Raises
        ------
        InputError
            If a value is replaced by one that the table does not know.
        """
        strays = [to for to in first.values() if self._wanted(to) is None]
        if strays:
            raise InputError(
                f"--map leads to {strays[0]}, which is none of the {self.what} labels: "
                f"{', '.join(str(value) for value in sorted({0, *self.values}))}."
            )
        replaced = {value: self._wanted(to) or 0 for value, to in first.items()}
        return replace(self, values={**self.values, **replaced})

    def _wanted(self, value: int) -> int | None:
        if value in self.values:
            return self.values[value]
        return value if value == 0 or (self.keep and value <= 255) else None

    def _check(self, unknown: Iterable[int]) -> None:
        found = list(unknown)
        if not found:
            return
        if set(found) <= set(self.without_organ):
            raise InputError(
                f"in {self.what} labels {found[0]} belongs to an organ that the label map does not "
                "tell; name it with --organ."
            )
        strays = [str(value) for value in found]
        shown = ", ".join(strays[:_SHOWN]) + (", ..." if len(strays) > _SHOWN else "")
        known = ", ".join(str(value) for value in sorted({0, *self.values}))
        raise InputError(
            f"its values are not {self.what} labels, which are {known}: found {shown}. Check that "
            "it is a label map of this kind, or say what they mean with --map."
        )


def table_of_classes(
    classes: Mapping[int, str], what: str, organ: str | None, style: str
) -> LabelTable:
    """Make the table from a dataset's values to a label style.

    Parameters
    ----------
    classes
        Value to oncoforge name; ``"{organ}"`` in a name waits for `organ`, and values whose name
        is still open are left out of the table.
    what
        What these labels are called.
    organ
        The organ of interest, needed by all styles but ``"oncoforge"``.
    style
        ``"oncoforge"``, ``"organ-tumor"`` (organ 1, its tumours 2) or ``"tumor-only"``.

    Raises
    ------
    UnknownNameError
        If there is no such style or organ.
    InputError
        If the style needs an organ and there is none.
    """
    style = style_name(style)
    numbers = {name: value for value, name in anatomy.NAMES.items()}
    named_organ = None if organ is None else anatomy.organ(organ)
    bearer = named_organ.name if named_organ and named_organ.tumor_label else ""
    named = {
        value: name.format(organ=bearer)
        for value, name in classes.items()
        if bearer or "{" not in name
    }
    values = {value: numbers[name] for value, name in named.items()}
    if style != "oncoforge":
        if organ is None:
            raise InputError(f"The label style {style} is of one organ; name it with --organ.")
        labels = np.array(list(values.values()), dtype=np.uint8)
        values = dict(zip(values, anatomy.restyle(labels, style, organ).tolist(), strict=True))
    return LabelTable(values, what, without_organ=tuple(v for v in classes if v not in named))


def table_of_convention(name: str, organ: str | None, style: str) -> LabelTable:
    """Make the table from a label convention of :mod:`oncoforge.anatomy` to a label style."""
    convention = convention_of(name, organ)
    return table_of_classes(convention.targets, repr(convention.name), organ, style)


def convention_of(name: str, organ: str | None) -> anatomy.Convention:
    """Find a label convention; an organ that it has no use for is of no consequence."""
    if organ is None or not anatomy.convention(name, "liver").organ:
        # An organ that holds no tumours is fine where the convention names its own.
        return anatomy.CONVENTIONS[anatomy.convention(name, "liver").name]
    return anatomy.convention(name, organ)


def style_name(style: str) -> str:
    """Return a style by its own name, however it was written."""
    key = _key(style)
    if key not in _STYLES:
        raise UnknownNameError("label style", style, _STYLES)
    return key


def is_style(name: str) -> bool:
    """Say whether a name is one of a label style."""
    return _key(name) in _STYLES


def _key(style: str) -> str:
    return style.lower().replace("_", "-").replace(" ", "-").replace("tumour", "tumor")
