"""The cases in which a model agrees least with the truth, each in one slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import scipy
from numpy.typing import NDArray

from oncoforge.anatomy import ORGANS
from oncoforge.errors import OncoforgeError
from oncoforge.evaluation.cases import Rules, aligned
from oncoforge.evaluation.pairs import Pair
from oncoforge.evaluation.region import Labels
from oncoforge.evaluation.rows import ScoreRow
from oncoforge.formats import Volume, read_image
from oncoforge.parallel import Failure, each
from oncoforge.reports.evaluation_view import WorstView
from oncoforge.reports.planes import AXIAL, Section, cut
from oncoforge.reports.wording import volume

MOST: Final = 5
_GREY = 0.22
"""Of an organ, where there is no image."""


def worst_cases(
    scores: Sequence[ScoreRow],
    pairs: Sequence[Pair],
    organ: str,
    rules: Rules,
    workers: int | None = None,
) -> list[WorstView]:
    """Draw the cases of the first model that agree least, each where it disagrees most.

    Parameters
    ----------
    scores
        Rows of all models.
    pairs
        The files of the cases.
    organ
        Whose tumours are looked at; the organ itself where no tumour was scored.
    rules
        How the cases were scored.
    workers
        Processes at once.

    Returns
    -------
    list of WorstView
        At most `MOST`, the worst first; cases whose files are gone are left out.
    """
    model = scores[0].model
    own = [row for row in scores if (row.model, row.organ) == (model, organ)]
    tumors = [row for row in own if row.structure != organ and row.dice is not None]
    ranked = tumors or [row for row in own if row.structure == organ and row.dice is not None]
    ranked = sorted(ranked, key=lambda row: (row.dice, -abs(row.volume_error_mm3), row.case))[:MOST]
    files = {pair.case: pair for pair in pairs}
    wanted = [_Wanted(files[row.case], row) for row in ranked if row.case in files]
    drawn = each(partial(_cut, rules=rules), wanted, workers)
    return [one for one in drawn if not isinstance(one, Failure)]


@dataclass(frozen=True)
class _Wanted:
    """One case to be drawn."""

    pair: Pair
    row: ScoreRow


def _cut(wanted: _Wanted, rules: Rules) -> WorstView:
    """Cut the slice with the most voxels that only one of prediction and truth has.

    Where they agree in all, it is the slice with the most of them.
    """
    row, pair = wanted.row, wanted.pair
    truth, own = aligned(pair.predictions[row.model], pair.truth, rules)
    label = ORGANS[row.organ].label
    masks = [_mask(labels, label, row) for labels in (truth.array, own)]
    apart = np.count_nonzero(masks[0] ^ masks[1], axis=(0, 1))
    if not apart.any():
        apart = np.count_nonzero(masks[0], axis=(0, 1))
    index = int(apart.argmax())
    image = _image_slice(pair, truth, index)
    organ = np.isin(cut(truth.array, AXIAL, index), (label, label + 1))
    shown = organ.astype(np.float32) * _GREY if image is None else image
    section = Section.of(
        AXIAL,
        truth.spacing,
        after=shown,
        before=shown,
        organ=np.ascontiguousarray(cut(masks[0], AXIAL, index)),
        instances=_parts(cut(masks[1], AXIAL, index)),
    )
    window = None if image is None else ORGANS[row.organ].window
    return WorstView(row.case, _words(row), section, window)


def _mask(labels: Labels, label: int, row: ScoreRow) -> NDArray[np.bool_]:
    if row.structure == row.organ:
        return np.asarray((labels == label) | (labels == label + 1))
    return np.asarray(labels == label + 1)


def _parts(mask: NDArray[np.bool_]) -> NDArray[np.uint16]:
    parts, _ = scipy.ndimage.label(mask, np.ones((3, 3)))
    return np.asarray(parts, np.uint16)


def _image_slice(pair: Pair, truth: Volume, index: int) -> NDArray[np.float32] | None:
    """Return the slice of the CT, or None if there is none on the truth's grid."""
    if pair.image is None:
        return None
    try:
        image = read_image(pair.image, force=True)
    except OncoforgeError:
        return None
    if truth.grid.difference(image.grid):
        return None
    found: NDArray[Any] = cut(image.array, AXIAL, index)
    return found.astype(np.float32)


def _words(row: ScoreRow) -> str:
    if row.outcome == "missed":
        return f"missed, {volume(row.truth_mm3)}"
    if row.outcome == "false_alarm":
        return f"false alarm, {volume(row.predicted_mm3)}"
    return (
        f"Dice {100 * (row.dice or 0.0):.1f} %, {volume(row.predicted_mm3)} "
        f"for {volume(row.truth_mm3)}"
    )
