"""Realistic synthetic tumours, with exact masks, in healthy CT."""

from oncoforge.version import __version__

__all__ = ["__version__"]
