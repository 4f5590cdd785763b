"""The case that benchmarks use: a liver at 1 mm, from the real sample CT or else the phantom."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from scipy import ndimage

import oncoforge as of

ROOT = Path(__file__).resolve().parents[1]


def liver_at_1mm() -> tuple[str, np.ndarray, np.ndarray]:
    """Return a name, the CT (float32 HU) and the liver (bool), both at 1 mm.

    The real case is the sample CT of 3 mm in ``../shared/data/ct_abdomen`` (or in
    ``$ONCOFORGE_DATA``), resampled linearly; its liver is the
    linearly resampled mask above one half.
    """
    data = Path(os.environ.get("ONCOFORGE_DATA", ROOT.parent / "shared" / "data")) / "ct_abdomen"
    if not data.is_dir():
        phantom = of.make_phantom(seed=0, spacing_mm=(1.0, 1.0, 1.0))
        return "phantom at 1 mm", phantom.image, phantom.case().organ("liver")
    case = of.read_case(data / "image.nii.gz", data / "totalsegmentator_labels.nii.gz")
    shape = np.rint(np.array(case.shape) * case.spacing).astype(int)
    factors = shape / case.shape
    image = ndimage.zoom(case.image, factors, order=1)
    liver = ndimage.zoom(case.organ("liver").astype(np.float32), factors, order=1) > 0.5
    return "sample CT of the abdomen, resampled to 1 mm", image, liver
