"""Segmentation networks by name: torch modules without any training logic."""

from __future__ import annotations

from oncoforge.networks.config import Config, Origin, Pipeline

__all__ = ["Config", "Origin", "Pipeline"]
