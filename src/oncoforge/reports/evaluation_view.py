"""What the report of an evaluation shows: plain data, so that reports need not score anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oncoforge.reports.planes import Section

if TYPE_CHECKING:
    from oncoforge.evaluation.rows import ComparisonRow, LesionScore, ScoreRow, SummaryRow


@dataclass(frozen=True)
class WorstView:
    """One of the cases with the least agreement, in one slice.

    Parameters
    ----------
    title, words
        The case, and what went wrong.
    section
        The slice: image, truth (as its organ) and prediction (as its lesions).
    window
        HU to show; None where there is no image, but the organ's label in grey.
    """

    title: str
    words: str
    section: Section
    window: tuple[float, float] | None = None


@dataclass(frozen=True)
class OrganView:
    """One organ and its tumours.

    Parameters
    ----------
    name
        Of the organ, such as ``"adrenal_gland"``.
    models
        Names, in order.
    scores, lesions, summary
        Rows of this organ.
    worst
        The cases in which the first model agrees least.
    """

    name: str
    models: Sequence[str]
    scores: Sequence[ScoreRow]
    lesions: Sequence[LesionScore]
    summary: Sequence[SummaryRow]
    worst: Sequence[WorstView] = ()

    @property
    def tumor(self) -> str:
        """Name of the structure of its tumours."""
        return f"{self.name}_tumor"

    def of(self, structure: str, model: str) -> list[ScoreRow]:
        """Return the scores of one model and structure."""
        return [row for row in self.scores if (row.structure, row.model) == (structure, model)]

    def number(
        self, metric: str, model: str, structure: str | None = None, group: str = "all"
    ) -> SummaryRow | None:
        """Find one row of the summary; of the tumours by default."""
        wanted = (model, structure or self.tumor, metric, group)
        for row in self.summary:
            if (row.model, row.structure, row.metric, row.group) == wanted:
                return row
        return None


@dataclass(frozen=True)
class EvaluationView:
    """Everything that the report of an evaluation shows.

    Parameters
    ----------
    organs
        Those with the most true lesions first.
    models
        Names, in order.
    cases
        How many were scored.
    heads, table
        The table that papers print: heads of its columns, and for each model its name and cells;
        a cell is (mean, what follows it, whether it is the best).
    note
        What the table's numbers are.
    comparisons
        Of the first model with each other one.
    failures, remarks
        One sentence each.
    facts
        How it was made: label to text.
    """

    organs: Sequence[OrganView]
    models: Sequence[str]
    cases: int
    heads: Sequence[str] = ()
    table: Sequence[tuple[str, Sequence[tuple[str, str, bool]]]] = ()
    note: str = ""
    comparisons: Sequence[ComparisonRow] = ()
    failures: Sequence[str] = ()
    remarks: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
