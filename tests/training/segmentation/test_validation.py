"""Validation: whole volumes as prediction does them, rows of every class, exact means."""

from __future__ import annotations

import random
from math import isnan, nan

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from oncoforge.errors import InputError
from oncoforge.evaluation import score
from oncoforge.formats import Volume
from oncoforge.grid import Grid
from oncoforge.networks import Config, Pipeline
from oncoforge.prediction import predict
from oncoforge.source import Source
from oncoforge.training.segmentation import validation
from oncoforge.training.segmentation.validation import Row, gather, judge, means, segment
from oncoforge.training.settings import ValidationSettings

LIVER = ("background", "liver", "liver_tumor")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def network():
    """A network with random weights that sees one voxel around."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        made = torch.nn.Sequential(
            torch.nn.Conv3d(1, 4, 3, padding=1), torch.nn.LeakyReLU(), torch.nn.Conv3d(4, 3, 1)
        )
    pipeline = Pipeline(LIVER, None, (-100.0, 200.0), patch=(16, 12, 16), overlap=0.5)
    made.config = Config("unet", 1, 3, pipeline=pipeline)
    return made.eval()


@pytest.mark.parametrize("shape", [(30, 25, 18), (16, 12, 16), (9, 30, 11)])
def test_a_volume_is_predicted_as_the_command_does(network, shape):
    pipeline = network.config.pipeline
    hu = np.random.default_rng(0).normal(50, 120, shape).astype(np.float32)
    expected = predict(Volume(hu, Source(Grid(shape, np.eye(4)))), network, gate="none").labels
    values = torch.from_numpy(np.clip((hu + 100) / 300, 0, 1)[None])
    found = segment(values, network, pipeline, pipeline.overlap)
    assert found.dtype == np.uint8
    assert len(np.unique(found)) > 1
    np.testing.assert_array_equal(found, expected)  # these channels are their labels


def test_less_overlap_takes_fewer_windows(network):
    runs = []
    network.register_forward_hook(lambda *_: runs.append(1))
    volume = torch.rand(1, 40, 24, 32, generator=torch.Generator().manual_seed(0))
    counts = []
    for overlap in (0.0, 0.75):
        runs.clear()
        segment(volume, network, network.config.pipeline, overlap)
        counts.append(len(runs))
    assert counts[0] == 3 * 2 * 2 < counts[1]


def test_every_class_but_the_background_is_judged():
    rng = np.random.default_rng(0)
    truth, found = (rng.integers(0, 3, (12, 11, 10)).astype(np.uint8) for _ in range(2))
    spacing = (0.8, 0.8, 2.5)
    rows = judge("case", found, truth, LIVER, spacing, 3.0)
    assert [row.class_name for row in rows] == ["liver", "liver_tumor"]
    for channel, row in enumerate(rows, 1):
        expected = score(found == channel, truth == channel, spacing, 3.0)
        assert (row.case, row.outcome) == ("case", "found")
        assert (row.dice, row.nsd) == (expected.dice, expected.nsd)
        assert row.pred_volume_mm3 == pytest.approx((found == channel).sum() * 1.6)
        assert row.truth_volume_mm3 == pytest.approx((truth == channel).sum() * 1.6)
    loose, strict = (judge("a", found, truth, LIVER, spacing, mm)[1].nsd for mm in (3.0, 0.1))
    assert strict < loose


def test_where_there_is_nothing_there_is_no_number_and_a_false_alarm_is_zero():
    empty = np.zeros((8, 8, 8), np.uint8)
    alarm = empty.copy()
    alarm[2:4, 2:4, 2:4] = 2
    liver, tumor = judge("healthy", empty, empty, LIVER, (1, 1, 1), 2.0)
    assert tumor.outcome == liver.outcome == "both_empty"
    assert isnan(tumor.dice)
    alarmed = judge("alarmed", alarm, empty, LIVER, (1, 1, 1), 2.0)
    missed = judge("missed", empty, alarm, LIVER, (1, 1, 1), 2.0)
    hit = judge("hit", alarm, alarm, LIVER, (1, 1, 1), 2.0)
    assert (alarmed[1].outcome, alarmed[1].dice) == ("false_alarm", 0.0)
    rows = (liver, tumor, *alarmed, *missed, *hit)
    # The first says nothing; of the other three, one is right.
    assert means(rows, LIVER) == {
        "dice_liver_tumor": 1 / 3, "nsd_liver_tumor": 1 / 3,
        "mean_dice": 1 / 3, "tumor_dice": 1 / 3,
    }  # fmt: skip
    assert means((liver, tumor), LIVER) == {}


def _row(case, name, dice, nsd=0.5):
    return Row(case, name, "found", dice, nsd, 1.0, 1.0)


def test_classes_count_alike_however_many_cases_they_have():
    classes = ("background", "liver", "liver_tumor", "kidney", "kidney_tumor")
    rows = (
        _row("a", "liver", 0.9), _row("b", "liver", 0.7), _row("c", "liver", 0.8),
        _row("a", "liver_tumor", 0.2), _row("b", "liver_tumor", nan, nan),
        _row("b", "kidney_tumor", 0.6), _row("c", "kidney", 1.0),
    )  # fmt: skip
    found = means(rows, classes)
    assert found["dice_liver"] == pytest.approx(0.8)
    assert found["tumor_dice"] == pytest.approx((0.2 + 0.6) / 2)
    assert found["mean_dice"] == pytest.approx((0.8 + 0.2 + 1.0 + 0.6) / 4)
    assert found["nsd_kidney_tumor"] == 0.5


rows_of_cases = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(LIVER[1:]), st.floats(0, 1)),
    max_size=40, unique_by=lambda each: each[:2],
).map(lambda rows: [_row(f"case{n}", name, dice, dice) for n, name, dice in rows])  # fmt: skip


@given(rows_of_cases, st.integers(0, 99))
def test_neither_order_nor_repetition_changes_a_bit(rows, seed):
    shuffled = [*rows, *rows[:5]]
    random.Random(seed).shuffle(shuffled)
    assert gather(shuffled) == gather(rows)
    assert means(gather(shuffled), LIVER) == means(rows, LIVER)


def test_rows_are_in_the_order_of_their_cases():
    rows = gather([_row("b", "liver", 0.5), _row("a", "liver_tumor", 0.5), _row("a", "liver", 1)])
    assert [(row.case, row.class_name) for row in rows] == [
        ("a", "liver"), ("a", "liver_tumor"), ("b", "liver"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"overlap": 1.0}, "overlap"),
        ({"overlap": -0.1}, "overlap"),
        ({"tolerance_mm": -1.0}, "tolerance_mm"),
        ({"tolerance_mm": nan}, "tolerance_mm"),
        ({"pictures": -1}, "pictures"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change, word):
    with pytest.raises(InputError, match=word):
        validation.check(ValidationSettings(**change))
