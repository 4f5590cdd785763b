"""What can be wrong with the cases of a list: the kinds, and one record for each occurrence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

SEVERITIES: Final = ("error", "warning", "note")
"""From what makes a case unusable, or a score untrue, to what is only good to know."""


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Parameters
    ----------
    severity
        One of `SEVERITIES`.
    title
        What it is, for people.
    """

    severity: str
    title: str


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "missing": Kind("error", "missing file"),
        "broken": Kind("error", "file that cannot be read"),
        "leak": Kind("error", "one patient in two parts"),
        "label-reused": Kind("error", "label map of two images"),
        "grid": Kind("error", "image and label map on different grids"),
        "not-hu": Kind("error", "image that is not CT in HU"),
        "label-values": Kind("error", "label values that the convention does not know"),
        "organ-absent": Kind("error", "organ that is not in the label map"),
        "header-values": Kind("warning", "label values that the list does not name"),
        "label-empty": Kind("warning", "empty label map"),
        "lost-geometry": Kind("warning", "header without geometry"),
        "sheared": Kind("warning", "sheared axes"),
        "organ-hu": Kind("warning", "organ of an implausible HU"),
        "tumour-apart": Kind("warning", "tumour that touches no organ"),
        "image-twice": Kind("warning", "image that is listed twice"),
        "duplicate": Kind("warning", "cases of the same content in one part"),
        "spacing": Kind("warning", "spacing far from the others'"),
        "tiny": Kind("warning", "tiny volume"),
        "cut-off": Kind("note", "organ cut off by the first or last slice"),
        "orientation": Kind("note", "different axis orders"),
        "no-labels": Kind("note", "part with and without label maps"),
        "header-count": Kind("note", "stale count in the header"),
        "header-unseen": Kind("note", "named label value that no case has"),
    }
)
"""Every kind by its key in the files, in the order in which they are shown."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or good to know.

    Parameters
    ----------
    kind
        A key of `KINDS`.
    sentence
        What was found.
    part, case
        Whose it is; empty for what the whole list has.
    """

    kind: str
    sentence: str
    part: str = ""
    case: str = ""

    @property
    def severity(self) -> str:
        """One of `SEVERITIES`."""
        return KINDS[self.kind].severity

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "severity": self.severity,
            "kind": self.kind,
            "part": self.part,
            "case": self.case,
            "sentence": self.sentence,
        }


def ordered(findings: list[Finding]) -> list[Finding]:
    """Sort by kind, as `KINDS` is; findings of one kind stay in the order of the list."""
    ranks = {kind: rank for rank, kind in enumerate(KINDS)}
    return sorted(findings, key=lambda finding: ranks[finding.kind])
