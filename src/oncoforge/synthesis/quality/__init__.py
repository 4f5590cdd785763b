"""Whether lesions are good enough to keep: checks that need no label, and a network's opinion."""

from __future__ import annotations

from oncoforge.synthesis.quality.checks import Inside, Sized, Visible
from oncoforge.synthesis.quality.keep import Kept, judge, keep
from oncoforge.synthesis.quality.named import CHECKS, checks_from, read_checks
from oncoforge.synthesis.quality.network import Predict, Segmented
from oncoforge.synthesis.quality.verdict import Exhibit, Judge, Verdict

__all__ = [
    "CHECKS",
    "Exhibit",
    "Inside",
    "Judge",
    "Kept",
    "Predict",
    "Segmented",
    "Sized",
    "Verdict",
    "Visible",
    "checks_from",
    "judge",
    "keep",
    "read_checks",
]
