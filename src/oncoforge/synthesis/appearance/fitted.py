"""Any appearance with the contrast of a prior in place of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from oncoforge.synthesis.base import AppearanceModel, LesionMask, LesionPlan, Plain
from oncoforge.synthesis.scene import Scene

_MOTTLE = 0.5
"""What textures average: a lesion changes by this part of its contrast."""


class Draws(Protocol):
    """A distribution of one number."""

    def draw(self, rng: np.random.Generator) -> float:
        """Draw it."""
        ...


@dataclass(frozen=True)
class FittedContrast:
    """Appearance model: another one's, but the mean change of each lesion is drawn anew.

    Parameters
    ----------
    own
        The other model.
    contrast_hu
        Distribution of mean HU inside less that of the organ around.
    """

    own: AppearanceModel
    contrast_hu: Draws

    def draw(
        self, scene: Scene, plans: Sequence[LesionPlan], rng: np.random.Generator
    ) -> list[Plain]:
        """Draw each lesion's appearance (see `base.AppearanceModel`)."""
        looks = self.own.draw(scene, plans, rng)
        return [{**look, "contrast_hu": self.contrast_hu.draw(rng) / _MOTTLE} for look in looks]

    def paint(self, scene: Scene, mask: LesionMask, parameters: Plain) -> None:
        """Paint one lesion (see `base.AppearanceModel`)."""
        self.own.paint(scene, mask, parameters)
