"""Work in parallel: results in order, failures as sentences, and a killed worker."""

from __future__ import annotations

import time

import psutil
import pytest

from oncoforge.errors import InputError
from oncoforge.parallel import Failure, cores, dismiss, each

both_ways = pytest.mark.parametrize("workers", [1, 2])


# Made inside functions: worker processes cannot import this module.


def _slow_square():
    def square(number: int) -> int:
        # The first ones take longest: order must not depend on it.
        time.sleep(0.02 * (5 - min(number, 5)))
        return number * number

    return square


def _picky_one():
    def picky(number: int) -> int:
        if number == 1:
            raise InputError("one.nii.gz: this is no scan.")
        if number == 2:
            raise ValueError("no idea")
        if number == 3:
            raise MemoryError
        return number

    return picky


def _stop(_: int) -> int:
    raise KeyboardInterrupt


@both_ways
def test_results_come_in_order_with_progress(workers):
    told: list[tuple[int, int]] = []
    found = each(_slow_square(), range(6), workers, lambda done, of: told.append((done, of)))
    assert list(found) == [0, 1, 4, 9, 16, 25]
    assert told == [(n, 6) for n in range(1, 7)]


@both_ways
def test_what_fails_is_a_sentence_and_the_others_go_on(workers):
    found = list(each(_picky_one(), range(5), workers))
    assert found[0] == 0
    assert found[4] == 4
    assert found[1] == Failure("one.nii.gz: this is no scan.")
    assert isinstance(found[2], Failure)
    assert "2" in found[2].sentence
    assert "no idea" in found[2].sentence
    assert isinstance(found[3], Failure)
    assert "memory" in found[3].sentence


@pytest.mark.parametrize("workers", [1, 2, 9, None])
def test_no_items_and_one_item_are_served_by_any_number_of_workers(workers):
    assert list(each(_picky_one(), [], workers)) == []
    assert list(each(_picky_one(), [7], workers)) == [7]


@pytest.mark.parametrize("workers", [0, -3])
def test_fewer_than_one_worker_is_an_error(workers):
    with pytest.raises(InputError, match="workers"):
        list(each(_picky_one(), [1], workers))


def test_results_are_yielded_as_they_come():
    seen = []
    found = each(seen.append, [1, 2, 3], 1)
    next(found)
    assert seen == [1]


def test_a_killed_worker_gives_a_sentence(monkeypatch):
    # Raised as joblib does when the system kills one: a real kill may leave the pool hanging.
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    class Dead:
        def __init__(self, *_: object, **__: object) -> None: ...

        def __call__(self, _: object) -> list[int]:
            raise TerminatedWorkerError("a worker was killed")

    monkeypatch.setattr(joblib, "Parallel", Dead)
    with pytest.raises(InputError, match=r"killed one of 2 worker processes.*--workers"):
        list(each(_slow_square(), range(4), 2))


def test_ctrl_c_passes():
    with pytest.raises(KeyboardInterrupt):
        list(each(_stop, [1, 2], 1))


def test_there_is_a_core():
    assert cores() >= 1


def test_workers_are_dismissed_and_come_again():
    me = psutil.Process()
    before = {child.pid for child in me.children(recursive=True)}
    for _ in range(2):
        assert list(each(abs, [-1, -2, -3], workers=2)) == [1, 2, 3]
        dismiss()
        left = [c for c in me.children(recursive=True) if "LokyProcess" in " ".join(c.cmdline())]
        assert [child for child in left if child.pid not in before] == []
    dismiss()
