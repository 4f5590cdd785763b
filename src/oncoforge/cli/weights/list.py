"""``oncoforge weights list``: name the published weights that are known."""

from __future__ import annotations

import json

import click
from rich import box
from rich.console import Console
from rich.table import Table

from oncoforge.checkpoints.cache import place
from oncoforge.checkpoints.catalogue import CATALOGUE
from oncoforge.checkpoints.describe import as_dict
from oncoforge.checkpoints.record import Weights
from oncoforge.errors import UnknownNameError
from oncoforge.networks.registry import find as find_network

_EXAMPLES = """
\b
Examples:
  oncoforge weights list
  oncoforge weights list --organ liver --network unet
  oncoforge weights list --method DiffTumor --json
"""


@click.command(name="list", epilog=_EXAMPLES)
@click.option("--organ", help="Only those that segment this organ, or make tumours in it.")
@click.option("--method", help="Only those of this work: SyntheticTumors, DiffTumor, ...")
@click.option("--network", help="Only those that are for this network.")
@click.option("--json", "as_json", is_flag=True, help="Print all that is known, for machines.")
def command(organ: str | None, method: str | None, network: str | None, as_json: bool) -> None:
    """Name the published weights that are known.

    Where "here" says yes, the file is on this machine; "no page" has none that it could be fetched
    from, and is known by its name if you have it.
    """
    everything = CATALOGUE.values()
    chosen = [
        one
        for one in everything
        if (organ is None or _same(organ, {o for w in everything for o in w.organs}, "organ")
            in one.organs)
        and (method is None
             or _same(method, {w.method for w in everything}, "method") == one.method)
        and (network is None or find_network(network).name == one.network)
    ]  # fmt: skip
    if as_json:
        click.echo(json.dumps([as_dict(one) for one in chosen], indent=2, ensure_ascii=False))
        return
    Console().print(_table(chosen))
    click.echo("See one with: oncoforge weights show NAME. Get it with: oncoforge weights fetch.")


def _same(given: str, known: set[str], kind: str) -> str:
    """Return a name as it is written, however it was given."""
    names = {name.lower().replace(" ", ""): name for name in sorted(known)}
    found = names.get(given.lower().replace(" ", "").replace("_", ""))
    if found is None:
        raise UnknownNameError(kind, given, sorted(known))
    return found


def _table(chosen: list[Weights]) -> Table:
    table = Table(box=box.SIMPLE)
    for name in ("name", "licence", "here"):
        table.add_column(name, no_wrap=True)
    for one in chosen:
        here = "yes" if place(one).is_file() else "" if one.source else "no page"
        table.add_row(one.name, one.licence or "not stated", here)
    return table
