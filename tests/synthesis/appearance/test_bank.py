"""Textures: ten periodic tiles with the published statistics, the same in every process."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from oncoforge.synthesis.appearance.bank import LEVELS, TEXTURES, TILE, tile


@pytest.fixture(scope="module", params=TEXTURES, ids=lambda t: f"{t[0]}-{t[1]}")
def texture(request):
    return tile(*request.param) / LEVELS, request.param


def test_the_ten_textures_are_the_published_pairs():
    assert sorted(TEXTURES) == sorted(itertools.product((3, 6, 9, 12, 15), (4, 7)))


def test_statistics_are_the_published_ones(texture):
    # Measured on the original's recipe, in volumes as small as a tile.
    values, _ = texture
    assert values.shape == (TILE,) * 3
    assert 0.46 < values.mean() < 0.55
    assert 0.015 < values.std() < 0.12
    assert 0.15 < values.min() < 0.45
    assert 0.55 < values.max() < 0.92


@pytest.mark.slow
def test_a_tile_varies_as_much_as_the_originals_large_volume():
    sigma_a, sigma_b = 15, 4
    rng = np.random.default_rng(0)
    shape = (420, 300, 320)
    smooth = ndimage.gaussian_filter(rng.random(shape, dtype=np.float32), sigma_a)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    binary = (0.05 + 0.2 * smooth > rng.random(shape, dtype=np.float32)).astype(np.float32)
    original = ndimage.gaussian_filter(binary, sigma_b)
    original *= 0.525 / original[original > 0.12].mean(dtype=float)
    assert tile(sigma_a, sigma_b).std() / LEVELS == pytest.approx(
        original.std(dtype=float), rel=0.3
    )


def test_coarser_noise_gives_more_contrast_and_more_blur_gives_less():
    spread = {pair: tile(*pair).std() for pair in TEXTURES}
    for a in (3, 6, 9, 12, 15):
        assert spread[a, 4] > spread[a, 7]
    for b in (4, 7):
        assert spread[15, b] > spread[9, b] > spread[3, b]


def test_grain_is_as_fine_as_the_second_blur(texture):
    # White noise after a Gaussian of sigma correlates as a Gaussian of sqrt(2) sigma; the first
    # field adds coarser grain, never finer.
    values, (_, sigma_b) = texture
    away = values - values.mean()
    for axis in range(3):
        correlation = (away * np.roll(away, sigma_b, axis)).mean() / away.var()
        assert correlation > np.exp(-1 / 4) - 0.06


def test_a_tile_repeats_without_a_seam(texture):
    values, _ = texture
    for axis in range(3):
        steps = np.moveaxis(np.roll(values, -1, axis) - values, axis, 0)
        rough = np.sqrt((steps**2).mean(axis=(1, 2)))
        seam, inside = rough[-1], rough[:-1]
        assert inside.min() * 0.9 < seam < inside.max() * 1.1
        # A seam would be a kink: the second difference tells it from a slope.
        bends = np.moveaxis(ndimage.laplace(values, mode="wrap"), axis, 0)
        bent = np.sqrt((bends**2).mean(axis=(1, 2)))
        assert bent[[0, -1]].max() < bent[1:-1].max() * 1.1


def test_a_tile_cannot_be_spoiled_by_its_user():
    with pytest.raises(ValueError, match="read-only"):
        tile(3, 4)[0, 0, 0] = 1


def test_a_tile_is_made_once():
    assert tile(3, 4) is tile(3, 4)


def test_textures_differ():
    prints = {hashlib.sha256(tile(*pair).tobytes()).hexdigest() for pair in TEXTURES}
    assert len(prints) == len(TEXTURES)


def test_a_tile_is_the_same_in_every_process():
    script = (
        "import hashlib; from oncoforge.synthesis.appearance.bank import tile;"
        "print(hashlib.sha256(tile(9, 7).tobytes()).hexdigest())"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == hashlib.sha256(tile(9, 7).tobytes()).hexdigest()
