"""How good masks are: overlap, surfaces, lesions, patients; models against each other.

>>> import numpy as np
>>> import oncoforge as of
>>> truth = np.zeros((20, 20, 20), bool)
>>> truth[5:15, 5:15, 5:15] = True
>>> pred = np.roll(truth, 1, axis=0)
>>> score = of.evaluation.score(pred, truth, spacing=(1, 1, 1))
>>> score.dice, score.nsd, score.hd95_mm
(0.9, 1.0, 1.0)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# At once, and before anybody imports the module of this name: `of.evaluation.score` is the
# function. It imports what is slow when it is called.
from oncoforge.evaluation.score import Score, score

if TYPE_CHECKING:
    from oncoforge.evaluation.lesions import match
    from oncoforge.evaluation.results import Evaluation
    from oncoforge.evaluation.run import evaluate

# Where the rest lives, imported when it is first used.
_HOMES = {"Evaluation": "results", "evaluate": "run", "match": "lesions"}

__all__ = ["Evaluation", "Score", "evaluate", "match", "score"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
