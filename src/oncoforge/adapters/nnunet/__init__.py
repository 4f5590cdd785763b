"""nnU-Net v2 with synthetic tumours: a trainer that it finds through ``nnUNet_extTrainer``.

Nothing of nnU-Net is imported but in `training` and in the folder `TRAINERS`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

TRAINERS: Final = Path(__file__).resolve().parent / "trainers"
"""Folder in which nnU-Net looks for trainers, when ``nnUNet_extTrainer`` names it."""
