"""Values from outside, checked against the annotations of the dataclass that takes them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from math import isfinite
from numbers import Real
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from oncoforge.errors import InputError, UnknownNameError

T = TypeVar("T")


def check_fields(kind: type, values: Mapping[str, Any], what: str) -> None:
    """Raise if a value has no field, or is of another type than its field.

    Parameters
    ----------
    kind
        A dataclass.
    values
        Values by field name.
    what
        What one of them is called in the sentence, such as ``"setting"``.

    Raises
    ------
    UnknownNameError
        If there is no such field; the nearest one is named.
    InputError
        If a value is of another type; numbers must be finite.
    """
    hints = _hints(kind)
    for name, value in values.items():
        if name not in hints:
            raise UnknownNameError(what, name, hints)
        if not _fits(value, hints[name]):
            meant = _words(hints[name])
            raise InputError(f"{what.capitalize()} {name} is {meant}, and {value!r} is not.")


def build(kind: type[T], values: Any, what: str) -> T:
    """Return a dataclass built from plain data, which may have been through JSON."""
    if not isinstance(values, Mapping):
        raise InputError(f"A {what} is a mapping of names to values, and {values!r} is not.")
    check_fields(kind, values, what)
    try:
        return kind(**{name: plain(value) for name, value in values.items()})
    except TypeError as error:
        raise InputError(f"What was given lacks a {what}: {error}.") from error


def plain(value: Any) -> Any:
    """Return data as JSON holds it: NumPy's numbers become Python's, and lists become tuples."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    return tuple(map(plain, value)) if isinstance(value, list | tuple) else value


_hints = cache(get_type_hints)


def _fits(value: Any, hint: Any) -> bool:
    """Tell whether a value is of the type of an annotation; a whole number is a float too."""
    if type(value) is float and hint is float:  # most values are; the rest takes its time
        return isfinite(value)
    parts = get_args(hint)
    if get_origin(hint) is UnionType:
        return any(_fits(value, part) for part in parts)
    if get_origin(hint) is tuple:
        if not isinstance(value, tuple | list):
            return False
        if parts[-1] is ...:
            return all(_fits(item, parts[0]) for item in value)
        return len(value) == len(parts) and all(map(_fits, value, parts))
    if hint is float:
        return type(value) is not bool and isinstance(value, Real) and isfinite(value)
    if hint is int:
        return type(value) is not bool and isinstance(value, int)
    return isinstance(value, get_origin(hint) or hint)


def _words(hint: Any) -> str:
    """Say an annotation in words."""
    parts = get_args(hint)
    if get_origin(hint) is UnionType:
        return " or ".join(_words(part) for part in parts)
    if get_origin(hint) is tuple:
        if parts[-1] is ...:
            return f"a list of which each is {_words(parts[0])}"
        return f"{len(parts)} numbers"
    if get_origin(hint) is Mapping:
        return "a mapping of names to values"
    names = {float: "a number", int: "a whole number", bool: "true or false", str: "a word"}
    return names.get(hint, "none")
