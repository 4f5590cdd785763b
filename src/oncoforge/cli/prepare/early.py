"""``oncoforge prepare early``: keep small tumours only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from oncoforge.cli import show
from oncoforge.cli.options import Length
from oncoforge.reports.wording import count

_EXAMPLES = """
\b
Examples:
  oncoforge prepare early data/liver/list.json --out data/liver-early
  oncoforge prepare early kits19/labels --convention kits --max-diameter 20mm --out early
  oncoforge prepare early labels --convention lits --connectivity 6 --out early
"""


@click.command(name="early", epilog=_EXAMPLES)
@click.argument("labels", nargs=-1, required=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder.")
@click.option(
    "--convention",
    default="oncoforge",
    show_default=True,
    help="How LABELS number organs and tumours: oncoforge, kits, lits, organ-tumor, ...",
)
@click.option("--organ", help="Organ whose tumours are selected; by default every one's.")
@click.option(
    "--max-diameter",
    "max_diameter_mm",
    type=Length(),
    default=20.0,
    show_default="20mm",
    help="Largest diameter (of the sphere of the same volume) of an early tumour.",
)
@click.option(
    "--min-voxels",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="Smaller components are specks and become organ too.",
)
@click.option(
    "--connectivity",
    type=click.Choice(["6", "18", "26"]),
    default="26",
    show_default=True,
    help="Neighbours that make voxels one tumour; 6 as in DiffTumor.",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Folder with the images, paired by case id, to name them in the lists.",
)
@click.option(
    "--root", type=click.Path(path_type=Path), help="Where the paths of a list of cases begin."
)
@click.option("--workers", type=click.IntRange(1), help="Processes at once.  [default: cores]")
@click.option("--overwrite", is_flag=True, help="Replace an earlier selection.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary for machines.")
def command(
    labels: tuple[str, ...],
    out: Path,
    max_diameter_mm: float,
    min_voxels: int,
    connectivity: str,
    as_json: bool,
    **rest: Any,
) -> int:
    """Keep small tumours only.

    LABELS are label maps, folders of them, patterns, or lists of cases. Tumours above the limit
    become organ. Writes the label maps of the cases that still have a tumour, in the convention of
    LABELS, their list (list.json), and late.json: the cases with larger tumours, as they were.
    """
    from oncoforge.datasets.early import LATE, LIST, select_early  # slow to import
    from oncoforge.datasets.early_maps import Limits

    limits = Limits(max_diameter_mm, min_voxels, int(connectivity))
    with show.progress("Selecting") as progress:
        found = select_early(labels, out, limits=limits, progress=progress, **rest)
    numbers = {
        "cases": found.cases,
        "cases_with_early": len(found.early),
        "cases_with_larger": len(found.late),
        "early_tumors": sum(tally.early for tally in found.tallies),
        "larger_tumors": sum(tally.late for tally in found.tallies),
        "specks": sum(tally.specks for tally in found.tallies),
    }
    if as_json:
        told = {"out": str(out), **numbers, "failures": found.failures}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        click.echo(
            f"{count(numbers['early_tumors'], 'tumour')} up to {max_diameter_mm:g} mm in "
            f"{len(found.early)} of {count(found.cases, 'case')}; "
            f"{count(numbers['larger_tumors'], 'larger one')} and "
            f"{count(numbers['specks'], 'speck')} became organ."
        )
        for sentence in found.failures:
            click.echo(f"Not used: {sentence}", err=True)
        click.echo(f"Early:  {out / LIST}")
        if len(found.late):
            click.echo(f"Larger: {out / LATE}")
    return 1 if found.failures else 0
