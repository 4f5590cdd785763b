"""Compiled voxel loops: numba, with its cache wherever there is a place for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a function on first use, and keep the result for other processes.

    Where nothing can be written (a read-only container without a home), it is compiled anew in
    each process instead of failing on import.
    """
    return _compile(function, inline="never")


def inlined(function: F) -> F:
    """Compile a small function into whichever compiled function calls it."""
    return _compile(function, inline="always")


def _compile(function: F, inline: str) -> F:
    options = {"nogil": True, "error_model": "numpy", "inline": inline}
    try:
        result: F = njit(cache=True, **options)(function)
    except RuntimeError:  # numba: no locator available
        result = njit(**options)(function)
    return result
