"""Segment one scan: with one network or several, on its own grid, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from oncoforge.analysis.body import Mask, body
from oncoforge.anatomy import LABELS
from oncoforge.case import Case
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.formats import Volume, read_image
from oncoforge.networks import Pipeline
from oncoforge.parallel import Progress, silent
from oncoforge.prediction.ensemble import Ensemble, tumors
from oncoforge.prediction.gate import GATES, MARGIN_MM, around
from oncoforge.prediction.models import at_work, common_classes, pipeline_of
from oncoforge.prediction.postprocess import Postprocess, find
from oncoforge.prediction.sliding import Runner, choose

if TYPE_CHECKING:
    import torch
    from torch import nn

Scan = Case | Volume | str | os.PathLike[str]
Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What networks see in a scan.

    Parameters
    ----------
    labels
        uint8 (X, Y, Z), oncoforge labels on the RAS+ grid of the scan.
    scan
        The scan: write with ``write_labels(path, prediction.labels, prediction.scan.source)``.
    classes
        Names of what the networks tell apart.
    probabilities
        Tumour class to float16 (X, Y, Z), 0 to 1, before any post-processing; empty if they were
        not asked for.
    windows
        How many windows were run, of all networks together, and of a coarse run for the gate.
    windows_without_gate
        How many there would be without a gate.
    remarks
        What to know of it: one sentence each.
    """

    labels: Labels
    scan: Volume | Case
    classes: tuple[str, ...]
    probabilities: Mapping[str, npt.NDArray[np.float16]] = field(default_factory=dict)
    windows: int = 0
    windows_without_gate: int = 0
    remarks: tuple[str, ...] = ()

    def volumes_mm3(self) -> dict[str, float]:
        """Volume of every class but the background, mm3."""
        counts = np.zeros(256, dtype=np.int64)
        for plane in self.labels:  # bincount widens its input to eight bytes a voxel
            counts += np.bincount(plane.ravel(), minlength=256)
        voxel = float(np.prod(self.scan.spacing))
        labels = Pipeline(self.classes).labels
        return {
            name: round(float(counts[label]) * voxel, 3)
            for name, label in zip(self.classes, labels, strict=True)
            if label
        }


def predict(
    scan: Scan,
    models: nn.Module | Sequence[nn.Module],
    *,
    organ: Mask | None = None,
    gate: str | Mask | None = None,
    margin_mm: float = MARGIN_MM,
    overlap: float | None = None,
    flips: Sequence[int] = (),
    precision: str = "auto",
    device: str | torch.device | None = None,
    postprocess: str | Postprocess | None = None,
    probabilities: bool = False,
    progress: Progress = silent,
) -> Prediction:
    """Segment a scan.

    The scan is resampled and its HU windowed as each network's pipeline says; the network is slid
    over it; logits are interpolated back onto the grid of the scan and the largest one wins. Of
    several networks the mean of their probabilities counts.

    Parameters
    ----------
    scan
        A case, a volume, or the path of an image or a DICOM folder.
    models
        Networks with a ``config`` whose pipeline is known, such as ``checkpoints.load`` gives. Of
        several, all have the same classes; their spacings, windows and patches may differ.
    organ
        bool (X, Y, Z) on the grid of the scan: where the organ is, with its tumours. For the gate
        ``"organ"``, and for the post-processing that takes the organ from elsewhere.
    gate
        Where an organ can be: a name of `GATES`, or a mask of one's own. Windows that hold nothing
        of it are not run, and all outside it is background; inside it nothing changes. By default
        ``"organ"`` if there is a mask of it, else ``"body"``. ``"coarse"`` runs the first network
        without overlap first.
    margin_mm
        What belongs to the gate around the organ, or around what the coarse run finds.
    overlap
        Of neighbouring windows; by default each pipeline's own.
    flips
        Axes (0, 1, 2 for R, A, S) along which windows are mirrored too; every axis doubles the
        work.
    precision
        What networks calculate in; ``"auto"`` is float32 on a CPU, 16 bits on a GPU.
    device
        By default the GPU if there is one.
    postprocess
        What is done with the labels; by default what the first network's pipeline says.
    probabilities
        Return those of the tumours too.
    progress
        Called after each window.

    Returns
    -------
    Prediction

    Raises
    ------
    InputError
        If the scan cannot be read, a network cannot be used, or what was given does not fit.
    UnknownNameError
        If there is no such gate, precision or post-processing.
    """
    networks = list(models) if isinstance(models, Sequence) else [models]
    check_numbers(overlap, margin_mm)
    classes = common_classes(networks)
    runner = choose(device, precision, flips)
    finish = find(pipeline_of(networks[0]).postprocess if postprocess is None else postprocess)
    volume = read_image(scan) if isinstance(scan, str | os.PathLike) else scan
    image = image_of(volume)
    _check_mask(organ, image.shape, "organ")
    if not isinstance(gate, np.ndarray):
        gate = check_gate(gate, organ is not None, finish)
    with at_work(networks, runner.device):
        allowed, before, remarks = _allowed(gate, volume, organ, margin_mm, networks[0], runner)
        made = Ensemble(networks, runner, overlap)(
            image, volume.spacing, allowed, probabilities=probabilities, progress=progress
        )
    labels = finish(made.labels, volume.spacing, classes, organ)
    return Prediction(
        labels,
        volume,
        classes,
        made.probabilities,
        made.windows + before,
        made.windows_without_gate,
        (*remarks, *_lost(made.labels, labels, classes)),
    )


