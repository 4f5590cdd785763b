"""DICOM series below a folder become NIfTI files."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest

from oncoforge.datasets.dicom import convert, find_series
from oncoforge.errors import InputError, OutputError
from oncoforge.formats import read_image


def run(root, out, uid=None, **options):
    found, failed = find_series(root, uid, workers=1)
    return convert(found, root, out, failed=failed, workers=1, **options)


@pytest.fixture
def tree(data_dir, tmp_path):
    """Two patients, one of them with a broken slice, and a folder without any DICOM."""
    slices = sorted((data_dir / "ct_dicom/series").iterdir())
    for name, some in (("Anna", slices[:5]), ("Björn", slices[:4])):
        folder = tmp_path / "in" / name / "CT 1"
        folder.mkdir(parents=True)
        for path in some:
            (folder / path.name).symlink_to(path)
    (tmp_path / "in/Björn/CT 1/zz.dcm").write_bytes(slices[4].read_bytes()[:3000])
    (tmp_path / "in/notes").mkdir()
    (tmp_path / "in/notes/readme.txt").write_text("hello")
    return tmp_path / "in"


def test_a_real_series_becomes_the_same_volume(data_dir, tmp_path):
    (one,) = run(data_dir / "ct_dicom", tmp_path / "out")
    assert one.file == "series.nii.gz"
    before = read_image(data_dir / "ct_dicom/series")
    after = read_image(tmp_path / "out/series.nii.gz")
    np.testing.assert_array_equal(after.array, before.array)
    assert before.grid.difference(after.grid) is None
    assert nib.load(tmp_path / "out/series.nii.gz").get_data_dtype() == np.int16
    index = json.loads((tmp_path / "out/dicom.json").read_text())["series"]
    assert index[0]["folder"] == "series"
    assert index[0]["shape"] == [512, 512, 20]
    assert str(tmp_path) not in json.dumps(index)


def test_broken_series_are_listed_and_the_rest_goes_on(tree, tmp_path):
    done = run(tree, tmp_path / "out")
    assert [bool(one.sentence) for one in done] == [False, True]
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["Anna.nii.gz", "dicom.json"]


def test_names_of_folders_can_be_left_out(tree, tmp_path):
    done = run(tree, tmp_path / "out", number=True)
    assert done[0].file == "series_0001.nii.gz"
    index = (tmp_path / "out/dicom.json").read_text()
    assert "Anna" not in index
    assert "Bj" not in index


def test_series_are_chosen_by_uid(data_dir, tmp_path):
    with pytest.raises(InputError, match=r"whose UID starts with 9\.9"):
        find_series(data_dir / "ct_dicom", "9.9", workers=1)


def test_no_dicom_is_a_sentence(tmp_path):
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(InputError, match="no CT series in or below"):
        find_series(tmp_path, workers=1)
    with pytest.raises(InputError, match="is not a folder"):
        find_series(tmp_path / "nowhere")


def test_files_that_are_there_stay(tree, tmp_path):
    run(tree, tmp_path / "out")
    with pytest.raises(OutputError, match="already holds"):
        run(tree, tmp_path / "out")
    run(tree, tmp_path / "out", overwrite=True)
