"""What a run shows on the terminal: steps as it goes, and the outcome at its end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from oncoforge.job import MOVIE, Outcome, Step
from oncoforge.parallel import Progress, silent


@contextmanager
def steps() -> Iterator[Step]:
    """Show which step is running, on standard error and only to people."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("Starting") as status:
        yield lambda words: status.update(f"{words} ...")


@contextmanager
def progress(words: str) -> Iterator[Progress]:
    """Show how many pieces of long work are done, on standard error and only to people."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield silent
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, TimeRemainingColumn(), console=console, transient=True) as bars:
        bar = bars.add_task(words, total=None)
        yield lambda done, of: bars.update(bar, completed=done, total=of)


def outcome(result: Outcome, as_json: bool) -> None:
    """Print what was made: a table for people, or JSON for machines."""
    if as_json:
        click.echo(json.dumps(result.summary(), indent=2))
        return
    record = result.record
    count = len(record["lesions"])
    table = Table(
        title=f"{count} lesion{'s' * (count != 1)} in the {record['organ'].replace('_', ' ')}",
        box=box.SIMPLE,
    )
    for name in ("id", "kind", "mm", "mm3", "mean HU", "contrast HU", "centre (RAS mm)"):
        table.add_column(name, justify="left" if name == "kind" else "right", no_wrap=True)
    for row in record["lesions"]:
        contrast = row["contrast_hu"]
        table.add_row(
            str(row["id"]),
            row["kind"],
            f"{row['diameter_mm']:.1f}",
            f"{row['volume_mm3']:.0f}",
            f"{row['mean_hu']:.0f}",
            "-" if contrast is None else f"{contrast:+.0f}",
            ", ".join(str(round(c)) for c in row["centre_ras_mm"]),
        )
    console = Console()
    console.print(table)
    for heading, sentences in (("Not made", record["skipped"]), ("Note", record["remarks"])):
        for sentence, times in Counter(sentences).items():
            often = f" ({times} times)" if times > 1 else ""
            console.print(f"{heading}: {sentence}{often}", highlight=False, markup=False)
    if MOVIE[0] in result.files():
        click.echo(f"Movie:   {result.path(MOVIE[0])}")
    click.echo(f"Picture: {result.path('report.png')}")
    click.echo(f"Report:  {result.path('report.html')}")
