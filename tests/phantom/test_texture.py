"""Textures: unit variance, periodic, and the same in space at any spacing."""

from __future__ import annotations

import numpy as np
import pytest

from oncoforge.phantom.texture import draw_texture


def test_a_texture_has_mean_zero_and_unit_deviation() -> None:
    tile = draw_texture(np.random.default_rng(0), 3.0, 32).tile
    assert tile.mean() == pytest.approx(0.0, abs=1e-4)
    assert tile.std() == pytest.approx(1.0, rel=1e-4)


def test_a_texture_is_a_function_of_place_and_not_of_the_grid() -> None:
    texture = draw_texture(np.random.default_rng(0), 3.0, 16)
    fine = np.arange(-30.0, 30.0, 0.5)
    a = texture.sample(fine, fine, fine)
    b = texture.sample(fine[::4], fine[::4], fine[::4])
    assert np.allclose(a[::4, ::4, ::4], b, atol=1e-5)


def test_a_texture_repeats_after_its_period() -> None:
    texture = draw_texture(np.random.default_rng(0), 3.0, 16)
    line = np.arange(0.0, 20.0, 1.3)
    zero = np.zeros(1)
    once = texture.sample(line, zero, zero)
    again = texture.sample(line + 48.0, zero, zero)
    assert np.allclose(once, again, atol=1e-4)
