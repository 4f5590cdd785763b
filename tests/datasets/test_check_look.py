"""Looks: a scan is recognised after what is done to scans, and other patients are not taken for it.

The named changes and their limits are what `oncoforge.datasets.look` promises.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import ndimage

import oncoforge as of
from oncoforge.datasets.look import ALIKE, alike, likeness, look
from oncoforge.formats.open import open_volume

SEEDS = range(6)
SPACING = (7.0, 7.0, 7.0)


@pytest.fixture(scope="module")
def phantoms():
    return [of.make_phantom(seed=seed, spacing_mm=SPACING).image for seed in SEEDS]


def resampled(image, spacing, new):
    ratio = np.divide(new, spacing)
    shape = np.floor(np.array(image.shape) / ratio).astype(int)
    return ndimage.affine_transform(
        image, ratio, offset=(ratio - 1) / 2, output_shape=tuple(shape), order=1, mode="nearest"
    ), new


def changes(image, spacing):
    """What happens to a scan on its way from one dataset to another."""
    noise = np.random.default_rng(0).normal(0, 50, image.shape).astype(np.float32)
    fifth = max(1, image.shape[2] // 5)
    yield "noise", image + noise, spacing
    yield "cut above", image[:, :, :-fifth], spacing
    yield "cut below", image[:, :, fifth:], spacing
    yield "clipped", np.clip(image, -175, 250), spacing
    yield "scaled", (np.clip(image, -175, 250) + 175) / 425, spacing
    yield "padded", np.pad(image, ((9, 4), (3, 20), (0, 0)), constant_values=-1024), spacing
    yield "finer", *resampled(image, spacing, (1.5, 1.5, min(spacing[2], 2.0)))
    yield "coarser", *resampled(image, spacing, (3.0, 3.0, 5.0))


def test_a_changed_ct_is_recognised(data_dir):
    for path in ("ct_abdomen/image.nii.gz", "ct_dicom/series"):
        stored = open_volume(data_dir / path)
        image, spacing = stored.image(), stored.source.grid.ras().spacing
        before = look(image, spacing)
        for name, changed, new in changes(image, spacing):
            found = likeness(before, look(changed.astype(np.float32), new))
            assert found >= ALIKE, f"{path}, {name}"


def test_a_changed_phantom_is_recognised(phantoms):
    before = look(phantoms[3], SPACING)
    for name, changed, new in changes(phantoms[3], SPACING):
        assert likeness(before, look(changed.astype(np.float32), new)) >= ALIKE, name


def test_other_patients_are_not_taken_for_one(phantoms, data_dir):
    looks = [look(image, SPACING) for image in phantoms]
    for path, hu in (
        ("ct_abdomen/image.nii.gz", True),
        ("ct_dicom/series", True),
        ("mr_abdomen/image.nii.gz", False),
    ):
        stored = open_volume(data_dir / path, force=True)
        looks.append(look(stored.image(), stored.source.grid.ras().spacing, hu))
    pairs = {
        pair: likeness(looks[pair[0]], looks[pair[1]])
        for pair in combinations(range(len(looks)), 2)
    }
    assert max(pairs.values()) < ALIKE
    # Phantoms share one build; no two scans here come near.
    assert max(value for pair, value in pairs.items() if pair[1] >= len(SEEDS)) < 0.7


def test_likeness_is_symmetric_and_one_with_itself(phantoms):
    one, other = (look(image, SPACING) for image in phantoms[:2])
    assert likeness(one, other) == likeness(other, one)
    assert likeness(one, one) == pytest.approx(1, abs=1e-2)


def test_search_finds_what_comparing_all_pairs_finds(phantoms):
    images = [*phantoms, phantoms[2][:, :, 5:], np.clip(phantoms[5], -175, 250)]
    looks = [look(image, SPACING) for image in images]
    found = {(first, second) for first, second, _ in alike(looks, [0] * len(looks), within=True)}
    assert found == {(2, 6), (5, 7)}
    assert list(alike(looks, [0] * len(looks))) == []
    groups = [0] * 6 + [1] * 2
    assert {pair[:2] for pair in alike(looks, groups)} == found


def test_images_without_a_body_and_very_thin_ones_are_like_nothing(phantoms):
    air = look(np.full((20, 20, 20), -1000, np.float32), SPACING)
    thin = look(phantoms[0][:, :, :3], SPACING)
    assert list(alike([air, air, None, thin, thin], [0, 1, 2, 3, 4])) == []


def test_hundreds_of_looks_are_compared_in_seconds():
    rng = np.random.default_rng(0)
    looks = [rng.normal(0, 0.05, (30, 400)).astype(np.float16) for _ in range(500)]
    looks[400], looks[401] = looks[16], looks[16]
    groups = [k % 2 for k in range(500)]
    assert [pair[:2] for pair in alike(looks, groups)] == [(16, 401), (400, 401)]
