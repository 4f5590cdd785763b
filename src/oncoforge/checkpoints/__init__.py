"""Published weights: what there is, safe loading, and what the network of a file is.

PyTorch is imported when the first file is read.
"""

from __future__ import annotations

from oncoforge.checkpoints.catalogue import CATALOGUE
from oncoforge.checkpoints.download import fetch
from oncoforge.checkpoints.encoder import load_encoder
from oncoforge.checkpoints.loading import load
from oncoforge.checkpoints.record import Weights
from oncoforge.checkpoints.saving import convert, save, save_file

__all__ = ["CATALOGUE", "Weights", "convert", "fetch", "load", "load_encoder", "save", "save_file"]
