"""What is stored of a case: the published chain's voxels, whatever its files look like."""

from __future__ import annotations

import warnings
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import torch

from oncoforge.errors import GridMismatchError, InputError
from oncoforge.formats import read_case
from oncoforge.formats.resample import onto_grid
from oncoforge.grid import Grid
from oncoforge.lists import Entry
from oncoforge.store import CaseFiles, StoreSettings, build_store
from oncoforge.store.build import build

SHAPE = (30, 26, 18)
WHOLE = StoreSettings(crop=False)
NATIVE = StoreSettings(spacing_mm=None, crop=False)


def _stored(case, folder, settings=WHOLE):
    (stored,) = build_store([case], folder, settings, workers=1).cases
    return stored


def _arrays(stored):
    return stored.image((0, 0, 0), stored.shape), stored.labels((0, 0, 0), stored.shape)


@pytest.mark.parametrize("spacing", [(0.8, 0.9, 2.5), (1.7, 1.3, 0.6), (3.0, 3.0, 3.0)])
def test_voxels_are_those_of_the_published_chain(write_case, tmp_path, spacing, make_anatomy):
    """MONAI's Spacing, linear for the image and nearest for labels, to half a HU of rounding."""
    from monai.data import MetaTensor
    from monai.transforms import Spacing

    case = write_case(spacing=spacing)
    stored = _stored(case, tmp_path / "store")
    image, labels = _arrays(stored)
    anatomy = make_anatomy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        there = nib.load(case.entry.image).affine
        theirs = {
            mode: Spacing((1.0, 1.0, 1.0), mode=mode)(
                MetaTensor(torch.from_numpy(array[None].astype(np.float32)), affine=there)
            )
            for mode, array in (("bilinear", anatomy.image), ("nearest", anatomy.labels))
        }
    np.testing.assert_allclose(image, theirs["bilinear"].numpy()[0], atol=0.51)
    np.testing.assert_array_equal(labels, theirs["nearest"].numpy()[0])
    np.testing.assert_allclose(stored.affine, theirs["bilinear"].affine.numpy(), atol=1e-4)
    np.testing.assert_allclose(stored.spacing_mm, 1)


def test_of_two_voxels_as_near_the_label_is_the_librarys(write_case, tmp_path, make_anatomy):
    spacing = (2.0, 2.0, 4.0)
    stored = _stored(write_case(spacing=spacing), tmp_path / "store")
    affine = np.diag([*spacing, 1.0])
    expected = onto_grid(make_anatomy().labels, Grid(SHAPE, affine), Grid(stored.shape, np.eye(4)))
    np.testing.assert_array_equal(_arrays(stored)[1], expected)


@pytest.mark.parametrize("codes", ["LPS", "IPL", "SAR", "PIR"])
def test_the_order_of_axes_in_the_files_makes_no_difference(write_case, tmp_path, codes):
    spacing = (0.8, 1.2, 2.5)
    plain, turned = (
        _stored(write_case(name, spacing=spacing, codes=name), tmp_path / "store")
        for name in ("RAS", codes)
    )
    assert plain.shape == turned.shape
    np.testing.assert_allclose(plain.affine, turned.affine, atol=1e-4)
    for ours, theirs in zip(_arrays(plain), _arrays(turned), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.5, 2.5, 3.0)])
