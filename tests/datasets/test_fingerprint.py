"""Fingerprints: the same for the same voxels however they are stored, another for any other."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest

import oncoforge as of
from oncoforge.datasets.fingerprint import file_digest, fingerprint, image_digests, label_digest
from oncoforge.errors import InputError
from oncoforge.formats.open import open_volume


@pytest.fixture(scope="module")
def scan():
    phantom = of.make_phantom(seed=4, spacing_mm=(6, 6, 6))
    return np.rint(phantom.image).astype(np.int16), phantom.labels, phantom.affine


def digests_of(path):
    return image_digests(open_volume(path).image())


def turned(array, affine, codes):
    image = nib.Nifti1Image(array, affine)
    start = nib.orientations.io_orientation(affine)
    return image.as_reoriented(
        nib.orientations.ornt_transform(start, nib.orientations.axcodes2ornt(codes))
    )


@pytest.mark.parametrize("codes", ["RAS", "LPS", "IPL", "SAR"])
@pytest.mark.parametrize("dtype", ["int16", "int32", "float32"])
def test_the_way_of_storing_makes_no_difference(scan, tmp_path, codes, dtype):
    image, _, affine = scan
    path = tmp_path / "stored.nii.gz"
    nib.save(turned(image.astype(dtype), affine, codes), path)
    assert digests_of(path) == image_digests(image.astype(np.float32))


def test_compression_changes_the_file_and_not_the_voxels(scan, tmp_path):
    image, _, affine = scan
    raw = nib.Nifti1Image(image, affine).to_bytes()
    paths = [tmp_path / "fast.nii.gz", tmp_path / "small.nii.gz"]
    for path, level in zip(paths, (1, 9), strict=True):
        path.write_bytes(gzip.compress(raw, level, mtime=0))
    assert file_digest(paths[0]) != file_digest(paths[1])
    assert digests_of(paths[0]) == digests_of(paths[1])


def test_one_hu_makes_another_image(scan):
    image = scan[0].astype(np.float32)
    other = image.copy()
    other[3, 4, 5] += 1
    assert all(a != b for a, b in zip(image_digests(image), image_digests(other), strict=True))


def test_a_copy_with_lost_geometry_has_the_same_values_only(scan):
    image = scan[0].astype(np.float32)
    voxels, values = image_digests(image)
    flipped_voxels, flipped_values = image_digests(np.ascontiguousarray(image[::-1].swapaxes(0, 1)))
    assert flipped_voxels != voxels
    assert flipped_values == values


def test_normalised_images_are_told_apart(scan):
    image = (np.clip(scan[0], -175, 250) + 175) / np.float32(425)
    other = image + np.float32(0.01) * (np.indices(image.shape).sum(axis=0) % 2)
    assert image_digests(image)[0] != image_digests(other.astype(np.float32))[0]


def test_few_values_say_nothing_of_whose_they_are():
    assert image_digests(np.zeros((5, 6, 7), np.float32))[1] == ""


def test_shape_counts():
    flat = np.arange(24, dtype=np.float32)
    assert image_digests(flat.reshape(2, 3, 4))[0] != image_digests(flat.reshape(4, 3, 2))[0]


def test_label_maps_of_any_type_have_one_hash_and_empty_ones_none(scan):
    labels = scan[1]
    assert label_digest(labels) == label_digest(labels.astype(np.uint16)) != ""
    assert label_digest(np.zeros_like(labels)) == ""


def test_a_dicom_folder_is_its_files_whatever_they_are_called(tmp_path):
    for folder, names in (("one", "ab"), ("two", "ba"), ("three", "a")):
        (tmp_path / folder).mkdir()
        for name, content in zip(names, (b"first", b"second"), strict=False):
            (tmp_path / folder / name).write_bytes(content)
    one, two, three = (file_digest(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two != three


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.nii\.gz cannot be read"):
        file_digest(tmp_path / "nothing.nii.gz")


def test_fingerprint_is_small(scan, tmp_path):
    image, _, affine = scan
    path = tmp_path / "ct.nii.gz"
    nib.save(nib.Nifti1Image(image, affine), path)
    stored = open_volume(path)
    found = fingerprint(path, stored.image(), stored.source.grid.ras().spacing)
    assert found.look.nbytes < 40_000
    assert found.file == file_digest(path)
