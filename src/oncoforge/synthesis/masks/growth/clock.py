"""Steps and diameters: how fast the published automaton grows in tissue of level 1.

The table is what an independent program of the published rules gives in uniform tissue.
"""

from __future__ import annotations

import numpy as np

_STEPS = (0, 5, 10, 20, 30, 50, 80, 100, 149)
_DIAMETERS = (1.0, 2.4, 3.7, 7.2, 11.6, 20.5, 34.4, 43.7, 67.0)
"""Diameter in points after so many steps in tissue of level 1."""

_PER_STEP = 0.475
"""Points of diameter that every later step adds."""


def steps_for(diameter: float) -> int:
    """Return about how many steps a tumour grows to a diameter, in points, in tissue of level 1."""
    beyond = max(diameter - _DIAMETERS[-1], 0.0) / _PER_STEP
    return max(1, round(float(np.interp(diameter, _DIAMETERS, _STEPS)) + beyond))


def diameter_after(steps: int) -> float:
    """Return about what diameter, in points, a tumour of level 1 tissue has after some steps."""
    beyond = max(steps - _STEPS[-1], 0) * _PER_STEP
    return float(np.interp(steps, _STEPS, _DIAMETERS)) + beyond
