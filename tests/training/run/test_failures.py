"""What ends a training is one sentence where people can mend it, whichever process it was in."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # MONAI's and Lightning's own, on import
    pytest.importorskip("torch")

import torch
from torch.utils.data import DataLoader, Dataset

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.training.run.failures import sentence_of

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


class Failing(Dataset[Any]):
    """One item, which cannot be had."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (InputError("This file cannot be read."), "This file cannot be read."),
        (UnknownNameError("organ", "livr", ["liver"]), "did you mean 'liver'?"),
        (MemoryError("1 TB"), "too little memory"),
    ],
)
def test_errors_of_other_processes_are_one_sentence(error, sentence):
    loader = DataLoader(Failing(error), num_workers=1, multiprocessing_context="fork")
    with pytest.raises((InputError, RuntimeError, MemoryError)) as raised:
        next(iter(loader))
    assert "Traceback" in str(raised.value)
    told = sentence_of(raised.value)
    assert told is not None
    assert told.endswith(sentence) or sentence in told
    assert "\n" not in told


def test_an_array_too_large_is_told_so():
    with pytest.raises(MemoryError) as raised:
        np.empty((1 << 20,) * 2, np.complex128)
    assert "too little memory" in str(sentence_of(raised.value))
    with pytest.raises(RuntimeError) as refused:
        torch.empty((1 << 20, 1 << 20, 64))
    assert "too little memory" in str(sentence_of(refused.value))


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("DataLoader worker (pid 3) is killed by signal: Killed. ", "fewer --data.workers"),
        ("DataLoader worker (pid(s) 3) exited unexpectedly", "fewer --data.workers"),
        (
            "DataLoader worker (pid 3) is killed by signal: Bus error. It is possible that "
            "dataloader's workers are out of shared memory.",
            "--shm-size",
        ),
    ],
)
def test_processes_that_the_system_ends_are_told_of(words, advice):
    assert advice in str(sentence_of(RuntimeError(words)))


def test_what_only_programmers_can_mend_is_left_as_it_is():
    assert sentence_of(RuntimeError("shapes do not match")) is None
    assert sentence_of(InputError("This says it already.")) is None
