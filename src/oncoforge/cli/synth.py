"""``oncoforge synth``: put synthetic tumours into a CT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from oncoforge.cli import show
from oncoforge.cli.options import gather, lesion_options, output_options
from oncoforge.job import forge, forge_again

_EXAMPLES = """
\b
Examples:
  oncoforge synth ct.nii.gz labels.nii.gz --convention totalsegmentator \\
      --organ liver --size small --seed 7 --out result
  oncoforge synth dicom_folder labels.nii.gz --convention totalsegmentator \\
      --organ spleen --count 3 --diameter 12mm --at 31,-20,85 --out result
  oncoforge synth ct.nii.gz labels.nii.gz --preset realistic --set rim=1 --out result
  oncoforge synth ct.nii.gz labels.nii.gz --method cellular --organ kidney \\
      --diameter 25mm --count 2 --movie --out grown
  oncoforge synth ct.nii.gz labels.nii.gz --organ kidney --prior prior.json \\
      --exophytic --out like-real
  oncoforge synth ct.nii.gz labels.nii.gz --organ kidney --library tumours \\
      --require cnr=1,diameter=5 --out pasted
  oncoforge synth --replay result/lesions.json --out again
"""


@click.command(name="synth", epilog=_EXAMPLES)
@click.argument("image", required=False)
@click.argument("labels", required=False)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder for the result."
)
@click.option(
    "--convention",
    default="totalsegmentator",
    show_default=True,
    help="How LABELS numbers its organs: totalsegmentator, oncoforge, organ-tumor, kits, btcv, ...",
)
@lesion_options
@click.option("--series", help="Which DICOM series, where IMAGE holds several.")
@click.option("--resample-labels", is_flag=True, help="Bring LABELS onto the grid of IMAGE.")
@click.option("--force", is_flag=True, help="Skip the check that IMAGE is CT in HU.")
@click.option(
    "--replay", type=click.Path(path_type=Path), help="Rebuild the run of a lesions.json."
)
@output_options
def command(
    image: str | None,
    labels: str | None,
    out: Path,
    replay: Path | None,
    as_json: bool,
    overwrite: bool,
    force: bool,
    device: str,
    method: str,
    count: int | None,
    diameter: float | None,
    settings: tuple[tuple[str, Any], ...],
    **rest: Any,
) -> None:
    """Put synthetic tumours into a CT.

    IMAGE is a NIfTI, NRRD or MHA file or a folder with a DICOM series; LABELS is a label map on the
    same grid. The result is a CT on the grid of IMAGE, its label map, a record of every lesion and
    a report.
    """
    with show.steps() as step:
        if replay is not None:
            _check_replay()
            result = forge_again(
                replay,
                out,
                image=image,
                labels=labels,
                library=rest["library"],
                device=device,
                overwrite=overwrite,
                force=force,
                step=step,
            )
        elif image is None or labels is None:
            raise click.UsageError("Give IMAGE and LABELS (or --replay lesions.json).")
        else:
            chosen = gather(method, count, diameter, settings)
            result = forge(
                image,
                labels,
                out,
                method=method,
                device=device,
                overwrite=overwrite,
                force=force,
                step=step,
                **rest,
                **chosen,
            )
    show.outcome(result, as_json)


def _check_replay() -> None:
    """Refuse options that a replay would not look at: the record says it all."""
    context = click.get_current_context()
    heeded = {
        "image",
        "labels",
        "library",
        "out",
        "replay",
        "device",
        "overwrite",
        "force",
        "as_json",
    }
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if given and name not in heeded:
            raise click.UsageError(f"--replay takes {parameter.opts[-1]} from the record.")
