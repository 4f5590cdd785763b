"""Small made-up scans for the readers and writers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest


@pytest.fixture(scope="session")
def ct() -> npt.NDArray[np.int16]:
    """A body in air, 12 x 10 x 8, int16 HU, with no symmetry that could hide a flip."""
    rng = np.random.default_rng(1)
    image = np.full((12, 10, 8), -1000, np.int16)
    image[2:9, 3:9, 1:] = rng.integers(20, 90, (7, 6, 7))
    image[2, 3, 1] = 1200
    return image


@pytest.fixture(scope="session")
def liver(ct: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
    """A liver within that body, TotalSegmentator label 5."""
    labels = np.zeros(ct.shape, np.uint8)
    labels[3:8, 4:8, 2:6] = 5
    return labels


@pytest.fixture(scope="session")
def affine() -> npt.NDArray[np.float64]:
    """LPS axes, anisotropic, turned by a few degrees; exact in float32."""
    turn = np.array([[-0.75, 0.125, 0], [-0.125, -0.75, 0.0625], [0, 0.0625, 2.5]])
    affine = np.eye(4)
    affine[:3, :3] = turn
    affine[:3, 3] = (100.5, 80.25, -300)
    return affine


@pytest.fixture(scope="session")
def one_sentence() -> Callable[[BaseException], str]:
    """An error's text, after a check that a user can read it."""

    def check(error: BaseException) -> str:
        text = str(error)
        assert text.endswith((".", ")")), text
        assert "Traceback" not in text
        return text

    return check
