"""What benchmarks share: a clock, the machine's name, and where numbers are kept."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from case import ROOT
from scipy import ndimage

import oncoforge as of

RESULTS = ROOT / "benchmarks" / "results"


def seconds(call: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def reference(box: np.ndarray) -> float:
    """Time the reference: a Gaussian filter of the organ's box, which is float64."""
    return seconds(lambda: ndimage.gaussian_filter(box, sigma=1.5))


def keep(path: Path, result: dict[str, Any]) -> None:
    """Write numbers as JSON, with the machine and the versions that made them."""
    machine = {"processor": _processor(), "python": platform.python_version()}
    versions = {
        "oncoforge": of.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result | {"machine": machine, "versions": versions}, indent=2) + "\n"
    path.write_text(text, encoding="utf-8")
    print(f"Numbers: {path}")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
