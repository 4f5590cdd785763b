"""Files in the formats that were published, with any values."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

Keys = Mapping[str, list[int]]


@pytest.fixture(scope="session")
def published() -> Callable[..., dict[str, list[int]]]:
    """Read a table of published names and shapes; skip where the tables are absent."""
    default = Path(__file__).resolve().parents[3] / "shared" / "specs"
    folder = Path(os.environ.get("ONCOFORGE_SPECS", default)) / "keys"
    if not folder.is_dir():
        pytest.skip(f"no tables of published names at {folder}; set ONCOFORGE_SPECS")

    def table(file: str, entry: str = "keys") -> dict[str, list[int]]:
        return json.loads((folder / f"{file}_keys.json").read_text("utf-8"))[entry]

    return table


@pytest.fixture(scope="session")
def filled() -> Callable[[Keys], dict[str, Any]]:
    """Make tensors of given shapes, whose values tell them apart."""
    import torch

    def fill(keys: Keys) -> dict[str, Any]:
        tensors = {}
        for number, (name, shape) in enumerate(keys.items()):
            if name.endswith(("num_batches_tracked", "relative_position_index")):
                tensors[name] = torch.zeros(shape, dtype=torch.int64)
            else:
                tensors[name] = torch.full(tuple(shape), (number % 97 + 1) / 1000)
        return tensors

    return fill


@pytest.fixture
def weights_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep fetched weights in a folder of the test."""
    folder = tmp_path / "weights"
    monkeypatch.setenv("ONCOFORGE_WEIGHTS", str(folder))
    return folder
