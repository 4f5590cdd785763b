"""Which case every item of an epoch is cut from, and which items are a process's own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy.typing as npt
from torch.utils.data.distributed import DistributedSampler

from oncoforge.errors import InputError
from oncoforge.training.seeds import generator


class Draw(NamedTuple):
    """The key of one training patch; all that is random in it follows from this and the seed.

    Attributes
    ----------
    epoch
        From 0.
    item
        Its number in the epoch, from 0.
    """

    epoch: int
    item: int


@dataclass(frozen=True)
class Mix:
    """Says which case an item is cut from.

    Cases of a pool come in a shuffled order, all of them before any comes again, however many
    items an epoch has; pools are mixed by their shares, exactly in the long run.

    Parameters
    ----------
    pools
        Two groups of cases, by their numbers; one may be empty.
    shares
        Relative share of the items that each pool gets.
    items
        How many an epoch has.
    seed
        Of the run.

    Raises
    ------
    InputError
        If a share makes no sense, or goes to a pool without cases.
    """

    pools: tuple[tuple[int, ...], tuple[int, ...]]
    shares: tuple[float, float]
    items: int
    seed: int = 0

    def __post_init__(self) -> None:
        fine = all(math.isfinite(share) and share >= 0 for share in self.shares)
        if not fine or sum(self.shares) <= 0:
            shown = ", ".join(f"{share:g}" for share in self.shares)
            raise InputError(f"Shares of a mix are not negative, and one is above 0; not {shown}.")
        if self.items < 1:
            raise InputError(f"patches_per_epoch is {self.items}; give a number from 1.")
        if any(share > 0 and not pool for pool, share in zip(self.pools, self.shares, strict=True)):
            raise InputError("A pool of cases that has none cannot have a share of the items.")

    def case(self, draw: Draw) -> int:
        """Return the number of the case that an item is cut from."""
        place = int(_shuffled(self.items, self.seed, "mix", draw.epoch)[draw.item])
        for number, (first, stop) in enumerate(self._parts(draw.epoch)):
            if place < stop - first:
                # Counted over all epochs, so that an epoch begins where the last one ended.
                turn, index = divmod(first + place, len(self.pools[number]))
                shuffled = _shuffled(len(self.pools[number]), self.seed, "case", number, turn)
                return self.pools[number][int(shuffled[index])]
            place -= stop - first
        raise IndexError(f"An epoch has {self.items} items; there is no item {draw.item}.")

    def _parts(self, epoch: int) -> list[tuple[int, int]]:
        """Return, for each pool, its items before an epoch and those up to its end."""
        share = self.shares[0] / sum(self.shares)
        bounds = [_whole(share * self.items * number) for number in (epoch, epoch + 1)]
        rest = [
            self.items * number - n for number, n in zip((epoch, epoch + 1), bounds, strict=True)
        ]
        return [(bounds[0], bounds[1]), (rest[0], rest[1])]


def _whole(count: float) -> int:
    """Round down, but for what is only not whole because 0.1 is not quite a tenth."""
    return math.floor(count + 1e-6)


@lru_cache(maxsize=32)
def _shuffled(length: int, seed: int, *what: int | str) -> npt.NDArray[Any]:
    """Return the numbers from 0 in an order that depends on the arguments alone."""
    return generator(seed, *what).permutation(length)


class EpochSampler(DistributedSampler[Draw]):
    """Yields the keys of one process: of rank r of w, the items r, r + w, and so on.

    Where w does not divide their number, the first items of the epoch fill up the last step, so
    that all ranks take equally many. It is a `DistributedSampler`, so that Lightning leaves it as
    it is and tells it the epoch.

    Parameters
    ----------
    items
        How many an epoch has.
    rank, ranks
        Of this process, and how many there are.
    """

    def __init__(self, items: int, rank: int = 0, ranks: int = 1) -> None:
        self.items = items
        super().__init__(range(items), num_replicas=ranks, rank=rank, shuffle=False)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Draw]:
        for step in range(len(self)):
            yield Draw(self.epoch, (step * self.num_replicas + self.rank) % self.items)


class CaseSampler(DistributedSampler[int | None]):
    """Yields the cases of one process, in order, and None where others still have one.

    Parameters
    ----------
    cases
        How many there are.
    rank, ranks
        Of this process, and how many there are.
    """

    def __init__(self, cases: int, rank: int = 0, ranks: int = 1) -> None:
        self.cases = cases
        super().__init__(range(cases), num_replicas=ranks, rank=rank, shuffle=False)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[int | None]:
        for number in range(self.rank, len(self) * self.num_replicas, self.num_replicas):
            yield number if number < self.cases else None
