"""Areas of surfels: known by hand, and equal to those of DeepMind's surface-distance."""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pytest

from oncoforge.evaluation.surfels import surfel_areas

SPACINGS = ((1, 1, 1), (0.8, 0.7, 2.5), (5, 0.4, 0.9))
CORNERS = list(itertools.product((0, 1), repeat=3))


def _code(corners) -> int:
    return sum(1 << (4 * i + 2 * j + k) for i, j, k in corners)


def _inside(code: int) -> list[tuple[int, ...]]:
    return [corner for corner in CORNERS if code & _code([corner])]


@pytest.mark.parametrize("spacing", SPACINGS)
def test_areas_equal_those_of_surface_distance(spacing):
    """For each cube of 2 x 2 x 2 voxels in empty space: those of all 27 corners around it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import surface_distance

        areas = surfel_areas(spacing)
        for code in range(1, 256):
            mask = np.zeros((4, 4, 4), bool)
            for i, j, k in _inside(code):
                mask[i + 1, j + 1, k + 1] = True
            codes = sum(
                mask[i : i + 3, j : j + 3, k : k + 3].astype(int) << (4 * i + 2 * j + k)
                for i, j, k in CORNERS
            )
            found = surface_distance.compute_surface_distances(mask, mask, spacing)
            ours = areas[codes[codes > 0]]
            if code == 255:
                ours = areas[codes[(codes > 0) & (codes < 255)]]
            np.testing.assert_allclose(np.sort(ours), np.sort(found["surfel_areas_gt"]), rtol=1e-12)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_areas_that_are_known(spacing):
    a, b, c = spacing
    areas = surfel_areas(spacing)
    assert areas[0] == areas[255] == 0
    triangle = math.sqrt((b * c) ** 2 + (a * c) ** 2 + (a * b) ** 2) / 8
    assert areas[_code([(0, 0, 0)])] == pytest.approx(triangle)
    assert areas[_code([(0, 0, 0), (1, 1, 1)])] == pytest.approx(2 * triangle)
    assert areas[_code([(0, j, k) for j in (0, 1) for k in (0, 1)])] == pytest.approx(b * c)
    edge = [(0, 0, 0), (0, 0, 1)]
    assert areas[_code(edge)] == pytest.approx(c * math.hypot(a, b) / 2)
    checkers = [corner for corner in CORNERS if sum(corner) % 2]
    assert areas[_code(checkers)] == pytest.approx(4 * triangle)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_cube_and_its_mirror_images_have_one_area(spacing):
    areas = surfel_areas(spacing)
    np.testing.assert_array_equal(areas, areas[::-1])  # inside out
    for code, flips in itertools.product(range(256), CORNERS):
        mirrored = [[x ^ f for x, f in zip(v, flips, strict=True)] for v in _inside(code)]
        assert areas[_code(mirrored)] == areas[code]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_axes_may_be_in_any_order(order):
    spacing = SPACINGS[1]
    areas = surfel_areas(spacing)
    other = surfel_areas(tuple(spacing[axis] for axis in order))
    for code in range(256):
        turned = [tuple(v[axis] for axis in order) for v in _inside(code)]
        assert other[_code(turned)] == pytest.approx(areas[code], rel=1e-14)
