"""Pictures of predictions: what is outlined, and that they are the same every time."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from oncoforge.reports import predictions
from oncoforge.reports.predictions import draw, stitch

CLASSES = ("background", "liver", "liver_tumor")


def _pixels(png: bytes) -> np.ndarray:
    return np.asarray(Pillow.open(io.BytesIO(png)).convert("RGB")).astype(int)


def _orange(pixels: np.ndarray) -> int:
    red, green, blue = np.moveaxis(pixels, -1, 0)
    return int(np.count_nonzero((red > 200) & (green > 120) & (blue < 80)))


def _blue(pixels: np.ndarray) -> int:
    red, _, blue = np.moveaxis(pixels, -1, 0)
    return int(np.count_nonzero(blue - red > 30))


def _picture(labels: np.ndarray, spacing=(1.0, 1.0, 2.0), case="case") -> bytes:
    rng = np.random.default_rng(0)
    image = rng.normal(50, 20, labels.shape).astype(np.float32)
    return draw(image, labels, spacing, case, CLASSES, {"liver": 5e5, "liver_tumor": 0.0})


@pytest.fixture
def labels():
    made = np.zeros((50, 40, 30), np.uint8)
    made[5:40, 5:30, 5:25] = 1
    return made


def test_organs_are_blue_and_tumours_orange(labels):
    nothing = _pixels(_picture(np.zeros_like(labels)))
    organ = _pixels(_picture(labels))
    labels[12:20, 12:20, 20:24] = 2
    tumour = _pixels(_picture(labels))
    assert (_blue(nothing), _orange(nothing)) == (0, 0)
    assert _blue(organ) > 300
    assert _orange(organ) == 0
    assert _orange(tumour) > 100


def test_tumours_are_named_as_people_do():
    words = predictions._words({"liver": 5e5, "liver_tumor": 0.0})
    assert words.endswith("no liver tumour")


def test_the_same_prediction_is_the_same_picture(labels):
    assert _picture(labels) == _picture(labels.copy())


@pytest.mark.parametrize("shape", [(3, 40, 2), (1, 1, 1), (64, 5, 90)])
def test_scans_of_any_shape_are_drawn(shape):
    labels = np.zeros(shape, np.uint8)
    labels[shape[0] // 2] = 2
    assert _pixels(_picture(labels, (0.7, 0.7, 5.0), "a $strange_ name")).any()


def test_a_sheet_holds_the_cases_and_says_how_many(labels, tmp_path, monkeypatch):
    paths = []
    for number in range(3):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(_picture(labels, case=f"case {number}"))
    tile = _pixels(paths[0].read_bytes())
    sheet = _pixels(stitch(paths))
    assert sheet.shape[1] == 2 * tile.shape[1]
    top = sheet.shape[0] - 2 * tile.shape[0]
    assert 20 < top < 100
    np.testing.assert_array_equal(sheet[top : top + tile.shape[0], : tile.shape[1]], tile)
    monkeypatch.setattr(predictions, "_MOST", 2)
    assert _pixels(stitch(paths)).shape[0] == top + tile.shape[0]
