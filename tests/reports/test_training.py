"""Pictures of a validation: what is outlined and framed, and that they are the same every time."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow

from oncoforge.reports import panels
from oncoforge.reports.planes import AXIAL, CORONAL
from oncoforge.reports.training import ShownCase, _cut, _focus, draw

WINDOW = (-175.0, 250.0)


def _pixels(png: bytes) -> np.ndarray:
    return np.asarray(Pillow.open(io.BytesIO(png)).convert("RGB")).astype(int)


def _near(pixels: np.ndarray, colour: str) -> np.ndarray:
    wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return np.abs(pixels - wanted).max(axis=-1) < 60


@pytest.fixture
def case() -> ShownCase:
    shape = (60, 50, 40)
    organ, truth, prediction = (np.zeros(shape, bool) for _ in range(3))
    organ[5:50, 5:40, 5:35] = True
    truth[30:42, 12:22, 10:18] = True
    truth[10:13, 30:33, 30:33] = True
    prediction[34:46, 12:22, 10:18] = True
    image = np.random.default_rng(0).normal(50, 20, shape).astype(np.float32)
    return ShownCase(
        "case", "Dice · liver 90.0 %", image, truth, prediction, organ, (2.0, 2.0, 3.0)
    )


def _panels(pixels: np.ndarray) -> list[np.ndarray]:
    """Return the four panels of the first case."""
    size, top, left, step = 262, 114, 12, 270
    return [pixels[top : top + size, left + step * n : left + step * n + size] for n in range(4)]


def test_the_second_panel_alone_is_bare(case):
    pixels = _pixels(draw([case], "Validation", WINDOW))
    for colour in (panels.ORGAN, panels.LESION):
        found = [np.count_nonzero(_near(panel, colour)) for panel in _panels(pixels)]
        assert found[1] == 0
        assert min(found[0], found[2], found[3]) > 20


def test_the_truth_is_blue_and_the_prediction_orange(case):
    nothing = np.zeros_like(case.truth)
    only_truth = _pixels(draw([replace(case, prediction=nothing)], "Validation", WINDOW))
    only_prediction = _pixels(draw([replace(case, truth=nothing)], "Validation", WINDOW))
    for pixels, seen, absent in (
        (only_truth, panels.ORGAN, panels.LESION),
        (only_prediction, panels.LESION, panels.ORGAN),
    ):
        close = _panels(pixels)[2]
        assert np.count_nonzero(_near(close, seen)) > 200
        assert np.count_nonzero(_near(close, absent)) == 0


def test_the_patients_right_is_on_the_left(case):
    """The prediction lies 4 voxels further to the right of the patient than the truth (RAS+)."""
    close = _panels(_pixels(draw([case], "Validation", WINDOW)))[2]
    columns = [
        np.nonzero(_near(close, colour))[1].mean() for colour in (panels.ORGAN, panels.LESION)
    ]
    assert columns[1] < columns[0]


def test_the_largest_true_lesion_is_cut_and_framed(case):
    focus = _focus(case)
    assert focus.sum() == 12 * 10 * 8
    seen, frame = _cut(case, focus, AXIAL)
    assert seen.organ.sum() == 12 * 10
    # Centre of the lesion, mm from the first voxel.
    assert (frame.left + frame.right) / 2 == pytest.approx(2 * 35.5)
    assert (frame.bottom + frame.top) / 2 == pytest.approx(2 * 16.5)
    assert frame.width == frame.height == 60.0
    assert _cut(case, focus, CORONAL)[0].organ.sum() == 12 * 8


def test_without_truth_the_prediction_is_framed_then_the_organ_then_all(case):
    nothing = np.zeros_like(case.truth)
    predicted = replace(case, truth=nothing)
    np.testing.assert_array_equal(_focus(predicted), case.prediction)
    organ = replace(predicted, prediction=nothing)
    np.testing.assert_array_equal(_focus(organ), case.organ)
    empty = replace(organ, organ=nothing)
    assert _focus(empty).all()
    assert _cut(empty, _focus(empty), AXIAL)[1].width == 60 * 2.0


def test_the_same_cases_are_the_same_picture(case):
    assert draw([case], "Validation", WINDOW) == draw([replace(case)], "Validation", WINDOW)


def test_greys_stay_grey_and_keep_their_order(case):
    ramp = np.broadcast_to(
        np.linspace(-175, 250, 60, dtype=np.float32)[:, None, None], (60, 50, 40)
    )
    bare = _panels(_pixels(draw([replace(case, image=ramp.copy())], "Validation", WINDOW)))[1]
    row = bare[60]
    assert np.ptp(row, axis=-1).max() == 0
    assert (np.diff(row[:, 0]) <= 0).all()
    assert len(np.unique(row[:, 0])) > 20


@pytest.mark.parametrize("shape", [(3, 40, 2), (1, 1, 1), (64, 5, 90)])
def test_scans_of_any_shape_are_drawn(shape):
    mask = np.zeros(shape, bool)
    mask[shape[0] // 2] = True
    image = np.zeros(shape, np.float32)
    case = ShownCase("a $strange_ name", "", image, mask, mask, mask, (0.7, 0.7, 5.0))
    two = _pixels(draw([case, case], "Validation", WINDOW))
    assert two.shape[0] > 2 * 262
