"""The table of epochs: its numbers, and what a resumed run makes of it."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from oncoforge.errors import InputError
from oncoforge.training.callbacks import Metrics, Throughput
from oncoforge.training.callbacks.metrics import read
from oncoforge.training.files import TABLE


def test_a_row_holds_the_numbers_of_its_epoch(tiny, train, folder):
    module = tiny([0.1, 0.2])
    train(module, [Throughput(), Metrics(folder)], 2)
    rows = read(folder / TABLE)
    assert list(rows[0]) == [
        *("epoch", "step", "lr", "train/loss", "samples_per_s", "data_wait"),
        *("val/tumor_dice", "val/dice_liver_tumor", "val/nsd_liver_tumor", "val/dice_liver"),
        "val/mean_dice",
    ]
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 3), (2, 6)]
    # Of the last step: the sixth, with 1 / (1 + n) of the highest rate after n steps.
    assert [row["lr"] for row in rows] == pytest.approx([0.1 / 3, 0.1 / 6], rel=1e-12)
    losses = np.reshape(module.losses, (2, 3)).mean(axis=1)
    assert [row["train/loss"] for row in rows] == pytest.approx(losses, rel=1e-6)
    assert [row["val/tumor_dice"] for row in rows] == [0.1, 0.2]
    assert [row["val/mean_dice"] for row in rows] == [0.5, 0.55]
    assert all(row["samples_per_s"] > 0 and 0 < row["data_wait"] < 1 for row in rows)


def test_epochs_without_a_validation_have_no_scores(tiny, train, folder):
    train(tiny([0.1, 0.2, 0.3, 0.4]), [Metrics(folder)], 4, check_val_every_n_epoch=2)
    with (folder / TABLE).open() as file:
        cells = [row["val/tumor_dice"] for row in csv.DictReader(file)]
    assert cells == ["", "0.2", "", "0.4"]
    assert [row.get("val/tumor_dice") for row in read(folder / TABLE)] == [None, 0.2, None, 0.4]


def test_whole_numbers_are_written_as_such(tiny, train, folder):
    train(tiny([0.1]), [Metrics(folder)])
    with (folder / TABLE).open() as file:
        assert next(csv.DictReader(file))["step"] == "3"


def test_a_resumed_run_keeps_the_rows_of_what_is_done(tiny, train, resume, folder):
    scores = [0.1, 0.2, 0.3, 0.4]
    once = folder / "once"
    once.mkdir()
    train(tiny(scores), [Metrics(once)], 4)
    kept = resume(folder, keep=True)
    train(tiny(scores), [Metrics(folder), kept], 3, enable_checkpointing=True)
    # As if it had been killed after the third epoch's row and before its checkpoint.
    train(tiny(scores), [Metrics(folder)], 4, ckpt=folder / "2.ckpt")
    assert (folder / TABLE).read_bytes() == (once / TABLE).read_bytes()


def test_a_new_run_begins_a_new_table(tiny, train, folder):
    for _ in range(2):
        train(tiny([0.1]), [Metrics(folder)])
    assert len(read(folder / TABLE)) == 1


@pytest.mark.parametrize("text", ["case,dice\na,1\n", "epoch\nsoon\n", "epoch\n1,2\n"])
def test_another_table_in_its_place_is_refused(folder, text):
    (folder / TABLE).write_text(text)
    with pytest.raises(InputError, match="move it away"):
        read(folder / TABLE)
