"""Logits of a network's windows, brought onto the voxels of the scan, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oncoforge.formats.lattice import Axis, interpolate_tensor
from oncoforge.prediction.prepare import Prepared
from oncoforge.prediction.sliding import Slab

if TYPE_CHECKING:
    from torch import Tensor

Box = tuple[slice, slice, slice]

_CHUNK_VALUES = 1 << 24


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of a scan.

    Parameters
    ----------
    place
        Where they are in the scan.
    logits
        float32 (classes, X, Y, Z) of that place.
    """

    place: Box
    logits: Tensor


def rows_per_chunk(box: Box, classes: int) -> int:
    """Return how many rows of a box to work on at once: some 64 MB of logits."""
    plane = (box[1].stop - box[1].start) * (box[2].stop - box[2].start) * classes
    return max(1, _CHUNK_VALUES // max(plane, 1))


def restore(slabs: Iterable[Slab], prepared: Prepared, box: Box, classes: int) -> Iterator[Rows]:
    """Interpolate logits linearly on the voxels of the scan, as they come.

    Parameters
    ----------
    slabs
        In order; what none of them holds has logits of 0.
    prepared
        What the network was run on.
    box
        The part of the scan that is wanted.
    classes
        Channels of the logits.

    Yields
    ------
    Rows
        Consecutive ones that make up the box; as many at once whatever the slabs are, so that
        those of several networks go together.
    """
    held = _Held(slabs, prepared.added)
    step = rows_per_chunk(box, classes)
    for start in range(box[0].start, box[0].stop, step):
        place = (slice(start, min(start + step, box[0].stop)), *box[1:])
        axes = prepared.lattice.to_scan
        if axes is None:
            yield Rows(place, held.take([(p.start, p.stop) for p in place], classes))
            continue
        spans = [
            (int(axis.lower[p.start]), int(axis.upper[p.stop - 1]) + 1)
            for axis, p in zip(axes, place, strict=True)
        ]
        near = held.take(spans, classes)
        parts: list[Axis] = [
            axis.part(p, first) for axis, p, (first, _) in zip(axes, place, spans, strict=True)
        ]
        yield Rows(place, interpolate_tensor(near, parts))


class _Held:
    """The slabs that rows to come may need.

    Parameters
    ----------
    slabs
        In order.
    added
        Voxels in front of the network's first one that are not of the scan.
    """

    def __init__(self, slabs: Iterable[Slab], added: tuple[int, ...]) -> None:
        self.coming, self.added = iter(slabs), added
        self.slabs: list[Slab] = []

    def take(self, spans: list[tuple[int, int]], classes: int) -> Tensor:
        """Return the logits of a box, whose rows never begin before those of the last one."""
        import torch

        (x, end), *plane = (
            (first + a, last + a) for (first, last), a in zip(spans, self.added, strict=True)
        )
        self._fetch(x, end)
        device = self.slabs[0].logits.device if self.slabs else None
        shape = (classes, end - x, *(last - first for first, last in plane))
        box = torch.zeros(shape, device=device)
        for slab in self.slabs:
            _copy(slab, (x, end), plane, box)
        return box

    def _fetch(self, start: int, stop: int) -> None:
        """Drop what lies before, and get what lies before the end."""
        self.slabs = [slab for slab in self.slabs if slab.stop > start]
        while not self.slabs or self.slabs[-1].stop < stop:
            slab = next(self.coming, None)
            if slab is None:
                return
            if slab.stop > start:
                self.slabs.append(slab)


def _copy(slab: Slab, rows: tuple[int, int], plane: list[tuple[int, int]], box: Tensor) -> None:
    """Write what a slab has of a box into it."""
    spans = [rows, *plane]
    corner = (slab.start, *slab.corner)
    sizes = slab.logits.shape[1:]
    first = [max(a, c) for (a, _), c in zip(spans, corner, strict=True)]
    last = [min(b, c + n) for (_, b), c, n in zip(spans, corner, sizes, strict=True)]
    if any(b <= a for a, b in zip(first, last, strict=True)):
        return
    there = [slice(a - s, b - s) for a, b, (s, _) in zip(first, last, spans, strict=True)]
    here = [slice(a - c, b - c) for a, b, c in zip(first, last, corner, strict=True)]
    box[(slice(None), *there)] = slab.logits[(slice(None), *here)]
