"""The picture of the experiment: two test cases, and what each kind of training makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from oncoforge.anatomy import ORGANS
from oncoforge.formats import read_image, read_labels
from oncoforge.lists import read_list

WINDOW_HU = (-21.0, 189.0)
CASES = 2
_TITLES = {
    "healthy": "trained on healthy scans",
    "handcrafted": "on hand-crafted tumours",
    "reference": "on reference lesions",
}
_TRUTH, _FOUND = "#ffd23f", "#ff4d6d"


def draw(path: Path, test: Path, predicted: Mapping[str, Path]) -> None:
    """Draw the first test cases, each in the slice that holds the most tumour.

    Parameters
    ----------
    path
        A PNG file.
    test
        List of the test cases.
    predicted
        Kind of training to its folder of masks.
    """
    entries = read_list(test).test[:CASES]
    figure = Figure(figsize=(3 * (2 + len(predicted)), 2.45 * len(entries)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(entries), 2 + len(predicted), squeeze=False)
    kinds = [kind for kind in _TITLES if kind in predicted]
    for row, entry in zip(axes, entries, strict=True):
        image, truth = read_image(entry.image), read_labels(entry.label).array
        tumor = truth == ORGANS["liver"].tumor_label
        k = int(tumor.sum(axis=(0, 1)).argmax())
        aspect = image.spacing[1] / image.spacing[0]
        masks = {_TITLES[kind]: _tumor(predicted[kind] / f"{entry.case}.nii.gz") for kind in kinds}
        panels = {f"{entry.case}: scan": None, "truth": tumor, **masks}
        for axis, (title, mask) in zip(row, panels.items(), strict=True):
            axis.imshow(
                image.array[:, :, k].T,
                "gray",
                origin="lower",
                vmin=WINDOW_HU[0],
                vmax=WINDOW_HU[1],
                aspect=aspect,
            )
            if mask is not None:
                _outline(axis, tumor[:, :, k], _TRUTH)
            if mask is not None and mask is not tumor:
                _outline(axis, mask[:, :, k], _FOUND)
            axis.invert_xaxis()  # the patient's right is on the left, as readers are used to
            axis.set_title(title, fontsize=9)
            axis.set_axis_off()
    figure.savefig(path, dpi=110)


def _tumor(path: Path) -> NDArray[np.bool_]:
    return read_labels(path).array == ORGANS["liver"].tumor_label


def _outline(axis: object, mask: NDArray[np.bool_], colour: str) -> None:
    if mask.any():
        axis.contour(mask.T, [0.5], colors=colour, linewidths=0.9)
