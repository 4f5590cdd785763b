"""A procedural, seeded CT of the lower chest and abdomen with exact labels.

No patient's data are in it: every boundary is a formula in millimetres, so that the same seed is
the same patient at any voxel size, and the labels are the geometry itself, before blur and noise.
"""

from __future__ import annotations

from oncoforge.phantom.contrast import PHASES
from oncoforge.phantom.generate import Phantom, make_phantom

__all__ = ["PHASES", "Phantom", "make_phantom"]
