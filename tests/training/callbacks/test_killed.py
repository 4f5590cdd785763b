"""A run that is killed between any two of its writes ends as if it had not been."""

from __future__ import annotations

import os

import pytest
from lightning.pytorch.callbacks import EMAWeightAveraging

from oncoforge.training.callbacks import pictures, summary, writers
from oncoforge.training.callbacks.metrics import read
from oncoforge.training.files import TABLE

SCORES = [0.4, 0.3, 0.6]
TIMED = ("samples_per_s", "data_wait")


class Killed(BaseException):
    """What no one catches."""


@pytest.fixture
def run(tiny, train, resume, shown, monkeypatch):
    # Drawing takes most of the time; that the same values give the same picture is tested there.
    monkeypatch.setattr(pictures, "draw", lambda *given: repr(given).encode())
    monkeypatch.setattr(summary, "draw", lambda *given: b"")

    def once(folder):
        folder.mkdir(exist_ok=True)
        callbacks = [EMAWeightAveraging(decay=0.9), *writers(folder), resume(folder)]
        ckpt = folder / "resume.ckpt" if (folder / "resume.ckpt").exists() else None
        train(
            tiny(SCORES, shown=shown), callbacks, len(SCORES), ckpt, limit_train_batches=2,
            enable_checkpointing=True,
        )  # fmt: skip
        return _left(folder)

    return once


def _left(folder):
    """Return what does not depend on the time that a run took."""
    files = (path for path in folder.rglob("*") if path.suffix in (".safetensors", ".json", ".png"))
    left = {path.name: path.read_bytes() for path in files if path.name != "curves.png"}
    rows = [{k: v for k, v in row.items() if k not in TIMED} for row in read(folder / TABLE)]
    return left, rows


@pytest.mark.slow
def test_a_run_killed_at_any_write_ends_the_same(run, tmp_path, monkeypatch):
    replace = os.replace
    writes = 0

    def counting(source, target):
        nonlocal writes
        writes += 1
        replace(source, target)

    monkeypatch.setattr(os, "replace", counting)
    whole = run(tmp_path / "whole")
    assert len(whole[1]) == len(SCORES)
    assert len(whole[0]) == 3 + len(SCORES)  # best, last, summary, and a picture of each
    for when in range(writes):
        left = when

        def killing(source, target):
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            replace(source, target)

        monkeypatch.setattr(os, "replace", killing)
        with pytest.raises(Killed):
            run(tmp_path / str(when))
        monkeypatch.setattr(os, "replace", replace)
        assert run(tmp_path / str(when)) == whole
