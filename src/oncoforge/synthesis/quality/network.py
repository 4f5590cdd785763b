"""A segmentation network as the judge of lesions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from oncoforge.errors import InputError
from oncoforge.synthesis.quality.verdict import Exhibit, Verdict, verdict
from oncoforge.synthesis.scene import Vector

Predict = Callable[[NDArray[np.float32], Vector], NDArray[Any]]
"""Takes a CT, float32 (X, Y, Z) in HU, and its spacing in mm; gives the probability of tumour in
every voxel, (X, Y, Z) from 0 to 1. Windows and resampling are its own business."""

_ROUNDING = 1e-3
"""Probabilities of a network in half precision may be so far out of range."""

_SLACK = 1e-6
"""The published recall has this in its denominator, so that no sum just passes by rounding."""


@dataclass(frozen=True)
class Segmented:
    """A segmentation network must see lesions.

    The score is the mean probability of tumour over a lesion's voxels. With probabilities of 0 and
    1 it is the recall by which FreeTumor (Wu et al.) keeps synthetic tumours;
    MedCraft meant the soft one. Like these it says nothing of what the network sees elsewhere, and
    it favours tumours that are easy to see.

    Parameters
    ----------
    predict
        The network (see `Predict`).
    threshold
        Scores must be above it, as FreeTumor's above 0.7.
    """

    predict: Predict
    threshold: float = 0.7
    name: ClassVar[str] = "segmented"

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise InputError(f"threshold is a probability from 0 to 1, not {self.threshold:g}.")

    def __call__(self, exhibit: Exhibit) -> list[Verdict]:
        """Judge every lesion; the network runs once."""
        if not exhibit.lesions:
            return []
        image = np.ascontiguousarray(exhibit.image, np.float32).view()
        image.flags.writeable = False
        seen = _probabilities(self.predict(image, exhibit.spacing), exhibit)
        most = max(lesion.id for lesion in exhibit.lesions)
        ids = exhibit.instances.ravel()
        sums = np.bincount(ids, weights=seen.ravel(), minlength=most + 1)
        sizes = np.bincount(ids, minlength=most + 1)
        verdicts = []
        for lesion in exhibit.lesions:
            score = float(sums[lesion.id] / max(sizes[lesion.id], 1))
            failed = (
                f"the network sees tumour in it with a mean probability of {score:.2f}, and more "
                f"than {self.threshold:g} is asked for"
            )
            failed = "" if score > self.threshold + _SLACK else failed
            verdicts.append(verdict(self.name, lesion, score, failed))
        return verdicts


def _probabilities(values: Any, exhibit: Exhibit) -> NDArray[np.float64]:
    """Return what a network gave on the exhibit's box, or say why it cannot be probabilities."""
    shape = exhibit.image.shape
    found = np.asarray(values)
    if found.shape != shape:
        raise InputError(
            f"The network gave an array of shape {found.shape}; give one probability of tumour per "
            f"voxel, {shape}."
        )
    if found.dtype.kind not in "biuf":
        raise InputError(f"The network gave {found.dtype}; give probabilities as numbers.")
    low, high = float(found.min()), float(found.max())
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):  # NaN is refused too
        raise InputError(
            f"The network gave values from {low:g} to {high:g}, which are no probabilities; put "
            "its logits through a softmax or sigmoid first."
        )
    return np.clip(found[exhibit.box].astype(np.float64), 0.0, 1.0)
