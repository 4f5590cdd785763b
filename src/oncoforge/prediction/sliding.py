"""Run a network over a volume, window by window, in memory that a slab bounds.

Windows are run in the order of their first axis. Once the windows have moved on, the rows behind
them are finished and handed out, so that only as many rows as a window has are ever accumulated.
The numbers are those of MONAI's ``sliding_window_inference`` with Gaussian weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import chain, combinations, groupby
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.parallel import Progress, silent
from oncoforge.prediction.windows import Windows, importance, plan_windows

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

PRECISIONS: Final = ("auto", "float32", "bfloat16", "float16")
"""What networks calculate in: ``auto`` is float32 on a CPU, and 16 bits on a GPU."""


@dataclass(frozen=True, eq=False)
class Slab:
    """Finished rows of a volume.

    Parameters
    ----------
    start, stop
        First row along the first axis, and the one after the last.
    corner
        First voxel along the second and the third axis.
    logits
        float32 (classes, stop - start, Y, Z); 0 where no window was run.
    """

    start: int
    stop: int
    corner: tuple[int, int]
    logits: Tensor


@dataclass(frozen=True)
class Runner:
    """How a network is run.

    Parameters
    ----------
    device
        Such as ``"cpu"`` or ``"cuda:0"``.
    precision
        One of `PRECISIONS` but ``"auto"``.
    flips
        Axes (0, 1, 2 for R, A, S) along which windows are mirrored too, in every combination: one
        axis doubles the work. The mean of the logits counts.
    """

    device: str = "cpu"
    precision: str = "float32"
    flips: tuple[int, ...] = ()

    def __call__(self, network: nn.Module, window: Tensor) -> Tensor:
        """Return the logits of one window: (channels, X, Y, Z) to float32 (classes, X, Y, Z)."""
        import torch

        batch = window[None].to(self.device)
        # Axes of the batch; the first mirroring is none.
        axes = [axis + 2 for axis in self.flips]
        ways = list(chain.from_iterable(combinations(axes, n) for n in range(len(axes) + 1)))
        total: Tensor | None = None
        with torch.no_grad(), self._autocast():
            for way in ways:
                out = _first(network(batch.flip(way) if way else batch))
                out = out.float().flip(way) if way else out.float()
                total = out if total is None else total + out
        assert total is not None  # there is one way at least
        return total[0] / len(ways) if len(ways) > 1 else total[0]

    def _autocast(self) -> AbstractContextManager[Any]:
        import torch

        if self.precision == "float32":
            return nullcontext()
        kind = torch.device(self.device).type
        return torch.autocast(kind, dtype=getattr(torch, self.precision))


def choose(device: str | torch.device | None, precision: str, flips: Sequence[int]) -> Runner:
    """Check how a network shall be run, and settle what was left open.

    Parameters
    ----------
    device
        None for the GPU if there is one, else the CPU.
    precision
        One of `PRECISIONS`.
    flips
        As for `Runner`.

    Raises
    ------
    InputError
        If there is no such device, it has no such precision, or an axis is none.
    UnknownNameError
        If there is no such precision.
    """
    import torch

    if precision not in PRECISIONS:
        raise UnknownNameError("precision", precision, PRECISIONS)
    if sorted(set(flips)) != sorted(flips) or not set(flips) <= {0, 1, 2}:
        raise InputError(f"flips is {tuple(flips)}; name each of the axes 0, 1 and 2 once at most.")
    cuda = torch.cuda.is_available()
    name = str(device) if device is not None else "cuda" if cuda else "cpu"
    try:
        kind = torch.device(name).type
    except RuntimeError:
        raise InputError(f"There is no device {name!r}; use cpu, cuda or cuda:0.") from None
    if kind == "cuda" and not cuda:
        raise InputError(f"Device {name!r} needs a CUDA GPU, and PyTorch finds none; use cpu.")
    if precision == "auto":
        fine = kind == "cuda" and torch.cuda.is_bf16_supported()
        precision = "float32" if kind != "cuda" else "bfloat16" if fine else "float16"
    if precision == "float16" and kind != "cuda":
        raise InputError("float16 needs a CUDA GPU; on a CPU use float32 or bfloat16.")
    return Runner(name, precision, tuple(sorted(flips)))


def slabs(
    image: Tensor, network: nn.Module, windows: Windows, runner: Runner, progress: Progress = silent
) -> Iterator[Slab]:
    """Run a network and hand out its logits in rows, as soon as no window changes them any more.

    Parameters
    ----------
    image
        float32 (channels, X, Y, Z), as the network takes it; on the CPU, or where there is room.
    network
        In eval mode, on the runner's device.
    windows
        From `plan_windows`, for the shape of the image.
    runner
        How it is run.
    progress
        Called after each window.

    Yields
    ------
    Slab
        In order, without overlap; nothing of rows that no window holds.
    """
    import torch

    depth = windows.patch[0]
    corner, (rows, columns) = _plane(windows)
    weights = importance(windows.patch, runner.device)
    summed = torch.empty(0)
    counted = torch.zeros((depth, rows, columns), device=runner.device)
    first, done = -1, 0
    for row, group in groupby(windows.starts, key=lambda start: start[0]):
        if first >= 0:
            step = min(row - first, depth)
            yield _slab(first, corner, summed[:, :step], counted[:step])
            _move_on(summed, counted, step)
        first = row
        for start in group:
            place = tuple(slice(s, s + n) for s, n in zip(start, windows.patch, strict=True))
            logits = runner(network, image[(slice(None), *place)])
            if not summed.numel():
                shape = (len(logits), *counted.shape)
                summed = torch.zeros(shape, device=runner.device)
            y, z = (slice(p.start - c, p.stop - c) for p, c in zip(place[1:], corner, strict=True))
            summed[:, :, y, z] += logits * weights
            counted[:, y, z] += weights
            done += 1
            progress(done, len(windows.starts))
    if first >= 0:
        yield _slab(first, corner, summed, counted)


def sliding_window(
    image: Tensor,
    network: nn.Module,
    patch: Sequence[int],
    overlap: float = 0.5,
    *,
    gate: npt.NDArray[np.bool_] | None = None,
    runner: Runner | None = None,
    progress: Progress = silent,
) -> Tensor:
    """Run a network over a whole volume that is prepared for it already.

    Parameters
    ----------
    image
        float32 (channels, X, Y, Z), as the network takes it. Along an axis that is shorter than a
        window, zeros are added on both sides, and taken off the result.
    network
        A segmentation network in eval mode, on the runner's device.
    patch
        Voxels of a window.
    overlap
        Part of a window that it shares with its neighbour.
    gate
        bool (X, Y, Z): run only the windows that hold a voxel of it. There the result is what it
        is without a gate, to the bit.
    runner
        How the network is run; by default on the device of the image, in float32.
    progress
        Called after each window.

    Returns
    -------
    torch.Tensor
        float32 (classes, X, Y, Z), logits on the device of the image; 0 where no window was run.

    Raises
    ------
    InputError
        If the overlap makes no sense, or the gate lets no window through.
    """
    import torch
    from torch.nn import functional

    shape = tuple(image.shape[1:])
    missing = [max(n - size, 0) for size, n in zip(shape, patch, strict=True)]
    before = [n // 2 for n in missing]
    if any(missing):
        ends = [(b, n - b) for b, n in zip(before, missing, strict=True)]
        image = functional.pad(image, [n for pair in reversed(ends) for n in pair])
        gate = None if gate is None else np.pad(gate, ends)
    windows = plan_windows(image.shape[1:], patch, overlap, gate)
    if not windows.starts:
        raise InputError("The gate holds no voxel, so there is no window to run.")
    whole: Tensor | None = None
    for slab in slabs(image, network, windows, runner or Runner(str(image.device)), progress):
        if whole is None:
            whole = torch.zeros((len(slab.logits), *image.shape[1:]), device=image.device)
        place = (slice(slab.start, slab.stop), *_planes(slab))
        whole[(slice(None), *place)] = slab.logits.to(image.device)
    assert whole is not None  # there was a window
    inner = tuple(slice(b, b + n) for b, n in zip(before, shape, strict=True))
    return whole[(slice(None), *inner)]


def _first(out: Any) -> Tensor:
    """Return the logits of a network, of which some give coarser ones beside."""
    return out if not isinstance(out, list | tuple) else out[0]


def _plane(windows: Windows) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return where the windows begin along the last two axes, and how many voxels they span."""
    _, (y, end_y), (z, end_z) = windows.spans
    return (y, z), (end_y - y, end_z - z)


def _planes(slab: Slab) -> tuple[slice, slice]:
    y, z = (slice(c, c + n) for c, n in zip(slab.corner, slab.logits.shape[2:], strict=True))
    return y, z


def _slab(first: int, corner: tuple[int, int], summed: Tensor, counted: Tensor) -> Slab:
    # No weight is below 0.001: the limit only spares the voxels without a window a 0 / 0.
    mean = summed / counted.clamp(min=1e-6)
    return Slab(first, first + summed.shape[1], corner, mean)


def _move_on(summed: Tensor, counted: Tensor, step: int) -> None:
    """Drop the first rows of what is accumulated, and make room behind the others."""
    for rows in (*summed, counted):
        left = len(rows) - step
        if left:
            rows[:left] = rows[step:].clone()
        rows[left:] = 0
