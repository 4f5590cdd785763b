"""The table that papers print: a row for each model, in Markdown and in LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from oncoforge.evaluation.rows import SummaryRow

SPREADS: Final = ("sd", "ci")
"""What stands beside a mean: its standard deviation, or its confidence interval."""

EARLY: Final = "<20 mm"
"""Lesions that papers call early: of less than 2 cm."""

_TEX: Final = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


@dataclass(frozen=True)
class Cell:
    """One number of the table.

    Parameters
    ----------
    mean
        In percent, as printed; empty if there is none.
    beside
        What follows it: ``"± 12.3"``, ``"[40.1, 60.2]"`` or ``"(20/31)"``.
    best
        Whether no model has a higher one as printed.
    """

    mean: str
    beside: str = ""
    best: bool = False


@dataclass(frozen=True)
class Column:
    """One column of the table.

    Parameters
    ----------
    structure
        As people call it, such as ``"Liver tumour"``.
    measure
        ``"DSC"``, ``"NSD"`` or ``"Sens. d < 20 mm"``.
    cells
        One for each model.
    """

    structure: str
    measure: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """What a paper would print of an evaluation.

    Parameters
    ----------
    models
        Names of the rows.
    columns
        The rest.
    note
        What the numbers are, in sentences.
    """

    models: tuple[str, ...]
    columns: tuple[Column, ...]
    note: str = ""

    def markdown(self) -> str:
        """Return the table in Markdown, the best of each column bold."""
        names = [f"{column.structure} {column.measure}" for column in self.columns]
        lines = [_line(["Model", *names]), _line(["---", *("---:" for _ in names)])]
        for number, model in enumerate(self.models):
            cells = [column.cells[number] for column in self.columns]
            lines.append(_line([_escaped(model), *map(_markdown, cells)]))
        return "\n".join(lines) + (f"\n\n{self.note}" if self.note else "") + "\n"

    def latex(self) -> str:
        """Return the table in LaTeX, which needs the package booktabs."""
        groups: dict[str, int] = {}
        for column in self.columns:
            groups[column.structure] = groups.get(column.structure, 0) + 1
        heads = [rf"\multicolumn{{{n}}}{{c}}{{{_tex(name)}}}" for name, n in groups.items()]
        rules, first = [], 2
        for n in groups.values():
            rules.append(rf"\cmidrule(lr){{{first}-{first + n - 1}}}")
            first += n
        measures = [_tex(column.measure).replace("<", "$<$") for column in self.columns]
        lines = [
            *([f"% {sentence}" for sentence in self.note.splitlines()]),
            rf"\begin{{tabular}}{{l{'c' * len(self.columns)}}}",
            r"\toprule",
            " & ".join(["", *heads]).strip() + r" \\",
            " ".join(rules),
            " & ".join(["Model", *measures]) + r" \\",
            r"\midrule",
        ]
        for number, model in enumerate(self.models):
            cells = [_latex(column.cells[number]) for column in self.columns]
            lines.append(" & ".join([_tex(model), *cells]) + r" \\")
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def published(
    summary: Iterable[SummaryRow],
    models: Sequence[str],
    spread: str = "sd",
    note: str = "",
) -> Table:
    """Lay out a summary as the published tables are.

    Parameters
    ----------
    summary
        Rows of `summarize`.
    models
        The rows of the table, in this order.
    spread
        One of `SPREADS`.
    note
        What the numbers are, in sentences.

    Returns
    -------
    Table
        For each organ: Dice and NSD of the organ and of its tumours, and the sensitivity to
        lesions below 20 mm with their number. Structures without numbers are left out.
    """
    by = {(row.structure, row.metric, row.group, row.model): row for row in summary}
    columns = []
    for structure in dict.fromkeys(key[0] for key in by):
        for metric, group, measure in (
            ("dice", "all", "DSC"),
            ("nsd", "all", "NSD"),
            ("lesion_sensitivity", EARLY, "Sens. d < 20 mm"),
        ):
            rows = [by.get((structure, metric, group, model)) for model in models]
            if any(row is not None and row.mean is not None for row in rows):
                counted = metric == "lesion_sensitivity"
                columns.append(Column(called(structure), measure, _cells(rows, spread, counted)))
    return Table(tuple(models), tuple(columns), note)


def called(structure: str) -> str:
    """Return what people call a structure: ``"Liver tumour"``."""
    name = re.sub("_tumor$", " tumour", structure).replace("_", " ")
    return name[0].upper() + name[1:]


def _cells(rows: Sequence[SummaryRow | None], spread: str, counted: bool) -> tuple[Cell, ...]:
    highest = max(round(100 * row.mean, 1) for row in rows if row and row.mean is not None)
    cells = []
    for row in rows:
        if row is None or row.mean is None:
            cells.append(Cell(""))
            continue
        percent = round(100 * row.mean, 1)
        beside = f"({round(row.mean * row.n)}/{row.n})" if counted else _beside(row, spread)
        cells.append(Cell(f"{percent:.1f}", beside, len(rows) > 1 and percent == highest))
    return tuple(cells)


def _beside(row: SummaryRow, spread: str) -> str:
    if spread == "sd":
        return "" if row.sd is None else f"± {100 * row.sd:.1f}"
    if row.ci_low is None or row.ci_high is None:
        return ""
    return f"[{100 * row.ci_low:.1f}, {100 * row.ci_high:.1f}]"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    return re.sub(r"([\\|*_`<\[\]])", r"\\\1", text)


def _markdown(cell: Cell) -> str:
    if not cell.mean:
        return "–"
    mean = f"**{cell.mean}**" if cell.best else cell.mean
    return f"{mean} {cell.beside}".strip()


def _tex(text: str) -> str:
    return "".join(_TEX.get(letter, letter) for letter in text)


def _latex(cell: Cell) -> str:
    if not cell.mean:
        return "--"
    mean = rf"\textbf{{{cell.mean}}}" if cell.best else cell.mean
    beside = cell.beside.replace("±", r"$\pm$")
    return f"{mean} {beside}".strip()
