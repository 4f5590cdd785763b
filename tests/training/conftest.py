"""Small cases, as files and as they lie in a store."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # MONAI's and Lightning's own, on import
    torch = pytest.importorskip("torch")
    pytest.importorskip("monai.transforms")
    pytest.importorskip("lightning.pytorch")

from oncoforge.formats import write_image, write_labels
from oncoforge.grid import Grid
from oncoforge.lists import Entry
from oncoforge.networks import Pipeline
from oncoforge.source import Source
from oncoforge.store import CaseFiles, StoredCase, StoreSettings, build_store

LIVER, LIVER_TUMOR, SPLEEN = 1, 2, 9


def arrays(
    shape: tuple[int, int, int], organ: int, tumor: bool, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return HU and labels: a body with one ellipsoid organ, and perhaps a tumour in it."""
    rng = np.random.default_rng(seed)
    grid = np.indices(shape).astype(float)
    middle = (np.array(shape) - 1) / 2
    away = [(g - m) / n for g, m, n in zip(grid, middle, shape, strict=True)]
    inside = sum((a / 0.36) ** 2 for a in away) < 1
    body = sum((a / 0.49) ** 2 for a in away[:2]) < 1
    labels = np.where(inside, organ, 0).astype(np.uint8)
    hu = np.where(inside, 110.0, np.where(body, 20.0, -1000.0))
    if tumor:
        ill = inside & (sum((g - m) ** 2 for g, m in zip(grid, middle, strict=True)) < 25)
        labels[ill], hu[ill] = organ + 1, 60.0
    hu += rng.normal(0, 8, shape)
    return np.rint(hu).astype(np.float32), labels


@pytest.fixture(scope="session")
def write_case() -> Callable[..., dict[str, str]]:
    """Write a small case as NIfTI files, and return what a list says of it."""

    def write(
        folder: Path,
        name: str,
        shape: tuple[int, int, int] = (40, 36, 32),
        organ: int = LIVER,
        tumor: bool = False,
        seed: int = 0,
        spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    ) -> dict[str, str]:
        (folder / "labels").mkdir(parents=True, exist_ok=True)
        hu, labels = arrays(shape, organ, tumor, seed)
        like = Source(Grid(shape, np.diag([*spacing, 1.0])))
        file = f"{name}.nii.gz"  # of both, so that both tell the same id
        files = {"image": folder / file, "label": folder / "labels" / file}
        write_image(files["image"], hu, like)
        write_labels(files["label"], labels, like)
        return {key: str(path) for key, path in files.items()}

    return write


@pytest.fixture(scope="session")
def write_list() -> Callable[..., str]:
    """Write a list of such cases in the Decathlon's form."""

    def write(path: Path, **parts: list[dict[str, Any]]) -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(parts), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture(scope="session")
def stored(tmp_path_factory: Any, write_case: Any) -> Callable[..., StoredCase]:
    """Return a small case of a store."""
    folder = tmp_path_factory.mktemp("store")
    made: dict[Any, StoredCase] = {}

    def get(name: str = "a", **how: Any) -> StoredCase:
        key = name, tuple(sorted(how.items()))
        if key not in made:
            files = write_case(folder / str(len(made)), name, **how)
            entry = Entry(name, *map(Path, files.values()))
            settings = StoreSettings(spacing_mm=None, above_hu=-175.0, crop=False)
            made[key] = build_store([CaseFiles(entry)], folder, settings, workers=1).cases[0]
        return made[key]

    return get


@pytest.fixture
def liver() -> Callable[..., Pipeline]:
    """Return a pipeline for livers and their tumours, with small patches."""

    def make(**changes: Any) -> Pipeline:
        plan = {
            "classes": ("background", "liver", "liver_tumor"),
            "window_hu": (-175.0, 250.0),
            "patch": (24, 24, 24),
            **changes,
        }
        return Pipeline(**plan)

    return make
