"""Windows and scenes that the tests of growth share, each made from a few numbers."""

from __future__ import annotations

import numpy as np
import pytest

from oncoforge.synthesis.masks.growth.rules import BEYOND, BORDER, CUT, WALL, Window
from oncoforge.synthesis.scene import Scene


def _uniform_window(inner, level=1, low=(0, 0, 0), border=CUT):
    """A cube of one tissue, and the point in its middle as a seed."""
    size = inner + 2 * BORDER
    tissue = np.full((size,) * 3, border, np.uint8)
    tissue[(slice(BORDER, -BORDER),) * 3] = level - 1
    return Window(tissue, np.ones(tissue.shape, bool), low), np.full((1, 3), size // 2)


def _random_window(seed, borders=(BEYOND,)):
    """Levels, walls and organ at random, and a few seeds in what is no wall."""
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(3, 9, 3))
    weights = rng.dirichlet(np.ones(3))
    inner = rng.choice(3, shape, p=weights).astype(np.uint8)
    # Walls as dust and as a slab: pressure from one side alone, and from all.
    inner[rng.random(shape) < rng.choice([0.0, 0.05, 0.4])] = WALL
    inner[:, rng.integers(shape[1]) :] = rng.choice([WALL, 0])
    inner[tuple(rng.integers(0, shape))] = 0
    codes = np.pad(inner, BORDER, constant_values=BEYOND)
    for axis in range(3):
        ends = [slice(None)] * 3
        for end in (slice(0, BORDER), slice(-BORDER, None)):
            ends[axis] = end
            codes[tuple(ends)] = rng.choice(borders)
    organ = np.pad(rng.random(shape) < rng.choice([0.5, 1.0]), BORDER)
    soft = np.argwhere(codes < WALL)
    cores = soft[rng.integers(len(soft), size=rng.integers(1, 4))]
    low = tuple(int(n) for n in rng.integers(-40, 400, 3))
    return Window(codes, organ, low), cores


def _block(size, hu=100.0, spacing=(1.0, 1.0, 1.0), start=(0, 0, 0)):
    """A scene that is organ everywhere: `size` voxels (or as many on each axis) of one HU."""
    shape = tuple(np.broadcast_to(size, 3).tolist())
    box = tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))
    image = np.broadcast_to(np.asarray(hu, np.float32), shape).copy()
    return Scene(image, np.ones(shape, bool), tuple(map(float, spacing)), box)


@pytest.fixture(scope="session")
def uniform_window():
    return _uniform_window


@pytest.fixture(scope="session")
def random_window():
    return _random_window


@pytest.fixture(scope="session")
def block():
    return _block
