"""The patients of the experiment, as the simulated scanner sees them: healthy and with lesions.

All scans come from the same scanner, so that no network can tell tumours by how a scan was made.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from reference_lesions import Shape, kidney_shapes, put_lesions, random_shapes
from scanner import Scanner

import oncoforge as of
from oncoforge.anatomy import LABELS, ORGANS
from oncoforge.formats import write_image, write_labels
from oncoforge.grid import Grid
from oncoforge.lists import CaseList, Entry, write_list
from oncoforge.parallel import Failure, each

SPACING_MM = (2.0, 2.0, 3.0)
MARGIN_SLICES = 5
"""Slices that are scanned above and below the liver."""

TRAIN, TEST = 16, 8
ROOT = Path(__file__).resolve().parents[2]

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Patient:
    """One patient.

    Parameters
    ----------
    seed
        Of the phantom, and of its lesions and noise.
    part
        ``training``: scanned healthy, and again with lesions. ``test``: with lesions alone.
    """

    seed: int
    part: str

    @property
    def scans(self) -> tuple[str, ...]:
        """Return the kinds of its scans."""
        return ("healthy", "reference") if self.part == "training" else ("reference",)

    def files(self, folder: Path, scan: str) -> tuple[Path, Path]:
        """Return where the image and the label map of a scan are."""
        name = f"p{self.seed}-{scan}.nii.gz"
        return folder / "images" / name, folder / "labels" / name


def patients(first_seed: int) -> list[Patient]:
    """Return the patients, those to train on first."""
    parts = ["training"] * TRAIN + ["test"] * TEST
    return [Patient(first_seed + n, part) for n, part in enumerate(parts)]


def lesion_shapes(source: str) -> tuple[str, dict[str, list[Shape]]]:
    """Return where shapes are from, and those of each part; no shape is in both.

    Parameters
    ----------
    source
        ``kidney``, ``fields``, or ``auto``: kidney tumours where there are any.
    """
    data = Path(os.environ.get("ONCOFORGE_DATA", ROOT.parent / "shared" / "data"))
    folder = data / "kits19_labels"
    if source == "auto":
        source = "kidney" if folder.is_dir() else "fields"
    if source == "kidney":
        shapes = kidney_shapes(folder)
        name = f"{len(shapes)} kidney tumours of KiTS19"
    else:
        shapes = random_shapes(24, np.random.default_rng(24))
        name = f"{len(shapes)} smooth random fields"
    return name, {"training": shapes[::2], "test": shapes[1::2]}


def make_patients(
    folder: Path,
    first_seed: int,
    shapes: dict[str, list[Shape]],
    workers: int,
    progress: Callable[[int, int], None],
) -> dict[str, Path]:
    """Scan all patients, and write a list for each part; what is there already is kept.

    Returns
    -------
    dict
        Lists: ``healthy`` and ``reference`` to train on, and ``test``.
    """
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    everyone = patients(first_seed)
    work = partial(_scan, folder, shapes)
    for done in each(work, everyone, workers, progress):
        if isinstance(done, Failure):
            raise SystemExit(done.sentence)
    chosen = {"healthy": "training", "reference": "training", "test": "test"}
    return {name: _list(folder, name, part, everyone) for name, part in chosen.items()}


def _list(folder: Path, name: str, part: str, everyone: Sequence[Patient]) -> Path:
    """Write the list of one kind of scan of one part of the patients."""
    scan = "healthy" if name == "healthy" else "reference"
    entries = []
    for patient in everyone:
        if patient.part == part:
            image, label = patient.files(folder, scan)
            entries.append(Entry(image.name.split(".")[0], image, label, f"p{patient.seed}"))
    path = folder / f"{name}.json"
    write_list(CaseList(**{part: tuple(entries)}), path, overwrite=True)
    return path


def _scan(folder: Path, shapes: dict[str, list[Shape]], patient: Patient) -> None:
    """Make a patient's scans, unless they are there."""
    files = [patient.files(folder, scan) for scan in patient.scans]
    if all(path.exists() for pair in files for path in pair):
        return
    lesions, noise, noise_with = np.random.default_rng([patient.seed, 6]).spawn(3)
    image, labels, grid = _healthy(patient.seed)
    liver = labels == LABELS["liver"]
    scanner, pixel = Scanner(), SPACING_MM[0]
    rays = scanner.integrals(image, pixel)
    if "healthy" in patient.scans:
        seen = scanner.image(scanner.measure(rays, noise), pixel, image.shape[:2])
        _write(*files[0], seen, labels, grid)
    changed, tumor, _ = put_lesions(image, liver, SPACING_MM, shapes[patient.part], lesions)
    where = (changed != image).any(axis=(0, 1))
    rays[:, :, where] = scanner.integrals(changed[:, :, where], pixel)
    seen = scanner.image(scanner.measure(rays, noise_with), pixel, image.shape[:2])
    labels[tumor] = ORGANS["liver"].tumor_label
    _write(*files[-1], seen, labels, grid)


def _healthy(seed: int) -> tuple[Floats, NDArray[np.uint8], Grid]:
    """Return a phantom without noise, cut to the slices around its liver."""
    phantom = of.make_phantom(seed, SPACING_MM, noise_hu=0.0)
    slices = np.flatnonzero((phantom.labels == LABELS["liver"]).any(axis=(0, 1)))
    low = max(int(slices[0]) - MARGIN_SLICES, 0)
    high = min(int(slices[-1]) + 1 + MARGIN_SLICES, phantom.image.shape[2])
    affine = phantom.affine.copy()
    affine[:3, 3] += affine[:3, 2] * low
    image = np.ascontiguousarray(phantom.image[:, :, low:high])
    return image, phantom.labels[:, :, low:high].copy(), Grid(image.shape, affine)


def _write(
    image_path: Path, label_path: Path, image: Floats, labels: NDArray[np.uint8], grid: Grid
) -> None:
    write_image(image_path, image, grid)
    write_labels(label_path, labels, grid)
