"""The single plots of an evaluation: agreement, sizes, sensitivity, volumes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullLocator

from oncoforge.reports.analysis_panels import GRID, empty, style
from oncoforge.reports.evaluation_view import OrganView
from oncoforge.reports.panels import FAINT, INK, LESION, PAPER
from oncoforge.reports.wording import number

COLOURS: Final = (LESION, "#a48bff", "#3fc9a0", "#e8739b", "#4aa3df", "#f2f0e6")
MARKERS: Final = ("o", "s", "^", "D", "v", "P")
"""Of the models: they differ in hue for every common kind of colour vision, and in form."""

_FONT: Final = "DejaVu Sans"
_SIZES_MM = (1, 2, 5, 10, 20, 50, 100, 200)
_VOLUMES_ML = (0.001, 0.01, 0.1, 1, 10, 100, 1000, 10000)
_OUTCOMES: Final = {
    "found": "found",
    "missed": "missed",
    "false_alarm": "false alarm",
    "both_empty": "rightly none",
}
_BINS: Final = ("<5 mm", "5-10 mm", "10-20 mm", "20-50 mm", ">=50 mm")


def colour(place: int) -> str:
    """Return the colour of a model by its place."""
    return COLOURS[place % len(COLOURS)]


def marker(place: int) -> str:
    """Return the form of a model's dots by its place."""
    return MARKERS[place % len(MARKERS)]


def agreement(axes: Axes, view: OrganView, metric: str, title: str) -> None:
    """Draw the values of every case: organ on the left, tumours on the right, models in colour."""
    style(axes, title)
    _raise_title(axes)
    structures = [s for s in (view.name, view.tumor) if any(r.structure == s for r in view.scores)]
    width = 0.8 / len(view.models)
    lowest = 1.0
    for group, structure in enumerate(structures):
        for place, model in enumerate(view.models):
            rows = view.of(structure, model)
            values = [v for row in rows if (v := getattr(row, metric)) is not None]
            if values:
                middle = group - 0.4 + (place + 0.5) * width
                found = view.number(metric, model, structure)
                _strip(axes, values, middle, width, place, found)
                lowest = min(lowest, *values)
    axes.set_xlim(-0.5, len(structures) - 0.5)
    axes.set_xticks(
        range(len(structures)), ["organ" if s == view.name else "tumour" for s in structures]
    )
    axes.tick_params(axis="x", labelsize=9, length=0, labelcolor=INK)
    axes.grid(False, axis="x")
    floor = max(0.0, math.floor(10 * (lowest - 0.02)) / 10)
    axes.set_ylim(floor - 0.02 * (1 - floor), 1 + 0.02 * (1 - floor))


def _raise_title(axes: Axes) -> None:
    """Lift the title above the means, which stand on top of the axes."""
    text = axes.get_title("left")
    axes.set_title(text, color=INK, fontsize=9.5, loc="left", pad=21, family=_FONT)


def _strip(
    axes: Axes, values: Sequence[float], middle: float, width: float, place: int, found: Any
) -> None:
    """Draw dots, quartiles, and the mean with its interval."""
    # Spread evenly and not by chance, so that the same values are the same picture.
    order = np.argsort(np.argsort(values, kind="stable"))
    aside = ((order * 0.618034) % 1.0 - 0.5) * width * 0.55
    axes.scatter(
        middle + aside,
        values,
        s=16 if len(values) < 60 else 7,
        color=colour(place),
        marker=marker(place),
        alpha=0.6 if len(values) < 200 else 0.3,
        linewidths=0,
        zorder=2,
    )
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
    side = width * 0.36
    axes.fill_between(
        [middle - side, middle + side], low, high, color=colour(place), alpha=0.16, linewidth=0
    )
    axes.hlines(median, middle - side, middle + side, color=colour(place), linewidth=2, zorder=3)
    if found is None or found.mean is None:
        return
    if found.ci_low is not None:
        axes.vlines(middle, found.ci_low, found.ci_high, color=INK, linewidth=1.6, zorder=4)
    axes.scatter(
        [middle], [found.mean], s=26, color=INK, edgecolors=PAPER, linewidths=0.8, zorder=5
    )
    axes.text(
        middle,
        1.02,
        f"{100 * found.mean:.1f}",
        transform=axes.get_xaxis_transform(),
        color=colour(place),
        fontsize=8.5 if width > 0.12 else 7,
        family=_FONT,
        weight="bold",
        ha="center",
        va="bottom",
    )


