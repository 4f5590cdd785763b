"""Compiled voxel loops: numba, with its cache wherever there is a place for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any], signature: str | None = None) -> Any:
    """Compile a function, and keep the result for other processes.

    Where nothing can be written (a read-only container without a home), it is compiled anew in
    each process instead of failing on import.

    Parameters
    ----------
    function
        A function of arrays and numbers.
    signature
        numba's signature, to compile at once; None compiles on first use.
    """
    return _compile(function, signature, inline="never")


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a small function into whichever compiled function calls it."""
    return _compile(function, None, inline="always")


def _compile(function: Callable[..., Any], signature: str | None, inline: str) -> Any:
    options = {"nogil": True, "error_model": "numpy", "inline": inline}
    try:
        return njit(signature, cache=True, **options)(function)
    except RuntimeError:  # numba: no locator available
        return njit(signature, **options)(function)
