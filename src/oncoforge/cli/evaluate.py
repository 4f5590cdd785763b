"""``oncoforge evaluate``: how good predicted masks are, and which model is better."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from oncoforge.cli import show

if TYPE_CHECKING:
    from oncoforge.evaluation.results import Evaluation

_EXAMPLES = """
\b
Examples:
  oncoforge evaluate unet/pred labels --convention lits --out unet-scores
  oncoforge evaluate unet labels --versus nnunet=nnunet --versus swin=swin --out compared
  oncoforge evaluate "runs/fold_*/pred" folds.json --name unet --out cross-validation
  oncoforge evaluate pred kits/labels --convention kits --pred-convention organ-tumor \\
      --organ kidney --images kits/images --out kidney-scores
"""

_MOST_SENTENCES = 10


class _Model(click.ParamType):  # type: ignore[type-arg]
    """A model and where its files are: ``nnunet=runs/nnunet/pred``.

    Parameters
    ----------
    lone
        A path alone will do; its model has no name then.
    """

    name = "name=path"

    def __init__(self, lone: bool = False) -> None:
        self.lone = lone

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, str]:
        """Return the name and the path."""
        if isinstance(value, tuple):
            return value
        name, sign, path = str(value).partition("=")
        if self.lone and not sign:
            return "", str(value)
        if not (sign and name.strip() and path.strip()):
            self.fail(f"{value!r} does not say which model it is; write name=path.", param, ctx)
        return name.strip(), path.strip()


@click.command(name="evaluate", epilog=_EXAMPLES)
@click.argument("pred", nargs=-1, required=True)
@click.argument("truth")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the files.")
@click.option("--name", help="What to call the model of PRED.  [default: its folder's name]")
@click.option(
    "--versus",
    type=_Model(),
    multiple=True,
    help="Compare with another model's predictions; repeat for more models, or more folders.",
)
@click.option(
    "--convention",
    default="oncoforge",
    show_default=True,
    help="How TRUTH numbers its organs: oncoforge, kits, lits, organ-tumor, ...",
)
@click.option("--pred-convention", help="How predictions number theirs.  [default: as TRUTH]")
@click.option("--organ", help="Score this organ and its tumours only.")
@click.option(
    "--organ-mask",
    default="whole",
    show_default=True,
    help="An organ's mask with its tumours (whole), or without them (parenchyma).",
)
@click.option(
    "--tolerance",
    "tolerance_mm",
    type=click.FloatRange(0),
    default=2.0,
    show_default=True,
    help="Of the NSD, mm.",
)
@click.option(
    "--nsd",
    default="surfel",
    show_default=True,
    help="Which NSD: surfel, voxel-edge or mean-of-fractions.",
)
@click.option(
    "--empty",
    default="defined",
    show_default=True,
    help="Means over what is defined, or with the fill-ins of the predecessors.",
)
@click.option(
    "--matching",
    default="one-to-one",
    show_default=True,
    help="How lesions are matched: one-to-one or predecessors.",
)
@click.option(
    "--overlap",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.1,
    show_default=True,
    help="IoU above which a lesion is found (predecessors: part of it that is predicted).",
)
@click.option(
    "--min-voxels",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="Smaller components are specks and no lesions.",
)
@click.option(
    "--positive-mm3",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="A patient is ill, as predicted, with more tumour than this.",
)
@click.option("--resample", is_flag=True, help="Bring predictions onto the grid of the truth.")
@click.option("--fold", type=int, help="Score this fold of the list TRUTH only.")
@click.option("--partial", is_flag=True, help="Truths without a prediction are no failures.")
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Folder with the images: the worst cases are drawn on them.",
)
@click.option(
    "--probabilities",
    type=_Model(lone=True),
    multiple=True,
    help="Folder of tumour probabilities that predict wrote, to rank patients by; FOLDER or "
    "NAME=FOLDER.",
)
@click.option(
    "--root", type=click.Path(path_type=Path), help="Where the paths of a list of cases begin."
)
@click.option(
    "--draws",
    type=click.IntRange(1),
    default=2000,
    show_default=True,
    help="Resamples of the patients for the intervals.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the draws.")
@click.option(
    "--spread",
    default="sd",
    show_default=True,
    help="Beside the means of the table: standard deviation (sd) or interval (ci).",
)
@click.option("--workers", type=click.IntRange(1), help="Processes at once.  [default: cores]")
@click.option("--overwrite", is_flag=True, help="Replace the files of an earlier evaluation.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary for machines.")
def command(
    pred: tuple[str, ...],
    truth: str,
    out: Path,
    versus: tuple[tuple[str, str], ...],
    probabilities: tuple[tuple[str, str], ...],
    as_json: bool,
    **rest: Any,
) -> int:
    """Compare predicted masks with true ones, and models with each other.

    PRED and TRUTH are label maps, folders of them, patterns, or lists of cases; several PRED are
    one set, as of the folds of a cross-validation. Cases are paired by name. The result is a row
    per case and structure (scores.csv), per lesion and per patient, a summary with confidence
    intervals, the table that papers print (Markdown, LaTeX), and a report. What cannot be scored
    is listed, and the exit code is 1 then.
    """
    from oncoforge.evaluation.run import evaluate  # slow to import

    others: dict[str, list[str]] = {}
    for name, path in versus:
        others.setdefault(name, []).append(path)
    with show.progress("Scoring") as progress:
        found = evaluate(
            pred,
            truth,
            versus=others,
            probabilities=_by_model(probabilities),
            out=out,
            progress=progress,
            **rest,
        )
    if as_json:
        record = found.record()
        kept = ("settings", "outcomes", "summary", "comparisons", "failures", "remarks")
        told = {"out": str(out), **{name: record[name] for name in kept}}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        _show(found)
        click.echo(f"Tables: {out / 'scores.csv'}, {out / 'summary.csv'}, {out / 'table.md'}")
        click.echo(f"Report: {out / 'report.html'}")
    return 1 if found.failures else 0


def _by_model(places: tuple[tuple[str, str], ...]) -> dict[str, str] | str | None:
    """Return folders by model; a lone one is the first model's."""
    if len(places) == 1 and not places[0][0]:
        return places[0][1]
    if any(not name for name, _ in places):
        raise click.UsageError("Say whose each folder of --probabilities is: NAME=FOLDER.")
    return dict(places) or None


