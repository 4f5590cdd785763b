"""``oncoforge analyze``: what the tumours in label maps look like."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from oncoforge.cli import show

_EXAMPLES = """
\b
Examples:
  oncoforge analyze kits19/labels --convention kits --out kidney-tumours
  oncoforge analyze labels --convention lits --images images --out liver-tumours
  oncoforge analyze "kits/*/segmentation.nii.gz" --convention kits --out measured
  oncoforge analyze data/list.json --root /data --organ pancreas --out measured
  oncoforge analyze measured/lesions.csv --fit prior.json
"""


@click.command(name="analyze", epilog=_EXAMPLES)
@click.argument("labels", nargs=-1, required=True)
@click.option(
    "--convention",
    default="oncoforge",
    show_default=True,
    help="How LABELS number their organs: oncoforge, kits, lits, organ-tumor, ...",
)
@click.option("--organ", help="Look at this organ only; by default at each that is there.")
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Folder with the images, paired by case id: adds mean, spread and contrast in HU.",
)
@click.option(
    "--root", type=click.Path(path_type=Path), help="Where the paths of a list of cases begin."
)
@click.option(
    "--min-voxels",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="Smaller components are specks and no lesions.",
)
@click.option("--force", is_flag=True, help="Skip the checks that images are CT in HU.")
@click.option("--workers", type=click.IntRange(1), help="Processes at once.  [default: cores]")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the tables and a report.")
@click.option(
    "--fit", type=click.Path(path_type=Path), help="Fit a prior for synth --prior; a JSON file."
)
@click.option(
    "--location",
    default="mixture",
    show_default=True,
    help="Form of the prior's places: mixture (of Gaussians) or ellipsoid.",
)
@click.option(
    "--supposed",
    type=click.IntRange(0),
    default=6,
    show_default=True,
    help="Lesions of the organ's usual sizes that steady the prior's sizes; 0 for none.",
)
@click.option("--overwrite", is_flag=True, help="Replace the files of an earlier analysis.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary for machines.")
def command(
    labels: tuple[str, ...],
    out: Path | None,
    fit: Path | None,
    as_json: bool,
    **rest: Any,
) -> int:
    """Measure the tumours in label maps, and fit priors to them.

    LABELS are label maps, folders of them, patterns, or lists of cases; or a lesions.csv that was
    written earlier. The result is a row per lesion (lesions.csv) and per case (cases.csv),
    analysis.json, and a report with plots. Cases that cannot be read are listed, and the exit code
    is 1 then.
    """
    from oncoforge.analysis.results import RECORD, analyze  # slow to import
    from oncoforge.analysis.summary import summarize

    if out is None and fit is None:
        raise click.UsageError("Give --out for the tables and the report, or --fit for a prior.")
    with show.progress("Measuring") as progress:
        found = analyze(labels, out=out, fit=fit, progress=progress, **rest)
    summary = summarize(found.lesions, found.cases)
    if as_json:
        written = {name: str(path) for name, path in (("out", out), ("fit", fit)) if path}
        told = {**written, "organs": summary, "failures": found.failures}
        told |= {"remarks": found.remarks} if found.remarks else {}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        _show(summary)
        _tell(found.failures, found.bare)
        for remark in found.remarks:
            click.echo(f"Note: {remark}")
        if out is not None:
            click.echo(f"Tables: {out / 'lesions.csv'}, {out / 'cases.csv'}, {out / RECORD}")
            click.echo(f"Report: {out / 'report.html'}")
        if fit is not None:
            click.echo(f"Prior:  {fit}")
    return 1 if found.failures else 0


def _show(summary: Mapping[str, Mapping[str, Any]]) -> None:
    """Print a line per organ that has lesions."""
    table = Table(box=box.SIMPLE)
    for name in ("organ", "cases", "with lesions", "lesions", "median mm", "from", "to"):
        table.add_column(name, justify="left" if name == "organ" else "right", no_wrap=True)
    for organ, found in summary.items():
        if not found["lesions"]:
            continue
        across = found["equivalent_diameter_mm"]
        table.add_row(
            organ.replace("_", " "),
            *(str(found[key]) for key in ("cases", "cases_with_lesions", "lesions")),
            *(f"{across[key]:.1f}" for key in ("median", "min", "max")),
        )
    if table.row_count:
        Console().print(table)
    else:
        click.echo("No tumours.")


def _tell(failures: tuple[str, ...], bare: tuple[str, ...]) -> None:
    """Say what was not measured: failures on standard error, one line each."""
    for sentence in failures:
        click.echo(f"Not measured: {sentence}", err=True)
    if bare:
        named = ", ".join(bare[:5]) + (", ..." if len(bare) > 5 else "")
        click.echo(f"No voxel of the organ in {len(bare)}: {named}. Is the convention right?")
