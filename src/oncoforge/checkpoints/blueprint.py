"""What shapes tell of a network: enough to build it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Blueprint:
    """A network as its weights tell it.

    Parameters
    ----------
    network
        Its name.
    in_channels, out_channels
        Of its input and its output.
    options
        Those that shapes tell.
    notes
        What they do not tell, and what is supposed: one sentence each.
    """

    network: str
    in_channels: int
    out_channels: int
    options: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def count(shapes: Shapes, pattern: str) -> int:
    """Return how many of ``pattern.format(0)``, ``pattern.format(1)``, ... are there in a row."""
    number = 0
    while pattern.format(number) in shapes:
        number += 1
    return number
