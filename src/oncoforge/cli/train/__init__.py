"""``oncoforge train``: train networks on real and on synthetic tumours."""

from __future__ import annotations

import click

from oncoforge.cli.lazy import LazyGroup

_SUBCOMMANDS = {
    "segmentation": "Train a network that segments organs and tumours.",
    "nnunet": "Train nnU-Net with tumours that are made on the fly.",
}

_EXAMPLES = """
\b
Examples:
  oncoforge train segmentation --config smoke --out run
  oncoforge train segmentation --config liver-unet-handcrafted --out run --resume
"""


@click.group(
    name="train",
    cls=LazyGroup,
    package="oncoforge.cli.train",
    summaries=_SUBCOMMANDS,
    epilog=_EXAMPLES,
    no_args_is_help=True,
)
def command() -> None:
    """Train networks on real tumours, on synthetic ones, or on both."""
