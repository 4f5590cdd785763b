"""The curves of a training: what is drawn of which rows."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from oncoforge.reports import training_curves
from oncoforge.reports.training_curves import _rate_in_words, draw


def _rows(epochs: int, every: int = 1) -> list[dict[str, float]]:
    rows = []
    for epoch in range(1, epochs + 1):
        row = {"epoch": epoch, "lr": 4e-4 / epoch, "train/loss": 1 / epoch}
        row |= {"samples_per_s": 12.0, "data_wait": 0.1}
        if epoch % every == 0:
            row |= {"val/dice_liver": 0.9, "val/dice_liver_tumor": 1 - 1 / epoch}
        rows.append(row)
    return rows


@pytest.fixture
def lines(monkeypatch):
    """All lines that are drawn, by the title of their plot."""
    found = {}
    original = training_curves._line

    def noting(axes, rows, name, *given, **more):
        before = len(axes.lines)
        original(axes, rows, name, *given, **more)
        found[name] = axes.lines[before]

    monkeypatch.setattr(training_curves, "_line", noting)
    return found


def test_every_line_has_the_points_of_its_column(lines):
    draw(_rows(20, 5), 20)
    np.testing.assert_allclose(lines["train/loss"].get_ydata(), 1 / np.arange(1, 21))
    np.testing.assert_allclose(lines["lr"].get_ydata(), 4e-4 / np.arange(1, 21))
    np.testing.assert_array_equal(lines["val/dice_liver_tumor"].get_xdata(), [5, 10, 15, 20])
    np.testing.assert_allclose(lines["data_wait"].get_ydata(), 10.0)
    assert lines["val/dice_liver_tumor"].get_linestyle() == "-"
    assert lines["val/dice_liver"].get_linestyle() == "--"


def test_a_lone_epoch_is_a_dot(lines):
    draw(_rows(1))
    assert lines["train/loss"].get_marker() == "o"


def test_the_best_epoch_is_marked():
    assert draw(_rows(9), 5) != draw(_rows(9), 6)
    assert draw(_rows(9), 5) == draw(_rows(9), 5)


@pytest.mark.parametrize("rows", [[], _rows(3, every=10), [{"epoch": 1.0}]])
def test_what_is_missing_is_not_drawn(rows):
    with Pillow.open(io.BytesIO(draw(rows))) as picture:
        assert picture.size == (1100, 726)


def test_rates_are_written_as_in_recipes():
    assert [_rate_in_words(rate) for rate in (0.0, 4e-4, 2.5e-5, 0.01)] == [
        *("0", "4e-4", "2.5e-5", "1e-2"),
    ]
