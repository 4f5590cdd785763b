"""The ten published textures, as small periodic tiles that are made when first used.

Hu et al., CVPR 2023: uniform noise, blurred (sigma_a), scaled to a probability field, drawn as a
binary field, blurred again (sigma_b) and scaled so that it averages about one half. The original
makes ten volumes of 420 x 300 x 320 mm at start-up; here each is a cube of 128 mm that repeats
without a seam, because both filters wrap round, so an organ of any size is covered.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
import scipy
from numpy.typing import NDArray

SIGMAS_A = (3, 6, 9, 12, 15)
SIGMAS_B = (4, 7)
TEXTURES = tuple(itertools.product(SIGMAS_A, SIGMAS_B))
"""(sigma_a, sigma_b) in mm of the ten textures."""

_EXTREMES = {3: 5.1, 6: 4.6, 9: 4.4, 12: 4.2, 15: 4.1}
"""Extremes of the blurred noise, in standard deviations, by sigma_a: measured as the mean of
minimum and maximum over four fields of 420 x 300 x 320. The original stretches its noise between
them, and so must a tile: its own extremes are nearer, and its texture would be too contrasty."""

TILE = 128
"""Edge of a tile: voxels of 1 mm."""

LEVELS = 65535.0
"""A tile holds its texture, 0 to 1, as uint16 from 0 to this."""


def _wrap_blur(field: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Gaussian filter that wraps round at every edge."""
    full = np.exp(-2.0 * (np.pi * sigma * np.fft.fftfreq(TILE)) ** 2).astype(np.float32)
    half = full[: TILE // 2 + 1]
    spectrum = scipy.fft.rfftn(field, workers=1)
    spectrum *= full[:, None, None] * full[None, :, None] * half
    return scipy.fft.irfftn(spectrum, s=field.shape, workers=1)


@lru_cache(maxsize=len(TEXTURES))
def tile(sigma_a: float, sigma_b: float) -> NDArray[np.uint16]:
    """Return one texture.

    The tile is the same in every process: its noise is seeded by the two sigmas.

    Parameters
    ----------
    sigma_a
        Blur of the probability field, mm.
    sigma_b
        Blur of the binary field, mm.

    Returns
    -------
    uint16 (128, 128, 128), read-only
        Texture times `LEVELS`.
    """
    rng = np.random.default_rng([round(1000 * sigma_a), round(1000 * sigma_b)])
    shape = (TILE,) * 3
    smooth = _wrap_blur(rng.random(shape, dtype=np.float32), sigma_a)
    middle, reach = smooth.mean(), _EXTREMES[int(sigma_a)] * smooth.std()
    scale, base = rng.uniform(0.19, 0.21), rng.uniform(0.04, 0.06)
    stretched = np.clip((smooth - middle) / (2.0 * reach) + 0.5, 0.0, 1.0)
    probability = base + scale * stretched
    binary = (probability > rng.random(shape, dtype=np.float32)).astype(np.float32)
    spread = _wrap_blur(binary, sigma_b)
    beta = rng.uniform(0.50, 0.55) / spread[spread > 0.12].mean(dtype=np.float64)
    texture = np.clip(beta * spread, 0.0, 1.0)
    levels = np.rint(texture * LEVELS).astype(np.uint16)
    levels.setflags(write=False)
    return levels
