"""How dark or bright lesions are: the ranges that every way of painting draws from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from oncoforge.errors import InputError
from oncoforge.synthesis.base import Plain
from oncoforge.synthesis.scene import Scene

Range = tuple[float, float]

_MOST_HU = 4096.0

_FAINTEST_HU = 20.0
"""Change of the mean that a lesion keeps in an organ darker than its floor."""


def check_hu(values: Iterable[float | None]) -> None:
    """Raise `InputError` if a change of HU is beyond any scale of CT."""
    for hu in values:
        if hu is not None and abs(hu) > _MOST_HU:
            raise InputError(f"A change of {hu:g} HU is more than {_MOST_HU:g} HU.")


@dataclass(frozen=True)
class Tones:
    """What all appearance models let one choose.

    Parameters
    ----------
    contrast_hu
        Range of the contrast; the mean change inside a lesion is about half of it.
    per_lesion
        Draw texture, contrast and the like for every lesion; False shares them in a scan, as
        published.
    hyperdense
        Probability that a lesion is brighter than the organ: its contrast changes sign.
    rim, rim_hu
        Probability of a capsule, and range of its HU.
    fill_hu
        Range of HU to fill lesions to (nodules in the lung); None adds contrast.
    floor_hu
        About the least mean HU of a darker lesion, by the organ's median: contrast, core and rim
        weaken where the organ is too dark for them, as in an unenhanced scan, but 20 HU of change
        stay. None lets lesions grow as dark as they come, as published.
    """

    contrast_hu: Range = (-145.0, -65.0)
    per_lesion: bool = False
    hyperdense: float = 0.0
    rim: float = 0.0
    rim_hu: Range = (20.0, 60.0)
    fill_hu: Range | None = None
    floor_hu: float | None = None

    def __post_init__(self) -> None:
        self._check_probabilities("hyperdense", "rim")
        self._check_ranges("contrast_hu", "rim_hu", "fill_hu")

    def _check_probabilities(self, *names: str) -> None:
        for name in names:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InputError(f"{name} is a probability, not {getattr(self, name):g}.")

    def _check_ranges(self, *names: str) -> None:
        """Raise `InputError` if a range runs backwards, or one of HU is beyond any scale."""
        for name in names:
            limits = getattr(self, name)
            if limits is None:
                continue
            if len(limits) != 2 or limits[0] > limits[1]:
                raise InputError(f"{name} is a range (low, high), not {limits}.")
            if name.endswith("_hu") and any(abs(hu) > _MOST_HU for hu in limits):
                raise InputError(f"{name} is at most {_MOST_HU:g} HU, not {limits}.")

    def _settle(self, drawn: list[Plain], scene: Scene) -> None:
        """Keep lesions above the floor, if there is one."""
        if self.floor_hu is not None and not scene.is_empty:
            organ_hu = float(np.median(scene.organ_sample()))
            for one in drawn:
                _keep_above(one, organ_hu, self.floor_hu)


def _keep_above(one: Plain, organ_hu: float, floor_hu: float) -> None:
    """Weaken a darker lesion so that its mean, and what is dead in it, stay above a floor."""
    if one["contrast_hu"] < 0:
        # The texture averages one half, so the mean changes by half of the contrast.
        darkest = -2.0 * max(organ_hu - floor_hu, _FAINTEST_HU)
        one["contrast_hu"] = max(one["contrast_hu"], darkest)
        one["rim_hu"] = min(one.get("rim_hu", 0.0), -one["contrast_hu"] / 2)
    mean_hu = organ_hu + one["contrast_hu"] / 2
    # Necrosis is mottled, as contrast is; a core is not.
    for name, part in (("core_hu", 1.0), ("necrosis_hu", 0.5)):
        if one.get(name, 0.0) < 0:
            one[name] = max(one[name], min(floor_hu - mean_hu, 0.0) / part)
