"""Gaussian filter of a scan inside its organ alone."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray


def smooth_inside(
    image: NDArray[np.float32],
    organ: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    sigma_mm: float,
) -> NDArray[np.float32]:
    """Smooth an image over the organ alone, so that what lies outside does not bleed in.

    Parameters
    ----------
    image
        float32 (x, y, z), HU.
    organ
        bool (x, y, z).
    spacing
        Voxel size, mm.
    sigma_mm
        Standard deviation of the Gaussian.
    """
    sigma = sigma_mm / np.asarray(spacing)
    weight = scipy.ndimage.gaussian_filter(organ.astype(np.float32), sigma)
    total = scipy.ndimage.gaussian_filter(np.where(organ, image, np.float32(0)), sigma)
    return total / np.maximum(weight, np.float32(1e-3))
