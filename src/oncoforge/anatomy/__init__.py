"""Organs, their tumours and the label conventions of public datasets: one table."""

from __future__ import annotations

from oncoforge.anatomy.conventions import CONVENTIONS, Convention, convention
from oncoforge.anatomy.labels import LABELS, NAMES
from oncoforge.anatomy.organ_table import Span
from oncoforge.anatomy.organs import ORGANS, Organ, organ
from oncoforge.anatomy.styles import STYLES, restyle

__all__ = [
    "CONVENTIONS",
    "LABELS",
    "NAMES",
    "ORGANS",
    "STYLES",
    "Convention",
    "Organ",
    "Span",
    "convention",
    "organ",
    "restyle",
]
