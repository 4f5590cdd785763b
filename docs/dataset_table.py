"""Rows of the tables about datasets, from the registry; docs/tables.py writes them."""

from __future__ import annotations

from collections.abc import Sequence

from oncoforge.datasets.record import Dataset
from oncoforge.datasets.registry import DATASETS

Rows = tuple[tuple[str, ...], list[Sequence[str]]]


def datasets() -> Rows:
    """Every dataset: what it holds, how big it is and where it is."""
    head = ("Name", "Dataset", "Labels", "Cases", "GB", "Licence", "How to get it")
    return head, [
        (
            f"`{one.name}`",
            f"[{one.title}]({one.home})",
            _labels(one),
            ", ".join(f"{number} {part}" for part, number in one.cases.items()),
            f"{one.size_gb:g}" if one.size_gb else "",
            one.licence,
            one.access,
        )
        for one in DATASETS.values()
    ]


def overlaps() -> Rows:
    """What datasets share with others."""
    rows: list[Sequence[str]] = []
    for one in DATASETS.values():
        same: dict[str, list[str]] = {}
        for other, what in one.overlaps.items():
            same.setdefault(what, []).append(f"`{other}`")
        rows += [(f"`{one.name}`", ", ".join(others), what) for what, others in same.items()]
    return ("Dataset", "Shares scans with", "Which"), rows


def oddities() -> Rows:
    """What trips people up."""
    return ("Dataset", "Know that"), [
        (f"`{one.name}`", " ".join(one.notes)) for one in DATASETS.values() if one.notes
    ]


def _labels(one: Dataset) -> str:
    organs = ", ".join(organ.replace("_", " ") for organ in one.organs)
    return f"{one.role}: {organs}" if organs else one.role
