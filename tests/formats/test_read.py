"""A CT with its label map: grids that match, differ, or are brought together."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from oncoforge.anatomy import LABELS
from oncoforge.errors import GridMismatchError, InputError, UnknownNameError
from oncoforge.formats import read_case, read_image, read_labels, write_image, write_labels
from oncoforge.formats.resample import onto_grid
from oncoforge.grid import Grid


def save(path, array, affine):
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


@pytest.fixture
def files(tmp_path, ct, liver, affine):
    return save(tmp_path / "ct.nii.gz", ct, affine), save(tmp_path / "l.nii.gz", liver, affine)


def test_a_case_is_float32_hu_and_uint8_labels(files, ct, liver):
    case = read_case(*files, organ="liver")
    assert case.image.dtype == np.float32
    assert case.labels.dtype == np.uint8
    assert case.image.flags.c_contiguous
    assert case.labels.flags.c_contiguous
    np.testing.assert_array_equal(case.source.grid.from_ras(case.image), ct)
    np.testing.assert_array_equal(case.source.grid.from_ras(case.organ("liver")), liver == 5)
    assert case.organs() == ("liver",)
    assert (case.source.image_path, case.source.labels_path) == files


def test_a_case_goes_out_as_it_came_in(files, tmp_path, ct, affine):
    case = read_case(*files)
    write_image(tmp_path / "a.nii.gz", case.image, case.source)
    write_labels(tmp_path / "b.nii.gz", case.labels, case.source)
    written, labels = nib.load(tmp_path / "a.nii.gz"), nib.load(tmp_path / "b.nii.gz")
    np.testing.assert_array_equal(np.asarray(written.dataobj), ct)
    np.testing.assert_array_equal(written.affine, affine)
    np.testing.assert_array_equal(labels.affine, affine)
    again = read_case(tmp_path / "a.nii.gz", tmp_path / "b.nii.gz", convention="oncoforge")
    np.testing.assert_array_equal(again.labels, case.labels)
    np.testing.assert_array_equal(again.affine, case.affine)


def test_labels_may_be_stored_in_another_axis_order(files, tmp_path, liver, affine):
    image = nib.Nifti1Image(liver, affine)
    expected = read_case(*files)
    for order in ([[1, 1], [0, -1], [2, 1]], [[2, -1], [1, -1], [0, 1]]):
        turned = image.as_reoriented(np.array(order))
        nib.save(turned, tmp_path / "turned.nii.gz")
        assert turned.shape != image.shape or not np.allclose(turned.affine, affine)
        case = read_case(files[0], tmp_path / "turned.nii.gz")
        np.testing.assert_array_equal(case.labels, expected.labels)
        np.testing.assert_array_equal(case.affine, expected.affine)


MISMATCHES = {
    "shape": (lambda a: a[:, :, :-1], np.eye(4), "its shape is"),
    "spacing": (lambda a: a, np.diag([1, 1, 2, 1]), "its spacing is"),
    "origin": (lambda a: a, nib.affines.from_matvec(np.eye(3), [4, 0, 0]), "its origin is 3.0"),
    "direction": (
        lambda a: a,
        nib.affines.from_matvec(nib.eulerangles.euler2mat(z=0.1), [0, 0, 0]),
        "axes are turned by 5.7",
    ),
}


@pytest.mark.parametrize("name", MISMATCHES)
def test_another_grid_is_named_by_what_differs(files, tmp_path, liver, affine, one_sentence, name):
    crop, move, sentence = MISMATCHES[name]
    path = save(tmp_path / "other.nii.gz", crop(liver), affine @ move)
    with pytest.raises(GridMismatchError, match=sentence) as caught:
        read_case(files[0], path)
    text = one_sentence(caught.value)
    assert "other.nii.gz is not on the grid of" in text
    assert "--resample-labels" in text


def test_headers_that_round_are_the_same_grid(files, tmp_path, liver, affine):
    path = save(
        tmp_path / "other.nii.gz", liver, affine + 1e-4 * (np.eye(4) - np.diag([0, 0, 0, 1]))
    )
    np.testing.assert_array_equal(read_case(files[0], path).labels, read_case(*files).labels)


def test_labels_of_another_grid_are_resampled_like_simpleitk_does(files, tmp_path, ct):
    rng = np.random.default_rng(0)
    coarse = rng.choice(np.array([0, 1, 5], np.uint8), (9, 7, 11))
    upright = np.diag([-0.75, -0.75, 2.5, 1])  # ITK reads no sheared grids
    # Oblique to the image, finer along one axis and coarser along the others.
    turn = nib.eulerangles.euler2mat(z=0.2, x=-0.1) @ np.diag([-1.1, 1.3, 1.9])
    centre = Grid(ct.shape, upright).to_world((np.array(ct.shape) - 1) / 2)
    moved = nib.affines.from_matvec(turn, centre - turn @ [4.2, 3.1, 5.3])
    path = save(tmp_path / "coarse.nii.gz", coarse, moved)
    save(files[0], ct, upright)
    case = read_case(files[0], path, resample_labels=True)

    reference = sitk.Resample(
        sitk.ReadImage(str(path)),
        sitk.ReadImage(str(files[0])),
        sitk.Transform(),
        sitk.sitkNearestNeighbor,
    )
    expected = sitk.GetArrayFromImage(reference).transpose(2, 1, 0)
    for name, label in (("spleen", 1), ("liver", 5)):
        ours = case.source.grid.from_ras(case.labels == LABELS[name])
        assert ours.any()
        # Voxels exactly between two labels may go either way.
        assert (ours != (expected == label)).mean() < 0.002


def test_resampling_keeps_the_border_voxels_whole():
    labels = np.ones((2, 2, 2), np.uint8)
    fine = np.diag([0.25, 0.25, 0.25, 1.0])
    fine[:3, 3] = -0.375
    moved = onto_grid(labels, Grid((2, 2, 2), np.eye(4)), Grid((8, 8, 8), fine))
    assert moved.all()
    far = fine.copy()
    far[:3, 3] = -1.375
    assert onto_grid(labels, Grid((2, 2, 2), np.eye(4)), Grid((8, 8, 8), far)).sum() == 4**3


def test_labels_of_another_place_are_refused_even_when_resampled(files, tmp_path, liver, affine):
    away = affine.copy()
    away[2, 3] += 500
    path = save(tmp_path / "away.nii.gz", liver, away)
    with pytest.raises(GridMismatchError, match=r"No label of .* lies within .*origin is 500 mm"):
        read_case(files[0], path, resample_labels=True)


def test_values_outside_the_convention_name_the_file(files):
    with pytest.raises(InputError, match=r"l\.nii\.gz does not fit its label convention.*found 5"):
        read_case(*files, convention="organ-tumor", organ="liver")


def test_an_organ_that_is_not_there_is_named(files):
    with pytest.raises(InputError, match="has no pancreas; it has liver"):
        read_case(*files, organ="pancreas")


def test_unknown_names_are_found_before_any_file_is_read(tmp_path):
    with pytest.raises(UnknownNameError, match="label convention"):
        read_case(tmp_path / "none", tmp_path / "none", convention="nonesuch")


def test_a_map_of_tumours_only_is_a_case(files, tmp_path, liver, affine):
    path = save(tmp_path / "t.nii.gz", np.where(liver == 5, 2, 0).astype(np.uint8), affine)
    case = read_case(files[0], path, convention="organ-tumor", organ="liver")
    assert case.tumor("liver").sum() == (liver == 5).sum()


def test_an_organ_far_from_its_hu_is_refused_unless_forced(files, tmp_path, ct, affine):
    path = save(tmp_path / "wrong.nii.gz", np.where(ct == -1000, 5, 0).astype(np.uint8), affine)
    with pytest.raises(InputError, match=r"ct\.nii\.gz does not look like CT.*liver is -1000 HU"):
        read_case(files[0], path, organ="liver")
    assert read_case(files[0], path, organ="liver", force=True).organs() == ("liver",)
    assert read_case(files[0], path).organs() == ("liver",)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("none.nii.gz", None, "does not exist"),
        ("empty.nii.gz", b"", "is empty"),
        ("empty.nrrd", b"", "is empty"),
        ("a.txt", b"text", "has no known ending; expected NIfTI"),
        ("a.hdr", b"text", "has no known ending"),
        ("a.dcm", bytes(128) + b"DICM" + bytes(50), "is a single DICOM file"),
    ],
)
def test_what_is_no_scan_is_a_sentence(tmp_path, one_sentence, name, content, sentence):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    for read in (read_image, read_labels):
        with pytest.raises(InputError, match=sentence) as caught:
            read(path)
        assert str(path) in one_sentence(caught.value)


def test_a_folder_is_no_label_map(files, tmp_path):
    with pytest.raises(InputError, match="is a folder; a label map is a file"):
        read_case(files[0], tmp_path)


def test_labels_can_be_read_alone(files, liver):
    plain = read_labels(files[1])
    np.testing.assert_array_equal(plain.source.grid.from_ras(plain.array), liver)
    assert plain.source.labels_path == files[1]
    ours = read_labels(files[1], convention="totalsegmentator")
    assert set(np.unique(ours.array)) == {0, LABELS["liver"]}


def test_a_real_ct_goes_in_and_out_unchanged(data_dir, tmp_path):
    folder = data_dir / "ct_abdomen"
    case = read_case(
        folder / "image.nii.gz", folder / "totalsegmentator_labels.nii.gz", organ="liver"
    )
    assert case.spacing == (3, 3, 3)
    assert {"liver", "spleen", "kidney", "pancreas", "aorta"} <= set(case.organs())
    write_image(tmp_path / "a.nii.gz", case.image, case.source)
    original, written = nib.load(folder / "image.nii.gz"), nib.load(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(np.asarray(written.dataobj), np.asarray(original.dataobj))
    np.testing.assert_array_equal(written.affine, original.affine)
    assert written.get_data_dtype() == np.int16


def test_a_real_mr_is_refused_as_such(data_dir):
    folder = data_dir / "mr_abdomen"
    with pytest.raises(InputError, match="does not look like CT"):
        read_case(folder / "image.nii.gz", folder / "totalsegmentator_labels.nii.gz")
