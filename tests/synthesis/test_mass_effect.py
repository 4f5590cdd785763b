"""Mass effect: tissue gives way outwards, within reach, and within the organ."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from oncoforge.errors import InputError
from oncoforge.synthesis.base import LesionMask
from oncoforge.synthesis.handcrafted import Handcrafted
from oncoforge.synthesis.mass_effect import REACH, push
from oncoforge.synthesis.scene import make_scene

CENTRE = np.array([50.0, 44.0, 41.0])


def ball(scan, centre_mm, radius_mm):
    axes = [
        (np.arange(n) * s - c) ** 2
        for n, s, c in zip(scan.organ.shape, scan.spacing, centre_mm, strict=True)
    ]
    return sum(np.ix_(*axes)) < radius_mm**2


def pushed(scan, lesion, strength, earlier=None):
    """The scan's image, and the earlier lesion, after a lesion has pushed."""
    image = scan.image.copy()
    scene = make_scene(image, scan.organ, scan.spacing)
    if earlier is not None:
        scene.instances[...] = earlier[scene.box]
    at = np.argwhere(lesion[scene.box])
    box = tuple(slice(a, b + 1) for a, b in zip(at.min(axis=0), at.max(axis=0), strict=True))
    push(scene, LesionMask(box, lesion[scene.box][box]), strength)
    instances = np.zeros(image.shape, np.uint16)
    instances[scene.box] = scene.instances
    return image, instances


def source_of(distance, reach, strength):
    return distance * (1 - (1 - distance / reach) ** 2 * strength)


@pytest.mark.parametrize("which", ["scan", "thick_scan"])
@pytest.mark.parametrize("strength", [0.3, 0.9])
def test_nothing_changes_outside_the_organ_or_beyond_the_reach(which, strength, request):
    scan = request.getfixturevalue(which)
    lesion = ball(scan, (24.0, 44.0, 41.0), 16.0) & scan.organ
    image, _ = pushed(scan, lesion, strength)
    assert image[~scan.organ].tobytes() == scan.image[~scan.organ].tobytes()
    centroid = np.argwhere(lesion).mean(axis=0) * scan.spacing
    radius = (3 * lesion.sum() * np.prod(scan.spacing) / (4 * np.pi)) ** (1 / 3)
    far = ~ball(scan, centroid, REACH * radius + 1e-6)
    assert image[far].tobytes() == scan.image[far].tobytes()
    assert (image[scan.organ] != scan.image[scan.organ]).any()


def test_no_strength_is_no_change(scan):
    image, _ = pushed(scan, ball(scan, CENTRE, 15.0), 0.0)
    np.testing.assert_allclose(image, scan.image, atol=1e-3)


@pytest.mark.parametrize("which", ["scan", "thick_scan"])
@pytest.mark.parametrize("start", [4.0, 9.0, 14.0])
@pytest.mark.parametrize("strength", [0.3, 0.7])
def test_a_bright_spot_moves_outwards_as_far_as_the_formula_says(which, start, strength, request):
    scan = request.getfixturevalue(which)
    away = sum(
        np.ix_(
            *[
                (np.arange(n) * s - c) ** 2
                for n, s, c in zip(
                    scan.organ.shape, scan.spacing, CENTRE + np.array([0, start, 0]), strict=True
                )
            ]
        )
    )
    # A smooth spot, so that its place is known to a fraction of a voxel.
    spot = scan._replace(image=np.where(scan.organ, 100 * np.exp(-away / 8), -500).astype("f4"))
    lesion = ball(scan, CENTRE, 15.0)
    centroid = np.argwhere(lesion).mean(axis=0) * scan.spacing
    radius = (3 * lesion.sum() * np.prod(scan.spacing) / (4 * np.pi)) ** (1 / 3)
    image, _ = pushed(spot, lesion, strength)
    line = tuple(np.rint(centroid / scan.spacing).astype(int)[[0, 2]])
    profile = image[line[0], :, line[1]].astype(float)
    at = np.arange(len(profile)) * scan.spacing[1] - centroid[1]
    top = profile.argmax()
    fit = np.polyfit(at[top - 1 : top + 2], np.log(profile[top - 1 : top + 2]), 2)
    found = -fit[1] / (2 * fit[0])
    began = CENTRE[1] + start - centroid[1]
    expected = brentq(lambda d: source_of(d, REACH * radius, strength) - began, 0, REACH * radius)
    assert found > began + 0.1
    assert found == pytest.approx(expected, abs=0.25)


