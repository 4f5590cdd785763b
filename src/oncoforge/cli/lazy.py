"""Groups of commands whose modules are imported only when they are run."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from oncoforge.errors import UnknownNameError


class LazyGroup(click.Group):
    """Commands by name, each the ``command`` of a module of one package.

    Parameters
    ----------
    package
        Where the modules are.
    summaries
        What each command does, in the order of the help.
    **attributes
        As for `click.Group`.
    """

    def __init__(
        self, *args: Any, package: str, summaries: Mapping[str, str], **attributes: Any
    ) -> None:
        super().__init__(*args, **attributes)
        self.package, self.summaries = package, summaries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands."""
        return list(self.summaries)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import a command."""
        if name not in self.summaries:
            return None
        return self.load(name)

    def load(self, module: str) -> click.Command:
        """Import the command of a module of the package."""
        command: click.Command = import_module(f"{self.package}.{module}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command, or name the nearest one."""
        if args and not args[0].startswith("-") and args[0] not in self.summaries:
            raise UnknownNameError("command", args[0], self.summaries)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the summaries without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries.items()))
