"""The command line: parse, call the library, print. One file per command."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

import click

from oncoforge.cli.lazy import LazyGroup
from oncoforge.errors import OncoforgeError
from oncoforge.version import __version__

_COMMANDS = {
    "demo": "Make tumours in the built-in phantom: try oncoforge without any data.",
    "synth": "Put synthetic tumours into a CT.",
    "prepare": "Turn downloads into clean lists of cases.",
    "check": "Open every case of a list once and say what is wrong with it.",
    "analyze": "Measure the tumours in label maps, and fit priors to them.",
    "train": "Train networks on real tumours, on synthetic ones, or on both.",
    "predict": "Segment organs and tumours with trained networks.",
    "evaluate": "Compare predicted masks with true ones, and models with each other.",
    "weights": "List, show, fetch and import published weights; compare networks.",
}

_EXAMPLES = """
\b
Examples:
  oncoforge demo
  oncoforge synth ct.nii.gz labels.nii.gz --organ liver --size small --out result
"""


@click.group(
    cls=LazyGroup,
    package="oncoforge.cli",
    summaries=_COMMANDS,
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
