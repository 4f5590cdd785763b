"""Run one network or several over one scan, side by side, and keep the most probable classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from oncoforge.analysis.body import Mask, Spacing, box_of
from oncoforge.networks import Pipeline
from oncoforge.parallel import Progress, silent
from oncoforge.prediction.models import pipeline_of
from oncoforge.prediction.prepare import Prepared, prepare
from oncoforge.prediction.restore import Rows, restore
from oncoforge.prediction.sliding import Runner, slabs
from oncoforge.prediction.windows import Windows

if TYPE_CHECKING:
    from torch import Tensor, nn

Image = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Segmented:
    """What networks see in a scan, not treated yet.

    Parameters
    ----------
    labels
        uint8 (X, Y, Z), oncoforge labels.
    probabilities
        Tumour class to float16 (X, Y, Z); empty unless asked for.
    windows, windows_without_gate
        How many windows were run, of all networks together, and would be.
    """

    labels: Labels
    probabilities: dict[str, npt.NDArray[np.float16]] = field(default_factory=dict)
    windows: int = 0
    windows_without_gate: int = 0


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Networks of the same classes, and how they are run.

    Parameters
    ----------
    networks
        On the runner's device, in eval mode.
    runner
        Device, precision and flips.
    overlap
        Of neighbouring windows; None for each pipeline's own.
    """

    networks: Sequence[nn.Module]
    runner: Runner
    overlap: float | None = None

    def __call__(
        self,
        image: Image,
        spacing: Spacing,
        gate: Mask | None = None,
        *,
        probabilities: bool = False,
        progress: Progress = silent,
    ) -> Segmented:
        """Segment a scan; outside of the gate everything is background.

        Of one network the largest logit wins, of several the largest mean probability. Neither the
        logits nor the probabilities of the whole scan are ever there at once, but those of the
        tumours if they are asked for.
        """
        classes = pipeline_of(self.networks[0]).classes
        members = self._members(image, spacing, gate)
        plans = [member.windows for member in members]
        total = sum(plan.total for plan in plans)
        labels = np.zeros(image.shape, dtype=np.uint8)
        kept = tumors(classes) if probabilities else {}
        found = {name: np.zeros(image.shape, dtype=np.float16) for name in kept}
        box = tuple(slice(0, n) for n in image.shape) if gate is None else box_of(gate)
        if box is None:
            return Segmented(labels, found, 0, total)
        x, y, z = box
        count = _Counter(sum(len(plan.starts) for plan in plans), progress)
        streams = [
            restore(member.slabs(self.runner, count), member.prepared, (x, y, z), len(classes))
            for member in members
        ]
        numbers = np.array(Pipeline(classes).labels, dtype=np.uint8)
        for rows in zip(*streams, strict=True):
            where = rows[0].place
            outside = None if gate is None else ~gate[where]
            scores = rows[0].logits if len(rows) == 1 else _mean(rows)
            labels[where] = _closed(numbers[scores.max(0).indices.cpu().numpy()], outside)
            if kept:
                likely = _mean(rows) if len(rows) == 1 else scores
            for name, channel in kept.items():
                found[name][where] = _closed(likely[channel].half().cpu().numpy(), outside)
        return Segmented(labels, found, count.of, total)

    def _members(self, image: Image, spacing: Spacing, gate: Mask | None) -> list[_Member]:
        """Prepare the scan for every network, once for those that take it alike."""
        ready: dict[Any, Prepared] = {}
        members = []
        for network in self.networks:
            pipeline = pipeline_of(network)
            key = pipeline.spacing_mm, pipeline.window_hu, pipeline.values, pipeline.patch
            if key not in ready:
                ready[key] = prepare(image, spacing, pipeline)
            overlap = pipeline.overlap if self.overlap is None else self.overlap
            windows = ready[key].windows(pipeline.patch, overlap, gate)
            members.append(_Member(network, ready[key], windows))
        return members


@dataclass(frozen=True, eq=False)
class _Member:
    """A network, the scan as it takes it, and its windows."""

    network: nn.Module
    prepared: Prepared
    windows: Windows

    def slabs(self, runner: Runner, progress: Progress) -> Any:
        return slabs(self.prepared.image, self.network, self.windows, runner, progress)


class _Counter:
    """Counts the windows of several networks together."""

    def __init__(self, of: int, progress: Progress) -> None:
        self.done, self.of, self.progress = 0, of, progress

    def __call__(self, _done: int, _of: int) -> None:
        self.done += 1
        self.progress(self.done, self.of)


def tumors(classes: Sequence[str]) -> dict[str, int]:
    """Return the tumours among classes, with their channels."""
    return {name: n for n, name in enumerate(classes) if name.endswith("_tumor")}


def _mean(rows: Sequence[Rows]) -> Tensor:
    """Return the mean probabilities of several networks."""
    total = rows[0].logits.softmax(0)
    for other in rows[1:]:
        total = total + other.logits.softmax(0)
    return total if len(rows) == 1 else total / len(rows)


def _closed(values: npt.NDArray[Any], outside: Mask | None) -> npt.NDArray[Any]:
    if outside is not None:
        values[outside] = 0
    return values
