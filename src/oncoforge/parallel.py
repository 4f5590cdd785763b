"""One piece of work after another, or several at once: results in order, failures as sentences."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from oncoforge.errors import InputError, OncoforgeError

T = TypeVar("T")
R = TypeVar("R")

Progress = Callable[[int, int], None]
"""Called with how many pieces are done, and of how many."""


@dataclass(frozen=True)
class Failure:
    """A piece of work that could not be done.

    Parameters
    ----------
    sentence
        Why, for people.
    """

    sentence: str


@dataclass(frozen=True)
class _Guarded(Generic[T, R]):
    """Work whose errors are results, so that one bad case does not end the run."""

    work: Callable[[T], R]

    def __call__(self, item: T) -> R | Failure:
        try:
            return self.work(item)
        except OncoforgeError as error:
            return Failure(str(error))
        except MemoryError:
            return Failure(f"{item}: there is not enough memory for it; use fewer --workers.")
        except Exception as error:  # whatever a broken file makes a library raise
            return Failure(f"{item}: {type(error).__name__}: {error}")


def silent(_done: int, _of: int) -> None:
    """Show nothing of how far the work is."""


def cores() -> int:
    """Return how many processes can work at once here: what affinity and container allow."""
    import joblib  # slow to import, and many commands have one piece of work only

    return int(joblib.cpu_count())


def each(
    work: Callable[[T], R],
    items: Sequence[T],
    workers: int | None = None,
    progress: Progress = silent,
) -> Iterator[R | Failure]:
    """Do the same work on every item, in processes of their own.

    Parameters
    ----------
    work
        A function of a module (or a `functools.partial` of one) that can be pickled, as can its
        results. It draws no random numbers that depend on the process.
    items
        What to work on.
    workers
        Number of processes; None for as many as there are `cores`. 1 works in this process.
    progress
        Called after each item.

    Yields
    ------
    object
        One result per item, in their order, however many workers there are; a `Failure` where it
        raised anything. No more items are under way than there are workers.

    Raises
    ------
    InputError
        If the number of workers makes no sense, or the system killed a worker.
    """
    if workers is not None and workers < 1:
        raise InputError(f"workers is {workers}; give a number from 1.")
    guarded = _Guarded[T, R](work)
    number = min(cores() if workers is None else workers, len(items))
    if number <= 1:
        for done, item in enumerate(items, 1):
            yield guarded(item)
            progress(done, len(items))
        return
    import joblib

    pool = joblib.Parallel(number, return_as="generator", pre_dispatch=number, batch_size=1)
    try:
        for done, result in enumerate(pool(joblib.delayed(guarded)(item) for item in items), 1):
            yield result
            progress(done, len(items))
    except joblib.externals.loky.process_executor.TerminatedWorkerError as error:
        raise InputError(
            f"The system killed one of {number} worker processes, most likely because memory ran "
            "out; use fewer --workers."
        ) from error


def dismiss() -> None:
    """End the processes of `each` that wait for more work; the next call starts new ones.

    They hold memory, and what forks this process later would share their pipes.
    """
    if "joblib" in sys.modules:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown(wait=True)
