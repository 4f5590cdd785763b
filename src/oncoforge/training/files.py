"""Names of the files that a run leaves, for those who write them and those who look for them."""

from __future__ import annotations

from typing import Final

CONFIG: Final = "config.yaml"
STATE: Final = "resume.ckpt"
BEST: Final = "best.safetensors"
LAST: Final = "last.safetensors"
TABLE: Final = "metrics.csv"
SUMMARY: Final = "summary.json"
CURVES: Final = "curves.png"
PICTURES: Final = "pictures"
"""The folder of the pictures of each validation."""
