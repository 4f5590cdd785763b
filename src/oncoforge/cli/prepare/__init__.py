"""``oncoforge prepare``: from downloads to clean lists. One file per subcommand."""

from __future__ import annotations

import click

from oncoforge.cli.lazy import LazyGroup

_SUBCOMMANDS = {
    "list": "Name the datasets that are known.",
    "show": "Say where a dataset is, what it holds and how its folder should look.",
    "relabel": "Turn label maps from one convention into another.",
    "dicom": "Turn DICOM series into NIfTI.",
    "healthy": "Choose the cases without tumours.",
    "early": "Keep small tumours only.",
    "crops": "Cut out tumours, for a library of real ones.",
    "convert": "Write a list in another format.",
    "split": "Split a list into folds, by patient.",
}

_EXAMPLES = """
\b
Examples:
  oncoforge prepare list
  oncoforge prepare show msd-liver
  oncoforge prepare msd-liver --root downloads/Task03_Liver --out data/liver
  oncoforge prepare split data/liver/list.json --folds 5 --out data/liver/folds
"""


class _Prepare(LazyGroup):
    """Subcommands by name; any other word is the name of a dataset."""

    def get_command(self, ctx: click.Context, name: str) -> click.Command:
        return self.load(name if name in self.summaries else "dataset")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a subcommand, or hand a dataset's name on to the one that prepares it."""
        command = self.get_command(ctx, args[0])
        return command.name, command, args[1:] if args[0] in self.summaries else args

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(
                [("NAME", "Prepare the dataset of that name."), *self.summaries.items()]
            )


@click.group(
    name="prepare",
    cls=_Prepare,
    package="oncoforge.cli.prepare",
    summaries=_SUBCOMMANDS,
    epilog=_EXAMPLES,
    no_args_is_help=True,
)
def command() -> None:
    """Turn downloads into clean, checked lists of cases. Nothing is downloaded."""
