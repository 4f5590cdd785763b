"""``oncoforge prepare healthy``: choose the cases without tumours."""

from __future__ import annotations

import json
from pathlib import Path

import click

from oncoforge.cli import show
from oncoforge.cli.prepare.options import say_failed
from oncoforge.datasets.healthy import FAILED, healthy
from oncoforge.errors import InputError, OutputError
from oncoforge.lists import read_list, write_list
from oncoforge.lists.inputs import inputs_of, keep_inputs

_EXAMPLES = """
\b
Examples:
  oncoforge prepare healthy data/liver/list.json --organ liver --out data/liver/healthy.json
  oncoforge prepare healthy data/btcv/list.json --organ pancreas --min-organ 10 --out healthy.json
"""


@click.command(name="healthy", epilog=_EXAMPLES)
@click.argument("source", metavar="LIST", type=click.Path(path_type=Path))
@click.option("--organ", required=True, help="The organ that is to be healthy.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="List to write (JSON).")
@click.option(
    "--convention", help="How the label maps number it; by default as the list says, or oncoforge."
)
@click.option(
    "--min-organ",
    "least",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="Least volume of the organ, mL.",
)
@click.option(
    "--known", is_flag=True, help="Take only cases that their dataset says are without tumours."
)
@click.option(
    "--root", type=click.Path(path_type=Path), help="Folder that LIST's paths start from."
)
@click.option("--workers", type=click.IntRange(1), help="Processes; as many as cores by default.")
@click.option("--overwrite", is_flag=True, help="Replace the list if it exists.")
@click.option("--json", "as_json", is_flag=True, help="Print every case for machines.")
def command(
    source: Path,
    organ: str,
    out: Path,
    convention: str | None,
    least: float,
    known: bool,
    root: Path | None,
    workers: int | None,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Choose the cases of LIST that have an organ and no tumour of it."""
    if out.exists() and not overwrite:
        raise OutputError(f"{out} exists; choose another name, or --overwrite to replace it.")
    cases = read_list(source, root)
    keep_inputs([out], inputs_of(cases))
    with show.progress("Looking at label maps") as progress:
        choice = healthy(
            cases,
            organ,
            convention=convention,
            min_organ_ml=least,
            known_only=known,
            workers=workers,
            progress=progress,
        )
    failed = [v for v in choice.verdicts if v.verdict == FAILED]
    if len(choice.cases):
        write_list(choice.cases, out, kind="msd", overwrite=overwrite)
    if as_json:
        click.echo(json.dumps(choice.summary(), indent=2))
    else:
        words = (f"{number} {verdict}" for verdict, number in choice.counts().items())
        click.echo(f"{choice.organ.replace('_', ' ')}: {', '.join(words)}.")
        for remark in choice.remarks:
            click.echo(f"Note: {remark}")
        say_failed((v.case, v.sentence) for v in failed)
    if not len(choice.cases):
        raise InputError(f"No case of {source} is healthy; no list was written.")
    if not as_json:
        click.echo(f"List: {out}")
    return 1 if failed else 0
