"""Which scans are meant by files, folders and lists, and which mask belongs to which."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest

from oncoforge.errors import GridMismatchError, InputError, UnknownNameError
from oncoforge.formats import read_image, read_labels
from oncoforge.prediction.inputs import OrganMasks, find_scans


def _volume(path, array=None, affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.zeros((4, 5, 6), np.int16) if array is None else array
    nib.save(nib.Nifti1Image(array, np.eye(4) if affine is None else affine), path)
    return path


def _ids(entries):
    return {entry.case: entry.image for entry in entries}


def test_a_file_is_called_by_its_name(tmp_path):
    path = _volume(tmp_path / "ct.v2.nii.gz")
    assert _ids(find_scans(path)) == {"ct.v2": path}


def test_of_nnunets_channels_the_first_is_taken(tmp_path):
    for name in ("a_0000", "a_0001", "b_0000", "c_0012", "plain"):
        _volume(tmp_path / f"{name}.nii.gz")
    assert list(_ids(find_scans(tmp_path))) == ["a", "b", "c_0012", "plain"]


def test_labels_are_no_scans(tmp_path):
    for folder in ("imagesTr", "labelsTr", "imagesTs", "other"):
        _volume(tmp_path / folder / f"{folder}_x.nii.gz")
    assert list(_ids(find_scans(tmp_path))) == ["imagesTr_x", "imagesTs_x"]
    assert list(_ids(find_scans(tmp_path / "other"))) == ["other_x"]


def test_files_of_one_name_are_called_by_their_folders(tmp_path):
    for case in ("p1", "p2"):
        _volume(tmp_path / case / "ct.nii.gz")
    assert list(_ids(find_scans(tmp_path))) == ["p1", "p2"]
    assert list(_ids(find_scans([tmp_path / "p1" / "ct.nii.gz", tmp_path / "p2"]))) == ["p1", "p2"]
    assert list(_ids(find_scans(str(tmp_path / "*" / "ct.nii.gz")))) == ["p1", "p2"]


def test_hidden_files_are_no_scans(tmp_path):
    _volume(tmp_path / "a.nii.gz")
    (tmp_path / "._a.nii.gz").write_bytes(b"mac")
    assert list(_ids(find_scans(tmp_path))) == ["a"]


def test_lists_and_their_parts(tmp_path):
    for name in ("a", "b", "t"):
        _volume(tmp_path / f"{name}.nii.gz")
    listed = {
        "training": [{"image": "a.nii.gz", "label": "x.nii.gz"}],
        "validation": [{"image": "b.nii.gz", "label": "x.nii.gz"}],
        "test": ["t.nii.gz"],
    }
    (tmp_path / "list.json").write_text(json.dumps(listed))
    assert list(_ids(find_scans(tmp_path / "list.json"))) == ["a", "b", "t"]
    assert list(_ids(find_scans(tmp_path / "list.json", split="test"))) == ["t"]
    (tmp_path / "list.csv").write_text("case,image\none,a.nii.gz\n")
    assert _ids(find_scans(tmp_path / "list.csv")) == {"one": tmp_path / "a.nii.gz"}
    with pytest.raises(UnknownNameError, match="did you mean 'test'"):
        find_scans(tmp_path / "list.json", split="tests")
    with pytest.raises(InputError, match="names no validation images"):
        find_scans(tmp_path / "list.csv", split="validation")


def test_folders_of_dicom_files_are_series(data_dir):
    folder = data_dir / "ct_dicom" / "series"
    assert _ids(find_scans(folder)) == {"series": folder.absolute()}


def test_nothing_is_told(tmp_path):
    with pytest.raises(InputError, match="holds no images"):
        find_scans(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        find_scans(tmp_path / "ct.nii.gz")
    with pytest.raises(InputError, match="Nothing matches"):
        find_scans(str(tmp_path / "*.nii.gz"))
    with pytest.raises(InputError, match="Give images"):
        find_scans([])
    (tmp_path / "list.csv").write_text("case,image\n../evil,a.nii.gz\n")
    with pytest.raises(InputError, match="no name for a file"):
        find_scans(tmp_path / "list.csv")


@pytest.fixture
def scan(tmp_path):
    path = _volume(tmp_path / "images" / "a.nii.gz", np.zeros((4, 5, 6), np.int16))
    (entry,) = find_scans(path)
    return entry, read_image(path, force=True)


def test_masks_are_organs_with_their_tumours_in_ras(tmp_path, scan):
    entry, volume = scan
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[0, 0, 0], labels[1, 0, 0], labels[2, 0, 0] = 1, 2, 1
    flipped = np.diag([-1.0, 1, 1, 1])
    flipped[0, 3] = 3
    _volume(tmp_path / "labels" / "a.nii.gz", labels, flipped)
    masks = OrganMasks.find(
        [tmp_path / "labels"], "organ-tumor", None, ("background", "liver", "liver_tumor")
    )
    expected = read_labels(tmp_path / "labels" / "a.nii.gz").array > 0
    np.testing.assert_array_equal(masks.of(entry, volume), expected)
    assert expected[3, 0, 0]
    assert masks.organs == ("liver",)


def test_one_label_map_belongs_to_one_scan_whatever_they_are_called(tmp_path, scan):
    entry, volume = scan
    _volume(tmp_path / "labels" / "totalseg.nii.gz", np.ones((4, 5, 6), np.uint8))
    masks = OrganMasks.find([tmp_path / "labels"], "oncoforge", "liver", ("background", "liver"))
    assert masks.for_scans([entry]).of(entry, volume).all()
    with pytest.raises(InputError, match="its id 'a'"):
        masks.for_scans([entry, entry]).of(entry, volume)


def test_the_organ_that_is_meant_may_be_another(tmp_path, scan):
    entry, volume = scan
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[0], labels[1], labels[2] = 5, 7, 1  # TotalSegmentator's liver, pancreas and spleen
    _volume(tmp_path / "labels" / "a.nii.gz", labels)
    found = {
        organ: OrganMasks.find(
            [tmp_path / "labels"], "totalsegmentator", organ, ("background", "liver")
        ).of(entry, volume)
        for organ in (None, "spleen")
    }
    assert np.flatnonzero(found[None].any(axis=(1, 2))).tolist() == [0]
    assert np.flatnonzero(found["spleen"].any(axis=(1, 2))).tolist() == [2]


def test_a_mask_that_does_not_fit_is_told(tmp_path, scan):
    entry, volume = scan
    classes = ("background", "liver")
    _volume(tmp_path / "far" / "a.nii.gz", np.zeros((4, 5, 7), np.uint8))
    with pytest.raises(GridMismatchError, match=r"not on the grid of .*a\.nii\.gz: its shape"):
        OrganMasks.find([tmp_path / "far"], "oncoforge", None, classes).of(entry, volume)
    _volume(tmp_path / "other" / "b.nii.gz", np.zeros((4, 5, 6), np.uint8))
    with pytest.raises(InputError, match="no label map of --organs has its id 'a'"):
        OrganMasks.find([tmp_path / "other"], "oncoforge", None, classes).of(entry, volume)