def test_more_strength_pushes_further(scan):
    lesion = ball(scan, CENTRE, 15.0)
    dot = np.zeros(scan.organ.shape, np.uint16)
    dot[ball(scan, CENTRE + np.array([0, 10, 0]), 2.5)] = 1
    ends = []
    for strength in (0.0, 0.2, 0.4, 0.6, 0.8):
        _, moved = pushed(scan, lesion, strength, dot)
        ends.append(np.linalg.norm(np.argwhere(moved).mean(axis=0) - CENTRE))
    assert ends == sorted(ends)
    assert ends[-1] > ends[0] + 1


@pytest.mark.parametrize("which", ["scan", "thick_scan"])
def test_an_earlier_lesion_moves_with_the_tissue_that_it_is_in(which, request):
    scan = request.getfixturevalue(which)
    earlier = ball(scan, CENTRE + np.array([10, 0, 0]), 4.0)
    bright = scan._replace(
        image=np.where(earlier, np.float32(900), np.float32(0) + scan.organ * 20)
    )
    image, instances = pushed(bright, ball(scan, CENTRE, 16.0), 0.6, earlier.astype(np.uint16) * 7)
    assert set(np.unique(instances)) == {0, 7}
    shown = image > 450
    assert not np.array_equal(instances == 7, earlier)
    both = ((instances == 7) & shown).sum()
    assert 2 * both / (shown.sum() + (instances == 7).sum()) > 0.93
    assert not (instances.astype(bool) & ~scan.organ).any()


def test_an_even_organ_stays_even(scan):
    even = scan._replace(image=np.where(scan.organ, np.float32(100), np.float32(-900)))
    image, _ = pushed(even, ball(scan, CENTRE, 15.0), 0.7)
    np.testing.assert_allclose(image, even.image, atol=1e-3)


@pytest.mark.parametrize("beyond", [-900.0, np.nan])
def test_nothing_from_beyond_the_organ_is_pushed_into_it(scan, beyond):
    organ = scan.organ.copy()
    organ[:, :, 50:52] = False  # a fissure
    split = scan._replace(organ=organ, image=np.where(organ, 100.0, beyond).astype(np.float32))
    image, _ = pushed(split, ball(scan, CENTRE, 15.0) & organ, 0.5)
    np.testing.assert_allclose(image[organ], 100, atol=1e-3)


def test_a_lesion_that_a_later_one_squeezes_to_nothing_is_accounted_for(scan):
    def plan(centre, radius, **more):
        look = {"texture": [3, 4], "offset_mm": [0, 0, 0], "contrast_hu": -90.0, "edge_mm": 1.0}
        mask = {"centre_mm": list(map(float, centre)), "radii_mm": [radius] * 3, "elastic": "none"}
        return {"kind": "tiny", "mask": mask, "appearance": look} | more

    rng = np.random.default_rng(0)
    for _ in range(60):
        way = rng.normal(size=3)
        near = np.rint(CENTRE + rng.uniform(15.5, 19) * way / np.linalg.norm(way))
        lesions = [plan(near, 0.9), plan(CENTRE, 15.0, push=0.9)]
        recipe = {"method": "handcrafted", "parameters": {}, "lesions": lesions}
        out = Handcrafted().apply(*scan, recipe)
        assert [x.id for x in out.lesions] == list(range(1, len(out.lesions) + 1))
        assert len(out.lesions) + len(out.skipped) == 2
        assert out.instances().max() == len(out.lesions)


@pytest.mark.parametrize("wrong", [(0.0, 1.0), (-0.1, 0.3), (0.5, 0.2)])
def test_a_strength_beyond_its_range_is_refused(wrong):
    with pytest.raises(InputError, match="mass_effect"):
        Handcrafted(mass_effect=wrong)


def test_strengths_are_drawn_from_their_range(small_scan):
    synth = Handcrafted("mix", mass_effect=(0.2, 0.4))
    plans = synth.draw(*small_scan, np.random.default_rng(0)).lesions
    strengths = [plan.push for plan in plans]
    assert 0.2 <= min(strengths) < max(strengths) <= 0.4
