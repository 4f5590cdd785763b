"""``oncoforge prepare relabel``: turn label maps from one convention into another."""

from __future__ import annotations

from pathlib import Path

import click

from oncoforge.cli import show
from oncoforge.cli.prepare.options import LabelMap, say_failed
from oncoforge.datasets.relabel import relabel, totals, translation
from oncoforge.reports.wording import count

_EXAMPLES = """
\b
Examples:
  oncoforge prepare relabel BTCV/label --from btcv --to organ-tumor --organ liver --out labels
  oncoforge prepare relabel 'kits/labelsTr/*.nii.gz' --from kits --map 3=1 --out labels
  oncoforge prepare relabel CHAOS/liver_label --map 255=1 --out labels
"""


@click.command(name="relabel", epilog=_EXAMPLES)
@click.argument("labels", nargs=-1, required=True)
@click.option("--from", "source", help="Label convention of LABELS, such as btcv or kits.")
@click.option(
    "--to",
    "target",
    help="oncoforge, organ-tumor, tumor-only, or another convention.  "
    "[default: oncoforge, if --from is given]",
)
@click.option("--organ", help="The organ of interest, for label styles of one organ.")
@click.option("--map", "first", type=LabelMap(), help="Replace values first: 3=1,255=1.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to.")
@click.option("--workers", type=click.IntRange(1), help="Processes; as many as cores by default.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@click.option("--json", "as_json", is_flag=True, help="Print the report for machines.")
def command(
    labels: tuple[str, ...],
    source: str | None,
    target: str | None,
    organ: str | None,
    first: dict[int, int] | None,
    out: Path,
    workers: int | None,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Turn label maps from one convention into another.

    LABELS are files, folders, patterns with * or lists of cases. Grids and names stay as they are;
    the files become uint8. OUT/relabel.json says how many voxels of each value became what.
    """
    table = translation(source, target, organ, first)
    with show.progress("Translating label maps") as progress:
        done = relabel(labels, out, table, workers=workers, overwrite=overwrite, progress=progress)
    failed = [one for one in done if one.sentence]
    if as_json:
        click.echo((out / "relabel.json").read_text(encoding="utf-8"), nl=False)
    else:
        click.echo(f"{count(len(done) - len(failed), 'label map')} written to {out}.")
        for row in totals(done):
            click.echo(f"  {row['value']:>5} -> {row['to']:<3} {row['voxels']:>14,} voxels")
        say_failed((one.source.name, one.sentence) for one in failed)
    return 1 if failed else 0
