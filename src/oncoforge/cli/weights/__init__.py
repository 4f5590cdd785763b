"""``oncoforge weights``: published weights and the networks they are for."""

from __future__ import annotations

import click

from oncoforge.cli.lazy import LazyGroup

_SUBCOMMANDS = {
    "list": "Name the published weights that are known.",
    "show": "Say what a file of weights, or one in the catalogue, is.",
    "fetch": "Download published weights, after saying under which licence.",
    "import": "Turn a checkpoint into safetensors with a config beside it.",
    "networks": "Compare the networks: parameters, FLOPs, memory.",
}

_EXAMPLES = """
\b
Examples:
  oncoforge weights list --organ liver
  oncoforge weights show model.pt
  oncoforge weights import model.pt --out liver-unet
  oncoforge weights networks
"""


class _Weights(LazyGroup):
    """Subcommands by name; ``import`` is no name that a module may have."""

    def load(self, module: str) -> click.Command:
        """Import the command of a module of the package."""
        return super().load("import_" if module == "import" else module)


@click.group(
    name="weights",
    cls=_Weights,
    package="oncoforge.cli.weights",
    summaries=_SUBCOMMANDS,
    epilog=_EXAMPLES,
    no_args_is_help=True,
)
def command() -> None:
    """List, show, fetch and import published weights, and compare networks."""
