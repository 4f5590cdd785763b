"""Made-up lists and files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def save(tmp_path) -> Callable[..., Path]:
    """Write something as JSON or text into the test's folder."""

    def write(content: Any, name: str = "list.json") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def touch(tmp_path) -> Callable[..., list[Path]]:
    """Make files whose content is their own name."""

    def make(*names: str) -> list[Path]:
        paths = [tmp_path / name for name in names]
        for path, name in zip(paths, names, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name, encoding="utf-8")
        return paths

    return make
