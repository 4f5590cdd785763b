"""``oncoforge weights fetch``: download published weights, after saying under which licence."""

from __future__ import annotations

import sys

import click

from oncoforge.checkpoints.catalogue import find
from oncoforge.checkpoints.download import fetch, licence_words
from oncoforge.cli import show

_EXAMPLES = """
\b
Examples:
  oncoforge weights fetch pixel2cancer-liver-synt-unet
  oncoforge weights fetch difftumor-liver-unet --accept-licence
"""


@click.command(name="fetch", epilog=_EXAMPLES)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--accept-licence", is_flag=True, help="You read the licence and accept it.")
def command(names: tuple[str, ...], accept_licence: bool) -> None:
    """Download published weights, after saying under which licence.

    A download that was interrupted goes on where it stopped, and what arrives is verified. The
    folder is that of ONCOFORGE_WEIGHTS, by default ~/.cache/oncoforge/weights.
    """
    for weights in [find(name) for name in names]:
        click.echo(licence_words(weights), err=True)
        accepted = accept_licence or (
            bool(weights.source)
            and sys.stdin.isatty()
            and click.confirm("Do you accept the licence?", err=True)
        )
        with show.progress(weights.name) as progress:
            path = fetch(weights.name, accept_licence=accepted, progress=progress)
        click.echo(str(path))
