"""Histograms of an organ before and after synthesis and of its lesions, as lines to draw in SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oncoforge.reports.synthesis_view import SynthesisView

_WIDTH, _HEIGHT = 500, 230
_LEFT, _RIGHT, _TOP, _BASE = 10, 490, 8, 184
_STEPS_HU = (1, 2, 5, 10, 20, 50, 100)
_MOST_BINS = 90
_TICKS_HU = (5, 10, 20, 50, 100, 200, 500, 1000)
_MOST_TICKS = 8


@dataclass(frozen=True)
class Curve:
    """One histogram.

    Parameters
    ----------
    role
        Class in the drawing: ``before``, ``after`` or ``lesion``.
    name
        As in the key.
    mean_hu, sd_hu
        Of its voxels.
    path
        SVG path data, in the units of the drawing.
    """

    role: str
    name: str
    mean_hu: float
    sd_hu: float
    path: str


@dataclass(frozen=True)
class Tick:
    """A mark on the axis: where it is drawn, and its HU."""

    x: float
    hu: float


@dataclass(frozen=True)
class Histogram:
    """Histograms on one axis, ready to draw; lengths are in the units of the drawing.

    Parameters
    ----------
    curves, ticks
        What to draw.
    step_hu
        Width of a bin.
    """

    curves: tuple[Curve, ...]
    ticks: tuple[Tick, ...]
    step_hu: int
    width: int = _WIDTH
    height: int = _HEIGHT
    left: int = _LEFT
    right: int = _RIGHT
    base: int = _BASE


def histogram(view: SynthesisView) -> Histogram | None:
    """Return the histograms of a synthesis, or None if it has no organ voxels."""
    if not view.organ.any():
        return None
    after = view.image[view.box]
    regions = [
        ("before", "organ before", view.before[view.organ]),
        ("after", "organ after", after[view.organ]),
        ("lesion", "lesions", after[view.instances > 0]),
    ]
    regions = [region for region in regions if region[2].size]
    low, high = _range([values for _, _, values in regions])
    step = next((s for s in _STEPS_HU if (high - low) / s <= _MOST_BINS), _STEPS_HU[-1])
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    edges = np.arange(low, high + step, step, dtype=np.float64)
    shares = [_shares(values, edges) for _, _, values in regions]
    peak = max(float(share.max()) for share in shares) or 1.0
    curves = tuple(
        Curve(
            role,
            name,
            float(values.mean(dtype=np.float64)),
            float(values.std(dtype=np.float64)),
            _path(share / peak),
        )
        for (role, name, values), share in zip(regions, shares, strict=True)
    )
    return Histogram(curves, _ticks(edges[0], edges[-1]), step)


def _range(groups: list[NDArray[np.float32]]) -> tuple[float, float]:
    """Return the HU between which nearly all voxels of every group lie."""
    ends = np.array([np.percentile(values, (0.5, 99.5)) for values in groups])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    return (low, high) if high > low else (low - 1.0, low + 1.0)


def _shares(values: NDArray[np.float32], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    counts, _ = np.histogram(values, bins=len(edges) - 1, range=(edges[0], edges[-1]))
    return counts / values.size


def _path(heights: NDArray[np.float64]) -> str:
    """Return a stepped line over bins of equal width; heights are parts of the drawing's."""
    x = np.linspace(_LEFT, _RIGHT, len(heights) + 1)
    y = _BASE - heights * (_BASE - _TOP)
    steps = (f"V{top:.1f}H{right:.1f}" for top, right in zip(y, x[1:], strict=True))
    return f"M{_LEFT} {_BASE}{''.join(steps)}V{_BASE}"


def _ticks(low: float, high: float) -> tuple[Tick, ...]:
    step = next((s for s in _TICKS_HU if (high - low) / s <= _MOST_TICKS), _TICKS_HU[-1])
    marks = np.arange(math.ceil(low / step) * step, high + 1e-6, step)
    scale = (_RIGHT - _LEFT) / (high - low)
    return tuple(Tick(round(_LEFT + (hu - low) * scale, 1), float(hu)) for hu in marks)
