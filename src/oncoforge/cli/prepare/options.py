"""What the commands below ``oncoforge prepare`` share."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import click

_SHOWN = 20


class LabelMap(click.ParamType):  # type: ignore[type-arg]
    """Label values to replace: ``3=1,255=1``."""

    name = "value=value,..."

    def convert(self, value: Any, param: Any, ctx: Any) -> dict[int, int]:
        """Return value to value."""
        if isinstance(value, dict):
            return value
        found: dict[int, int] = {}
        for pair in str(value).split(","):
            match = re.fullmatch(r"\s*(\d{1,5})\s*=\s*(\d{1,3})\s*", pair)
            if match is None or int(match[1]) > 65535 or int(match[2]) > 255:
                self.fail(f"{pair.strip()!r} is not a replacement; write 3=1 or 3=1,255=1.")
            if int(match[1]) in found:
                self.fail(f"{match[1]} is replaced twice; name every value once.")
            found[int(match[1])] = int(match[2])
        return found


def say_failed(failed: Iterable[tuple[str, str]]) -> None:
    """List what failed on standard error, one line each."""
    lines = [f"Failed: {name}: {sentence}" for name, sentence in failed]
    for line in lines[:_SHOWN]:
        click.echo(line, err=True)
    if len(lines) > _SHOWN:
        click.echo(f"... and {len(lines) - _SHOWN} more.", err=True)
