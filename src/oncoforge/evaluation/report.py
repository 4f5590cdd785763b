"""The report of an evaluation, from its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oncoforge.evaluation.describe import facts
from oncoforge.evaluation.published import published
from oncoforge.evaluation.worst import worst_cases
from oncoforge.reports import evaluation as report
from oncoforge.reports.evaluation_view import EvaluationView, OrganView

if TYPE_CHECKING:
    from oncoforge.evaluation.results import Evaluation

_DRAWN = 12


def render(found: Evaluation, spread: str = "sd", note: str = "") -> tuple[str, bytes]:
    """Return the page and the sheet of the organ with the most true lesions.

    Parameters
    ----------
    found
        The evaluation; the worst cases are drawn from its files.
    spread, note
        Of the table that papers print.
    """
    organs = _organs(found)
    table = published(found.summary, found.models, spread)
    view = EvaluationView(
        [_organ(found, name, drawn=n < _DRAWN) for n, name in enumerate(organs)],
        found.models,
        len({row.case for row in found.scores}),
        [f"{column.structure} {column.measure}" for column in table.columns],
        [
            (
                model,
                [
                    (cell.mean, cell.beside, cell.best)
                    for cell in (column.cells[number] for column in table.columns)
                ],
            )
            for number, model in enumerate(table.models)
        ],
        note,
        found.comparisons,
        found.failures,
        found.remarks,
        facts(found.settings),
    )
    return report.render(view)


def _organs(found: Evaluation) -> list[str]:
    """Return the organs, those with the most true lesions first."""
    often = dict.fromkeys((row.organ for row in found.scores), 0)
    for row in found.lesions:
        if row.model == found.models[0] and row.status != "false_positive":
            often[row.organ] += 1
    return sorted(often, key=lambda name: -often[name])


def _organ(found: Evaluation, name: str, drawn: bool) -> OrganView:
    scores = [row for row in found.scores if row.organ == name]
    own = {row.structure for row in scores}
    worst = []
    if drawn and found.rules is not None:
        worst = worst_cases(scores, found.pairs, name, found.rules, found.workers)
    return OrganView(
        name,
        found.models,
        scores,
        [row for row in found.lesions if row.organ == name],
        [row for row in found.summary if row.structure in own],
        worst,
    )
