"""The inside of the trunk, without the fat under the skin."""

from __future__ import annotations

import numpy as np
import pytest
import scipy

import oncoforge as of
from oncoforge.synthesis.body_wall import beneath_wall

SPACING = (2.0, 2.0, 5.0)


def _disc(radius_mm, shape=(120, 120, 4)):
    x, y, _ = np.ogrid[tuple(slice(n) for n in shape)]
    away = np.hypot((x - 60) * SPACING[0], (y - 60) * SPACING[1])
    return np.broadcast_to(away <= radius_mm, shape)


def _trunk(gap_mm=0.0):
    """Air, skin, fat under it, a ring of muscle with a gap, and fat within."""
    image = np.full((120, 120, 4), -1000, np.float32)
    image[_disc(110)] = 20  # skin
    image[_disc(106)] = -100
    image[_disc(80) & ~_disc(65)] = 50  # muscle
    if gap_mm:
        half = int(gap_mm / 2 / SPACING[1])
        ring = _disc(80) & ~_disc(65)
        ring = ring & (np.arange(120) > 60)[:, None, None]
        ring &= (np.abs(np.arange(120) - 60) <= half)[None, :, None]
        image[ring] = -100
    return image


def _inside_of(image):
    return beneath_wall(image, np.zeros(image.shape, bool), SPACING)


def test_fat_within_the_muscles_is_inside_and_fat_under_the_skin_is_not():
    inside = _inside_of(_trunk())
    assert inside[_disc(60)].all()
    assert not inside[_disc(106) & ~_disc(84)].any()
    assert not inside[~_disc(112)].any()


@pytest.mark.parametrize(("gap_mm", "closed"), [(12, True), (60, False)])
def test_a_gap_between_muscles_is_no_way_out_unless_it_is_wide(gap_mm, closed):
    inside = _inside_of(_trunk(gap_mm))
    assert inside[_disc(40)].all() == closed
    assert not inside[_disc(106) & ~_disc(84)].any()


def test_a_patch_without_air_around_is_all_inside():
    image = _trunk()[40:80, 40:80]
    assert _inside_of(image).all()


def test_what_is_known_to_be_no_fat_closes_the_wall():
    image = _trunk(60)
    muscle = _disc(80) & ~_disc(65)
    assert not _inside_of(image)[_disc(40)].any()
    assert beneath_wall(image, muscle, SPACING)[_disc(40)].all()


def test_no_room_is_under_the_skin_of_the_sample_ct(data_dir):
    folder = data_dir / "ct_abdomen"
    case = of.read_case(folder / "image.nii.gz", folder / "totalsegmentator_labels.nii.gz")
    parts, _ = scipy.ndimage.label(case.image < -500)
    around = np.isin(parts, np.unique(parts[[0, -1]])) & (parts > 0)
    depth = scipy.ndimage.distance_transform_edt(~around, sampling=case.spacing)
    for organ in ("spleen", "liver", "kidney", "pancreas"):
        own = case.parenchyma(organ)
        beyond = of.room_around(case.image, case.labels, own, case.spacing) & ~own
        assert np.count_nonzero(beyond) > 1000, organ
        # Without the wall it reached the skin: a fifth of the liver's room was within 9 mm of it.
        assert np.mean(depth[beyond] < 12) < 0.005, organ
