"""``oncoforge weights show``: what a file of weights, or one in the catalogue, is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from oncoforge.checkpoints.cache import place
from oncoforge.checkpoints.catalogue import CATALOGUE
from oncoforge.checkpoints.describe import as_dict, of_encoder, of_file

_EXAMPLES = """
\b
Examples:
  oncoforge weights show difftumor-liver-unet
  oncoforge weights show model.pt
  oncoforge weights show TGAN.pt --part netSeg --keys
  oncoforge weights show liver-unet --json
"""


@click.command(name="show", epilog=_EXAMPLES)
@click.argument("what")
@click.option("--network", help="Look for this network in the file.")
@click.option("--part", help="Look at this part of the file: netG, netSeg, ema, vqgan, ...")
@click.option("--keys", is_flag=True, help="Name every tensor with its shape.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def command(what: str, network: str | None, part: str | None, keys: bool, as_json: bool) -> None:
    """Say what a file of weights, or one in the catalogue, is.

    WHAT is a file, a folder that import wrote, or a name that list shows. Nothing in a file is run.
    """
    told: dict[str, Any] = {}
    published = None if Path(what).exists() else CATALOGUE.get(what)
    if published is not None:
        told["published"] = as_dict(published)
    if published is None or place(published).is_file():
        from oncoforge.checkpoints.encoder import EncoderOnlyError
        from oncoforge.checkpoints.loading import inspect  # imports PyTorch

        try:
            told["file"] = of_file(inspect(what, network, part=part, strict=False), keys=keys)
        except EncoderOnlyError as found:
            told["encoder"] = of_encoder(found.encoder, keys=keys)
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    if published is not None:
        _published(told["published"])
    if "file" in told:
        _file(told["file"])
    if "encoder" in told:
        _encoder(told["encoder"], what)


def _published(told: dict[str, Any]) -> None:
    click.echo(f"{told['name']}: {told['kind']}, {told['method']}")
    _line("for", ", ".join(told["organs"]) or "any organ")
    _line("network", told["network"])
    _line("trained on", told["trained_on"])
    _line("licence", told["licence"] or "not stated")
    _line("page", told["page"] or "none known")
    _line("file", told["file"])
    _line("sha256", told["sha256"] or "not known")
    _line("merging", told["merging"])
    if told["pipeline"]:
        _pipeline(told["pipeline"])
    for note in told["notes"]:
        _line("note", note)
    if not told["fetched"]:
        do = f"oncoforge weights fetch {told['name']}" if told["page"] else "give the path"
        _line("here", f"no: {do}")


def _file(told: dict[str, Any]) -> None:
    click.echo(f"{told['origin']['file']}: {told['network']}")
    _line("channels", f"{told['in_channels']} in, {told['out_channels']} out")
    _line("options", ", ".join(f"{name}={value}" for name, value in told["options"].items()))
    _holds(told)
    if told["pipeline"]:
        _pipeline(told["pipeline"])
    else:
        _line("pipeline", "not known")
    _origin(told)


def _encoder(told: dict[str, Any], what: str) -> None:
    options = told["options"]
    given = ", ".join(f"{name}={json.dumps(value)}" for name, value in options.items())
    click.echo(f"{told['origin']['file']}: an encoder of {told['network']}, no whole network")
    _line("features", f"{told['features']} (size {options['size']}, version {options['version']})")
    _line("channels", f"{told['in_channels']} in")
    _line("merging", options["merging"])
    _holds(told)
    _line(
        "decoder", "without its last layer; whole=True takes it too" if told["decoder"] else "none"
    )
    channels = f"{told['in_channels']}, CLASSES"
    _line("build", f'network = of.networks.build("{told["network"]}", {channels}, {given})')
    _line("use", f"of.checkpoints.load_encoder(network, {json.dumps(what, ensure_ascii=False)})")
    _origin(told)


def _holds(told: dict[str, Any]) -> None:
    _line("holds", f"{told['values']:,} values in {told['tensors']} tensors, "
          f"{', '.join(told['types'])}")  # fmt: skip


def _origin(told: dict[str, Any]) -> None:
    origin = told["origin"]
    _line("published as", origin["name"])
    _line("licence", origin["licence"] or "not known")
    _line("sha256", origin["sha256"])
    for note in origin["notes"]:
        _line("note", note)
    for name, shape in told.get("keys", {}).items():
        click.echo(f"  {name}  {'x'.join(map(str, shape)) or 'one number'}")


def _pipeline(told: dict[str, Any]) -> None:
    low, high = told["window_hu"]
    spacing = told["spacing_mm"]
    _line("classes", ", ".join(told["classes"]))
    _line("spacing", " x ".join(f"{mm:g}" for mm in spacing) + " mm" if spacing else "as it is")
    _line(
        "window", f"{low:g} to {high:g} HU become {' to '.join(f'{v:g}' for v in told['values'])}"
    )
    _line("patch", f"{' x '.join(map(str, told['patch']))}, overlap {told['overlap']:g}")
    _line("postprocess", told["postprocess"])


def _line(name: str, value: str) -> None:
    if value:
        click.echo(f"  {f'{name}:':14}{value}")
