"""Where tumours meet: the first one there keeps the point, whatever their order and size."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from oncoforge.synthesis.masks.growth.grown import settle
from oncoforge.synthesis.masks.growth.plan import GrowthPlan, backend
from oncoforge.synthesis.scene import make_scene

CPU = backend("cpu")
LEVELS = (120.0, 140.0, 160.0)


@pytest.fixture(scope="module")
def scene():
    shape = (60, 40, 40)
    return make_scene(np.full(shape, 100, np.float32), np.ones(shape, bool), (1.0, 1.0, 1.0))


def tumours(scene, *wanted):
    """Tumours by (x of the focus, steps, seed)."""
    return [
        GrowthPlan(((x, 20.0, 20.0),), n, LEVELS, seed=s).grow(scene, CPU) for x, n, s in wanted
    ]


def births(tumour, shape):
    """When each point of the scan was occupied; a million where it never was."""
    whole = np.full(shape, 10**6)
    box = tuple(slice(a, a + n) for a, n in zip(tumour.low, tumour.population.shape, strict=True))
    whole[box] = np.where(tumour.population > 0, tumour.born.astype(int), 10**6)
    return whole


def test_each_point_goes_to_the_tumour_that_was_there_first(scene):
    grown = tumours(scene, (20.0, 60, 1), (30.0, 50, 2), (38.0, 70, 3))
    before = np.stack([births(t, scene.organ.shape) for t in grown])
    after = np.stack([births(t, scene.organ.shape) for t in settle(grown)])
    kept = after < 10**6
    assert kept.sum(axis=0).max() == 1
    np.testing.assert_array_equal(kept.any(axis=0), (before < 10**6).any(axis=0))
    first = before.argmin(axis=0)  # of equals the first in the list
    np.testing.assert_array_equal(kept.argmax(axis=0)[kept.any(axis=0)], first[kept.any(axis=0)])


def test_a_tumour_never_loses_what_it_once_had(scene):
    pairs = [
        settle(tumours(scene, (24.0, min(age, 40), 1), (32.0, age, 2))) for age in range(5, 80, 8)
    ]
    for number in (0, 1):
        parts = [births(pair[number], scene.organ.shape) < 10**6 for pair in pairs]
        for younger, older in pairwise(parts):
            assert (younger <= older).all()


def test_volumes_count_what_is_kept_and_never_shrink(scene):
    for tumour in settle(tumours(scene, (20.0, 60, 1), (30.0, 60, 2))):
        assert tumour.volumes[-1] == np.count_nonzero(tumour.population)
        assert (np.diff(tumour.volumes) >= 0).all()
        assert tumour.volumes.size == 61


def test_tumours_that_do_not_meet_and_missing_ones_stay_as_they_are(scene):
    near, far = tumours(scene, (12.0, 20, 1), (48.0, 20, 2))
    assert settle([near, None, far]) == [near, None, far]


def test_the_dead_of_a_lost_point_are_lost_too(scene):
    plans = [
        GrowthPlan(((x, 20.0, 20.0),), 60, LEVELS, seed=n, necrosis=True)
        for n, x in enumerate((22.0, 32.0))
    ]
    for tumour in settle([plan.grow(scene, CPU) for plan in plans]):
        assert not (tumour.dead & (tumour.population == 0)).any()
