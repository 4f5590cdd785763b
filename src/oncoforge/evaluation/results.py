"""Everything that an evaluation found, and the files that tell of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from oncoforge.analysis.tables import csv_of, plain
from oncoforge.errors import OutputError
from oncoforge.evaluation.cases import Rules
from oncoforge.evaluation.describe import note
from oncoforge.evaluation.pairs import Pair
from oncoforge.evaluation.published import EARLY, published
from oncoforge.evaluation.rows import (
    ComparisonRow,
    LesionScore,
    PatientRow,
    ScoreRow,
    SummaryRow,
)
from oncoforge.evaluation.summary import outcomes
from oncoforge.lists.inputs import keep_inputs
from oncoforge.lists.sources import PathLike
from oncoforge.staging import staging
from oncoforge.version import __version__

RECORD: Final = "evaluation.json"
TABLES: Final[Mapping[str, type]] = {
    "scores": ScoreRow,
    "lesions": LesionScore,
    "patients": PatientRow,
    "summary": SummaryRow,
    "comparisons": ComparisonRow,
}
"""Tables by name; each is a CSV file and a list in `RECORD`."""

FILES: Final = (
    *(f"{name}.csv" for name in TABLES),
    RECORD,
    "table.md",
    "table.tex",
    "report.html",
    "report.png",
)
"""What an evaluation leaves in its folder; ``comparisons.csv`` only if models were compared."""


@dataclass(frozen=True)
class Evaluation:
    """How well models' masks agree with the truth.

    Parameters
    ----------
    scores
        One row per model, case and structure.
    lesions
        One row per model and true lesion, and per false positive.
    patients
        One row per model, patient and organ.
    summary
        One row per number.
    comparisons
        One row per comparison of the first model with another one.
    failures
        What could not be scored: one sentence each.
    remarks
        What to know of the rest: one sentence each.
    settings
        How it was made, for the record.
    pairs
        The files of the cases, from which the worst are drawn.
    rules, workers
        How they were scored, and in how many processes.
    """

    scores: tuple[ScoreRow, ...]
    lesions: tuple[LesionScore, ...]
    patients: tuple[PatientRow, ...]
    summary: tuple[SummaryRow, ...]
    comparisons: tuple[ComparisonRow, ...] = ()
    failures: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    pairs: tuple[Pair, ...] = field(default=(), repr=False)
    rules: Rules | None = field(default=None, repr=False)
    workers: int | None = field(default=None, repr=False)

    @property
    def models(self) -> tuple[str, ...]:
        """Their names, in the order given."""
        return tuple(dict.fromkeys(row.model for row in self.scores))

    @property
    def structures(self) -> tuple[str, ...]:
        """What was scored, such as ``liver`` and ``liver_tumor``."""
        return tuple(dict.fromkeys(row.structure for row in self.scores))

    def number(
        self, metric: str, structure: str, model: str | None = None, group: str = "all"
    ) -> SummaryRow | None:
        """Find one row of the summary; of the first model by default."""
        wanted = (model or self.models[0], structure, metric, group)
        for row in self.summary:
            if (row.model, row.structure, row.metric, row.group) == wanted:
                return row
        return None

    def outcomes(self) -> dict[str, dict[str, dict[str, int]]]:
        """Count the cases of each outcome: by model and structure."""
        return {
            model: {
                structure: outcomes(
                    row for row in self.scores if (row.model, row.structure) == (model, structure)
                )
                for structure in self.structures
            }
            for model in self.models
        }

    def markdown(self, spread: str = "sd") -> str:
        """Return the table that papers print, in Markdown; `spread` is ``"sd"`` or ``"ci"``."""
        return published(self.summary, self.models, spread, self.note(spread)).markdown()

    def latex(self, spread: str = "sd") -> str:
        """Return the table that papers print, in LaTeX; `spread` is ``"sd"`` or ``"ci"``."""
        return published(self.summary, self.models, spread, self.note(spread)).latex()

    def note(self, spread: str = "sd") -> str:
        """Say what the numbers of the table are."""
        early = any(
            row.group == EARLY and row.metric == "lesion_sensitivity" and row.mean is not None
            for row in self.summary
        )
        return note(self.settings, len({row.case for row in self.scores}), spread, early)

    def record(self) -> dict[str, Any]:
        """Return what ``evaluation.json`` holds."""
        return {
            "oncoforge": __version__,
            "settings": dict(self.settings),
            "outcomes": self.outcomes(),
            "failures": list(self.failures),
            "remarks": list(self.remarks),
            **{name: [plain(cast(Any, row)) for row in getattr(self, name)] for name in TABLES},
        }

    def write(self, out: PathLike, *, overwrite: bool = False) -> None:
        """Write `FILES` into a folder: all of them or none.

        Raises
        ------
        OutputError
            If they cannot be written, or would replace others.
        """
        check_out(Path(out), self.pairs)
        with staging(Path(out), FILES, overwrite) as folder:
            self.write_into(folder)

    def write_into(self, folder: Path) -> None:
        """Write `FILES` into a folder that is there."""
        from oncoforge.evaluation.report import render  # matplotlib is slow to import

        for name, kind in TABLES.items():
            rows: Sequence[Any] = getattr(self, name)
            if rows or name != "comparisons":
                text = csv_of(rows, cast(Any, kind))
                (folder / f"{name}.csv").write_text(text, encoding="utf-8")
        text = json.dumps(self.record(), indent=2, ensure_ascii=False)
        (folder / RECORD).write_text(text + "\n", encoding="utf-8")
        spread = self.settings.get("spread", "sd")
        (folder / "table.md").write_text(self.markdown(spread), encoding="utf-8")
        (folder / "table.tex").write_text(self.latex(spread), encoding="utf-8")
        html, png = render(self, spread, self.note(spread))
        (folder / "report.html").write_text(html, encoding="utf-8")
        (folder / "report.png").write_bytes(png)


def check_out(out: Path, pairs: Sequence[Pair]) -> None:
    """Refuse a folder in which masks or images lie: tables among them are easily taken for one.

    Raises
    ------
    OutputError
        If something that is read is in it.
    """
    read = inputs(pairs)
    keep_inputs([out / name for name in FILES], read)
    if out.resolve() in {path.resolve().parent for path in read}:
        raise OutputError(f"{out} holds files that are compared; choose another --out.")


def inputs(pairs: Sequence[Pair]) -> list[Path]:
    """Return every file that an evaluation reads."""
    images = [pair.image for pair in pairs if pair.image is not None]
    masks = [
        path
        for pair in pairs
        for path in (pair.truth, *pair.predictions.values(), *pair.probabilities.values())
    ]
    return masks + images
