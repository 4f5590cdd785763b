"""Label conventions of public datasets, and the way from each to oncoforge's own labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from oncoforge.anatomy.convention_tables import ALIASES, TABLES, Table
from oncoforge.anatomy.labels import NAMES
from oncoforge.anatomy.organs import Organ, tumor_bearing
from oncoforge.anatomy.relabel import relabel, table_of
from oncoforge.errors import InputError, UnknownNameError

_TARGETS: Final[Mapping[str, int]] = {name: label for label, name in NAMES.items()}


@dataclass(frozen=True)
class Convention:
    """How one dataset numbers what it labels.

    Parameters
    ----------
    name
        What it is called here, such as ``"msd-liver"``.
    title
        The dataset, for people.
    source
        Where the numbers were published.
    classes
        Value to the dataset's own name of the class; 0 is background and is listed.
    targets
        Value to the oncoforge name that it becomes. ``"{organ}"`` and ``"{organ}_tumor"`` are
        left open for `for_organ` to fill in.
    notes
        What a user should know about the choices made, empty where there were none.
    organ
        The organ named by `for_organ`, None if none was needed or named.
    """

    name: str
    title: str
    source: str
    classes: Mapping[int, str]
    targets: Mapping[int, str]
    notes: str = ""
    organ: str | None = None

    def __hash__(self) -> int:
        return hash((self.name, self.organ))

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.name, self.organ)

    @property
    def open_values(self) -> tuple[int, ...]:
        """Values whose organ the dataset does not tell; empty once an organ is named."""
        return tuple(value for value, target in self.targets.items() if "{" in target)

    def for_organ(self, organ: str | Organ) -> Convention:
        """Name the organ that the convention leaves open.

        Parameters
        ----------
        organ
            An organ that can hold tumours.

        Returns
        -------
        Convention
            One without open values; this very one where nothing was open.
        """
        if not self.open_values:
            return self
        name = tumor_bearing(organ).name
        filled = {value: target.format(organ=name) for value, target in self.targets.items()}
        return replace(self, targets=MappingProxyType(filled), organ=name)

    def to_oncoforge(self, labels: NDArray[Any]) -> NDArray[np.uint8]:
        """Translate a label map.

        Parameters
        ----------
        labels
            A map in this convention: any shape, memory order and integer type (floating types
            and booleans too, if every value is whole).

        Returns
        -------
        numpy.ndarray
            Same shape, uint8, oncoforge labels.

        Raises
        ------
        InputError
            If a value is in none of the convention's classes, or its organ is not known.
        """
        translated, unknown = relabel(labels, self._table)
        if unknown:
            raise InputError(self._complaint(unknown))
        return translated

    @cached_property
    def _table(self) -> NDArray[np.uint8]:
        known = {v: _TARGETS[t] for v, t in self.targets.items() if t in _TARGETS}
        return table_of(known)

    def _complaint(self, unknown: list[Any]) -> str:
        strays = [value for value in unknown if value not in self.open_values]
        if not strays:
            return (
                f"{_listed(unknown)} in {self.name!r} labels belongs to an organ that the dataset "
                f"does not name; name it, as in convention({self.name!r}, organ='pancreas')."
            )
        fitting = [
            name
            for name, other in CONVENTIONS.items()
            if name != self.name and set(strays) <= set(other.classes)
        ]
        advice = (
            f"these values exist in: {', '.join(fitting)}."
            if fitting
            else "no convention here has them: is this a label map, and not an image?"
        )
        return (
            f"These labels are not {self.name!r} labels, which run from 0 to "
            f"{max(self.classes)}: found {_listed(strays)}; {advice}"
        )


def _listed(values: list[Any], at_most: int = 8) -> str:
    shown = [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    if len(shown) > at_most:
        shown = [*shown[:at_most], "more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _from_table(name: str, table: Table) -> Convention:
    classes = {0: "background"} | {value: own for value, (own, _) in table.classes.items()}
    targets = {0: "background"} | {value: here for value, (_, here) in table.classes.items()}
    return Convention(
        name=name,
        title=table.title,
        source=table.source,
        classes=MappingProxyType(classes),
        targets=MappingProxyType(targets),
        notes=table.notes,
    )


CONVENTIONS: Final[Mapping[str, Convention]] = MappingProxyType(
    {name: _from_table(name, table) for name, table in TABLES.items()}
)
"""Every convention by name. ``organ-tumor`` is open here; `convention` closes it."""


def _again(name: str, organ: str | None) -> Convention:
    found = CONVENTIONS[name]
    return found if organ is None else found.for_organ(organ)


def convention(name: str, organ: str | Organ | None = None) -> Convention:
    """Find a label convention by name.

    Parameters
    ----------
    name
        Such as ``"totalsegmentator"``; case, spaces, underscores and hyphens make no difference.
    organ
        For ``"organ-tumor"``, which needs it, and for ``"flare"``, whose value 14 needs it. The
        other conventions name their own organs and do not look at it.

    Returns
    -------
    Convention
        Ready to translate.

    Raises
    ------
    UnknownNameError
        If there is no such convention or organ.
    InputError
        If the convention needs an organ and none is given, or one that holds no tumours.

    Examples
    --------
    >>> convention("organ-tumour", organ="Liver").targets[2]
    'liver_tumor'
    """
    key = "-".join(str(name).lower().replace("_", " ").replace("-", " ").split())
    found = CONVENTIONS.get(ALIASES.get(key, key))
    if found is None:
        raise UnknownNameError("label convention", name, CONVENTIONS)
    if organ is not None:
        return found.for_organ(organ)
    if len(found.open_values) == len(found.classes) - 1:
        raise InputError(
            f"The convention {found.name!r} numbers one organ and its tumour; name the organ, as "
            f"in convention({found.name!r}, organ='liver')."
        )
    return found
