"""Means, percentiles and shares of surfaces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoforge.evaluation.masks import part_of
from oncoforge.evaluation.surface import Surface, surfels, voxels


def _reached(surface: Surface, percent: float) -> float:
    """Add up the pieces one after the other, as the percentile is defined."""
    order = np.lexsort((surface.weights, surface.distances_mm))
    share = np.cumsum(surface.weights[order]) / surface.weights[order].sum()
    index = min(np.searchsorted(share, percent / 100), len(order) - 1)
    return surface.distances_mm[order[index]]


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 3000),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 5, 100]),
    st.sampled_from([0, 5, 50, 95, 99.9, 100]),
)
def test_percentiles_are_where_the_weights_add_up(count, seed, levels, percent):
    rng = np.random.default_rng(seed)
    distances = rng.integers(0, levels, count) * 0.7
    for weights in (rng.random(count) + 0.01, np.ones(count), rng.choice([0.1, 0.7], count)):
        surface = Surface(distances, weights)
        assert surface.percentile_mm(percent) == _reached(surface, percent)


def test_means_and_shares_count_by_weight():
    surface = Surface(np.array([0.0, 1, 4]), np.array([1.0, 2, 1]))
    assert surface.total == 4
    assert surface.mean_mm == pytest.approx(6 / 4)
    assert surface.largest_mm == 4
    assert [surface.within(t) for t in (0, 0.99, 1, 3, 4)] == [1, 1, 3, 3, 4]


def test_the_surface_of_a_box_is_its_faces_with_cut_edges():
    mask = np.zeros((20, 20, 20), bool)
    mask[3:13, 4:16, 5:10] = True
    a, b, c = 10, 12, 5
    spacing = (0.8, 0.5, 2.0)
    x, y, z = spacing
    part = part_of(mask, "mask")
    surface, _ = surfels(part, part, spacing)
    faces = 2 * ((a - 1) * (b - 1) * x * y + (a - 1) * (c - 1) * x * z + (b - 1) * (c - 1) * y * z)
    edges = (
        4 * (a - 1) * x * np.hypot(y, z) / 2
        + 4 * (b - 1) * y * np.hypot(x, z) / 2
        + 4 * (c - 1) * z * np.hypot(x, y) / 2
    )
    corners = np.sqrt((y * z) ** 2 + (x * z) ** 2 + (x * y) ** 2)
    assert surface.total == pytest.approx(faces + edges + corners)
    assert surface.largest_mm == 0
    edge, _ = voxels(part, part, spacing)
    assert edge.total == a * b * c - (a - 2) * (b - 2) * (c - 2)
