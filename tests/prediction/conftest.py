"""Networks whose answer is known, and scans that they can be asked about."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # MONAI's own, on import
    torch = pytest.importorskip("torch")
    pytest.importorskip("monai.inferers")
    pytest.importorskip("monai.transforms")

from oncoforge.formats import Volume
from oncoforge.grid import Grid
from oncoforge.networks import Config, Pipeline
from oncoforge.source import Source

LIVER = ("background", "liver", "liver_tumor")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)  # threads that wait for each other are slow on a busy machine


@pytest.fixture
def by_hu() -> Callable[..., Any]:
    """Make a network that calls a voxel liver above 0 HU and tumour above 100 HU."""

    def make(thresholds: Sequence[float] = (0.0, 100.0), **pipeline: Any) -> Any:
        plan = {
            "classes": LIVER,
            "spacing_mm": None,
            "window_hu": (-200.0, 200.0),
            "values": (-200.0, 200.0),
            "patch": (16, 16, 16),
            **pipeline,
        }
        network = torch.nn.Conv3d(1, 3, 1)
        # Lines of rising slope: each is the highest from one threshold to the next.
        low, high = thresholds
        with torch.no_grad():
            network.weight[:] = torch.tensor([0.0, 1.0, 2.0]).view(3, 1, 1, 1, 1)
            network.bias[:] = torch.tensor([0.0, -low, -low - high])
        network.config = Config("unet", 1, 3, pipeline=Pipeline(**plan))
        return network.eval()

    return make


@pytest.fixture
def at_random() -> Callable[..., Any]:
    """Make a network with a small reach and random weights."""

    def make(seed: int = 0, **pipeline: Any) -> Any:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network: Any = torch.nn.Sequential(
                torch.nn.Conv3d(1, 4, 3, padding=1),
                torch.nn.LeakyReLU(),
                torch.nn.Conv3d(4, 3, 3, padding=1),
            )
        plan = {"classes": LIVER, "patch": (16, 16, 16), **pipeline}
        network.config = Config("unet", 1, 3, pipeline=Pipeline(**plan))
        return network.eval()

    return make


@pytest.fixture
def scan() -> Callable[..., Volume]:
    """Make a scan of noise in HU."""

    def make(
        shape: tuple[int, int, int] = (40, 36, 32),
        spacing: tuple[float, float, float] = (1, 1, 1),
        seed: int = 0,
    ) -> Volume:
        rng = np.random.default_rng(seed)
        image = rng.normal(0, 120, shape).astype(np.float32)
        affine = np.diag([*spacing, 1.0])
        affine[:3, 3] = -31, 17, -400
        return Volume(image, Source(Grid(shape, affine)))

    return make
