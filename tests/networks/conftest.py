"""The names and shapes of the published weights, where their tables are at hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def published_keys(data_dir: Path) -> Callable[[str], dict[str, Any]]:
    """Read a table of ``shared/specs/keys``; tests that need one are skipped where it is absent."""

    def read(name: str) -> dict[str, Any]:
        path = data_dir.parent / "specs" / "keys" / f"{name}_keys.json"
        if not path.is_file():
            pytest.skip(f"no table of published names at {path}")
        return json.loads(path.read_text())

    return read
