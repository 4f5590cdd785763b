"""``oncoforge prepare show``: say what is known of a dataset."""

from __future__ import annotations

import json

import click

from oncoforge.datasets.describe import as_dict, description
from oncoforge.datasets.registry import dataset

_EXAMPLES = """
\b
Examples:
  oncoforge prepare show msd-liver
  oncoforge prepare show kits23 --json
"""


@click.command(name="show", epilog=_EXAMPLES)
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def command(name: str, as_json: bool) -> None:
    """Say where a dataset is, what it holds, and how its folder should look."""
    found = dataset(name)
    click.echo(json.dumps(as_dict(found), indent=2) if as_json else description(found))
