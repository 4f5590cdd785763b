"""Random changes of a patch: the flips, quarter turns and intensities of the published chains.

What MONAI's RandFlipd, RandRotate90d, RandScaleIntensityd and RandShiftIntensityd do, on plain
arrays: flips and turns are views, so that a patch is written once, in its final order. MONAI copies
it for every transform that acts, and keeps a record of each in its metadata, which nobody reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from oncoforge.errors import InputError
from oncoforge.training.settings import AugmentationSettings

_PLANE = (0, 1)


@dataclass(frozen=True)
class Change:
    """What was drawn for one patch.

    Parameters
    ----------
    flipped
        Axes that are turned round.
    turns
        Quarter turns in the axial plane, from 0 to 3, after the flips.
    factor
        Of all values.
    offset
        Added to them, after the factor.
    """

    flipped: tuple[int, ...] = ()
    turns: int = 0
    factor: float = 1.0
    offset: float = 0.0

    def turn(self, volume: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a view (X, Y, Z) of a volume, flipped and turned."""
        if self.flipped:
            volume = np.flip(volume, self.flipped)
        return np.rot90(volume, self.turns, _PLANE) if self.turns else volume

    def tone(self, values: npt.NDArray[np.float32]) -> None:
        """Change the values of an image, in place."""
        if self.factor != 1.0:
            values *= np.float32(self.factor)
        if self.offset != 0.0:
            values += np.float32(self.offset)


def draw_change(
    settings: AugmentationSettings, patch: tuple[int, int, int], rng: np.random.Generator
) -> Change:
    """Draw the changes of one patch.

    Parameters
    ----------
    settings
        How often and how much.
    patch
        Its size; where it is no square in the axial plane, it is turned by half turns only, so that
        it keeps its size.
    rng
        Source of randomness. The same number of draws is taken whatever comes out.
    """
    flips, (turned, scaled, shifted) = rng.random(3), rng.random(3)
    quarters = int(rng.integers(1, 4))
    factor, offset = rng.uniform(-1.0, 1.0, 2)
    return Change(
        flipped=tuple(int(axis) for axis in np.flatnonzero(flips < settings.flip)),
        turns=(quarters if patch[0] == patch[1] else 2) if turned < settings.rotate90 else 0,
        factor=1.0 + settings.scale * factor if scaled < settings.scale_probability else 1.0,
        offset=settings.shift * offset if shifted < settings.shift_probability else 0.0,
    )


def check_augmentation(settings: AugmentationSettings) -> None:
    """Raise `InputError` if a setting makes no sense."""
    for name in ("flip", "rotate90", "scale_probability", "shift_probability"):
        value = getattr(settings, name)
        if not 0 <= value <= 1:
            raise InputError(f"augmentation.{name} is a probability, from 0 to 1, not {value:g}.")
    for name in ("scale", "shift"):
        value = getattr(settings, name)
        if not 0 <= value < np.inf:
            raise InputError(f"augmentation.{name} is not negative, and not {value:g}.")
