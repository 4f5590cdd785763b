"""Errors as sentences: what was expected, what was found, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class OncoforgeError(Exception):
    """Base of every error that a user can mend; the command line prints it and exits with 2."""


class InputError(OncoforgeError):
    """A file or an array that cannot be used as it is."""


class GridMismatchError(InputError):
    """An image and a label map that do not share one grid."""


class UnknownNameError(InputError):
    """A name that is in none of our tables.

    Parameters
    ----------
    kind
        What the name was meant to be, such as ``"organ"``.
    name
        The name as given.
    choices
        The names that exist.
    """

    def __init__(self, kind: str, name: object, choices: Iterable[str]) -> None:
        known = list(choices)
        near = difflib.get_close_matches(
            str(name).lower().replace(" ", "_"), known, n=1, cutoff=0.5
        )
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of: {', '.join(known)}."
        super().__init__(f"There is no {kind} {name!r}; {hint}")


class OutputError(OncoforgeError):
    """A result that could not be written; nothing partial is left behind."""
