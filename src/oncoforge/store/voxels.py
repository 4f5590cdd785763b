"""Which voxels of a case have which label: counted, and some of them drawn once and for all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

MOST: Final = 10_000
"""Locations that are kept of a label."""

Codes = npt.NDArray[np.uint8]
Points = npt.NDArray[np.int64]
Group = tuple[int, bool]
"""A label, and whether its bright voxels only are meant."""


def encode(labels: npt.NDArray[np.uint8], bright: npt.NDArray[np.bool_]) -> Codes:
    """Write labels (to 127) and whether voxels are bright as one number: twice the label, plus 1.

    Parameters
    ----------
    labels, bright
        (X, Y, Z).
    """
    return np.asarray(labels << 1 | bright, dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class Voxels:
    """How many voxels there are of each label, and some of them.

    Parameters
    ----------
    counts
        Voxels of each group that has any.
    locations
        (N, 3) of the same groups: at most `MOST` voxels each, drawn uniformly.
    """

    counts: dict[Group, int]
    locations: dict[Group, Points]

    @classmethod
    def of(cls, codes: Codes, rng: np.random.Generator) -> Voxels:
        """Count and draw.

        Needs little memory beside the volume itself, whatever its size: which of a label's voxels
        are drawn is known before they are looked for, plane by plane.

        Parameters
        ----------
        codes
            (X, Y, Z) of `encode`.
        rng
            Depends on nothing but the case.
        """
        planes = np.stack([np.bincount(plane.ravel(), minlength=256) for plane in codes])
        totals = planes.sum(axis=0)
        groups = list(_groups(totals))
        counts = {group: int(totals[_span(group)].sum()) for group in groups}
        drawn = {
            group: np.sort(rng.choice(number, min(number, MOST), replace=False, shuffle=False))
            for group, number in counts.items()
        }
        return cls(counts, _located(codes, planes, drawn))


def _groups(totals: npt.NDArray[np.int64]) -> Iterator[Group]:
    for label in range(128):
        for bright in (False, True):
            if totals[_span((label, bright))].any():
                yield label, bright


def _span(group: Group) -> slice:
    """Return the codes of a group, which follow each other."""
    label, bright = group
    return slice(2 * label + bright, 2 * label + 2)


def _located(
    codes: Codes, planes: npt.NDArray[np.int64], drawn: dict[Group, Points]
) -> dict[Group, Points]:
    """Find voxels of which it is known as the how manyeth of their group they come."""
    found: dict[Group, list[Points]] = {group: [] for group in drawn}
    passed = dict.fromkeys(drawn, 0)
    for x, plane in enumerate(codes):
        order = np.argsort(plane, axis=None, kind="stable")
        ends = np.cumsum(planes[x])
        for group, ranks in drawn.items():
            span = _span(group)
            start = int(ends[span.start - 1]) if span.start else 0
            number = int(ends[span.stop - 1]) - start
            first, last = np.searchsorted(ranks, (passed[group], passed[group] + number))
            at = order[start + ranks[first:last] - passed[group]]
            y, z = np.divmod(at, plane.shape[1])
            found[group].append(np.stack([np.full_like(y, x), y, z], axis=1))
            passed[group] += number
    return {group: np.concatenate(parts) for group, parts in found.items()}
