"""Bring a label map onto another grid."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from oncoforge.grid import Grid

Label = TypeVar("Label", bound=np.generic)


def onto_grid(labels: npt.NDArray[Label], grid: Grid, target: Grid) -> npt.NDArray[Label]:
    """Give each voxel of a grid the label of the voxel nearest to it on another.

    Parameters
    ----------
    labels
        (X, Y, Z) on `grid`.
    grid
        Where the labels lie.
    target
        Where they shall lie.

    Returns
    -------
    numpy.ndarray
        Labels of the shape of `target`; 0 outside the old grid.
    """
    from scipy import ndimage

    move = np.linalg.inv(grid.affine) @ target.affine
    moved: npt.NDArray[Any] = np.empty(target.shape, dtype=labels.dtype)
    ndimage.affine_transform(
        labels,
        move[:3, :3],
        offset=move[:3, 3],
        output=moved,
        output_shape=target.shape,
        order=0,
        # "constant" would lose the outer half of each border voxel.
        mode="grid-constant",
        cval=0,
        prefilter=False,
    )
    return moved
