"""Checks by the names that the command line uses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.synthesis.quality.checks import Inside, Sized, Visible
from oncoforge.synthesis.quality.verdict import Judge

CHECKS: Final[Mapping[str, Callable[..., Judge]]] = MappingProxyType(
    {
        Visible.name: Visible,
        Inside.name: Inside,
        Sized.name: Sized,
    }
)
"""The checks that need nothing but a number, by the names of the command line."""


def checks_from(wanted: Mapping[str, Any]) -> tuple[Judge, ...]:
    """Return the checks that have names.

    Parameters
    ----------
    wanted
        ``cnr``: least contrast-to-noise ratio. ``inside``: least part in the organ. ``diameter``:
        least diameter in mm, or a range of it.

    Raises
    ------
    UnknownNameError
        If there is no such check; the nearest one is named.
    InputError
        If a value makes no sense.
    """
    checks: list[Judge] = []
    for name, value in wanted.items():
        if name not in CHECKS:
            raise UnknownNameError("check", name, CHECKS)
        values = value if isinstance(value, (tuple, list)) else (value,)
        most = 2 if name == Sized.name else 1
        if not 1 <= len(values) <= most or not all(map(_is_number, values)):
            meant = "a number, or a range of two" if most == 2 else "a number"
            raise InputError(f"{name} is {meant}, and {value!r} is not.")
        checks.append(CHECKS[name](*(float(number) for number in values)))
    return tuple(checks)


def read_checks(text: str) -> dict[str, Any]:
    """Read checks from words such as ``cnr=1,inside=0.5,diameter=5`` or ``diameter=5-30``.

    Returns
    -------
    dict
        For `checks_from`.

    Raises
    ------
    InputError
        If it cannot be read so.
    """
    found: dict[str, Any] = {}
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, _, values = word.partition("=")
        try:
            numbers = [float(number.strip().removesuffix("mm")) for number in values.split("-")]
        except ValueError:
            raise InputError(
                f"{word!r} is no check; write name=number, such as cnr=1 or diameter=5-30."
            ) from None
        if name.strip() in found:
            raise InputError(f"The check {name.strip()} is given twice.")
        found[name.strip()] = tuple(numbers) if len(numbers) > 1 else numbers[0]
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
