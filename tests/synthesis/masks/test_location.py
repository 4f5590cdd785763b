"""Places: the published band, or deep enough, clear of others, and away from vessels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, stats

from oncoforge.errors import UnknownNameError
from oncoforge.synthesis.masks.location import Places
from oncoforge.synthesis.scene import make_scene


def draws(places, radius, n, seed=0):
    rng = np.random.default_rng(seed)
    return np.array([places.draw(radius, rng) for _ in range(n)])


def voxels(centres, spacing):
    """Indices of centres, which are voxels."""
    at = centres / np.asarray(spacing)
    np.testing.assert_allclose(at, np.rint(at), atol=1e-6)
    return np.rint(at).astype(int)


@pytest.fixture(params=["scan", "thick_scan"])
def any_scan(request):
    return request.getfixturevalue(request.param)


def test_band_is_the_central_40_percent_of_the_organs_slices(any_scan):
    _, organ, spacing = any_scan
    at = voxels(draws(Places(make_scene(*any_scan)), 8.0, 1500), spacing)
    slices = np.flatnonzero(organ.any(axis=(0, 1)))
    extent = slices[-1] - slices[0]
    low, high = slices[0] + 0.3 * extent, slices[0] + 0.7 * extent
    assert low - 0.5 <= at[:, 2].min() <= low + 2
    assert high - 2 <= at[:, 2].max() <= high + 0.5


def test_band_lies_2_mm_inside_in_its_plane(any_scan):
    _, organ, spacing = any_scan
    at = voxels(draws(Places(make_scene(*any_scan)), 8.0, 1500), spacing)
    reach = [round(2 / s) for s in spacing[:2]]
    square = np.ones((2 * reach[0] + 1, 2 * reach[1] + 1, 1), bool)
    # As in the original, the border of the organ's box does not erode.
    box = ndimage.find_objects(organ.astype(int))[0]
    eroded = ndimage.binary_erosion(organ[box], square, border_value=1)
    assert eroded[tuple((at - [s.start for s in box]).T)].all()


def test_band_lies_2_mm_inside_where_the_organ_has_a_flat_side():
    organ = np.zeros((60, 60, 60), bool)
    organ[10:50, 10:50, 10:50] = True
    image = np.random.default_rng(0).normal(100, 15, organ.shape).astype(np.float32)
    at = voxels(draws(Places(make_scene(image, organ, (1, 1, 1))), 8.0, 500), (1, 1, 1))
    assert ndimage.binary_erosion(organ, np.ones((5, 5, 1), bool))[tuple(at.T)].all()


def test_every_slice_of_the_band_is_equally_likely(scan):
    at = voxels(draws(Places(make_scene(*scan)), 8.0, 4000), scan.spacing)
    counts = np.bincount(at[:, 2])
    inner = counts[counts > 0][1:-1]  # rounding halves the outermost slices
    assert stats.chisquare(inner).pvalue > 1e-4


def test_band_is_uniform_over_the_eroded_slice(scan):
    _, organ, spacing = scan
    at = voxels(draws(Places(make_scene(*scan)), 8.0, 4000), spacing)
    eroded = ndimage.binary_erosion(organ, np.ones((5, 5, 1), bool))
    # Where a place ranks within its slice, by each in-plane axis, is uniform if places are.
    for axis in (0, 1):
        ranks = []
        for point in at:
            across = eroded[:, :, point[2]].sum(axis=1 - axis).astype(float)
            below = across[: point[axis]].sum() + across[point[axis]] / 2
            ranks.append(below / across.sum())
        assert stats.kstest(ranks, "uniform").pvalue > 1e-4


def test_a_radius_means_nothing_to_the_band(scan):
    places = Places(make_scene(*scan))
    np.testing.assert_array_equal(draws(places, 2.0, 50), draws(places, 90.0, 50))


@pytest.mark.parametrize("radius", [4.0, 12.0, 20.0])
def test_inside_keeps_the_margin_where_the_organ_is_thick_enough(any_scan, radius):
    _, organ, spacing = any_scan
    depth = ndimage.distance_transform_edt(organ, sampling=spacing)
    at = voxels(draws(Places(make_scene(*any_scan), "inside", margin=0.7), radius, 800), spacing)
    assert depth[tuple(at.T)].min() >= 0.7 * radius


def test_inside_reaches_every_part_of_the_organ(any_scan):
    _, organ, spacing = any_scan
    centres = draws(Places(make_scene(*any_scan), "inside", margin=0.0), 4.0, 4000)
    mine = np.argwhere(organ) * spacing
    np.testing.assert_allclose(centres.mean(axis=0), mine.mean(axis=0), atol=2.5)
    np.testing.assert_allclose(centres.std(axis=0), mine.std(axis=0), rtol=0.06)


def test_inside_falls_back_to_shallow_places_in_a_thin_organ(scan):
    organ = np.zeros_like(scan.organ)
    organ[:, :, 40:42] = True
    places = Places(make_scene(scan.image, organ, scan.spacing), "inside", margin=0.9)
    at = voxels(draws(places, 30.0, 50), scan.spacing)
    assert organ[tuple(at.T)].all()


def test_band_falls_back_to_any_voxel_where_no_slice_survives_the_margin(scan):
    organ = np.zeros_like(scan.organ)
    organ[10:60, 40, 20:60] = True
    at = voxels(draws(Places(make_scene(scan.image, organ, scan.spacing)), 8.0, 20), scan.spacing)
    assert organ[tuple(at.T)].all()


@pytest.mark.parametrize("place", ["band", "inside"])
def test_a_place_is_a_voxel_of_the_organ_even_if_that_is_dust(place):
    rng = np.random.default_rng(0)
    organ = rng.random((30, 25, 20)) < 0.01
    image = rng.normal(100, 20, organ.shape).astype(np.float32)
    places = Places(make_scene(image, organ, (0.7, 1.3, 4.0)), place)
    at = voxels(draws(places, 8.0, 100), (0.7, 1.3, 4.0))
    assert organ[tuple(at.T)].all()


@pytest.mark.parametrize("place", ["band", "inside"])
def test_lesions_keep_their_distance_or_are_given_up(scan, place):
    places = Places(make_scene(*scan), place, min_distance_mm=4.0)
    rng = np.random.default_rng(0)
    placed, given_up = [], 0
    for radius in rng.uniform(3, 12, 60):
        centre = places.find("small", radius, rng)
        if isinstance(centre, str):
            assert centre.startswith("A small lesion (")
            given_up += 1
            continue
        assert all(np.linalg.norm(centre - c) >= radius + r + 4.0 for c, r in placed)
        placed.append((centre, radius))
    assert len(placed) > 5
    assert given_up > 0  # 60 lesions do not fit, and nobody searches for ever


@pytest.fixture(scope="module")
def veined(scan):
    """The scan with bright tubes of 5 mm along z, 16 mm apart."""
    x, y = np.ogrid[: scan.organ.shape[0], : scan.organ.shape[1]]
    tubes = ((x % 16 - 8) ** 2 + (y % 16 - 8) ** 2 <= 2.5**2)[..., None] & scan.organ
    return scan._replace(image=scan.image + np.float32(90) * tubes), tubes


@pytest.mark.parametrize("place", ["band", "inside"])
def test_vessels_are_avoided(veined, place):
    (image, organ, spacing), tubes = veined
    away = ndimage.distance_transform_edt(~tubes, sampling=spacing)

    def vessel_part(avoid):
        parts = []
        scene = make_scene(image, organ, spacing)
        for at in voxels(draws(Places(scene, place, avoid_vessels=avoid), 4.0, 150), spacing):
            low = np.maximum(at - 4, 0)
            box = tuple(slice(a, b + 5) for a, b in zip(low, at, strict=True))
            parts.append(tubes[box].mean())
        return np.mean(parts)

    assert vessel_part(True) < 0.5 * vessel_part(False)
    assert away.max() > 4  # there are places without any


def test_an_organ_that_is_all_vessel_still_gets_a_place(veined):
    (image, _, spacing), tubes = veined
    places = Places(make_scene(image, tubes, spacing), "inside", avoid_vessels=True)
    at = voxels(draws(places, 4.0, 20), spacing)
    assert tubes[tuple(at.T)].all()


def test_an_unknown_place_is_answered_with_the_nearest(scan):
    with pytest.raises(UnknownNameError, match="'inside'"):
        Places(make_scene(*scan), "insid")
