"""Small cases as files: a body in air, with a liver and a tumour in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from oncoforge.lists import Entry
from oncoforge.store import CaseFiles

SHAPE = (30, 26, 18)


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Arrays in RAS+."""

    image: np.ndarray
    labels: np.ndarray


def _make_anatomy(seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> Anatomy:
    """Return a body of 40 HU, a liver of 100 and a tumour of 60, with noise."""
    rng = np.random.default_rng(seed)
    image = np.full(shape, -1000, np.int16)
    labels = np.zeros(shape, np.uint8)
    x, y, z = shape
    image[4 : x - 6, 5 : y - 3] = 40 + rng.integers(-20, 20, (x - 10, y - 8, z))
    labels[8 : x - 10, 8 : y - 8, 4 : z - 4] = 1
    labels[11:15, 11:14, 7:10] = 2
    image[labels == 1] += 60
    image[labels == 2] += 20
    return Anatomy(image, labels)


def _save(path: Path, array: np.ndarray, spacing=(1.0, 1.0, 1.0), codes: str = "RAS") -> Path:
    """Write a RAS+ array, in another order of axes if one is named."""
    affine = np.diag([*map(float, spacing), 1.0])
    affine[:3, 3] = -20, 7, 100
    ornt = nib.orientations.axcodes2ornt(codes)
    there = nib.Nifti1Image(array, affine).as_reoriented(
        nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), ornt)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(there, path)
    return path


@pytest.fixture
def make_anatomy() -> Callable[..., Anatomy]:
    """Make image and labels as arrays."""
    return _make_anatomy


@pytest.fixture
def save() -> Callable[..., Path]:
    """Write one array as a file."""
    return _save


@pytest.fixture
def write_case(tmp_path) -> Callable[..., CaseFiles]:
    """Write the files of a case, and name them."""

    def write(
        name: str = "case",
        anatomy: Anatomy | None = None,
        spacing=(1.0, 1.0, 1.0),
        codes: str = "RAS",
        convention: str = "oncoforge",
        organ: str | None = None,
    ) -> CaseFiles:
        found = _make_anatomy() if anatomy is None else anatomy
        image = _save(tmp_path / "images" / f"{name}.nii.gz", found.image, spacing, codes)
        label = _save(tmp_path / "labels" / f"{name}.nii.gz", found.labels, spacing, codes)
        entry = Entry(name, image, label, patient=f"patient of {name}")
        return CaseFiles(entry, convention, organ)

    return write


@pytest.fixture(autouse=True)
def fresh_files_count(monkeypatch):
    """Trust the times of files that were written just now, which a test does not wait for."""
    monkeypatch.setattr("oncoforge.store.sources._SETTLED_S", -1.0)
