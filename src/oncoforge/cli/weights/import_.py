"""``oncoforge weights import``: a checkpoint as safetensors with a config beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from oncoforge.networks.config import Pipeline

_EXAMPLES = """
\b
Examples:
  oncoforge weights import model.pt --out liver-unet --classes background,liver,liver_tumor \\
      --spacing 1,1,1 --window -21,189
  oncoforge weights import TGAN.pt --part netSeg --out judge
  oncoforge weights import mine.pt --out mine --merging corrected --window -175,250 --patch 96,96,96
"""


class _Numbers(click.ParamType):  # type: ignore[type-arg]
    """Numbers with commas between."""

    name = "numbers"

    def __init__(self, count: int, kind: type[int] | type[float]) -> None:
        self.count, self.kind = count, kind

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(self.kind(part) for part in str(value).split(","))
        except ValueError:
            numbers = ()
        if len(numbers) != self.count:
            self.fail(f"{value!r} is not {self.count} numbers with commas between.", param, ctx)
        return numbers


@click.command(name="import", epilog=_EXAMPLES)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option("--network", help="Name of its network.  [default: told from the file]")
@click.option("--part", help="Which network of a file of several: netG, netSeg, ema, vqgan, ...")
@click.option(
    "--merging",
    type=click.Choice(["legacy", "corrected"]),
    help="Patch merging of a Swin UNETR.  [default: legacy, unless the file says otherwise]",
)
@click.option("--classes", help="Name of each output channel, with commas between.")
@click.option("--spacing", type=_Numbers(3, float), help="Spacing in mm that it expects: R,A,S.")
@click.option("--window", type=_Numbers(2, float), help="HU that become 0 and 1: low,high.")
@click.option("--patch", type=_Numbers(3, int), help="Voxels of a window: R,A,S.")
@click.option("--not-strict", is_flag=True, help="Let weights be missing, and leave others out.")
@click.option("--overwrite", is_flag=True, help="Replace what an earlier import wrote.")
def command(
    file: Path,
    out: Path,
    classes: str | None,
    spacing: tuple[float, float, float] | None,
    window: tuple[float, float] | None,
    patch: tuple[int, int, int] | None,
    not_strict: bool,
    overwrite: bool,
    **rest: Any,
) -> None:
    """Turn a checkpoint into safetensors with a config beside it.

    FILE may also be a name that was fetched. Nothing in it is run. The network is told from names
    and shapes, and how it is used from the catalogue, where the file is in it; --classes,
    --spacing, --window and --patch say it otherwise, or where it is not: the first three together.
    """
    from oncoforge.checkpoints.loading import inspect  # imports PyTorch
    from oncoforge.checkpoints.saving import convert

    given = {"spacing_mm": spacing, "window_hu": window, "patch": patch}
    said: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if classes is not None:
        said["classes"] = tuple(name.strip() for name in classes.split(","))
    pipeline = None
    if said:
        known = inspect(file, strict=not not_strict, **rest).config.pipeline
        pipeline = _changed(known, said)
    module: Any = convert(
        file, out, overwrite=overwrite, strict=not not_strict, pipeline=pipeline, **rest
    )
    config = module.config
    click.echo(f"{config.network}, {config.in_channels} in and {config.out_channels} out: {out}")
    for note in config.origin.notes if config.origin else ():
        click.echo(f"Note: {note}")
    if config.pipeline is None and config.out_channels > 1:
        click.echo(
            "Note: what its channels mean is not known; say it with --classes, --spacing and "
            "--window."
        )


def _changed(known: Pipeline | None, said: dict[str, Any]) -> Pipeline:
    """Return a pipeline with some of it said anew."""
    if known is not None:
        values = {name: getattr(known, name) for name in Pipeline.__dataclass_fields__}
        return Pipeline(**{**values, **said})
    if not {"classes", "spacing_mm", "window_hu"} <= set(said):
        raise click.UsageError(
            "The file does not tell how its network is used; give --classes, --spacing and "
            "--window together, as in its training."
        )
    return Pipeline(**said)
