"""From CT to masks: sliding windows, gates, ensembles, and what is done with a mask then.

PyTorch and MONAI are imported when something is predicted.
"""

from __future__ import annotations

from oncoforge.prediction.gate import GATES
from oncoforge.prediction.postprocess import POSTPROCESSES, Postprocess
from oncoforge.prediction.predict import Prediction, predict
from oncoforge.prediction.run import Predictions, predict_all
from oncoforge.prediction.sliding import PRECISIONS, Runner, sliding_window

__all__ = [
    "GATES",
    "POSTPROCESSES",
    "PRECISIONS",
    "Postprocess",
    "Prediction",
    "Predictions",
    "Runner",
    "predict",
    "predict_all",
    "sliding_window",
]
