"""What can be set about synthesis within nnU-Net: a JSON file, named by the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from oncoforge.errors import InputError
from oncoforge.fields import build
from oncoforge.lists.labels import is_whole
from oncoforge.training.settings import SynthesisSettings

VARIABLE: Final = "ONCOFORGE_NNUNET"
"""Environment variable that names the file of settings."""

Label = int | str | tuple[int, ...]
"""A value of nnU-Net's label maps, or more of them, or the name that dataset.json gives it."""


@dataclass(frozen=True)
class NnunetSettings:
    """How tumours are put into the training patches of nnU-Net.

    Parameters
    ----------
    synthesis
        As in the recipes of `oncoforge train segmentation`; of several entries for an organ one is
        taken for each patch.
    labels
        Which label of the dataset an organ or a tumour is, by oncoforge's names: ``{"liver_tumor":
        "cancer"}``. What is not here is found by the names in dataset.json.
    seed
        Of all draws; none draws one.
    """

    synthesis: tuple[SynthesisSettings, ...] = (SynthesisSettings(),)
    labels: Mapping[str, Label] = field(default_factory=dict)
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.seed is not None and self.seed < 0:
            raise InputError(f"seed is a whole number from 0, not {self.seed}.")
        if not self.synthesis:
            raise InputError("synthesis has no entries; give one at least, which may be empty: {}.")
        for name, label in self.labels.items():
            values = label if isinstance(label, tuple) else (label,)
            if not isinstance(label, str) and not (values and all(map(is_whole, values))):
                raise InputError(
                    f"labels: {name} is a name of dataset.json or its values, not {label!r}."
                )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain data for JSON."""
        return asdict(self) | {"synthesis": [asdict(one) for one in self.synthesis]}


def settings_from(data: Any) -> NnunetSettings:
    """Build settings from plain data, as JSON holds it.

    Raises
    ------
    InputError
        If a setting does not exist or makes no sense.
    """
    if isinstance(data, Mapping) and "synthesis" in data:
        entries = data["synthesis"]
        if not isinstance(entries, list):
            raise InputError(f"synthesis is a list of settings, and {entries!r} is not.")
        made = tuple(build(SynthesisSettings, entry, "setting") for entry in entries)
        data = {**data, "synthesis": made}
    return build(NnunetSettings, data, "setting")


def read_settings(path: str | Path) -> NnunetSettings:
    """Read settings from a JSON file.

    Raises
    ------
    InputError
        If the file cannot be read, or holds other than settings.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: this is not a readable JSON file ({error}).") from error
    try:
        return settings_from(data)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def settings_here() -> NnunetSettings:
    """Return the settings that the environment names, or the defaults."""
    path = os.environ.get(VARIABLE)
    return read_settings(path) if path else NnunetSettings()
