"""The report of a survey of tumours: a sheet of plots per organ, and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from oncoforge.reports.analysis_sheet import draw
from oncoforge.reports.page import fill
from oncoforge.reports.wording import count, number, volume

if TYPE_CHECKING:
    from oncoforge.analysis.rows import CaseRow, LesionRow

_MOST_SHEETS = 12
_LARGEST = 10
_MOST_NAMES = 20

# Column, words, factor and decimals.
_MEASURES: Final[tuple[tuple[str, str, int, int], ...]] = (
    ("equivalent_diameter_mm", "Equivalent diameter (mm)", 1, 1),
    ("longest_axial_diameter_mm", "Longest axial diameter (mm)", 1, 1),
    ("short_axial_diameter_mm", "Short axial diameter (mm)", 1, 1),
    ("volume_mm3", "Volume (mm³)", 1, 0),
    ("sphericity", "Sphericity", 1, 2),
    ("organ_distance_mm", "Centre to the organ's surface (mm)", 1, 1),
    ("exophytic_fraction", "Outside the organ's hull (%)", 100, 0),
    ("protrusion_mm", "Reach beyond the organ's hull (mm)", 1, 1),
    ("mean_hu", "Mean (HU)", 1, 0),
    ("contrast_hu", "Contrast to the organ around (HU)", 1, 0),
    ("burden_fraction", "Burden, cases with lesions (% of the organ)", 100, 1),
)
_QUANTILES: Final = ("min", "q1", "median", "q3", "max")


@dataclass(frozen=True)
class AnalysisView:
    """What a report of a survey shows.

    Parameters
    ----------
    lesions, cases
        The rows.
    summary
        Organ to counts and quantiles, in the order in which they are shown: as
        ``analysis.summary.summarize`` gives them.
    failures
        Cases that were not measured: one sentence each.
    bare
        Ids of cases without any of the organs.
    facts
        How it was made: label to text.
    """

    lesions: Sequence[LesionRow]
    cases: Sequence[CaseRow]
    summary: Mapping[str, Mapping[str, Any]]
    failures: Sequence[str] = ()
    bare: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


def render(view: AnalysisView) -> tuple[str, bytes]:
    """Write the report of a survey; the same view gives the same bytes.

    Returns
    -------
    html
        A page that needs no other file.
    png
        The sheet of the organ with the most lesions.
    """
    ill = [name for name in view.summary if view.summary[name]["lesions"]]
    organs = [_organ(view, name, drawn=n < _MOST_SHEETS) for n, name in enumerate(ill)]
    png = organs[0]["png"] if organs else draw((), (), "Tumours", _lead(view))
    content = {
        "title": "Tumours, measured",
        "lead": _lead(view),
        "organs": organs,
        "failures": view.failures,
        "bare": view.bare,
        "bare_words": _bare(view),
        "facts": tuple(view.facts.items()),
    }
    return fill("analysis.html.j2", content), png


def _organ(view: AnalysisView, name: str, drawn: bool) -> dict[str, Any]:
    summary = view.summary[name]
    lesions = [row for row in view.lesions if row.organ == name]
    cases = [row for row in view.cases if row.organ == name]
    title = f"{name.replace('_', ' ').capitalize()} tumours"
    sentence = _words(summary)
    largest = sorted(lesions, key=lambda row: -row.volume_mm3)[:_LARGEST]
    return {
        "title": title,
        "words": sentence,
        "png": draw(lesions, cases, title, sentence) if drawn else None,
        "alt": f"{title}: {sentence} Plots of places, size, number, burden and shape.",
        "caption": _caption(summary),
        "spreads": [
            _spread(summary[key], words, factor, digits)
            for key, words, factor, digits in _MEASURES
            if key in summary
        ],
        "largest": largest,
        "largest_title": "The largest" if len(lesions) > _LARGEST else "All of them",
        "seen": "mean_hu" in summary,
    }


def _spread(summary: Mapping[str, float], name: str, factor: int, digits: int) -> dict[str, Any]:
    return {
        "name": name,
        "digits": digits,
        "quantiles": [summary[q] * factor for q in _QUANTILES],
        "mean": summary["mean"] * factor,
        "sd": summary["sd"] * factor,
    }


def _lead(view: AnalysisView) -> str:
    lesions = count(len(view.lesions), "tumour")
    measured = {row.case for row in view.cases} | {row.case for row in view.lesions}
    failed = ""
    if view.failures:
        failed = f" {count(len(view.failures), 'case')} could not be measured; see below."
    text = f"{lesions} in {count(len(measured) + len(view.bare), 'case')}.{failed}"
    return text[0].upper() + text[1:]


def _words(summary: Mapping[str, Any]) -> str:
    cases = summary["cases"]
    where = (
        f" in {number(summary['cases_with_lesions'])} of {count(cases, 'case')}" if cases else ""
    )
    across, size = summary["equivalent_diameter_mm"], summary["volume_mm3"]
    cut = summary["touching_border"]
    return (
        f"{count(summary['lesions'], 'lesion')}{where}; median {number(across['median'], 1)} mm "
        f"({volume(size['median'])}), from {number(across['min'], 1)} to "
        f"{number(across['max'], 1)} mm"
        + (f"; {number(cut)} cut off by the edge of the scan" if cut else "")
        + "."
    )


def _caption(summary: Mapping[str, Any]) -> str:
    boxed = "side of the organ" if summary["sides"] else "organ"
    return (
        f"Places are centres in the box of the {boxed} with its tumours, so that patients can be "
        "compared; axial and coronal views have the patient's right on the left. Dots are as large "
        "as the lesions' cross-sections, relative to the largest. Dashed lines part the size "
        "classes of the generator."
    )


def _bare(view: AnalysisView) -> str:
    shown = ", ".join(view.bare[:_MOST_NAMES])
    more = len(view.bare) - _MOST_NAMES
    return (
        f"The organ has no voxel in {count(len(view.bare), 'case')}: {shown}"
        + (f" and {number(more)} more" if more > 0 else "")
        + ". Is the label convention right?"
    )
