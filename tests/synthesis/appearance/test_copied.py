"""Copied appearance: the source's own values, where its shape goes, and nowhere else."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest

from oncoforge.datasets.crops import Wanted, crop
from oncoforge.errors import InputError
from oncoforge.synthesis.appearance.copied import Copied
from oncoforge.synthesis.masks.ellipsoid import Ellipsoids
from oncoforge.synthesis.masks.library.model import LibraryModel
from oncoforge.synthesis.synthesizer import Synthesizer

SPACING = (1.0, 1.0, 1.0)
SOURCE_HU, TUMOR_HU, OTHER_HU = 80.0, 20.0, 150.0


def _source():
    """A sphere whose left half is 20 HU and right half 50 HU, in an organ of 80 HU."""
    x, y, z = np.indices((60, 60, 60)) - 30.0
    tumor = x**2 + y**2 + z**2 <= 11**2
    image = np.full(tumor.shape, SOURCE_HU)
    image[tumor] = TUMOR_HU
    image[tumor & (x > 0)] = TUMOR_HU + 30
    return image, np.where(tumor, 2, 1).astype(np.uint8)


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    """One library with images, and one without."""
    folder = tmp_path_factory.mktemp("copied")
    image, labels = _source()
    for kind, array in (("images", image.astype(np.int16)), ("labels", labels)):
        (folder / kind).mkdir()
        nib.save(nib.Nifti1Image(array, np.eye(4)), folder / kind / "a.nii.gz")
    wanted = Wanted("organ-tumor", "liver", margin_mm=14.0, force=True)
    crop(folder / "labels", folder / "with", wanted, images=folder / "images", workers=1)
    crop(folder / "labels", folder / "without", wanted, workers=1)
    return str(folder / "with"), str(folder / "without")


@pytest.fixture(scope="module")
def target():
    rng = np.random.default_rng(0)
    image = (OTHER_HU + rng.normal(0, 8, (50, 50, 50))).astype(np.float32)
    organ = np.zeros(image.shape, bool)
    organ[4:46, 4:46, 4:46] = True
    return image, organ


def made(library, target, seed=0, *, match=True, edge_mm=(0.5, 0.5), **settings):
    settings = {"at_mm": ((25.0, 25.0, 25.0),), "rotate": False, "flip": False} | settings
    model = LibraryModel(library, scale=(1.0, 1.0), **settings)
    synth = Synthesizer("handcrafted", model, Copied(edge_mm=edge_mm, match=match))
    return synth, synth(*target, SPACING, np.random.default_rng(seed), force=True)


def test_values_are_the_sources_own(libraries, target):
    _, out = made(libraries[0], target, match=False)
    assert out.image[20, 25, 25] == pytest.approx(TUMOR_HU, abs=1)
    assert out.image[30, 25, 25] == pytest.approx(TUMOR_HU + 30, abs=1)


def test_matched_values_keep_their_contrast_to_the_organ(libraries, target):
    _, out = made(libraries[0], target)
    contrast = TUMOR_HU - SOURCE_HU
    assert out.image[20, 25, 25] == pytest.approx(OTHER_HU + contrast, abs=2)
    assert out.lesions[0].contrast_hu == pytest.approx(contrast + 15, abs=4)


def test_appearance_is_mirrored_and_turned_with_the_shape(libraries, target):
    for seed in range(8):
        _, out = made(libraries[0], target, seed, match=False, flip=True, rotate=True)
        pose = out.recipe.lesions[0].mask
        x, y, z, w = pose["quaternion"]
        # First column of the rotation matrix: where the crop's x axis goes.
        axis = np.array([1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w)])
        bright = 25 + 6 * axis * (-1 if pose["flip"] else 1)
        dark = 50 - bright
        assert out.image[tuple(np.rint(bright).astype(int))] > TUMOR_HU + 20
        assert out.image[tuple(np.rint(dark).astype(int))] < TUMOR_HU + 10


def test_nothing_changes_outside_the_organ(libraries, target):
    image, organ = target
    _, out = made(libraries[0], target, at_mm=((8.0, 25.0, 25.0),), edge_mm=(2.0, 2.0))
    assert out.lesions
    assert np.array_equal(out.image[~organ], image[~organ])


def test_replay_from_json_gives_the_same_bytes(libraries, target):
    synth, out = made(libraries[0], target, rotate=True, flip=True)
    data = json.loads(json.dumps(out.recipe.to_dict()))
    assert synth.apply(*target, SPACING, data, force=True).image.tobytes() == out.image.tobytes()


def test_coarse_voxels_do_not_take_over_the_noise_of_fine_ones(tmp_path):
    """A voxel of 4 mm averages over 64 of 1 mm."""
    rng = np.random.default_rng(1)
    _, labels = _source()
    image = rng.normal(40, 40, labels.shape)
    for kind, array in (("images", image.astype(np.int16)), ("labels", labels)):
        (tmp_path / kind).mkdir()
        nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / kind / "a.nii.gz")
    wanted = Wanted("organ-tumor", "liver", force=True)
    crop(tmp_path / "labels", tmp_path / "lib", wanted, images=tmp_path / "images", workers=1)
    synth = Synthesizer(
        "handcrafted", LibraryModel(str(tmp_path / "lib"), count=1, scale=(1, 1)), Copied()
    )
    organ = np.ones((14, 14, 14), bool)
    out = synth(np.zeros(organ.shape), organ, (4, 4, 4), np.random.default_rng(0), force=True)
    assert out.image[out.tumor].std() < 15


def test_a_library_without_images_has_nothing_to_copy(libraries, target):
    with pytest.raises(InputError, match=r"has no image of a_liver_1.*--images"):
        made(libraries[1], target)


def test_only_masks_of_a_library_can_be_copied(target):
    synth = Synthesizer("handcrafted", Ellipsoids(size="tiny"), Copied())
    with pytest.raises(InputError, match="masks library"):
        synth(*target, SPACING, np.random.default_rng(0), force=True)


def test_a_crop_without_organ_cannot_be_matched(target, tmp_path):
    image, labels = _source()
    labels[labels == 1] = 0
    for kind, array in (("images", image.astype(np.int16)), ("labels", labels)):
        (tmp_path / kind).mkdir()
        nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / kind / "a.nii.gz")
    wanted = Wanted("organ-tumor", "liver", force=True)
    crop(tmp_path / "labels", tmp_path / "lib", wanted, images=tmp_path / "images", workers=1)
    with pytest.raises(InputError, match="match=false"):
        made(str(tmp_path / "lib"), target)
    _, out = made(str(tmp_path / "lib"), target, match=False)
    assert out.lesions


@pytest.mark.parametrize("edge_mm", [(-1.0, 1.0), (2.0, 1.0), (0.0, 99.0)])
def test_a_senseless_seam_is_refused(edge_mm):
    with pytest.raises(InputError, match="edge_mm"):
        Copied(edge_mm=edge_mm)
