"""Size classes: the published table, and any diameter between its rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoforge.errors import UnknownNameError
from oncoforge.synthesis.masks.sizes import (
    SIZE_NAMES,
    SIZES,
    check_size,
    nearest_size,
    sigma_for,
)

# Hu et al., CVPR 2023, as released: R, elastic sigma, lesions per scan, lesions within a mix.
PUBLISHED = {
    "tiny": (4, (0.5, 1.0), (3, 10), (3, 10)),
    "small": (8, (1, 2), (3, 10), (5, 10)),
    "medium": (16, (3, 6), (2, 5), (2, 5)),
    "large": (32, (5, 10), (1, 3), (1, 3)),
}


def test_the_table_is_the_published_one():
    table = {k: (c.radius_mm, c.sigma_mm, c.count, c.count_in_mix) for k, c in SIZES.items()}
    assert table == PUBLISHED


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_whole_semi_axis_between_three_and_five_quarters_of_the_radius_occurs(name):
    rng = np.random.default_rng(0)
    radii = np.array([SIZES[name].draw_radii(rng) for _ in range(800)])
    nominal = PUBLISHED[name][0]
    assert radii.shape == (800, 3)
    assert set(radii.ravel()) == set(range(int(0.75 * nominal), int(1.25 * nominal) + 1))
    assert not (radii == radii[:, :1]).all()


@pytest.mark.parametrize("name", PUBLISHED)
def test_elastic_sigma_covers_its_range_in_whole_numbers_but_for_tiny(name):
    rng = np.random.default_rng(0)
    sigmas = np.array([SIZES[name].draw_sigma(rng) for _ in range(400)])
    low, high = PUBLISHED[name][1]
    if name == "tiny":
        assert low <= sigmas.min() < low + 0.02
        assert high - 0.02 < sigmas.max() <= high
    else:
        assert set(sigmas) == set(range(low, high + 1))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_class_is_nearest_to_its_own_radius_and_deforms_about_as_much(name):
    nominal = PUBLISHED[name][0]
    low, high = PUBLISHED[name][1]
    assert nearest_size(nominal) == name
    assert low / 1.6 < sigma_for(nominal) < high * 1.6


@given(st.floats(0.1, 300), st.floats(0.1, 300))
def test_larger_radii_never_get_a_smaller_class(a, b):
    names = list(SIZES)
    small, large = sorted((a, b))
    assert names.index(nearest_size(small)) <= names.index(nearest_size(large))


@pytest.mark.parametrize("name", SIZE_NAMES)
def test_every_size_name_passes(name):
    assert check_size(name) == name


@pytest.mark.parametrize(("typo", "meant"), [("lage", "large"), ("Tiny", "tiny"), ("mixed", "mix")])
def test_a_mistyped_size_is_answered_with_the_nearest(typo, meant):
    with pytest.raises(UnknownNameError, match=f"did you mean '{meant}'"):
        check_size(typo)
