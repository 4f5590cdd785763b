"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

# Workers of one machine share its cores; torch would start as many threads as there are cores in
# each of them, which wait for each other. Read when torch is first imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # What asks for as many processes as there are cores, and names no number, has its own core.
    os.environ.setdefault("LOKY_MAX_CPU_COUNT", "1")

# The same examples every time, so that a commit's checks tell of the commit and not of their luck;
# ``HYPOTHESIS_PROFILE=search`` looks for new ones.
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.register_profile("search", print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real scans; the tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("ONCOFORGE_DATA", HERE.parents[1] / "shared" / "data"))
    if not (folder / "ct_abdomen").is_dir():
        pytest.skip(f"no real data at {folder}; set ONCOFORGE_DATA to its folder")
    return folder
