"""``oncoforge prepare crops``: cut out tumours, for a library of real ones."""

from __future__ import annotations

import json
import math
from pathlib import Path

import click

from oncoforge.cli import show
from oncoforge.cli.options import Length
from oncoforge.datasets.crops import Cropped, Wanted, crop

_EXAMPLES = """
\b
Examples:
  oncoforge prepare crops kits19/labels --convention kits --out library
  oncoforge prepare crops labelsTr --images imagesTr --convention msd-liver \\
      --max-diameter 20mm --licence "CC BY-SA 4.0" --out library
  oncoforge prepare crops data/liver/list.json --convention oncoforge --out library
"""


@click.command(name="crops", epilog=_EXAMPLES)
@click.argument("labels", nargs=-1, required=True)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder for the library."
)
@click.option(
    "--convention",
    default="oncoforge",
    show_default=True,
    help="How LABELS number organs and tumours: oncoforge, organ-tumor, kits, msd-liver, ...",
)
@click.option("--organ", help="Organ whose tumours are wanted; all that have some by default.")
@click.option(
    "--images", type=click.Path(path_type=Path), help="Folder with the images, named as LABELS."
)
@click.option(
    "--root", type=click.Path(path_type=Path), help="Where the paths of a list begin, if moved."
)
@click.option(
    "--margin", type=Length(), default="10mm", show_default=True, help="What is kept around."
)
@click.option("--min-diameter", type=Length(), help="Leave smaller tumours out.")
@click.option("--max-diameter", type=Length(), help="Leave larger tumours out.")
@click.option(
    "--min-voxels",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="Leave specks of fewer voxels out.",
)
@click.option("--licence", default="", help="Terms of the data: a note kept in the library.")
@click.option("--force", is_flag=True, help="Skip the checks that images are CT in HU.")
@click.option("--workers", type=click.IntRange(1), show_default="cores", help="Cases at once.")
@click.option("--overwrite", is_flag=True, help="Replace a library that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary for machines.")
def command(
    labels: tuple[str, ...],
    out: Path,
    convention: str,
    organ: str | None,
    images: Path | None,
    root: Path | None,
    margin: float,
    min_diameter: float | None,
    max_diameter: float | None,
    min_voxels: int,
    licence: str,
    force: bool,
    workers: int | None,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Cut tumours out of label maps (and their images), one file each.

    LABELS are label maps, folders of them, patterns, or lists of cases. The library can be pasted
    from: its tumours keep their shapes and, with --images, their looks.
    """
    wanted = Wanted(
        convention,
        organ,
        margin,
        min_diameter or 0.0,
        math.inf if max_diameter is None else max_diameter,
        min_voxels,
        force,
    )
    with show.progress("Cutting out tumours") as progress:
        found = crop(
            labels,
            out,
            wanted,
            images=images,
            root=root,
            licence=licence,
            workers=workers,
            overwrite=overwrite,
            progress=progress,
        )
    _print(found, out, as_json)
    return 1 if found.failed else 0


def _print(found: Cropped, out: Path, as_json: bool) -> None:
    items, left_out = found.index.items, found.index.left_out
    if as_json:
        summary = {
            "out": str(out),
            "cases": found.cases,
            "tumors": [item.name for item in items],
            "left_out": list(left_out),
            "failed": list(found.failed),
        }
        click.echo(json.dumps(summary, indent=2, ensure_ascii=False))
        return
    for sentence in left_out:
        click.echo(f"Left out: {sentence}")
    for sentence in found.failed:
        click.echo(f"Failed: {sentence}", err=True)
    count = f"{len(items)} tumour{'s' * (len(items) != 1)}"
    cases = f"{found.cases} case{'s' * (found.cases != 1)}"
    widest = ""
    if items:
        diameters = [item.equivalent_diameter_mm for item in items]
        widest = f", {min(diameters):.0f} to {max(diameters):.0f} mm wide"
    failed = f" ({len(found.failed)} failed)" if found.failed else ""
    click.echo(f"{count} of {cases}{failed}{widest}: {out}")
