"""Small syntheses to report on."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from oncoforge.reports.synthesis import SynthesisView

MakeView = Callable[..., SynthesisView]


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
