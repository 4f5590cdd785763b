"""``oncoforge train segmentation``: train a network that segments organs and tumours."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from oncoforge.cli import show
from oncoforge.errors import InputError
from oncoforge.parallel import silent

if TYPE_CHECKING:
    from oncoforge.training.run.fit import Summary

_EXAMPLES = """
\b
Examples:
  oncoforge train segmentation --config smoke --out run
  oncoforge train segmentation --config liver-unet-handcrafted --out run --resume
  oncoforge train segmentation --config mine.yaml --out run --trainer.max_epochs 500 \\
      --model.network.name swin_unetr --model.network.options '{size: tiny}'
  oncoforge train segmentation --config mine.yaml --out run --trainer.devices 4 \\
      --trainer.strategy ddp --trainer.precision bf16-mixed
  oncoforge predict imagesTs --run run --out predicted
"""

_WIDTH = 100


class _Segmentation(click.Command):
    """Takes every key of a recipe as an option, and tells of them when it is asked for help."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, and then the keys of a recipe, group by group."""
        super().format_options(ctx, formatter)
        recipe = _import_recipe()
        rows = list(recipe.rows())
        groups = {"seed": "Of the whole run.", **recipe.GROUPS}
        for group, words in groups.items():
            with formatter.section(f"{group.capitalize()}: {words.rstrip('.')}"):
                formatter.write_dl(
                    [
                        # Entries of a list are given together with their list.
                        (name if "[]" in name else f"--{name}", f"{meaning} ({kind}; {default})")
                        for name, kind, default, meaning in rows
                        if name.split(".")[0] == group
                    ]
                )


@click.command(
    name="segmentation",
    cls=_Segmentation,
    epilog=_EXAMPLES,
    context_settings={"ignore_unknown_options": True, "max_content_width": _WIDTH},
    options_metavar="[OPTIONS] [--KEY VALUE]...",
)
@click.option(
    "--config",
    "configs",
    multiple=True,
    metavar="FILE",
    help="A recipe: a YAML file, or the name of one that comes with oncoforge; of several the "
    "later ones win, and keys on the command line win over all.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the run.")
@click.option("--resume", is_flag=True, help="Go on with the run in the folder, if there is one.")
@click.option("--overwrite", is_flag=True, help="Replace the run in the folder.")
@click.option(
    "--print-config", "--print_config", is_flag=True, help="Print all settings, and do nothing."
)
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED, metavar="")
def command(
    configs: tuple[str, ...],
    overrides: tuple[str, ...],
    out: Path | None,
    resume: bool,
    overwrite: bool,
    print_config: bool,
) -> None:
    """Train a network that segments organs and tumours.

    The settings are those of a recipe, and every key of it can be given as an option with dots,
    --model.network.name unet. The folder gets the best and the last weights (best.safetensors,
    last.safetensors), summary.json, metrics.csv, curves.png, pictures of predictions and logs. A
    run that was stopped or killed goes on with --resume, to the same weights.
    """
    if not configs and not overrides:
        raise click.UsageError("Missing option '--config': give a YAML file, or a name like smoke.")
    recipe = _import_recipe().read(configs, overrides)
    if print_config:
        click.echo(recipe.text, nl=False)
        return
    if out is None:
        raise click.UsageError("Missing option '--out': name a folder for the run.")
    from oncoforge.training.run.fit import fit
    from oncoforge.training.run.folder import RunFolder

    people = Console(stderr=True).is_terminal
    if _first_process():
        RunFolder(out).check(recipe.text, resume=resume, overwrite=overwrite)
    try:
        module, data = recipe.build()
        _note(module.remarks)
        said = len(module.remarks)
        if _first_process():
            with show.progress("Preparing cases") as data.progress:
                data.prepare_data()
            data.progress = silent
        found = fit(
            module, data, out, trainer=recipe.trainer, settings=recipe.run, resume=resume,
            overwrite=overwrite, config=recipe.text, bar=people, say=None if people else _say,
        )  # fmt: skip
    except KeyboardInterrupt:
        _say(_stopped(out))
        sys.exit(130)
    except SystemExit as stop:
        if stop.code == 143:
            _say(_stopped(out))
        raise
    _note(found.remarks[said:])
    _show(found)


def _import_recipe() -> Any:
    """Return the module, which is slow to import."""
    try:
        from oncoforge.training.run import recipe
    except ImportError as error:
        raise InputError(
            f"Training needs Lightning and more, and {error.name} is not installed; pip install "
            '"oncoforge[train]".'
        ) from error
    return recipe


def _say(sentence: str) -> None:
    if _first_process():
        click.echo(sentence, err=True)


def _note(remarks: Sequence[str]) -> None:
    for remark in remarks:
        _say(f"Note: {remark}")


def _stopped(out: Path) -> str:
    from oncoforge.training.run.folder import RunFolder

    if RunFolder(out).state.is_file():
        return f"Stopped; the same command with --resume goes on in {out} from its last epoch."
    return f"Stopped before the first epoch in {out} was done; --resume starts it anew."


def _show(found: Summary) -> None:
    """Print what came of a run."""
    if not _first_process():
        return
    if found.trained == 0:
        click.echo(f"The run in {found.out} is finished; nothing was left to do.")
    if found.best_epoch is None:
        click.echo("No validation gave a score, so there are no best weights, but the last ones.")
        click.echo(f"Weights: {found.last}")
    else:
        dice = "none" if found.best_tumor_dice is None else f"{found.best_tumor_dice:.4f}"
        click.echo(f"Best tumour Dice: {dice}, in epoch {found.best_epoch} of {found.epochs}")
        click.echo(f"Weights: {found.best}")
    click.echo(f"Summary: {found.record}")
    click.echo(f"Curves:  {found.curves}")


def _first_process() -> bool:
    from oncoforge.training.run.processes import is_first

    return is_first()
