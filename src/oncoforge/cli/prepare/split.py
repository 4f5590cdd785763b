"""``oncoforge prepare split``: split a list into folds, by patient."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from statistics import median
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from oncoforge.cli import show
from oncoforge.datasets.leakage import check_leaks
from oncoforge.lists import (
    CaseList,
    k_folds,
    largest_diameters,
    read_list,
    with_external,
    write_folds,
)
from oncoforge.lists.fold_files import TABLE, fold_file
from oncoforge.lists.inputs import inputs_of, keep_inputs
from oncoforge.lists.nnunet import SPLITS_FILE
from oncoforge.staging import staging

_ONE_PATIENT = (
    "Give them one patient (a 'patient' of the same name in the list), or leave all but one out"
)
_LEAVE_OUT = "Leave them out of one of the lists"

_EXAMPLES = """
\b
Examples:
  oncoforge prepare split data/liver/list.json --folds 5 --seed 0 --out data/liver/folds
  oncoforge prepare split data/liver/list.json --sizes statistics/lesions.csv \\
      --out data/liver/folds
  oncoforge prepare split lits.json --root /data/LiTS \\
      --external 3D-IRCADb.json --external-root /data/3Dircadb1 --content --out folds
"""


@click.command(name="split", epilog=_EXAMPLES)
@click.argument("source", metavar="LIST", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the folds.")
@click.option(
    "--folds", "count", type=click.IntRange(2), default=5, show_default=True, help="How many."
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same folds."
)
@click.option(
    "--sizes",
    "table",
    type=click.Path(path_type=Path),
    help="lesions.csv of oncoforge analyze: every fold then gets tumours of all sizes.",
)
@click.option(
    "--external",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A list whose cases are for the test only; repeat for more.",
)
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    help="Folder that the paths in LIST start from; its own by default.",
)
@click.option(
    "--external-root",
    "roots",
    multiple=True,
    type=click.Path(path_type=Path),
    help="The same for an --external list, in their order.",
)
@click.option(
    "--content", is_flag=True, help="Open all files, to find one scan under two names (slow)."
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Processes for --content; as many as cores by default.",
)
@click.option("--overwrite", is_flag=True, help="Replace the files of an earlier run.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary for machines.")
def command(
    source: Path,
    out: Path,
    count: int,
    seed: int,
    table: Path | None,
    external: tuple[Path, ...],
    root: Path | None,
    roots: tuple[Path, ...],
    content: bool,
    workers: int | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Split the training and validation cases of a list into folds.

    Cases of one patient stay together. Test cases of LIST stay test cases. Nothing is written if a
    patient or a scan would be in two parts of a fold.
    """
    if len(roots) > len(external):
        raise click.UsageError("There are more --external-root than --external.")
    cases = read_list(source, root)
    others = [read_list(path, where) for path, where in zip_longest(external, roots)]
    names = _names(out, count)
    read = [path for one in (cases, *others) for path in inputs_of(one)]
    keep_inputs([out / name for name in names], read if table is None else [*read, table])
    sizes = None if table is None else largest_diameters(table)
    folds = [
        replace(cases, training=fold.training, validation=fold.validation)
        for fold in k_folds((*cases.training, *cases.validation), count, seed, sizes)
    ]
    with staging(out, names, overwrite) as folder:
        _check(folds[0], others, content, workers)
        folds = [with_external(fold, others) for fold in folds]
        write_folds(folds, folder, out, sizes)
    _print(folds, sizes, out, as_json)


def _check(cases: CaseList, others: Sequence[CaseList], content: bool, workers: int | None) -> None:
    """Refuse cases of which one patient, file or scan is in two folds, or in one and the test.

    External lists may overlap with each other and with the test: all of that is for the test.
    """
    pool = replace(cases, training=(*cases.training, *cases.validation), validation=())
    check_leaks(pool, advice=_ONE_PATIENT)
    for other in others:
        check_leaks(replace(pool, test=()), against=(other,), advice=_LEAVE_OUT)
    if content:
        with show.progress("Comparing scans") as progress:
            check_leaks(with_external(pool, others), True, workers, progress, advice=_ONE_PATIENT)


def _names(out: Path, count: int) -> set[str]:
    """Return what a run leaves, this one or an earlier one with more folds."""
    earlier = {
        path.name for path in out.glob("fold_*.json") if re.fullmatch(r"fold_\d+", path.stem)
    }
    return earlier | {fold_file(number) for number in range(count)} | {SPLITS_FILE, TABLE}


def _print(
    folds: Sequence[CaseList], sizes: Mapping[str, float] | None, out: Path, as_json: bool
) -> None:
    """Print how many cases every fold has."""
    rows: list[dict[str, Any]] = [
        {
            "fold": number,
            "training": len(cases.training),
            "validation": len(cases.validation),
            "patients": len({entry.patient for entry in cases.validation}),
            "test": len(cases.test),
        }
        for number, cases in enumerate(folds)
    ]
    if sizes is not None:
        for row, cases in zip(rows, folds, strict=True):
            found = [d for entry in cases.validation if (d := sizes.get(entry.case, 0.0)) > 0]
            row["with_tumor"] = len(found)
            row["median_diameter_mm"] = round(median(found), 1) if found else None
    if as_json:
        click.echo(json.dumps({"out": str(out), "folds": rows}, indent=2))
        return
    shown = Table(title=f"{len(folds)} folds in {out}", box=box.SIMPLE)
    for name in rows[0]:
        shown.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        shown.add_row(*("-" if value is None else str(value) for value in row.values()))
    Console().print(shown)
