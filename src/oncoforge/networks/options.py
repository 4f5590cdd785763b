"""What a network can be built with: read from its builder's signature, checked against it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, make_dataclass
from functools import reduce
from operator import or_
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.fields import check_fields, plain


@dataclass(frozen=True)
class Options:
    """The options of one network.

    Parameters
    ----------
    network
        Its name, for sentences.
    defaults
        Option to the value that it has if none is given.
    hints
        Option to the type of its values.
    choices
        Option to the values that it may have, for those that choose from a few.
    """

    network: str
    defaults: Mapping[str, Any]
    hints: Mapping[str, Any]
    choices: Mapping[str, tuple[Any, ...]]

    def complete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the value of every option: as given, or its default.

        Lists become tuples, so that what has been through JSON is the same again.

        Raises
        ------
        UnknownNameError
            If there is no such option, or no such choice of a name.
        InputError
            If a value is of another type, or is none of the choices.
        """
        what = f"{self.network} option"
        kind = make_dataclass("_Options", list(self.hints.items()))
        check_fields(kind, given, what)
        for name, values in self.choices.items():
            if name in given:
                _check_choice(what, name, given[name], values)
        return {**self.defaults, **{name: plain(value) for name, value in given.items()}}


def options_of(network: str, builder: Callable[..., Any]) -> Options:
    """Read options from the keywords of a builder, which follow its channels in and out."""
    hints = get_type_hints(builder)
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(builder).parameters.items()
        if parameter.default is not parameter.empty
    }
    choices = {
        name: get_args(hints[name]) for name in defaults if get_origin(hints[name]) is Literal
    }
    types: dict[str, type | UnionType] = {
        name: reduce(or_, map(type, choices[name])) if name in choices else hints[name]
        for name in defaults
    }
    return Options(network, defaults, types, choices)


def _check_choice(what: str, name: str, value: Any, choices: tuple[Any, ...]) -> None:
    if value in choices:
        return
    if isinstance(value, str):
        raise UnknownNameError(f"value of {what} {name}", value, choices)
    listed = " or ".join(map(str, choices))
    raise InputError(f"{what.capitalize()} {name} is {listed}, and {value!r} is not.")
