"""``oncoforge prepare convert``: write a list in another format."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import click

from oncoforge.cli import show
from oncoforge.lists import KINDS, SPLITS, read_list, write_list
from oncoforge.lists.inputs import inputs_of

_EXAMPLES = """
\b
Examples:
  oncoforge prepare convert Task03_Liver/dataset.json --to nnunet \\
      --out nnUNet_raw/Dataset003_Liver
  oncoforge prepare convert nnUNet_raw/Dataset003_Liver --fold 0 --to msd --out fold_0.json
  oncoforge prepare convert real_tumor_train_0.txt --root /data/liver --to csv --out liver.csv
  oncoforge prepare convert liver.csv --to nnunet --labels background,liver,tumor \\
      --out nnUNet_raw/Dataset501_Liver
"""


@click.command(name="convert", epilog=_EXAMPLES)
@click.argument("source", metavar="LIST", type=click.Path(path_type=Path))
@click.option("--to", "kind", required=True, type=click.Choice(KINDS), help="Which format.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="File for msd and csv; new folder for nnunet; .txt file or folder for text.",
)
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    help="Folder that the paths in LIST start from, wherever it was made; its own by default.",
)
@click.option("--fold", type=click.IntRange(0), help="Take the cases of this fold for validation.")
@click.option(
    "--labels",
    help="What the label values mean, from 0 on, such as background,liver,tumor; by default as "
    "LIST says.",
)
@click.option("--copy", is_flag=True, help="nnunet: copy the files instead of linking to them.")
@click.option(
    "--verify/--no-verify",
    default=True,
    help="nnunet: open every label map first, to see that its values are declared (default).",
)
@click.option(
    "--workers", type=click.IntRange(1), help="Processes to verify; as many as cores by default."
)
@click.option("--overwrite", is_flag=True, help="Replace files (never a folder of nnU-Net's).")
@click.option("--json", "as_json", is_flag=True, help="Print a summary for machines.")
def command(
    source: Path,
    kind: str,
    out: Path,
    root: Path | None,
    fold: int | None,
    labels: str | None,
    copy: bool,
    verify: bool,
    workers: int | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write a list of cases in another format.

    LIST is MSD or MONAI JSON, a CSV table, a text list (DiffTumor) or an nnU-Net raw folder. Label
    maps are not changed: for nnunet their values must be 0, 1, 2, ... as declared.
    """
    if copy and kind != "nnunet":
        raise click.UsageError("--copy is for --to nnunet; the other formats hold paths only.")
    cases = read_list(source, root, fold=fold)
    if labels is not None:
        cases = replace(cases, labels=dict(enumerate(name.strip() for name in labels.split(","))))
    with show.progress("Looking at label values") as progress:
        write_list(
            cases,
            out,
            kind,
            copy=copy,
            fold=fold,
            keep=inputs_of(cases),
            overwrite=overwrite,
            verify=verify,
            workers=workers,
            progress=progress,
        )
    counts = {part: len(cases.part(part)) for part in SPLITS}
    missing = [path for entry in cases for path in entry.files if not os.path.exists(path)]
    if as_json:
        summary = {"out": str(out), **counts, "missing_files": len(missing)}
        click.echo(json.dumps(summary, indent=2))
        return
    click.echo(f"{out}: {', '.join(f'{n} {part}' for part, n in counts.items() if n)}")
    if missing:
        are = "are" if len(missing) > 1 else "is"
        click.echo(
            f"Note: {len(missing)} of its files {are} not there, such as {missing[0]}; if the data "
            "is elsewhere, say where with --root."
        )
