"""``oncoforge weights networks``: compare the networks for segmentation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from oncoforge.cli import show

if TYPE_CHECKING:
    from oncoforge.networks.cost import Cost

_EXAMPLES = """
\b
Examples:
  oncoforge weights networks
  oncoforge weights networks unet nnunet --patch 128,128,128
  oncoforge weights networks swin_unetr --markdown
"""

_COLUMNS = (
    "network",
    "variant",
    "parameters (M)",
    "GFLOPs",
    "weights (MiB)",
    "predict (MiB)",
    "train (MiB)",
)


class Patch(click.ParamType):  # type: ignore[type-arg]
    """Voxels of a window: ``96,96,96``, or ``96`` for a cube."""

    name = "x,y,z"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int, int]:
        """Return three numbers of voxels."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        if len(parts) not in (1, 3) or not all(part.isdecimal() for part in parts):
            self.fail(f"{value!r} is no size; write three numbers of voxels, 96,96,96.", param, ctx)
        x, y, z = map(int, parts if len(parts) == 3 else 3 * parts)
        return x, y, z


@click.command(name="networks", epilog=_EXAMPLES)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--patch",
    type=Patch(),
    default="96,96,96",
    show_default=True,
    help="Voxels of the window that is reckoned with.",
)
@click.option(
    "--in-channels", type=click.IntRange(1), default=1, show_default=True, help="Of the input."
)
@click.option(
    "--out-channels", type=click.IntRange(1), default=3, show_default=True, help="Classes."
)
@click.option("--markdown", is_flag=True, help="Print the table for a document.")
@click.option("--json", "as_json", is_flag=True, help="Print it in bytes, for machines.")
def command(
    names: tuple[str, ...],
    patch: tuple[int, int, int],
    in_channels: int,
    out_channels: int,
    markdown: bool,
    as_json: bool,
) -> None:
    """Compare the networks for segmentation, or those of the NAMEs: what one window costs.

    GFLOPs are those of a forward pass, where a multiplication and the addition to it count as two.
    Memory is the most that tensors of single precision take at once: to predict, without gradients;
    to train, forward and backward, without the optimiser.
    """
    from oncoforge.networks.cost import costs  # slow to import

    if markdown and as_json:
        raise click.UsageError("Give --markdown or --json, not both.")
    with show.progress("Reckoning") as progress:
        found = costs(names, in_channels, out_channels, patch, progress)
    if as_json:
        click.echo(json.dumps([one.to_dict() for one in found], indent=2))
    elif markdown:
        click.echo(_markdown(found))
    else:
        Console().print(_table(found))


def _rows(found: Sequence[Cost]) -> list[tuple[str, ...]]:
    return [
        (
            one.network,
            one.variant,
            f"{one.parameters / 1e6:.2f}",
            f"{one.flops / 1e9:.1f}",
            *(
                f"{count / 2**20:.0f}"
                for count in (one.weights_bytes, one.inference_bytes, one.training_bytes)
            ),
        )
        for one in found
    ]


def _table(found: Sequence[Cost]) -> Table:
    sizes = " x ".join(map(str, found[0].patch))
    title = f"Networks, for one window of {sizes} voxels"
    table = Table(title=title, box=box.SIMPLE, pad_edge=False, collapse_padding=True)
    for number, name in enumerate(_COLUMNS):
        heading = name.replace(" (", "\n(")
        table.add_column(heading, justify="left" if number < 2 else "right", no_wrap=True)
    for row in _rows(found):
        table.add_row(*row)
    return table


def _markdown(found: Sequence[Cost]) -> str:
    lines = [_COLUMNS, ("---", "---", *["---:"] * (len(_COLUMNS) - 2)), *_rows(found)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
