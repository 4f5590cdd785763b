"""The noise looks like that of a CT: right strength, correlated, worst inside, none at zero."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from oncoforge.phantom.contrast import STRUCTURE_IDS
from oncoforge.phantom.noise import noise_slices, noise_strength


def volume(spacing: tuple[float, float, float], seed: int = 0) -> np.ndarray:
    slices = noise_slices(np.random.default_rng(seed), (96, 80, 24), spacing)
    return np.stack(list(slices), axis=2)


@pytest.mark.parametrize("noise_hu", [6.0, 12.0, 24.0])
def test_noise_in_the_liver_has_the_asked_strength_and_is_correlated(coarse, noise_hu) -> None:
    noisy, clean = coarse(0, noise_hu=noise_hu), coarse(0, noise_hu=0.0)
    liver = ndimage.binary_erosion(clean.structures == STRUCTURE_IDS["liver"], iterations=2)
    noise = noisy.image - clean.image
    assert noise[liver].std() == pytest.approx(noise_hu, rel=0.12)
    for axis in (0, 1):
        both = liver & np.roll(liver, -1, axis)
        pairs = (noise * np.roll(noise, -1, axis))[both].mean()
        assert pairs / noise[liver].var() > 0.2


@pytest.mark.parametrize("spacing", [(0.8, 0.8, 0.8), (1.5, 1.5, 1.5), (3.0, 3.0, 3.0)])
def test_standard_noise_has_unit_variance(spacing) -> None:
    noise = volume(spacing)
    assert noise.std() == pytest.approx(1.0, rel=0.03)
    assert abs(noise.mean()) < 0.02


def test_spectrum_rises_from_zero_to_a_peak_and_falls() -> None:
    noise = volume((0.8, 0.8, 5.0))
    power = (np.abs(np.fft.fft2(noise, axes=(0, 1))) ** 2).mean(axis=2)
    f = np.hypot(np.fft.fftfreq(96, 0.8)[:, None], np.fft.fftfreq(80, 0.8)[None, :])
    low, peak, high = (
        power[(f > a) & (f < b)].mean() for a, b in ((0.005, 0.04), (0.13, 0.21), (0.5, 0.62))
    )
    assert peak > 2.5 * low
    assert peak > 20 * high


def test_thin_slices_share_noise_and_thick_ones_do_not() -> None:
    def between_slices(spacing) -> float:
        noise = volume(spacing)
        return float((noise[..., 1:] * noise[..., :-1]).mean())

    assert between_slices((1.5, 1.5, 1.0)) > 0.5
    assert abs(between_slices((1.5, 1.5, 5.0))) < 0.05


def test_noise_is_stronger_in_the_middle_of_the_body() -> None:
    x = np.array([0.0, 80.0, 150.0], np.float32)[:, None]
    strength = noise_strength(x, np.zeros((1, 1), np.float32)).ravel()
    assert strength[0] > strength[1] > strength[2]
