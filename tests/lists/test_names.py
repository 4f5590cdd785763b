"""Names: every case another, the same in any order, and patients where names tell them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoforge.lists import case_ids, patient_of

PARTS = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
FOLDERS = st.lists(PARTS.filter(lambda p: p not in (".", "..")), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("imagesTr/liver_0_0000.nii.gz", "liver_0"),
        ("labelsTr/liver_0.nii.gz", "liver_0"),
        ("WORD/word_0002.NII.GZ", "word_0002"),
        ("x/case.with.dots.nrrd", "case.with.dots"),
        ("x/Lübeck 7.mha", "Lübeck 7"),
        ("dicom/1.2.840.113", "1.2.840.113"),
    ],
)
def test_a_case_is_called_by_its_file(path, name):
    assert case_ids([Path(path)]) == [name]


def test_files_of_one_name_are_called_by_the_folder_that_tells_them_apart():
    ids = [f"BDMAP_{i:08d}" for i in range(1, 5)]
    assert case_ids([Path("Atlas", name, "ct.nii.gz") for name in ids]) == ids
    liver = [Path("/a/Atlas", name, "segmentations", "liver.nii.gz") for name in ids]
    assert case_ids(liver) == ids


def test_folders_of_many_files_stand_before_the_file_name():
    paths = [Path(f"{site}/{n}.nii") for site in ("bern", "riga") for n in (1, 2)]
    assert case_ids(paths) == ["bern_1", "bern_2", "riga_1", "riga_2"]
    deep = [Path("d/a/x/ct.nii"), Path("d/a/y/ct.nii"), Path("d/b/x/ct.nii")]
    assert case_ids(deep) == ["a_x_ct", "a_y_ct", "b_x_ct"]


def test_a_file_that_comes_twice_is_numbered():
    assert case_ids([Path("a/1.nii"), Path("a/1.nii"), Path("a/1_2.nii")]) == ["1", "1_3", "1_2"]


@given(st.lists(FOLDERS, max_size=12), st.randoms())
def test_ids_are_unique_and_independent_of_the_order(places, random):
    paths = [Path(*parts) for parts in places]
    ids = case_ids(paths)
    assert len(set(ids)) == len(ids) == len(paths)
    assert all(ids)
    if len(set(paths)) == len(paths):
        shuffled = random.sample(paths, len(paths))
        # Which of two files of one name is numbered may depend on it, the names do not.
        assert sorted(case_ids(shuffled)) == sorted(ids)


@pytest.mark.parametrize(
    ("case", "dataset", "patient"),
    [
        ("volume-covid19-A-0003_day005", "", "volume-covid19-A-0003"),
        ("volume-covid19-A-0003_ct", "", "volume-covid19-A-0003"),
        ("volume-covid19-A-0003_seg", "", "volume-covid19-A-0003"),
        ("volume-covid19-A-0003", "", "volume-covid19-A-0003"),
        ("100001_00002", "PANORAMA", "100001"),
        ("100001_00002", "something else", "100001_00002"),
        ("fdg_0011f3deaf_03-23-2003-NA-PET-CT", "", "fdg_0011f3deaf"),
        ("liver_12", "", "liver_12"),
        ("pancreas_001_2", "", "pancreas_001_2"),
    ],
)
def test_patients_are_told_by_known_names_only(case, dataset, patient):
    assert patient_of(case, dataset) == patient
