"""``oncoforge prepare dicom``: turn DICOM series into NIfTI."""

from __future__ import annotations

from pathlib import Path

import click

from oncoforge.cli import show
from oncoforge.cli.prepare.options import say_failed
from oncoforge.datasets.dicom import convert, find_series

_EXAMPLES = """
\b
Examples:
  oncoforge prepare dicom downloads/LIDC-IDRI --out data/lidc --workers 4
  oncoforge prepare dicom scans --out data/scans --number
"""


@click.command(name="dicom", epilog=_EXAMPLES)
@click.argument("root", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to.")
@click.option("--series", help="Only series whose UID starts with this.")
@click.option(
    "--number",
    is_flag=True,
    help="Call files series_0001, ..., and leave names of folders and UIDs out of the index.",
)
@click.option("--workers", type=click.IntRange(1), help="Processes; as many as cores by default.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@click.option("--json", "as_json", is_flag=True, help="Print the index for machines.")
def command(
    root: Path,
    out: Path,
    series: str | None,
    number: bool,
    workers: int | None,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Turn every CT series in and below FOLDER into a NIfTI file (whole HU).

    Files are named after the folders of their series; OUT/dicom.json is an index.
    """
    with show.progress("Looking for series") as progress:
        found, unread = find_series(root, series, workers=workers, progress=progress)
    with show.progress("Converting") as progress:
        done = convert(
            found,
            root,
            out,
            failed=unread,
            number=number,
            workers=workers,
            overwrite=overwrite,
            progress=progress,
        )
    failed = [one for one in done if one.sentence]
    if as_json:
        click.echo((out / "dicom.json").read_text(encoding="utf-8"), nl=False)
    else:
        for one in done:
            if not one.sentence:
                size = " x ".join(str(n) for n in one.shape)
                spacing = " x ".join(f"{mm:.4g}" for mm in one.spacing_mm)
                click.echo(f"{one.file}: {size} voxels of {spacing} mm")
        say_failed((one.series.folder.name, one.sentence) for one in failed)
        click.echo(f"{len(done) - len(failed)} series written to {out}, {len(failed)} failed.")
    return 1 if failed else 0
