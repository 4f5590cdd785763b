"""The report of a check: counts, histograms, every finding, and a picture of each case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from oncoforge.reports.check_chart import chart
from oncoforge.reports.check_view import CaseTile, CheckView, FindingRow
from oncoforge.reports.page import fill
from oncoforge.reports.wording import count

__all__ = ["CaseTile", "CheckView", "FindingRow", "render"]

MOST_ROWS: Final = 500
"""More findings than these are in the files only: a page of megabytes opens slowly."""

MOST_TILES: Final = 60
_SEVERITIES: Final = ("error", "warning", "note")


def render(view: CheckView) -> str:
    """Write the report of a check as a page that needs no other file."""
    charts = [chart(name, values) for name, values in view.measures.items()]
    content = {
        "title": view.title,
        "lead": _lead(view),
        "kinds": _kinds(view.rows),
        "charts": [one for one in charts if one is not None],
        "rows": view.rows[:MOST_ROWS],
        "more": max(0, len(view.rows) - MOST_ROWS),
        "tiles": _chosen(view.tiles),
        "of_tiles": len(view.tiles),
        "facts": tuple(view.facts.items()),
    }
    return fill("check.html.j2", content)


def _lead(view: CheckView) -> str:
    total = sum(view.parts.values())
    parts = ", ".join(f"{n} {part}" for part, n in view.parts.items() if n)
    often = Counter(row.severity for row in view.rows)
    counts = ", ".join(count(often[severity], severity) for severity in _SEVERITIES)
    failed = f"{view.failed} of them failed" if view.failed else "none of them failed"
    return f"{count(total, 'case')} ({parts}), {failed}: {counts}."


def _kinds(rows: Sequence[FindingRow]) -> list[dict[str, object]]:
    """Count the findings of each kind, and name their first cases."""
    groups: dict[tuple[str, str], list[FindingRow]] = {}
    for row in rows:
        groups.setdefault((row.severity, row.title), []).append(row)
    return [
        {
            "severity": severity,
            "title": title,
            "number": len(group),
            "cases": _listed([row.case for row in group if row.case]),
        }
        for (severity, title), group in groups.items()
    ]


def _listed(cases: Sequence[str], most: int = 6) -> str:
    names = list(dict.fromkeys(cases))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _chosen(tiles: Sequence[CaseTile]) -> list[CaseTile]:
    """Choose which pictures to show: those with the worst findings, then some spread evenly."""
    if len(tiles) <= MOST_TILES:
        return list(tiles)
    ranks = {severity: rank for rank, severity in enumerate(("error", "warning"))}
    odd = [k for k, tile in enumerate(tiles) if tile.severity in ranks]
    # Half of them at least for what is usual: only next to it does the odd look odd.
    kept = set(sorted(odd, key=lambda k: ranks[tiles[k].severity])[: MOST_TILES // 2])
    rest = [k for k in range(len(tiles)) if k not in kept]
    room = MOST_TILES - len(kept)
    kept |= {rest[k * len(rest) // room] for k in range(room)}
    return [tiles[k] for k in sorted(kept)]
