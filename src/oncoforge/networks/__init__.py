"""Networks by name: torch modules without any training logic.

PyTorch and MONAI are imported when the first network is built.
"""

from __future__ import annotations

from oncoforge.networks.config import Config, Origin, Pipeline
from oncoforge.networks.registry import NETWORKS, build, rebuild

__all__ = ["NETWORKS", "Config", "Origin", "Pipeline", "build", "rebuild"]
