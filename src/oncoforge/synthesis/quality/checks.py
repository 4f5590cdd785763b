"""Checks of lesions that need no label and no network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from oncoforge.errors import InputError
from oncoforge.synthesis.base import Lesion
from oncoforge.synthesis.quality.verdict import Exhibit, Verdict, verdict
from oncoforge.synthesis.scene import Box

_AROUND_MM = 10.0
_ENOUGH = 50
"""Fewer voxels of an organ say nothing of its noise: then all of it is asked."""

_LEAST_NOISE_HU = 1.0
_SD_PER_MAD = 1.4826


@dataclass(frozen=True)
class Visible:
    """Lesions must stand out from the organ around them.

    The score is the contrast-to-noise ratio: the difference between the mean HU of the lesion and
    of the organ within 10 mm of its box, over the robust standard deviation (1.4826 x median
    absolute deviation) of that organ before.

    Parameters
    ----------
    min_cnr
        Least score.
    """

    min_cnr: float = 1.0
    name: ClassVar[str] = "cnr"

    def __post_init__(self) -> None:
        _not_negative("cnr", self.min_cnr)

    def __call__(self, exhibit: Exhibit) -> list[Verdict]:
        """Judge every lesion."""
        return [self._judge(exhibit, lesion) for lesion in exhibit.lesions]

    def _judge(self, exhibit: Exhibit, lesion: Lesion) -> Verdict:
        place = _around(exhibit, lesion)
        organ = exhibit.organ[exhibit.box] & (exhibit.instances == 0)
        near = place if np.count_nonzero(organ[place]) >= _ENOUGH else (slice(None),) * 3
        around = exhibit.image[exhibit.box][near][organ[near]]
        noise = exhibit.before[exhibit.box][near][organ[near]]
        inside = exhibit.image[exhibit.box][place][exhibit.instances[place] == lesion.id]
        if around.size == 0 or inside.size == 0:
            return verdict(self.name, lesion, 0.0, "nothing of its organ is left to compare with")
        spread = _SD_PER_MAD * float(np.median(np.abs(noise - np.median(noise))))
        contrast = float(inside.mean(dtype=np.float64) - around.mean(dtype=np.float64))
        score = abs(contrast) / max(spread, _LEAST_NOISE_HU)
        failed = f"its contrast-to-noise ratio is {score:.2g}, below {self.min_cnr:g}"
        return verdict(self.name, lesion, score, failed if score < self.min_cnr else "")


@dataclass(frozen=True)
class Inside:
    """Lesions must lie in their organ, except for what may bulge out.

    The score is the part of a lesion's voxels in the organ. It is 1 unless lesions may bulge.

    Parameters
    ----------
    min_fraction
        Least score.
    """

    min_fraction: float = 0.5
    name: ClassVar[str] = "inside"

    def __post_init__(self) -> None:
        if not 0 <= self.min_fraction <= 1:
            raise InputError(f"inside is a part from 0 to 1, not {self.min_fraction:g}.")

    def __call__(self, exhibit: Exhibit) -> list[Verdict]:
        """Judge every lesion."""
        organ = exhibit.organ[exhibit.box]
        most = max((lesion.id for lesion in exhibit.lesions), default=0)
        whole = np.bincount(exhibit.instances.ravel(), minlength=most + 1)
        within = np.bincount(exhibit.instances[organ], minlength=most + 1)
        verdicts = []
        for lesion in exhibit.lesions:
            score = float(within[lesion.id] / max(whole[lesion.id], 1))
            failed = f"{score:.0%} of it lies in the organ, less than {self.min_fraction:.0%}"
            failed = failed if score < self.min_fraction else ""
            verdicts.append(verdict(self.name, lesion, score, failed))
        return verdicts


@dataclass(frozen=True)
class Sized:
    """Lesions must have a size.

    The score is the diameter of the sphere of the same volume, mm.

    Parameters
    ----------
    min_mm, max_mm
        Range of the score.
    """

    min_mm: float = 0.0
    max_mm: float = math.inf
    name: ClassVar[str] = "diameter"

    def __post_init__(self) -> None:
        if not 0 <= self.min_mm <= self.max_mm:
            raise InputError(f"No diameter is from {self.min_mm:g} to {self.max_mm:g} mm.")

    def __call__(self, exhibit: Exhibit) -> list[Verdict]:
        """Judge every lesion."""
        verdicts = []
        for lesion in exhibit.lesions:
            failed, score = "", lesion.diameter_mm
            if score < self.min_mm:
                failed = f"its diameter is {score:.1f} mm, below {self.min_mm:g} mm"
            elif score > self.max_mm:
                failed = f"its diameter is {score:.1f} mm, above {self.max_mm:g} mm"
            verdicts.append(verdict(self.name, lesion, score, failed))
        return verdicts


def _around(exhibit: Exhibit, lesion: Lesion) -> Box:
    """Return a box about a lesion, in the exhibit's."""
    tight = exhibit.boxes[lesion.id - 1] if lesion.id <= len(exhibit.boxes) else None
    pad = [math.ceil(_AROUND_MM / size) for size in exhibit.spacing]
    x, y, z = (
        slice(max(s.start - p, 0), s.stop + p)
        for s, p in zip(tight or (slice(0, 0),) * 3, pad, strict=True)
    )
    return x, y, z


def _not_negative(name: str, value: float) -> None:
    if not value >= 0:
        raise InputError(f"{name} is not negative, and {value:g} is.")
