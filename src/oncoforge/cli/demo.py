"""``oncoforge demo``: the main job on the built-in phantom."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from oncoforge.cli import show
from oncoforge.cli.options import Length, gather, lesion_options, output_options
from oncoforge.job import forge_case
from oncoforge.order import Order, Origin

_EXAMPLES = """
\b
Examples:
  oncoforge demo
  oncoforge demo --organ kidney --size medium --out kidney-demo
  oncoforge demo --method cellular --count 1 --diameter 30mm --movie --out growth-demo
  oncoforge demo --patient 4 --phase arterial --spacing 3mm --out quick-demo
"""


@click.command(name="demo", epilog=_EXAMPLES)
@click.option(
    "--out",
    default="oncoforge-demo",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder for the result.",
)
@click.option(
    "--patient", type=click.IntRange(0), default=0, show_default=True, help="Seed of the phantom."
)
@click.option(
    "--phase",
    default="portal",
    show_default=True,
    help="Contrast phase: non-contrast, arterial, portal or delayed.",
)
@click.option("--spacing", type=Length(), default="1.5mm", show_default=True, help="Voxel size.")
@partial(lesion_options, preset="realistic")
@output_options
def command(
    out: Path,
    patient: int,
    phase: str,
    spacing: float,
    as_json: bool,
    overwrite: bool,
    count: int | None,
    diameter: float | None,
    settings: tuple[tuple[str, Any], ...],
    **rest: Any,
) -> None:
    """Make tumours in the built-in phantom: try oncoforge without any data."""
    options = {"seed": patient, "spacing_mm": [spacing] * 3, "phase": phase}
    with show.steps() as step:
        order = Order(settings=gather(rest["method"], count, diameter, settings), **rest)
        result = forge_case(Origin("phantom", options), out, order, overwrite=overwrite, step=step)
    show.outcome(result, as_json)