def test_the_crop_keeps_body_and_labels_where_they_are(write_case, tmp_path, spacing, make_anatomy):
    anatomy = make_anatomy(shape=(44, 40, 18))
    anatomy.image[:9] = anatomy.image[-9:] = anatomy.image[:, :7] = anatomy.image[:, -6:] = -1000
    anatomy.labels[1, 2, 3] = 9  # outside of the body, and a label all the same
    case = write_case(anatomy=anatomy, spacing=spacing)
    whole = _stored(case, tmp_path / "store", WHOLE)
    cropped = _stored(case, tmp_path / "store", StoreSettings())
    assert np.prod(cropped.shape) < np.prod(whole.shape)
    start = np.rint(Grid(whole.shape, whole.affine).to_voxel(cropped.affine[:3, 3])).astype(int)
    np.testing.assert_allclose(whole.affine[:3, :3], cropped.affine[:3, :3])
    np.testing.assert_array_equal(
        whole.image(start, cropped.shape), cropped.image((0, 0, 0), cropped.shape)
    )
    foreground = {label: n for label, n in whole.voxels.items() if label}
    assert foreground == {label: n for label, n in cropped.voxels.items() if label}
    lost = np.ones(whole.shape, bool)
    lost[tuple(slice(a, a + n) for a, n in zip(start, cropped.shape, strict=True))] = False
    assert _arrays(whole)[0][lost].max() < -900


def test_without_a_spacing_voxels_are_those_of_the_file(write_case, tmp_path, make_anatomy):
    stored = _stored(write_case(spacing=(0.8, 0.9, 2.5)), tmp_path / "store", NATIVE)
    image, labels = _arrays(stored)
    np.testing.assert_array_equal(image, make_anatomy().image)
    np.testing.assert_array_equal(labels, make_anatomy().labels)
    np.testing.assert_allclose(stored.spacing_mm, (0.8, 0.9, 2.5), rtol=1e-6)
    assert (image.dtype, labels.dtype) == (np.float32, np.uint8)


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("of_labels", ["int16", "uint16", "int64", "float32"])
def test_types_of_files_make_no_difference(write_case, tmp_path, dtype, of_labels, make_anatomy):
    plain = make_anatomy()
    anatomy = replace(plain, image=plain.image.astype(dtype))
    case = write_case(anatomy=anatomy)
    nib.save(
        nib.Nifti1Image(plain.labels.astype(of_labels), nib.load(case.entry.image).affine,
                        dtype=of_labels),
        case.entry.label,
    )  # fmt: skip
    image, labels = _arrays(_stored(case, tmp_path / "store", NATIVE))
    np.testing.assert_array_equal(image, plain.image)
    np.testing.assert_array_equal(labels, plain.labels)


def test_hu_are_rounded_and_kept_within_16_bits(write_case, tmp_path, make_anatomy):
    plain = make_anatomy()
    image = plain.image + np.float32(0.4)
    image[0, 0, 0], image[0, 0, 1] = 70000, -70000
    stored = _stored(write_case(anatomy=replace(plain, image=image)), tmp_path / "store", NATIVE)
    expected = plain.image.astype(np.float32)
    expected[0, 0, 0], expected[0, 0, 1] = 32767, -32768
    np.testing.assert_array_equal(_arrays(stored)[0], expected)


def test_label_maps_of_other_conventions_are_translated(write_case, tmp_path, make_anatomy):
    liver = make_anatomy()
    pancreas = _stored(write_case("p", convention="msd-pancreas"), tmp_path / "store")
    assert set(pancreas.voxels) == {0, 3, 4}
    kidney = _stored(write_case("k", convention="organ-tumor", organ="kidney"), tmp_path / "store")
    assert set(kidney.voxels) == {0, 5, 6}
    assert pancreas.voxels[4] == kidney.voxels[6] == np.count_nonzero(liver.labels == 2)
    with pytest.raises(InputError, match="name the organ"):
        _stored(write_case(convention="organ-tumor"), tmp_path / "store")
    with pytest.raises(InputError, match=r"no label convention 'msd-livr'; .*'msd-liver'"):
        _stored(write_case(convention="msd-livr"), tmp_path / "store")


def test_a_label_map_without_a_label_is_a_case_of_background(write_case, tmp_path, make_anatomy):
    anatomy = replace(make_anatomy(), labels=np.zeros(SHAPE, np.uint8))
    stored = _stored(write_case(anatomy=anatomy), tmp_path / "store")
    assert stored.voxels == {0: np.prod(SHAPE)}
    assert 0 < stored.bright[0] < stored.voxels[0]
    assert not len(stored.locations(1))


