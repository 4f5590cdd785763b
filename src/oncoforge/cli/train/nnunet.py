"""``oncoforge train nnunet``: where nnU-Net finds the trainer that makes tumours."""

from __future__ import annotations

import json
from importlib.util import find_spec

import click

from oncoforge.adapters.nnunet import TRAINERS

_EXAMPLES = """
\b
Examples:
  export nnUNet_extTrainer="$(oncoforge train nnunet)"
  nnUNetv2_train 3 3d_fullres 0 -tr nnUNetTrainerOncoforge
\b
With settings of one's own:
  oncoforge train nnunet --settings > tumors.json
  export ONCOFORGE_NNUNET="$PWD/tumors.json"
  nnUNetv2_train 3 3d_fullres 0 -tr nnUNetTrainerOncoforge
"""


@click.command(name="nnunet", epilog=_EXAMPLES)
@click.option(
    "--settings",
    is_flag=True,
    help="Print the settings of the synthesis instead, as they are by default.",
)
def command(settings: bool) -> None:
    """Train nnU-Net with tumours that are made on the fly.

    nnU-Net v2 trains as it always does, and this command does not start it. It prints the folder
    with the trainer nnUNetTrainerOncoforge, which nnU-Net looks for in the folders that the
    variable nnUNet_extTrainer names. That trainer puts tumours into training patches of cases that
    have none, before nnU-Net augments them; the variable ONCOFORGE_NNUNET may name a JSON file of
    settings.
    """
    if not settings:
        click.echo(TRAINERS)
        if find_spec("nnunetv2") is None:
            # Not on stdout, which goes into the variable.
            click.echo("nnU-Net is not installed in this Python: pip install nnunetv2", err=True)
        return
    from oncoforge.adapters.nnunet.settings import NnunetSettings

    click.echo(json.dumps(NnunetSettings().to_dict(), indent=2))
