"""How a training went: loss, learning rate, agreement and speed against the epoch."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from oncoforge.reports.analysis_panels import empty, style
from oncoforge.reports.evaluation_panels import colour
from oncoforge.reports.panels import FAINT, INK, LESION, ORGAN, PAPER, words
from oncoforge.reports.wording import count

Rows = Sequence[Mapping[str, float]]

_WIDTH_IN, _HEIGHT_IN, _DPI = 10.0, 6.6, 110
_FONT: Final = "DejaVu Sans"
_DICE: Final = "val/dice_"


def draw(rows: Rows, best_epoch: int | None = None, title: str = "Training") -> bytes:
    """Draw the curves of a training.

    Parameters
    ----------
    rows
        One for each epoch: `epoch`, `lr`, ``train/loss``, `samples_per_s`, `data_wait` (0 to 1),
        and of epochs with a validation ``val/dice_`` and a class. What is missing is not drawn.
    best_epoch
        To be marked; it is one of theirs.
    title
        The line at the top.

    Returns
    -------
    bytes
        A PNG; the same rows give the same bytes.
    """
    figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), dpi=_DPI, facecolor=PAPER)
    canvas = FigureCanvasAgg(figure)
    words(figure, 0.03, 0.97, title, fontsize=13, weight="bold", va="top")
    words(figure, 0.03, 0.925, _caption(rows, best_epoch), fontsize=9, color=FAINT, va="top")
    for place, plot in enumerate((_loss, _agreement, _rate, _speed)):
        left, bottom = 0.075 + 0.49 * (place % 2), 0.53 - 0.45 * (place // 2)
        axes = figure.add_axes((left, bottom, 0.4, 0.31))
        last = max([row["epoch"] for row in rows] + [2.0])
        axes.set_xlim(1 - 0.02 * last, 1.02 * last)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        plot(axes, rows, best_epoch)
    buffer = io.BytesIO()
    # The writer's name and version are all that matplotlib adds by itself.
    canvas.print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def _caption(rows: Rows, best_epoch: int | None) -> str:
    done = count(len(rows), "epoch")
    return done if best_epoch is None else f"{done}  ·  best validation after epoch {best_epoch}"


def _loss(axes: Axes, rows: Rows, best_epoch: int | None) -> None:
    style(axes, "Training loss, mean of the epoch")
    _line(axes, rows, "train/loss", LESION)
    _mark(axes, best_epoch)


def _rate(axes: Axes, rows: Rows, best_epoch: int | None) -> None:
    style(axes, "Learning rate at the last step of the epoch", "epoch")
    _line(axes, rows, "lr", LESION)
    axes.set_ylim(bottom=0.0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: _rate_in_words(rate)))


def _rate_in_words(rate: float) -> str:
    """Write a rate as recipes do, such as 4e-4."""
    if not rate:
        return "0"
    digits, power = f"{rate:.2e}".split("e")
    return f"{float(digits):g}e{int(power)}"


def _agreement(axes: Axes, rows: Rows, best_epoch: int | None) -> None:
    """Draw the Dice of each class; tumours in the full line, organs in a dashed one."""
    style(axes, "Dice of the validation")
    names = [name for name in dict.fromkeys(n for row in rows for n in row) if _DICE in name]
    if not names:
        empty(axes, "no validation yet")
        return
    for place, name in enumerate(sorted(names, key=lambda one: not one.endswith("_tumor"))):
        tumor = name.endswith("_tumor")
        plain = name.removeprefix(_DICE).replace("_tumor", " tumour").replace("_", " ")
        _line(axes, rows, name, colour(place), label=plain, dashed=not tumor, dots=True)
    axes.set_ylim(-0.02, 1.02)
    _mark(axes, best_epoch)
    if best_epoch is not None:
        left, right = axes.get_xlim()
        side = "right" if best_epoch > (left + right) / 2 else "left"
        axes.annotate(
            "best",
            (best_epoch, 0.04),
            (-4 if side == "right" else 4, 0),
            textcoords="offset points",
            ha=side,
            color=FAINT,
            fontsize=7.5,
            family=_FONT,
        )
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(-0.02, -0.08),
        ncols=4,
        frameon=False,
        labelcolor=INK,
        borderaxespad=0.2,
        handlelength=1.6,
        columnspacing=1.0,
        prop={"family": _FONT, "size": 7.5},
    )


def _speed(axes: Axes, rows: Rows, best_epoch: int | None) -> None:
    """Draw samples per second, and on the right the share of time spent on waiting for them."""
    style(axes, "Samples per second", "epoch")
    _line(axes, rows, "samples_per_s", LESION)
    axes.set_ylim(bottom=0.0)
    share = axes.twinx()
    share.set_ylim(0, 100)
    for spine in share.spines.values():
        spine.set_visible(False)
    share.tick_params(colors=ORGAN, labelsize=7.5, length=2.5, labelfontfamily=_FONT)
    waits = [{**row, "data_wait": 100 * row["data_wait"]} for row in rows if "data_wait" in row]
    _line(share, waits, "data_wait", ORGAN)
    style_of: dict[str, Any] = {"fontsize": 8.5, "family": _FONT, "color": ORGAN}
    axes.text(1.0, 1.035, "waiting for data, %", ha="right", transform=axes.transAxes, **style_of)


def _line(
    axes: Axes,
    rows: Rows,
    name: str,
    hue: str,
    *,
    label: str = "",
    dashed: bool = False,
    dots: bool = False,
) -> None:
    known = [(row["epoch"], row[name]) for row in rows if name in row]
    few = len(known) < 40
    axes.plot(
        [epoch for epoch, _ in known],
        [value for _, value in known],
        color=hue,
        linewidth=1.4,
        linestyle="--" if dashed else "-",
        # A lone point is no line.
        marker="o" if (dots and few) or len(known) == 1 else "",
        markersize=3.0,
        label=label or None,
    )


def _mark(axes: Axes, epoch: int | None) -> None:
    if epoch is not None:
        axes.axvline(epoch, color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
