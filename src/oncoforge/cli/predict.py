"""``oncoforge predict``: segment organs and tumours with trained networks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from oncoforge.errors import InputError
from oncoforge.parallel import Progress, silent
from oncoforge.prediction.gate import MARGIN_MM

if TYPE_CHECKING:
    from torch import nn

    from oncoforge.prediction import Postprocess, Predictions

_AXES = {"x": 0, "y": 1, "z": 2}
_MOST_ROWS = 30

_EXAMPLES = """
\b
Examples:
  oncoforge predict ct.nii.gz --model liver-unet --out predicted
  oncoforge predict imagesTs --model fold0 --model fold1 --flips xyz --out predicted
  oncoforge predict list.json --split test --model model.pt --out predicted
  oncoforge predict imagesTs --run run --out predicted
  oncoforge predict images --model liver-unet --organs labels --convention totalsegmentator \\
      --out predicted
"""


class _Numbers(click.ParamType):  # type: ignore[type-arg]
    """Some numbers with commas: ``1,1,1``; or ``none``, where that means something."""

    name = "numbers"

    def __init__(self, count: int, none: bool = False) -> None:
        self.count, self.none = count, none

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, ...] | str:
        """Return the numbers; one stands for all."""
        if isinstance(value, tuple) or (self.none and value == "none"):
            return value
        try:
            numbers = tuple(float(part) for part in str(value).split(","))
        except ValueError:
            numbers = ()
        if self.none and len(numbers) == 1:
            numbers *= self.count
        if len(numbers) != self.count:
            example = ",".join("1" * self.count)
            self.fail(f"{value!r} is not {self.count} numbers; write {example}.", param, ctx)
        return numbers


@click.command(name="predict", epilog=_EXAMPLES)
@click.argument("inputs", nargs=-1, required=True)
@click.option(
    "--model",
    "models",
    multiple=True,
    help="Weights: a file, a folder of 'oncoforge weights import', or a name that was fetched; "
    "repeat for an ensemble.",
)
@click.option(
    "--run",
    "runs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder of 'oncoforge train': its best weights; repeat for an ensemble.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the masks.")
@click.option(
    "--organs",
    multiple=True,
    help="Label maps with the organ, paired by case id: a folder, a pattern or a list. Windows far "
    "from the organ are not run then.",
)
@click.option(
    "--convention",
    default="oncoforge",
    show_default=True,
    help="How --organs number their organs: oncoforge, totalsegmentator, organ-tumor, ...",
)
@click.option("--organ", help="The organ that is meant in --organs; by default the network's.")
@click.option(
    "--gate",
    show_default="organ with --organs, else body",
    help="Where organs can be: organ, body, coarse (a first run without overlap) or none.",
)
@click.option(
    "--margin",
    type=float,
    default=MARGIN_MM,
    show_default=True,
    help="mm around the organ that belong to the gate.",
)
@click.option(
    "--overlap", type=float, help="Of windows, such as 0.5.  [default: as the network says]"
)
@click.option("--flips", help="Axes to mirror windows along too, such as xyz (8 times the work).")
@click.option(
    "--precision",
    default="auto",
    show_default="float32 on a CPU, 16 bits on a GPU",
    help="float32, bfloat16 or float16.",
)
@click.option("--device", help="cpu, cuda or cuda:1.  [default: the GPU if there is one]")
@click.option(
    "--postprocess",
    show_default="as the network says",
    help="none, synthetictumors, pixel2cancer, difftumor, difftumor_3mm, freetumor or oncoforge.",
)
@click.option("--min-volume", type=float, help="mm3: smaller tumours are specks (oncoforge).")
@click.option("--keep-within", type=float, help="mm: farther tumours are not kept (oncoforge).")
@click.option(
    "--probabilities",
    type=click.Path(path_type=Path),
    help="Folder for the probabilities of tumours.",
)
@click.option("--classes", help="Of a network that does not say: background,liver,liver_tumor.")
@click.option(
    "--spacing", type=_Numbers(3, none=True), help="Of such a network, mm: 1,1,1 or none."
)
@click.option("--window", type=_Numbers(2), help="Of such a one, HU: -175,250.")
@click.option("--patch", type=_Numbers(3, none=True), help="Of such a one, voxels: 96,96,96.")
@click.option("--root", type=click.Path(path_type=Path), help="Where the paths of lists begin.")
@click.option("--split", help="Part of lists: training, validation or test.  [default: all]")
@click.option("--force", is_flag=True, help="Skip the checks that images are CT in HU.")
@click.option("--overwrite", is_flag=True, help="Replace the predictions of an earlier run.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary for machines.")
def command(
    inputs: tuple[str, ...],
    models: tuple[str, ...],
    runs: tuple[Path, ...],
    organs: tuple[str, ...],
    margin: float,
    flips: str | None,
    as_json: bool,
    **rest: Any,
) -> int:
    """Segment organs and tumours with trained networks.

    INPUTS are images, folders of them, folders with DICOM series, patterns, or lists of cases. Each
    case gets a mask CASE.nii.gz on its own grid, in oncoforge labels (liver 1, its tumour 2, ...),
    and a picture; predictions.json tells how they were made, predictions.png shows them. A run that
    was interrupted goes on where it stopped. Cases that fail are listed, and the exit code is 1
    then.
    """
    from oncoforge.prediction import predict_all  # slow to import

    pipeline = {name: rest.pop(name) for name in ("classes", "spacing", "window", "patch")}
    finish = _finish(rest.pop("postprocess"), rest.pop("min_volume"), rest.pop("keep_within"))
    networks = [_load(model, pipeline) for model in _weights(models, runs)]
    if isinstance(finish, dict):
        finish = _changed(networks[0], finish)
    with _progress() as (progress, windows):
        found = predict_all(
            inputs,
            networks,
            organs=organs or None,
            margin_mm=margin,
            flips=_axes(flips),
            postprocess=finish,
            progress=progress,
            windows=windows,
            **rest,
        )
    if as_json:
        click.echo(json.dumps(_summary(found), indent=2, ensure_ascii=False))
    else:
        _show(found)
    return 1 if found.failures else 0


def _weights(models: Sequence[str], runs: Sequence[Path]) -> list[str]:
    """Return the weights that models and runs stand for."""
    if not models and not runs:
        raise click.UsageError("Missing option '--model' or '--run': name the weights.")
    if not runs:
        return list(models)
    from oncoforge.training.run.folder import best_weights  # part of an extra of its own

    return [*models, *(str(best_weights(run)) for run in runs)]


def _load(model: str, given: Mapping[str, Any]) -> nn.Module:
    """Load a network, and say how it is used where it does not."""
    from oncoforge import checkpoints
    from oncoforge.networks import Pipeline

    network: Any = checkpoints.load(model)
    config = network.config
    changes = _pipeline(given, config.out_channels)
    if config.pipeline is not None:
        network.config = config.having(pipeline=replace(config.pipeline, **changes))
    elif {"classes", "spacing_mm", "window_hu"} <= set(changes):
        network.config = config.having(pipeline=Pipeline(**changes))
    elif changes:
        raise InputError(
            f"How {model} is used is not known; give --classes, --spacing and --window together."
        )
    return network


def _pipeline(given: Mapping[str, Any], channels: int) -> dict[str, Any]:
    """Return the fields of a pipeline that options say."""
    changes: dict[str, Any] = {}
    if given["classes"]:
        classes = tuple(part.strip() for part in given["classes"].split(","))
        if "background" not in classes and len(classes) == channels - 1:
            classes = ("background", *classes)
        changes["classes"] = classes
    if given["spacing"]:
        changes["spacing_mm"] = None if given["spacing"] == "none" else given["spacing"]
    if given["window"]:
        changes["window_hu"] = given["window"]
    if given["patch"]:
        changes["patch"] = tuple(int(n) for n in given["patch"])
    return changes


def _finish(
    name: str | None, min_volume: float | None, keep_within: float | None
) -> str | Postprocess | dict[str, float] | None:
    """Return what is done with masks; only settings, where the network says the rest."""
    from oncoforge.prediction.postprocess import find

    settings = {"min_volume_mm3": min_volume, "keep_within_mm": keep_within}
    given = {key: value for key, value in settings.items() if value is not None}
    if not given:
        return name
    return given if name is None else find(name).having(**given)


def _changed(network: Any, settings: dict[str, float]) -> Postprocess:
    from oncoforge.prediction.models import pipeline_of
    from oncoforge.prediction.postprocess import find

    return find(pipeline_of(network).postprocess).having(**settings)


def _axes(flips: str | None) -> tuple[int, ...]:
    """Return the axes of words such as ``xyz``."""
    letters = (flips or "").lower().replace(",", "")
    if not set(letters) <= set(_AXES):
        raise click.UsageError(f"--flips is {flips!r}; name axes, such as x or xyz.")
    return tuple(sorted({_AXES[letter] for letter in letters}))


@contextmanager
def _progress() -> Iterator[tuple[Progress, Progress]]:
    """Show how many cases and how many windows of one are done, to people only."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield silent, silent
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, TimeRemainingColumn(), console=console, transient=True) as bars:
        cases, windows = (bars.add_task(words, total=None) for words in ("Cases", "Windows"))
        yield (
            lambda done, of: bars.update(cases, completed=done, total=of),
            lambda done, of: bars.update(windows, completed=done, total=of),
        )