def _show(found: Evaluation) -> None:
    """Print a table of means and intervals, and what to know."""
    console = Console()
    counts = found.outcomes()
    for structure in found.structures:
        table = Table(title=_named(structure), box=box.SIMPLE, title_justify="left")
        for name in ("model", "found", "Dice %", "NSD %", "HD95 mm", "lesions", "FP/scan"):
            words = name == "model"
            table.add_column(name, justify="left" if words else "right", no_wrap=not words)
        for model in found.models:
            often = counts[model][structure]
            if not sum(often.values()):
                continue
            false = found.number("false_positives_per_scan", structure, model)
            table.add_row(
                model,
                f"{often['found']}/{often['found'] + often['missed']}",
                _percent(found, "dice", structure, model),
                _plain(found, "nsd", structure, model, 100),
                _plain(found, "hd95_mm", structure, model),
                _lesions(found, structure, model),
                "" if false is None or false.mean is None else f"{false.mean:.2f}",
            )
        console.print(table)
    _patients(found)
    for row in found.comparisons:
        if row.metric == "dice" and row.difference is not None and row.p is not None:
            click.echo(
                f"{row.model} less {row.versus}, {_named(row.structure)} Dice: "
                f"{100 * row.difference:+.1f} points, n = {row.n}, "
                f"Wilcoxon p = {row.p:.3g}, after Holm {row.p_holm or 0.0:.3g}"
            )
    for remark in found.remarks[:_MOST_SENTENCES]:
        click.echo(f"Note: {remark}")
    for sentence in found.failures[:_MOST_SENTENCES]:
        click.echo(f"Not scored: {sentence}", err=True)
    more = len(found.failures) - _MOST_SENTENCES
    if more > 0:
        click.echo(f"Not scored: {more} more; all are in evaluation.json.", err=True)


def _named(structure: str) -> str:
    return structure.replace("_tumor", " tumour").replace("_", " ")


def _percent(found: Evaluation, metric: str, structure: str, model: str) -> str:
    row = found.number(metric, structure, model)
    if row is None or row.mean is None:
        return "-"
    if row.ci_low is None or row.ci_high is None:
        return f"{100 * row.mean:.1f}"
    return f"{100 * row.mean:.1f} [{100 * row.ci_low:.1f}, {100 * row.ci_high:.1f}]"


def _plain(found: Evaluation, metric: str, structure: str, model: str, factor: float = 1.0) -> str:
    row = found.number(metric, structure, model)
    return "-" if row is None or row.mean is None else f"{factor * row.mean:.1f}"


def _lesions(found: Evaluation, structure: str, model: str) -> str:
    row = found.number("lesion_sensitivity", structure, model)
    return "" if row is None or row.mean is None else f"{round(row.mean * row.n)}/{row.n}"


def _patients(found: Evaluation) -> None:
    """Print who was found ill, where there are ill and healthy patients."""
    for structure in found.structures:
        for model in found.models:
            rows = [
                found.number(f"patient_{kind}", structure, model)
                for kind in ("sensitivity", "specificity", "auc")
            ]
            ill, healthy, area = rows
            if area is None or area.mean is None or ill is None or healthy is None:
                continue
            click.echo(
                f"{_named(structure)}, patients, {model}: "
                f"{round((ill.mean or 0.0) * ill.n)} of {ill.n} ill ones found, "
                f"{round((healthy.mean or 0.0) * healthy.n)} of {healthy.n} healthy ones left "
                f"alone, AUC {area.mean:.3f}"
            )
