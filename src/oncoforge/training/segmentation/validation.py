"""How good a network is while it is trained: whole volumes, the metrics of `evaluation`, exact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum, isnan
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from oncoforge.errors import InputError
from oncoforge.evaluation import score
from oncoforge.formats.lattice import Spacing
from oncoforge.networks import Pipeline
from oncoforge.prediction.sliding import Runner, slabs
from oncoforge.prediction.windows import plan_windows
from oncoforge.training.settings import ValidationSettings

if TYPE_CHECKING:
    from torch import Tensor, nn

Channels = npt.NDArray[np.uint8]

Shown = tuple[str, npt.NDArray[np.float32], Channels, Channels]
"""Case, image (in the values of the network), truth and prediction, of which a picture is made."""


@dataclass(frozen=True)
class Row:
    """One class of one case.

    Parameters
    ----------
    case
        Its id.
    class_name
        Name of the class, never the background.
    outcome, dice, nsd
        As `oncoforge.evaluation.Score` has them; NaN where there is nothing and nothing was found.
    pred_volume_mm3, truth_volume_mm3
        Of the prediction and of the truth.
    """

    case: str
    class_name: str
    outcome: str
    dice: float
    nsd: float
    pred_volume_mm3: float
    truth_volume_mm3: float


def check(settings: ValidationSettings) -> None:
    """Refuse settings that make no sense.

    Raises
    ------
    InputError
        If one does not.
    """
    if settings.overlap is not None and not 0 <= settings.overlap < 1:
        raise InputError(
            f"validation.overlap is {settings.overlap}; give a part from 0, below 1, or null."
        )
    if not 0 <= settings.tolerance_mm < float("inf"):
        raise InputError(
            f"validation.tolerance_mm is {settings.tolerance_mm}; give a number of mm from 0."
        )
    if settings.pictures < 0:
        raise InputError(f"validation.pictures is {settings.pictures}; give a number from 0.")


def segment(
    image: Tensor, network: nn.Module, pipeline: Pipeline, overlap: float, device: str = "cpu"
) -> Channels:
    """Predict a volume window by window, as `oncoforge predict` does.

    Parameters
    ----------
    image
        (1, X, Y, Z), on the grid and in the values of the network; one that is smaller than a
        window is filled up with the lowest value of each row. It may be on the CPU.
    network
        In eval mode, on the device. It is run as the caller's autocast says.
    pipeline
        Its patch and classes.
    overlap
        Of neighbouring windows.
    device
        Where the network is.

    Returns
    -------
    numpy.ndarray
        uint8 (X, Y, Z), the channel of the largest logit. Logits are there for some rows only.
    """
    filled, before = _filled_up(image, pipeline.patch)
    windows = plan_windows(filled.shape[1:], pipeline.patch, overlap)
    best = np.empty(windows.shape, dtype=np.uint8)
    for slab in slabs(filled, network, windows, Runner(device)):
        best[slab.start : slab.stop] = slab.logits.argmax(0).byte().cpu().numpy()
    x, y, z = (slice(b, b + n) for b, n in zip(before, image.shape[1:], strict=True))
    return best[x, y, z]


def judge(
    case: str, prediction: Channels, truth: Channels, classes: Sequence[str], spacing: Spacing,
    tolerance_mm: float,
) -> tuple[Row, ...]:  # fmt: skip
    """Compare every class but the background with the truth.

    Parameters
    ----------
    case
        Its id.
    prediction, truth
        (X, Y, Z), channel indices.
    classes
        Name of each channel.
    spacing
        Of voxels, mm.
    tolerance_mm
        Of the normalised surface Dice.
    """
    rows = []
    for channel, name in enumerate(classes):
        if name == "background":
            continue
        found = score(prediction == channel, truth == channel, spacing, tolerance_mm)
        volumes = found.pred_volume_mm3, found.truth_volume_mm3
        rows.append(Row(case, name, found.outcome, found.dice, found.nsd, *volumes))
    return tuple(rows)


def gather(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return the rows of all processes, in the order of their cases, the same on each of them.

    A class of a case is there once, even if several processes had it.
    """
    from torch import distributed

    parts: list[Any] = [tuple(rows)]
    if distributed.is_available() and distributed.is_initialized():
        mine, parts = parts[0], [None] * distributed.get_world_size()
        distributed.all_gather_object(parts, mine)
    once = {(row.case, row.class_name): row for part in parts for row in part}
    return tuple(once[key] for key in sorted(once))


def means(rows: Sequence[Row], classes: Sequence[str]) -> Mapping[str, float]:
    """Return what is logged: means over cases, and means of these over classes.

    A case counts for a class if the class is in its truth or in its prediction: one that is
    rightly left empty says nothing, a false alarm counts as 0. The sums are exact, so they do not
    depend on any order.

    Parameters
    ----------
    rows
        Of all cases.
    classes
        Name of each channel.

    Returns
    -------
    Mapping
        ``dice_CLASS`` and ``nsd_CLASS`` of each class but the background, ``mean_dice`` of these,
        ``tumor_dice`` of the tumours among these. What no case counts for is left out.
    """
    means: dict[str, float] = {}
    for metric in ("dice", "nsd"):
        for name in classes:
            values = [getattr(row, metric) for row in rows if row.class_name == name]
            means |= _mean(f"{metric}_{name}", [value for value in values if not isnan(value)])
    by_class = {name: means[f"dice_{name}"] for name in classes if f"dice_{name}" in means}
    tumors = [value for name, value in by_class.items() if name.endswith("_tumor")]
    return means | _mean("mean_dice", list(by_class.values())) | _mean("tumor_dice", tumors)


def _mean(name: str, values: Sequence[float]) -> dict[str, float]:
    return {name: fsum(values) / len(values)} if values else {}


def _filled_up(image: Tensor, patch: Sequence[int]) -> tuple[Tensor, list[int]]:
    """Add to a volume what it is smaller than a patch; return how much of that is in front."""
    missing = [max(n - size, 0) for size, n in zip(image.shape[1:], patch, strict=True)]
    if any(missing):
        from monai.transforms import SpatialPad

        made = SpatialPad(patch, mode="minimum")(image.float().cpu()).as_tensor()
        image = made.to(image.device, image.dtype)
    return image, [n // 2 for n in missing]
