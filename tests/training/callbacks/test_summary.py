"""The summary of a run: what it says, and that it says nothing of the time."""

from __future__ import annotations

import json

from PIL import Image as Pillow

from oncoforge.training.callbacks import SummaryFile, Weights, summary, writers
from oncoforge.training.files import CURVES, SUMMARY


def _summary(folder):
    return json.loads((folder / SUMMARY).read_text())


def test_the_summary_tells_of_the_best_validation(tiny, train, folder):
    train(tiny([0.2, 0.6, 0.4]), writers(folder), 3)
    told = _summary(folder)
    assert (told["epochs"], told["steps"], told["best_epoch"], told["best_step"]) == (3, 9, 2, 6)
    assert (told["best_tumor_dice"], told["best_mean_dice"]) == (0.6, 0.75)
    assert told["best"] == {"liver": {"dice": 0.9}, "liver_tumor": {"dice": 0.6, "nsd": 0.3}}
    assert [(row["case"], row["class_name"], row["dice"]) for row in told["cases"]] == [
        ("a", "liver", 0.9),
        ("a", "liver_tumor", 0.6),
        ("b", "liver_tumor", None),
    ]
    assert told["network"]["name"] == "unet"
    assert told["network"]["options"]["channels"] == [4, 8]
    assert told["network"]["pipeline"]["classes"] == ["background", "liver", "liver_tumor"]
    assert told["network"]["parameters"] > 0
    assert told["data"] is None


def test_the_same_training_writes_the_same_summary(tiny, train, tmp_path):
    texts = []
    for name in "ab":
        (tmp_path / name).mkdir()
        train(tiny([0.2, 0.6]), writers(tmp_path / name), 2)
        texts.append((tmp_path / name / SUMMARY).read_bytes())
    assert texts[0] == texts[1]
    assert list(json.loads(texts[0])) == sorted(json.loads(texts[0]))


def test_a_run_without_a_validation_has_a_summary_too(tiny, train, folder):
    train(tiny([0.2]), writers(folder), limit_val_batches=0)
    told = _summary(folder)
    assert (told["epochs"], told["best_epoch"], told["best"], told["cases"]) == (1, None, {}, [])


def test_what_the_data_say_of_themselves_is_told(tiny, train, given, folder, batches):
    class Data(given):
        def describe(self):
            return {"training": 3}

    train(tiny([0.2]), [SummaryFile(folder)], data=Data(batches))
    assert _summary(folder)["data"] == {"training": 3}


def test_curves_are_drawn_after_validations_and_at_the_end(tiny, train, folder, monkeypatch):
    drawn = []

    def draw(rows, best, *_):
        drawn.append((len(rows), best))
        return b"a picture"

    monkeypatch.setattr(summary, "draw", draw)
    train(tiny([0.1, 0.3, 0.2]), writers(folder), 3, check_val_every_n_epoch=2)
    assert drawn == [(2, 2), (3, 2), (3, 2)]
    assert (folder / CURVES).read_bytes() == b"a picture"


def test_curves_are_a_picture(tiny, train, folder):
    train(tiny([0.1]), writers(folder))
    with Pillow.open(folder / CURVES) as picture:
        assert picture.size == (1100, 726)


def test_without_a_table_no_curves_are_drawn(tiny, train, folder):
    train(tiny([0.1]), [Weights(folder), SummaryFile(folder)])
    assert not (folder / CURVES).exists()
