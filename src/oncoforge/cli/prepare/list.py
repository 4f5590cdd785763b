"""``oncoforge prepare list``: name the datasets that are known."""

from __future__ import annotations

import json

import click
from rich import box
from rich.console import Console
from rich.table import Table

from oncoforge.datasets.describe import as_dict
from oncoforge.datasets.record import ROLES, Dataset
from oncoforge.datasets.registry import DATASETS
from oncoforge.errors import UnknownNameError

_EXAMPLES = """
\b
Examples:
  oncoforge prepare list
  oncoforge prepare list --role tumour-labelled
  oncoforge prepare list --organ pancreas --json
"""


@click.command(name="list", epilog=_EXAMPLES)
@click.option("--role", help=f"Only those that are {', '.join(ROLES[:-1])} or {ROLES[-1]}.")
@click.option("--organ", help="Only those that show this organ.")
@click.option("--json", "as_json", is_flag=True, help="Print all that is known, for machines.")
def command(role: str | None, organ: str | None, as_json: bool) -> None:
    """Name the datasets that are known, and what they are good for.

    Where the size is empty, see the page of the dataset.
    """
    chosen = [
        one
        for one in DATASETS.values()
        if (role is None or one.role == _role(role)) and (organ is None or organ in one.organs)
    ]
    if as_json:
        click.echo(json.dumps([as_dict(one) for one in chosen], indent=2))
        return
    Console().print(_table(chosen))
    click.echo("See one with: oncoforge prepare show NAME. Nothing is downloaded.")


def _role(text: str) -> str:
    """Return a role by its full name: the start of it, and "tumor", are enough."""
    key = text.lower().replace("tumor", "tumour").replace("labeled", "labelled")
    found = next((role for role in ROLES if key and role.startswith(key.split("-")[0])), None)
    if found is None:
        raise UnknownNameError("role", text, ROLES)
    return found


def _table(datasets: list[Dataset]) -> Table:
    table = Table(box=box.SIMPLE)
    for name in ("name", "role", "organs", "cases", "GB"):
        numbers = name in ("cases", "GB")
        table.add_column(name, justify="right" if numbers else "left", no_wrap=name != "organs")
    for one in datasets:
        organs = [organ.replace("_", " ") for organ in one.organs]
        shown = organs if len(organs) < 5 else [*organs[:4], f"{len(organs) - 4} more"]
        size = f"{one.size_gb:g}" if one.size_gb else ""
        table.add_row(one.name, one.role, ", ".join(shown), str(one.total), size)
    return table
