"""Plans, a dataset and a scan as nnU-Net has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from oncoforge.adapters.nnunet.patches import NnunetPatches
from oncoforge.adapters.nnunet.settings import NnunetSettings, settings_from

MEAN, STD, LOW, HIGH = 101.5, 23.75, 16.0, 180.0
DIRECTION = {"sitk_stuff": {"direction": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)}}
"""Properties of a case as SimpleITK reads most CT: x to the left, y to the back, z up."""


def plans_of(**changes: Any) -> dict[str, Any]:
    """Content of a nnUNetPlans.json, as far as we read it."""
    foreground = {"mean": MEAN, "std": STD, "percentile_00_5": LOW, "percentile_99_5": HIGH}
    return {
        "transpose_forward": [0, 1, 2],
        "foreground_intensity_properties_per_channel": {"0": foreground},
    } | changes


def configuration_of(**changes: Any) -> dict[str, Any]:
    """One of its configurations."""
    return {
        "patch_size": [24, 24, 24],
        "spacing": [2.0, 2.0, 2.0],
        "normalization_schemes": ["CTNormalization"],
    } | changes


def dataset_of(**labels: Any) -> dict[str, Any]:
    """Content of a dataset.json."""
    return {"labels": {"background": 0} | (labels or {"liver": 1, "liver_tumor": 2})}


@pytest.fixture
def patches() -> Callable[..., NnunetPatches]:
    """Make `NnunetPatches` with certain tumours."""

    def make(
        plans: dict[str, Any] | None = None,
        configuration: dict[str, Any] | None = None,
        dataset: dict[str, Any] | None = None,
        labels: dict[str, Any] | None = None,
        **synthesis: Any,
    ) -> NnunetPatches:
        entry = {"probability": 1.0, "size": "small"} | synthesis
        settings: NnunetSettings = settings_from({"synthesis": [entry], "labels": labels or {}})
        return NnunetPatches.of(
            settings,
            plans or plans_of(),
            configuration or configuration_of(),
            dataset or dataset_of(),
        )

    return make


def scan_of(
    shape: tuple[int, int, int] = (32, 30, 28), seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """A patch: normalised values and labels (Z, Y, X), with an edge that lies outside the scan."""
    rng = np.random.default_rng(seed)
    z, y, x = shape
    labels = np.zeros(shape, np.int16)
    labels[2 : z - 3, 4 : y - 6, 5 : x - 4] = 1
    hu = np.where(labels == 1, 100.0, 40.0) + rng.normal(0, 12, shape)
    image = ((np.clip(hu, LOW, HIGH) - MEAN) / STD).astype(np.float32)
    image[:, : y // 10] = 0  # nnU-Net pads with these
    labels[:, : y // 10] = -1
    return image, labels
