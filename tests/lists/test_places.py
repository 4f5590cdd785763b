"""Places: lists of other machines find their files, and written paths lead back to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoforge.lists.places import locate, written

WORD = st.text("abcé 0_.", min_size=1, max_size=4).filter(lambda w: w.strip(".") == w)
PATHS = st.lists(WORD, min_size=1, max_size=4).map("/".join)


def test_what_exists_is_taken_as_it_is(tmp_path, touch):
    (file,) = touch("data/imagesTr/a.nii.gz")
    assert locate(str(file), tmp_path / "elsewhere") == file
    assert locate("imagesTr/a.nii.gz", tmp_path / "data") == file
    assert locate("./imagesTr/a.nii.gz", tmp_path / "data") == file
    assert locate("../imagesTr/a.nii.gz", tmp_path / "data" / "folds") == file


@pytest.mark.parametrize(
    "text",
    [
        "/mnt/cluster/user/LiTS/imagesTr/a.nii.gz",
        "C:\\data\\LiTS\\imagesTr\\a.nii.gz",
        "datafolds/imagesTr/a.nii.gz",
        "../../LiTS/imagesTr/a.nii.gz",
    ],
)
def test_a_path_of_another_machine_is_found_by_its_tail(text, tmp_path, touch):
    (file,) = touch("imagesTr/a.nii.gz")
    assert locate(text, tmp_path) == file


def test_the_longest_tail_wins(tmp_path, touch):
    short, long = touch("a.nii", "label/a.nii")
    assert locate("/x/label/a.nii", tmp_path) == long
    assert locate("/x/image/a.nii", tmp_path) == short


def test_a_file_that_is_nowhere_keeps_its_path(tmp_path):
    assert str(locate("/no/such/file.nii", tmp_path)) == "/no/such/file.nii"
    assert locate("./file.nii", tmp_path) == tmp_path / "file.nii"


@given(file=PATHS, folder=PATHS)
def test_a_written_path_leads_back(file, folder, tmp_path_factory):
    base = tmp_path_factory.getbasetemp()
    assert locate(written(base / file, base / folder), base / folder) == base / file


def test_paths_are_relative_unless_only_the_file_system_is_shared(tmp_path):
    assert written(tmp_path / "ct" / "a.nii", tmp_path / "folds") == "../ct/a.nii"
    assert written(tmp_path.__class__("/elsewhere/a.nii"), tmp_path) == "/elsewhere/a.nii"


def test_a_list_reached_by_a_link_finds_its_files(tmp_path, touch):
    (file,) = touch("disk/deep/data/a.nii")
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "deep")
    folds = tmp_path / "link" / "folds"
    folds.mkdir()
    relative = written(file, folds)
    assert (folds / relative).samefile(file)
    assert locate(relative, folds).samefile(file)
