"""A small library of two tumours, one of them with thick slices."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from oncoforge.datasets.crops import Wanted, crop


def _bean(shape: tuple[int, int, int], spacing: tuple[float, float, float], scale: float):
    """An organ with a lopsided tumour of about 20 mm times scale in its middle."""
    grid = np.indices(shape).astype(float) * np.array(spacing)[:, None, None, None]
    middle = np.array(shape) * spacing / 2
    x, y, z = (grid - middle[:, None, None, None]) / scale
    tumor = (x / 12) ** 2 + (y / 8) ** 2 + (z / 9) ** 2 <= 1
    tumor |= (x - 8) ** 2 + (y - 5) ** 2 + z**2 <= 36
    labels = np.ones(shape, np.uint8)
    labels[tumor] = 2
    return labels


@pytest.fixture(scope="session")
def library(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    (folder / "labels").mkdir()
    for name, shape, spacing, scale in (
        ("fine", (60, 60, 60), (1.0, 1.0, 1.0), 1.0),
        ("thick", (80, 80, 20), (0.8, 0.8, 4.0), 1.6),
    ):
        affine = np.diag([*spacing, 1.0])
        image = nib.Nifti1Image(_bean(shape, spacing, scale), affine)
        nib.save(image, folder / "labels" / f"{name}.nii.gz")
    crop(folder / "labels", folder / "shelf", Wanted("organ-tumor", "liver"), workers=1)
    return folder / "shelf"