def outcomes(axes: Axes, view: OrganView) -> None:
    """Draw in how many cases the tumours were found, missed, made up, or rightly not there."""
    style(axes, "Cases, by their tumours")
    _raise_title(axes)
    axes.grid(False)
    most = 0
    for place, model in enumerate(view.models):
        rows = view.of(view.tumor, model)
        left = 0
        for outcome in _OUTCOMES:
            often = sum(row.outcome == outcome for row in rows)
            if often:
                _segment(axes, -place, left, often, len(rows), outcome, place)
            left += often
        most = max(most, left)
    if not most:
        empty(axes, "no tumours were scored")
        return
    axes.set_xlim(0, most)
    axes.set_ylim(-len(view.models) + 0.35, 0.65 + 0.22 * len(view.models))
    _key(axes)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("cases", color=FAINT, fontsize=8, family=_FONT)


def _key(axes: Axes) -> None:
    """Say what solid, hollow and hatched bars are."""
    axes.legend(
        [Patch(edgecolor=FAINT, **_looks(name, FAINT)) for name in _OUTCOMES],
        list(_OUTCOMES.values()),
        loc="upper left",
        bbox_to_anchor=(-0.02, 1.02),
        ncols=len(_OUTCOMES),
        columnspacing=1.1,
        handletextpad=0.4,
        handlelength=1.2,
        frameon=False,
        labelcolor=FAINT,
        prop={"family": _FONT, "size": 8},
    )


def _looks(outcome: str, own: str) -> dict[str, Any]:
    """Return how a bar looks: solid if right, hollow if missed, hatched if made up."""
    looks: dict[str, dict[str, Any]] = {
        "found": {"facecolor": own},
        "missed": {"facecolor": "none"},
        "false_alarm": {"facecolor": "none", "hatch": "////"},
        "both_empty": {"facecolor": GRID},
    }
    return looks[outcome]


def _segment(
    axes: Axes, up: float, left: int, often: int, of: int, outcome: str, place: int
) -> None:
    """Draw one part of a bar, with its number."""
    own = colour(place)
    axes.barh(up, often, 0.62, left=left, edgecolor=own, linewidth=1.2, **_looks(outcome, own))
    axes.text(
        left + often / 2,
        up,
        str(often) if often / of > 0.03 else "",
        color=PAPER if outcome == "found" else INK,
        fontsize=9,
        family=_FONT,
        ha="center",
        va="center",
        bbox=None if outcome != "false_alarm" else {"facecolor": PAPER, "linewidth": 0, "pad": 1.0},
    )


def by_size(axes: Axes, view: OrganView) -> None:
    """Draw the Dice of every true lesion against its diameter; missed ones lie at 0, hollow."""
    style(axes, "Each true lesion", "equivalent diameter (mm)", "Dice of the lesion")
    true = [row for row in view.lesions if row.status != "false_positive"]
    if not true:
        empty(axes, "no true lesions")
        return
    for place, model in enumerate(view.models):
        own = [row for row in true if row.model == model]
        for found in (True, False):
            some = [row for row in own if (row.status == "found") == found]
            # Models one beside the other where both missed.
            low = [-0.035 * place if not found else 0.0 for _ in some]
            axes.scatter(
                [row.diameter_mm for row in some],
                [base + (row.dice or 0.0) for row, base in zip(some, low, strict=True)],
                s=24,
                marker=marker(place),
                facecolors=colour(place) if found else "none",
                edgecolors=PAPER if found else colour(place),
                linewidths=0.4 if found else 1.1,
                alpha=0.85,
            )
    values = [row.diameter_mm for row in true]
    _log_across(axes, min(values), max(values), _SIZES_MM)
    axes.set_ylim(-0.06 - 0.035 * (len(view.models) - 1), 1.03)
    for edge in (5, 10, 20, 50):
        axes.axvline(edge, color=FAINT, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)


