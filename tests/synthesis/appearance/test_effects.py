"""Capsule, core and filling: where each adds HU, and where none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from oncoforge.synthesis.appearance.effects import capsule, core, filling
from oncoforge.synthesis.appearance.mottle import Mottle
from oncoforge.synthesis.base import LesionMask
from oncoforge.synthesis.scene import make_scene

MOTTLE = Mottle((6.0, 4.0), (0.0, 0.0, 0.0))


def ball(n, radius, centre=None):
    axes = [(np.arange(n) - (n // 2 if centre is None else c)) ** 2 for c in centre or (0, 0, 0)]
    return sum(np.ix_(*axes)) < radius**2


def everything(n):
    return (slice(0, n),) * 3


def test_a_capsule_lies_where_the_lesion_ends():
    soft = np.linspace(0, 1, 101, dtype=np.float32)
    added = capsule(soft, 40.0)
    assert added.max() == pytest.approx(40.0, abs=1.0)
    assert 0.5 < soft[added.argmax()] < 0.6
    assert (added >= 0).all()
    assert added[soft < 0.24].max() == 0
    assert added[soft > 0.86].max() == 0
    assert capsule(soft, -40.0) == pytest.approx(-added)


@pytest.mark.parametrize("most", [0.2, 0.5, 0.54])
def test_a_lesion_without_an_inside_has_no_capsule(most):
    assert (capsule(np.linspace(0, most, 50, dtype=np.float32), 40.0) == 0).all()


def cored(inside, part, spacing=(1.0, 1.0, 1.0), wide=0):
    """The HU of a core of -30 in a mask that is cut out of its scene."""
    organ = np.ones(inside.shape, bool)
    scene = make_scene(np.zeros(inside.shape, np.float32), organ, spacing)
    at = np.argwhere(inside)
    tight = tuple(
        slice(int(a), int(b) + 1) for a, b in zip(at.min(axis=0), at.max(axis=0), strict=True)
    )
    box = tuple(
        slice(max(s.start - wide, 0), min(s.stop + wide, n))
        for s, n in zip(tight, inside.shape, strict=True)
    )
    added = np.zeros(inside.shape)
    added[box] = core(scene, box, LesionMask(tight, inside[tight]), -30.0, part)
    return added


def test_a_core_lies_in_the_middle_whatever_box_it_is_painted_in():
    inside = ball(50, 18)
    added = cored(inside, 0.5, wide=5)
    depth = ndimage.distance_transform_edt(inside)
    assert added[depth > 14].mean() == pytest.approx(-30, abs=1)
    assert np.abs(added[depth < 3]).max() < 1
    np.testing.assert_allclose(added, cored(inside, 0.5, wide=12), atol=1e-3)


def test_a_larger_part_is_a_larger_core():
    sums = [cored(ball(44, 18), part).sum() for part in (0.2, 0.4, 0.6, 0.8)]
    assert sums == sorted(sums, reverse=True)
    assert sums[-1] < 3 * sums[0]


@pytest.mark.parametrize("part", [0.5, 1.0])
def test_a_core_is_made_in_a_lesion_that_fills_the_whole_organ(part):
    added = cored(np.ones((5, 5, 5), bool), part)
    assert np.isfinite(added).all()
    assert added.min() >= -30 - 1e-3
    assert added[2, 2, 2] < -5


def test_depth_of_a_core_is_in_mm():
    inside = np.zeros((40, 40, 20), bool)
    inside[4:36, 4:36, 2:18] = True  # a cube of 32 mm
    added = cored(inside, 0.5, spacing=(1.0, 1.0, 2.0))
    dead = np.argwhere(added < -15)
    extent = (dead.max(axis=0) - dead.min(axis=0) + 1) * (1.0, 1.0, 2.0)
    np.testing.assert_allclose(extent, extent.mean(), rtol=0.25)


@pytest.mark.parametrize("wanted", [-650.0, 20.0])
@pytest.mark.parametrize("beyond", [-1000.0, 300.0])
def test_filling_reaches_its_hu_even_at_the_organs_edge(wanted, beyond):
    organ = ball(50, 22)
    noise = np.random.default_rng(0).normal(-800, 30, organ.shape)
    image = np.where(organ, noise, beyond).astype(np.float32)
    scene = make_scene(image, organ, (1.0, 1.0, 1.0))
    lesion = ball(50, 9, (12, 25, 25)) & organ
    soft = ndimage.gaussian_filter(lesion.astype(np.float32), 1.0)[scene.box]
    added = filling(scene, everything(soft.shape[0]), MOTTLE, soft, wanted)
    deep = soft > 0.98
    assert deep.sum() > 300
    assert (scene.image + added)[deep].mean() == pytest.approx(wanted, abs=15)
    assert (scene.image + added)[deep].std() == pytest.approx(30, abs=12)
    assert (added[soft == 0] == 0).all()


def test_no_vessel_or_gas_shows_through_a_filling():
    organ = np.ones((30, 30, 30), bool)
    image = np.full(organ.shape, -800, np.float32)
    image[14:17, 14:17] = 150
    image[5:9, 5:9, 5:9] = -1000
    scene = make_scene(image, organ, (1.0, 1.0, 1.0))
    added = filling(scene, everything(30), MOTTLE, np.ones(organ.shape, np.float32), 30.0)
    assert np.abs(image + added - 30).max() <= 40 + 20 + 1e-3