def test_a_label_map_on_another_grid_is_refused(write_case, tmp_path, make_anatomy, save):
    case = write_case()
    save(case.entry.label, make_anatomy().labels, spacing=(1, 1, 3))
    with pytest.raises(GridMismatchError, match="1 x 1 x 3, not 1 x 1 x 1 mm") as found:
        build(case, WHOLE, "0", tmp_path)
    assert str(case.entry.label) in str(found.value)


@pytest.mark.parametrize(
    ("image", "labels", "sentence"),
    [
        (lambda i: abs(i), lambda m: m, "does not look like CT in HU"),
        (lambda i: np.where(i > 0, np.nan, i).astype(np.float32), lambda m: m, "holds NaN"),
        (lambda i: i, lambda m: m.astype(np.float32) / 2, "holds fractions"),
        (lambda i: i, lambda m: m * 100, "does not fit its label convention"),
    ],
)  # fmt: skip
def test_files_that_hold_something_else_are_refused_by_name(
    write_case, tmp_path, image, labels, sentence, make_anatomy
):
    plain = make_anatomy()
    case = write_case(anatomy=replace(plain, image=image(plain.image), labels=labels(plain.labels)))
    with pytest.raises(InputError, match=sentence) as found:
        _stored(case, tmp_path / "store")
    wrong = case.entry.image if sentence in ("does not look like CT in HU", "holds NaN") else (
        case.entry.label
    )  # fmt: skip
    assert str(wrong) in str(found.value)
    assert not list((tmp_path / "store" / "cases").iterdir())


def test_a_real_scan_is_what_read_case_reads(data_dir, tmp_path):
    files = [
        data_dir / "ct_abdomen" / f for f in ("image.nii.gz", "totalsegmentator_labels.nii.gz")
    ]
    case = CaseFiles(Entry("real", *files), "totalsegmentator")
    stored = _stored(case, tmp_path / "store", replace(NATIVE, crop=True))
    read = read_case(*files)
    start = np.rint(read.to_voxel(stored.affine[:3, 3])).astype(int)
    box = tuple(slice(a, a + n) for a, n in zip(start, stored.shape, strict=True))
    image, labels = _arrays(stored)
    np.testing.assert_allclose(image, read.image[box], atol=0.5)
    np.testing.assert_array_equal(labels, read.labels[box])
    assert np.count_nonzero(read.labels) == np.count_nonzero(labels)


def test_an_oblique_scan_keeps_its_place_and_its_directions(write_case, tmp_path, make_anatomy):
    anatomy = make_anatomy()
    case = write_case(anatomy=anatomy)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]]
    affine = turn @ np.diag([-0.8, 0.9, 2.0, 1.0])
    for path, array in ((case.entry.image, anatomy.image), (case.entry.label, anatomy.labels)):
        nib.save(nib.Nifti1Image(array, affine), path)
    stored = _stored(case, tmp_path / "store", StoreSettings())
    np.testing.assert_allclose(stored.spacing_mm, 1, rtol=1e-6)
    directions = stored.affine[:3, :3]
    np.testing.assert_allclose(np.abs(directions), np.abs(turn[:3, :3]), atol=1e-6)
    middles = [
        nib.affines.apply_affine(place, np.argwhere(labels == 2).mean(axis=0))
        for place, labels in ((affine, anatomy.labels), (stored.affine, _arrays(stored)[1]))
    ]
    np.testing.assert_allclose(*middles, atol=0.75)  # half the difference of the voxels


def test_image_and_labels_may_have_other_orders_of_axes(write_case, tmp_path, make_anatomy, save):
    plain = _stored(write_case(), tmp_path / "store")
    case = write_case("other")
    save(case.entry.label, make_anatomy().labels, codes="PSL")
    turned = _stored(case, tmp_path / "store")
    for ours, theirs in zip(_arrays(plain), _arrays(turned), strict=True):
        np.testing.assert_array_equal(ours, theirs)
