"""Small syntheses to report on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from oncoforge.reports.growth import Frame, GrowthView
from oncoforge.reports.synthesis import SynthesisView

MakeView = Callable[..., SynthesisView]
MakeGrowth = Callable[..., GrowthView]


def make_view(
    shape: tuple[int, int, int] = (60, 50, 40),
    spacing: tuple[float, float, float] = (3.0, 3.0, 3.0),
    centres: tuple[tuple[int, int, int], ...] = ((40, 25, 20),),
    radius_mm: float = 12.0,
    box: tuple[slice, slice, slice] | None = None,
    **others: Any,
) -> SynthesisView:
    """Make a noisy box of tissue, an organ that fills its box, and dark balls in it."""
    rng = np.random.default_rng(0)
    before = rng.normal(50.0, 10.0, shape).astype(np.float32)
    if box is None:
        box = (slice(shape[0] // 3, shape[0]), slice(0, shape[1]), slice(0, shape[2]))
    image, instances, rows = before.copy(), np.zeros(shape, np.uint16), []
    for ident, centre in enumerate(centres, 1):
        away = [(np.arange(n) - c) * mm for n, c, mm in zip(shape, centre, spacing, strict=True)]
        x, y, z = np.meshgrid(*away, indexing="ij")
        ball = x**2 + y**2 + z**2 <= (radius_mm + ident) ** 2
        image[ball] -= 40
        instances[ball] = ident
        mm3 = float(ball.sum() * np.prod(spacing))
        rows.append(
            {
                "id": ident,
                "kind": "small",
                "centre_ras_mm": tuple(c * mm - 50 for c, mm in zip(centre, spacing, strict=True)),
                "centre_voxel": tuple(float(c) for c in centre),
                "diameter_mm": (6 * mm3 / math.pi) ** (1 / 3),
                "volume_mm3": mm3,
                "voxels": int(ball.sum()),
                "mean_hu": float(image[ball].mean()),
                "contrast_hu": -40.0 + ident / 4,
            }
        )
    settings: dict[str, Any] = {
        "image": image,
        "before": before[box],
        "box": box,
        "organ": np.ones(before[box].shape, bool),
        "instances": instances[box],
        "spacing": spacing,
        "window": (-100.0, 200.0),
        "lesions": rows,
        "skipped": (),
        "title": "Synthetic liver tumours",
        "facts": {"Input": "ct.nii.gz"},
    }
    return SynthesisView(**settings | others)


@pytest.fixture(name="make_view", scope="session")
def _make_view() -> MakeView:
    return make_view


def make_growth(
    shape: tuple[int, int, int] = (40, 36, 32),
    spacing: tuple[float, float, float] = (1.5, 1.5, 1.5),
    radii_mm: Sequence[float] = (0.0, 5.0, 10.0),
    **others: Any,
) -> GrowthView:
    """Make a noisy box of tissue with a dark ball in its middle that has one radius per frame."""
    rng = np.random.default_rng(0)
    tissue = rng.normal(50.0, 10.0, shape).astype(np.float32)
    focus = tuple(n // 2 for n in shape)
    away = [(np.arange(n) - c) * mm for n, c, mm in zip(shape, focus, spacing, strict=True)]
    x, y, z = np.meshgrid(*away, indexing="ij")
    frames = []
    for place, radius in enumerate(radii_mm):
        ball = x**2 + y**2 + z**2 < radius**2
        mm3 = float(ball.sum() * np.prod(spacing))
        image = tissue - np.float32(60) * ball
        diameter = (6 * mm3 / math.pi) ** (1 / 3)
        frames.append(Frame(10 * place, image, ball.astype(np.uint16), mm3, diameter))
    settings: dict[str, Any] = {
        "frames": frames,
        "organ": np.zeros(shape, bool),
        "spacing": spacing,
        "window": (-100.0, 200.0),
        "focus": focus,
        "title": "Growth of synthetic liver tumours",
    }
    return GrowthView(**settings | others)


@pytest.fixture(name="make_growth", scope="session")
def _make_growth() -> MakeGrowth:
    return make_growth
