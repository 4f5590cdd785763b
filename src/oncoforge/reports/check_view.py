"""What the report of a check shows: plain data, so that reports need not know how lists work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FindingRow:
    """One finding.

    Parameters
    ----------
    severity
        ``"error"``, ``"warning"`` or ``"note"``.
    title
        Its kind, in words.
    part, case
        Whose it is; empty for what the whole list has.
    sentence
        What was found.
    """

    severity: str
    title: str
    part: str
    case: str
    sentence: str


@dataclass(frozen=True)
class CaseTile:
    """A small picture of one case.

    Parameters
    ----------
    name
        The case and its part.
    png
        The picture.
    severity
        The worst of its findings; empty if it has none.
    """

    name: str
    png: bytes
    severity: str = ""


@dataclass(frozen=True)
class CheckView:
    """Everything that the report of a check shows.

    Parameters
    ----------
    title
        Such as ``"Check of word.json"``.
    parts
        Name of each part to its number of cases.
    failed
        Number of cases with errors.
    rows
        All findings, the kinds in the order in which they are shown.
    measures
        What is drawn as a histogram: its name with the unit, to one value for each case.
    tiles
        All pictures there are, in the order of the list.
    facts
        What was checked, for the table at the end.
    """

    title: str
    parts: Mapping[str, int]
    failed: int
    rows: Sequence[FindingRow]
    measures: Mapping[str, Sequence[float]]
    tiles: Sequence[CaseTile]
    facts: Mapping[str, str]
