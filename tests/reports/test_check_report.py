"""The report of a check: complete, self-contained, small, and safe with any text."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from oncoforge.reports.check import MOST_ROWS, MOST_TILES, CaseTile, CheckView, FindingRow, render
from oncoforge.reports.check_chart import chart
from oncoforge.reports.check_tile import SIDE, tile

SPACING = (1.0, 1.0, 2.0)


@pytest.fixture(scope="module")
def scan():
    """A body of water with a liver of 100 HU on its right and, above all else, a bright head."""
    image = np.full((60, 50, 40), -1000, np.float32)
    image[10:50, 10:40, :] = 0
    image[30:48, 15:30, 10:20] = 100
    image[:, :, 35:] = 1000
    labels = (image == 100).astype(np.uint8)
    labels[35:40, 20:25, 12:15] = 2
    return image, labels


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def view(rows=(), tiles=(), **changes):
    content = {
        "title": "Check of a list",
        "parts": {"training": 3, "test": 1},
        "failed": 1,
        "rows": rows,
        "measures": {"Spacing (mm)": [1.0, 2.0, 5.0]},
        "tiles": tiles,
        "facts": {"List": "a.json"},
    }
    return CheckView(**{**content, **changes})


def test_tile_has_the_size_and_sides_that_it_promises(scan):
    image, labels = scan
    picture = pixels(tile(image, labels, SPACING, (2,)))
    assert picture.shape == (SIDE, 2 * SIDE, 3)
    orange = np.argwhere((picture == (255, 176, 0)).all(axis=-1))
    blue = np.argwhere((picture == (127, 212, 255)).all(axis=-1))
    # The patient's right (large x) is on the left of both halves.
    for marks in (orange, blue):
        axial = marks[marks[:, 1] < SIDE]
        coronal = marks[marks[:, 1] >= SIDE]
        assert len(axial) > 8
        assert len(coronal) > 8
        assert axial[:, 1].mean() < SIDE / 2
        assert coronal[:, 1].mean() < 1.5 * SIDE
    # The head is above.
    coronal = picture[:, SIDE:].sum(axis=(1, 2))
    assert coronal[: SIDE // 2].sum() > coronal[SIDE // 2 :].sum()


def test_tile_keeps_proportions(scan):
    image, _ = scan
    flat = pixels(tile(image, None, (1.0, 1.0, 0.25)))[:, SIDE:]
    rows = np.flatnonzero(flat.any(axis=(1, 2)))
    assert len(rows) == pytest.approx(SIDE * 10 / 60, abs=2)


def test_tiles_of_images_and_of_label_maps_alone(scan):
    image, labels = scan
    assert pixels(tile(image, None, SPACING)).any()
    assert pixels(tile(None, labels, SPACING)).any()
    assert pixels(tile(image, np.zeros_like(labels), SPACING)).any()
    with pytest.raises(ValueError, match="image or a label map"):
        tile(None, None, SPACING)


def test_tile_is_small(scan):
    noise = scan[0] + np.random.default_rng(0).normal(0, 100, scan[0].shape).astype(np.float32)
    assert len(tile(noise, scan[1], SPACING)) < 25_000


def test_chart_counts_every_case_once():
    values = [*np.random.default_rng(0).normal(40, 30, 200), -1000.0, float("nan")]
    drawn = chart("HU", values)
    counts = [int(re.search(r"(\d+) case", bar.about)[1]) for bar in drawn.bars]
    assert sum(counts) == 201
    assert all(drawn.left <= bar.x <= drawn.right - bar.width for bar in drawn.bars)
    assert all(drawn.left <= tick.x <= drawn.right for tick in drawn.ticks)
    assert "201 cases" in drawn.about


@pytest.mark.parametrize("values", [[3.0], [0.0], [5.0] * 9, [-7.25], [1e-3, 1e5], [0.7, 0.7001]])
def test_chart_takes_any_values(values):
    drawn = chart("x", values)
    assert sum(int(re.search(r"(\d+) case", bar.about)[1]) for bar in drawn.bars) == len(values)
    assert len(drawn.bars) + len(drawn.ticks) < 60


def test_no_values_no_chart():
    assert chart("x", []) is None
    assert chart("x", [float("nan")]) is None


def test_page_tells_everything_and_needs_nothing_else(scan):
    rows = [
        FindingRow("error", "missing file", "training", "<b>a</b>", "/x does not exist."),
        FindingRow("note", "different axis orders", "", "", "RAS (2), LPS (1)."),
    ]
    png = tile(*scan, SPACING)
    html = render(view(rows, [CaseTile("training a", png, "error")]))
    assert "4 cases (3 training, 1 test), 1 of them failed: 1 error, no warnings, 1 note." in html
    assert "&lt;b&gt;a&lt;/b&gt;" in html
    assert "<b>a</b>" not in html
    assert base64.b64encode(png).decode() in html
    assert not re.search(r"(src|href)=\"(?!data:)", html)
    assert render(view(rows, [CaseTile("training a", png, "error")])) == html


def test_page_of_a_clean_list_says_so():
    assert "Nothing was found." in render(view(failed=0))


def test_page_of_a_huge_list_stays_small(scan):
    png = tile(*scan, SPACING)
    rows = [FindingRow("error", "missing file", "training", f"c{k}", "x") for k in range(5000)]
    tiles = [CaseTile(f"c{k}", png, "error" if k % 50 == 7 else "") for k in range(5000)]
    html = render(view(rows, tiles))
    assert f"{5000 - MOST_ROWS} more are in check.csv" in html
    assert html.count("<img") == MOST_TILES
    assert f"{MOST_TILES} of 5000 cases" in html
    shown = re.findall(r"<figcaption>c(\d+)", html)
    assert sum(int(k) % 50 == 7 for k in shown) >= MOST_TILES // 2
    assert max(map(int, shown)) > 4000
