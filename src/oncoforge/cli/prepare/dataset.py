"""``oncoforge prepare NAME``: find a dataset's cases, translate their labels, write a list."""

from __future__ import annotations

import json
from pathlib import Path

import click

from oncoforge.cli import show
from oncoforge.cli.prepare.options import LabelMap, say_failed
from oncoforge.datasets.prepare import Preparation, prepare
from oncoforge.datasets.prepare_case import Wishes
from oncoforge.datasets.registry import dataset
from oncoforge.reports.wording import count

_EXAMPLES = """
\b
Examples:
  oncoforge prepare msd-liver --root downloads/Task03_Liver --out data/liver
  oncoforge prepare kits23 --root kits23/dataset --out data/kidney \\
      --label-style organ-tumor --organ kidney --map 3=1
  oncoforge prepare pancreas-ct --root downloads --out data/nih --workers 4
"""


@click.command(name="dataset", epilog=_EXAMPLES)
@click.argument("name", metavar="NAME")
@click.option(
    "--root", required=True, type=click.Path(path_type=Path), help="Folder of the download."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to make.")
@click.option("--organ", help="The organ of interest, for label styles of one organ.")
@click.option(
    "--label-style",
    "style",
    default="oncoforge",
    show_default=True,
    help="oncoforge (every organ its own number), organ-tumor (1, 2) or tumor-only (1).",
)
@click.option(
    "--map", "first", type=LabelMap(), help="Replace label values first: 3=1 makes cysts kidney."
)
@click.option("--link/--copy", default=True, help="Link to the images (default), or copy them.")
@click.option(
    "--fix-geometry", is_flag=True, help="Take the image's grid for labels that have lost theirs."
)
@click.option("--workers", type=click.IntRange(1), help="Processes; as many as cores by default.")
@click.option("--overwrite", is_flag=True, help="Replace what a run with other options made.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary for machines.")
def command(
    name: str,
    root: Path,
    out: Path,
    organ: str | None,
    style: str,
    first: dict[int, int] | None,
    link: bool,
    fix_geometry: bool,
    workers: int | None,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Prepare the dataset NAME: a list of its cases, with label maps in one convention.

    Its files stay as they are and where they are; nothing is downloaded. A second run goes on where
    the first one ended.
    """
    found = dataset(name)
    wishes = Wishes(organ, style, link, fix_geometry, first or {})
    with show.progress(f"Preparing {found.title}") as progress:
        made = prepare(
            found, root, out, wishes, workers=workers, overwrite=overwrite, progress=progress
        )
    if as_json:
        click.echo(json.dumps(made.summary(), indent=2))
    else:
        _say(made)
    return 1 if made.failed else 0


def _say(made: Preparation) -> None:
    summary = made.summary()
    kept = f", {summary['kept']} of them from an earlier run" if summary["kept"] else ""
    labelled = count(summary["labelled"], "case")
    click.echo(
        f"{made.dataset.title} ({made.way}): {labelled} with labels{kept}, "
        f"{summary['unlabelled']} without, {len(made.failed)} failed."
    )
    for case in made.cases:
        if case.status == "done" and case.sentence:
            click.echo(f"  {case.case}: {case.sentence}")
    say_failed((case.case, case.sentence) for case in made.failed)
    if made.list_path is not None:
        click.echo(f"List: {made.list_path}")
    for overlap, what in made.dataset.overlaps.items():
        click.echo(f"Shared with {overlap}: {what}.")