def _summary(found: Predictions) -> dict[str, Any]:
    """Return what machines are told."""
    return {
        "out": str(found.out),
        "made": list(found.made),
        "cases": found.cases,
        "failures": list(found.failures),
    }


def _show(found: Predictions) -> None:
    """Print a line per case, and what could not be done."""
    from oncoforge.reports.wording import volume

    table = Table(box=box.SIMPLE)
    shown = list(found.cases.items())[:_MOST_ROWS]
    classes = list(shown[0][1]["volumes_mm3"]) if shown else []
    for name in ("case", *(name.replace("_tumor", " tumour") for name in classes), "windows"):
        table.add_column(name, justify="left" if name == "case" else "right")
    for case, row in shown:
        sizes = (volume(mm3) if mm3 else "-" for mm3 in row["volumes_mm3"].values())
        table.add_row(case, *sizes, f"{row['windows']} of {row['windows_without_gate']}")
    if shown:
        Console().print(table, highlight=False)
    if len(found.cases) > len(shown):
        click.echo(f"... and {len(found.cases) - len(shown)} more cases")
    if len(found.made) < len(found.cases):
        click.echo(f"{len(found.cases) - len(found.made)} were there from an earlier run.")
    for case, row in found.cases.items():
        for remark in row["remarks"]:
            click.echo(f"Note: {case}: {remark}")
    for sentence in found.failures:
        click.echo(f"Not predicted: {sentence}", err=True)
    if found.cases:
        click.echo(f"Masks:   {found.out}")
        click.echo(f"Picture: {found.out / 'predictions.png'}")
