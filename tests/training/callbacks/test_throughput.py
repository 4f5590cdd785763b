"""Samples per second and waiting, by a clock that only the test moves."""

from __future__ import annotations

from time import perf_counter

import pytest
import torch
from torch.utils.data import Dataset

from oncoforge.training.callbacks import Metrics, Throughput, throughput
from oncoforge.training.callbacks.metrics import read
from oncoforge.training.files import TABLE


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Slow(Dataset):
    """Each batch of two takes as long as it is told to come."""

    def __init__(self, clock: Clock, seconds: float, batches: int = 4) -> None:
        self.clock, self.seconds, self.batches = clock, seconds, batches

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        self.clock.now += self.seconds
        return {"image": torch.ones(2, 1, 8, 8, 8)}


def _train(train, tiny, given, folder, monkeypatch, loading, training, validating=0.0, **settings):
    clock = Clock()
    monkeypatch.setattr(throughput, "perf_counter", clock)

    class Timed(tiny):
        def training_step(self, batch, batch_idx):
            clock.now += training
            return super().training_step(batch, batch_idx)

        def validation_step(self, batch, batch_idx):
            clock.now += validating

    data = given(Slow(clock, loading))
    train(Timed([0.1] * 3), [Throughput(), Metrics(folder)], 2, data=data, **settings)
    return read(folder / TABLE)


@pytest.mark.parametrize(("loading", "training"), [(3.0, 1.0), (0.0, 2.0), (0.5, 1.5)])
def test_waiting_is_the_share_of_loading(
    train, tiny, given, folder, monkeypatch, loading, training
):
    rows = _train(train, tiny, given, folder, monkeypatch, loading, training)
    for row in rows:
        assert row["data_wait"] == pytest.approx(loading / (loading + training))
        assert row["samples_per_s"] == pytest.approx(2 / (loading + training))


@pytest.mark.parametrize("interval", [1.0, 0.5], ids=["at the end", "within the epoch"])
def test_validation_is_neither_waiting_nor_training(
    train, tiny, given, folder, monkeypatch, interval
):
    rows = _train(
        train, tiny, given, folder, monkeypatch, 1.0, 3.0, 100.0, val_check_interval=interval
    )
    assert [row["data_wait"] for row in rows] == pytest.approx([0.25, 0.25])


def test_real_clocks_are_read_by_default():
    assert throughput.perf_counter is perf_counter