def image_of(scan: Volume | Case) -> npt.NDArray[np.float32]:
    """Return the HU of a scan."""
    return scan.image if isinstance(scan, Case) else scan.array


def check_numbers(overlap: float | None, margin_mm: float) -> None:
    """Refuse an overlap or a margin that makes no sense.

    Raises
    ------
    InputError
        If one does not.
    """
    if overlap is not None and not 0 <= overlap < 1:
        raise InputError(f"overlap is {overlap}; give a part from 0, below 1.")
    if not margin_mm >= 0:
        raise InputError(f"margin_mm is {margin_mm}; give a length from 0 mm.")


def check_gate(name: str | None, masked: bool, finish: Postprocess | None = None) -> str:
    """Return the name of the gate that is meant.

    Parameters
    ----------
    name
        One of `GATES`; None for the narrowest that costs nothing.
    masked
        Whether there is a mask of the organ.
    finish
        The post-processing, which may need that mask too.

    Raises
    ------
    UnknownNameError
        If there is no such gate.
    InputError
        If a mask is needed and there is none.
    """
    if finish is not None and finish.needs_mask and not masked:
        raise InputError(
            f"The post-processing {finish.name!r} takes the organ from a mask; give --organs (in "
            "Python: organ=), or choose another --postprocess, such as none."
        )
    if name is None:
        return "organ" if masked else "body"
    if name not in GATES:
        raise UnknownNameError("gate", name, GATES)
    if name == "organ" and not masked:
        raise InputError(
            "The gate 'organ' needs a mask of the organ for every case: give --organs (in Python: "
            "organ=), or use --gate body."
        )
    return name


def _allowed(
    gate: str | Mask,
    scan: Volume | Case,
    organ: Mask | None,
    margin_mm: float,
    network: nn.Module,
    runner: Runner,
) -> tuple[Mask | None, int, list[str]]:
    """Return where an organ can be (None for everywhere), windows run for it, and remarks."""
    image, spacing = image_of(scan), scan.spacing
    if isinstance(gate, np.ndarray):
        _check_mask(gate, image.shape, "gate")
        return gate, 0, _empty(gate, "The gate")
    if gate == "none":
        return None, 0, []
    if gate == "organ":
        assert organ is not None  # check_gate looked
        near = around(organ, spacing, margin_mm)
        return near, 0, _empty(near, "The mask of the organ")
    inside = body(image, spacing)
    if gate == "body":
        return inside, 0, []
    plain = Runner(runner.device, runner.precision)
    first = Ensemble([network], plain, overlap=0.0)(image, spacing, inside)
    near = around(first.labels > 0, spacing, margin_mm)
    return near, first.windows, _empty(near, "What the coarse run found")


def _check_mask(mask: Any, shape: tuple[int, ...], name: str) -> None:
    if mask is None:
        return
    if getattr(mask, "dtype", None) != np.bool_ or mask.shape != shape:
        found = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask)
        raise InputError(f"{name} is a bool mask on the grid of the scan, {shape}; found {found}.")


def _empty(gate: Mask, what: str) -> list[str]:
    return [] if gate.any() else [f"{what} is empty, so everything is background."]


def _lost(before: Labels, after: Labels, classes: Sequence[str]) -> Iterator[str]:
    """Say which tumours the post-processing has taken away altogether."""
    for name in tumors(classes):
        label = LABELS[name.removesuffix("_tumor")] + 1
        if (before == label).any() and not (after == label).any():
            yield f"The post-processing removed all of the {name.replace('_tumor', ' tumour')}."
