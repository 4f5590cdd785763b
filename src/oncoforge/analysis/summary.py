"""The numbers of a survey in short: quartiles and counts per organ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from oncoforge.analysis.rows import CaseRow, LesionRow
from oncoforge.synthesis.masks.sizes import SIZES

MEASURES: Final = (
    "volume_mm3",
    "equivalent_diameter_mm",
    "longest_axial_diameter_mm",
    "short_axial_diameter_mm",
    "sphericity",
    "organ_distance_mm",
    "exophytic_fraction",
    "protrusion_mm",
    "mean_hu",
    "contrast_hu",
)
"""Columns of a lesion that are summed up."""

QUANTILES: Final = {"min": 0.0, "q1": 0.25, "median": 0.5, "q3": 0.75, "max": 1.0}


def summarize(lesions: Sequence[LesionRow], cases: Sequence[CaseRow]) -> dict[str, dict[str, Any]]:
    """Sum up lesions and cases by organ, those with the most lesions first.

    Returns
    -------
    dict
        Organ to ``cases``, ``cases_with_lesions``, ``lesions``, ``lesions_per_case`` (number of
        lesions to number of cases), ``sides``, ``size_classes``, ``touching_border``,
        ``burden_fraction`` (quantiles over cases with lesions), and quantiles with mean and
        standard deviation of each of `MEASURES` that was measured.
    """
    often = Counter(row.organ for row in lesions)
    organs = dict.fromkeys([*(row.organ for row in cases), *(row.organ for row in lesions)])
    return {
        organ: _of_organ(
            [row for row in lesions if row.organ == organ],
            [row for row in cases if row.organ == organ],
        )
        for organ in sorted(organs, key=lambda name: -often[name])
    }


def _of_organ(lesions: Sequence[LesionRow], cases: Sequence[CaseRow]) -> dict[str, Any]:
    per_case = Counter(row.lesions for row in cases)
    sides = Counter(row.side for row in lesions if row.side)
    classes = Counter(row.size_class for row in lesions)
    found: dict[str, Any] = {
        "cases": len(cases),
        "cases_with_lesions": sum(row.lesions > 0 for row in cases),
        "lesions": len(lesions),
        "lesions_per_case": {str(n): per_case[n] for n in sorted(per_case)},
        "sides": {side: sides[side] for side in sorted(sides)},
        "size_classes": {name: classes[name] for name in SIZES},
        "touching_border": sum(row.touches_border for row in lesions),
        "burden_fraction": _spread([row.burden_fraction for row in cases if row.lesions]),
    }
    for name in MEASURES:
        values = [getattr(row, name) for row in lesions]
        found[name] = _spread([value for value in values if value is not None])
    return {name: value for name, value in found.items() if value is not None}


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    found = {
        name: float(value)
        for name, value in zip(
            QUANTILES, np.quantile(values, list(QUANTILES.values())), strict=True
        )
    }
    found |= {"mean": float(np.mean(values)), "sd": float(np.std(values))}
    return {name: float(f"{value:.7g}") for name, value in found.items()}
