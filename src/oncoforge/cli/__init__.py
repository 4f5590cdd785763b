"""The command line: parse, call the library, print. One file per command."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from typing import NoReturn

import click

from oncoforge.errors import OncoforgeError, UnknownNameError
from oncoforge.version import __version__

_COMMANDS = {
    "demo": "Make tumours in the built-in phantom: try oncoforge without any data.",
    "synth": "Put synthetic tumours into a CT.",
    "prepare": "Turn downloads into clean lists of cases.",
    "check": "Open every case of a list once and say what is wrong with it.",
    "analyze": "Measure the tumours in label maps, and fit priors to them.",
}

_EXAMPLES = """
\b
Examples:
  oncoforge demo
  oncoforge synth ct.nii.gz labels.nii.gz --organ liver --size small --out result
"""


class _Commands(click.Group):
    """Commands whose modules are imported only when they are run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"oncoforge.cli.{name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command, or name the nearest one."""
        if args and not args[0].startswith("-") and args[0] not in _COMMANDS:
            raise UnknownNameError("command", args[0], _COMMANDS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_Commands,
    epilog=_EXAMPLES,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="oncoforge")
def group() -> None:
    """Realistic synthetic tumours, with exact masks, in healthy CT."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a mistake that the user can mend ends with one sentence and code 2."""
    # Asked to stop, it tidies up as it does after an error.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        code = group.main(arguments, prog_name="oncoforge", standalone_mode=False)
    except OncoforgeError as error:
        _fail(str(error))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "oncoforge"
        _fail(f"{error.format_message()} See '{command} --help'.")
    except (click.Abort, KeyboardInterrupt):
        _stopped()
    except SystemError as error:
        # Compiled code turns an interrupt into this.
        if not isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
            raise
        _stopped()
    sys.exit(code if isinstance(code, int) else 0)


def _stopped() -> NoReturn:
    click.echo("Stopped; nothing half-written is left.", err=True)
    sys.exit(130)


def _fail(sentence: str) -> None:
    click.echo(f"Error: {sentence}", err=True)
    sys.exit(2)