def sensitivity(axes: Axes, view: OrganView) -> None:
    """Draw which part of the true lesions was found, by size, with how sure that is."""
    style(axes, "Lesions found, by size", "equivalent diameter (mm)", "sensitivity (%)")
    rows = {
        (group, model): found
        for group in _BINS
        for model in view.models
        if (found := view.number("lesion_sensitivity", model, group=group)) and found.n
    }
    if not rows:
        empty(axes, "no true lesions")
        return
    width = 0.7 / len(view.models)
    for (group, model), found in rows.items():
        place = list(view.models).index(model)
        x = _BINS.index(group) - 0.35 + (place + 0.5) * width
        if found.ci_low is not None and found.ci_high is not None:
            ends = 100 * found.ci_low, 100 * found.ci_high
            axes.vlines(x, *ends, color=colour(place), linewidth=2.2, alpha=0.55)
        axes.scatter(
            [x],
            [100 * (found.mean or 0.0)],
            s=42,
            color=colour(place),
            marker=marker(place),
            edgecolors=PAPER,
            linewidths=0.6,
            zorder=3,
        )
    labels = []
    for group in _BINS:
        most = max((rows[group, m].n for m in view.models if (group, m) in rows), default=0)
        labels.append(
            f"{group.removesuffix(' mm').replace('>=', '≥').replace('-', '–')}\nn = {most}"
        )
    axes.set_xticks(range(len(_BINS)), labels)
    axes.set_xlim(-0.5, len(_BINS) - 0.5)
    axes.set_ylim(-4, 104)
    axes.grid(False, axis="x")


def volumes(axes: Axes, view: OrganView) -> None:
    """Draw how much too large or too small tumours are, against their size (Bland and Altman)."""
    style(
        axes,
        "Tumour volume: prediction less truth",
        "mean of both (mL)",
        "difference (% of the mean)",
    )
    points = []
    for place, model in enumerate(view.models):
        rows = [r for r in view.of(view.tumor, model) if r.truth_mm3 or r.predicted_mm3]
        mean = np.array([(r.truth_mm3 + r.predicted_mm3) / 2000 for r in rows])
        apart = np.array([r.volume_error_mm3 / 10 for r in rows]) / np.maximum(mean, 1e-12)
        points += mean.tolist()
        axes.scatter(
            mean,
            apart,
            s=22,
            marker=marker(place),
            color=colour(place),
            edgecolors=PAPER,
            linewidths=0.4,
            alpha=0.8,
        )
        # Of masks that are there: a miss is -200 % whatever its size.
        apart = apart[[row.outcome == "found" for row in rows]]
        if len(apart) > 1:
            axes.axhline(float(apart.mean()), color=colour(place), linewidth=1.4, alpha=0.9)
            if len(view.models) == 1:
                for side in (-1.96, 1.96):
                    limit = float(apart.mean() + side * apart.std(ddof=1))
                    axes.axhline(limit, color=colour(0), linewidth=0.9, linestyle=(0, (4, 3)))
    if not points:
        empty(axes, "no tumours")
        return
    axes.axhline(0, color=INK, linewidth=0.8)
    _log_across(axes, min(points), max(points), _VOLUMES_ML)
    axes.set_ylim(-270, 270)  # beyond the possible, for the words
    axes.set_yticks([-200, -100, 0, 100, 200])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: number(v)))
    for up, text in ((0.985, "too large"), (0.015, "too small")):
        axes.text(
            0.985,
            up,
            text,
            transform=axes.transAxes,
            color=FAINT,
            fontsize=7.5,
            family=_FONT,
            ha="right",
            va="top" if up > 0.5 else "bottom",
        )


def _log_across(axes: Axes, low: float, high: float, marks: Sequence[float]) -> None:
    """Set up a logarithmic axis with round marks."""
    low, high = low / 1.3, high * 1.3
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    shown = [mark for mark in marks if low <= mark <= high]
    for between in ((1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        if len(shown) >= 3:
            break  # a narrow range needs marks between the round ones, but no more than that
        shown = [m * 10.0**n for n in range(-3, 5) for m in between]
        shown = [mark for mark in shown if low <= mark <= high]
    axes.set_xticks(shown)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
