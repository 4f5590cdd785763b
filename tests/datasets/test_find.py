"""Cases are found in folders as they are downloaded, or as others keep them."""

from __future__ import annotations

import pytest

from oncoforge.datasets.find import find
from oncoforge.datasets.registry import DATASETS, dataset
from oncoforge.errors import InputError


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def found(name, root):
    return {
        case.case: (case.split, case.image and case.image.relative_to(root).as_posix(),
                    [path.relative_to(root).as_posix() for path in case.labels.values()])
        for case in find(dataset(name), root).cases
    }  # fmt: skip


TREES = [
    (
        "msd-liver",
        ["imagesTr/liver_2.nii.gz", "labelsTr/liver_2.nii.gz", "imagesTs/liver_131.nii.gz"],
        {"liver_2": ("training", 0, [1]), "liver_131": ("test", 2, [])},
    ),
    (
        "msd-liver",
        ["imagesTr/liver_2_0000.nii.gz", "labelsTr/liver_2.nii.gz"],
        {"liver_2": ("training", 0, [1])},
    ),
    (
        "lits",
        ["Training Batch 1/volume-3.nii", "Training Batch 1/segmentation-3.nii",
         "Test-Data/test-volume-3.nii"],
        {"liver_3": ("training", 0, [1]), "test-volume-3": ("test", 2, [])},
    ),
    (
        "lits",
        ["img/liver_3.nii.gz", "label/liver_3.nii.gz"],
        {"liver_3": ("training", 0, [1])},
    ),
    (
        "kits19",
        ["data/case_00001/imaging.nii.gz", "data/case_00001/segmentation.nii.gz",
         "data/case_00210/imaging.nii.gz"],
        {"case_00001": ("training", 0, [1]), "case_00210": ("training", 2, [])},
    ),
    (
        "kits21",
        ["data/case_00001/imaging.nii.gz", "data/case_00001/aggregated_MAJ_seg.nii.gz",
         "data/case_00001/aggregated_OR_seg.nii.gz"],
        {"case_00001": ("training", 0, [1])},
    ),
    ("kits19", ["case_00007.nii.gz"], {"case_00007": ("training", None, [0])}),
    (
        "btcv",
        ["RawData/Training/img/img0001.nii.gz", "RawData/Training/label/label0001.nii.gz"],
        {"img0001": ("training", 0, [1])},
    ),
    (
        "btcv",
        ["imagesTr/img0001.nii.gz", "labelsTr/label0001.nii.gz", "imagesTs/img0061.nii.gz"],
        {"img0001": ("training", 0, [1]), "img0061": ("test", 2, [])},
    ),
    (
        "flare22",
        ["images/FLARE22_Tr_0001_0000.nii.gz", "labels/FLARE22_Tr_0001.nii.gz"],
        {"FLARE22_Tr_0001": ("training", 0, [1])},
    ),
    (
        "flare23",
        ["imagesTr2200/FLARE23_0001_0000.nii.gz", "labelsTr2200/FLARE23_0001.nii.gz"],
        {"FLARE23_0001": ("training", 0, [1])},
    ),
    (
        "amos22",
        ["imagesTr/amos_0001.nii.gz", "labelsTr/amos_0001.nii.gz", "imagesTr/amos_0507.nii.gz",
         "labelsTr/amos_0507.nii.gz", "imagesVa/amos_0008.nii.gz", "labelsVa/amos_0008.nii.gz"],
        {"amos_0001": ("training", 0, [1]), "amos_0008": ("validation", 4, [5])},
    ),
    (
        "word",
        ["imagesVal/word_0003.nii.gz", "labelsVal/word_0003.nii.gz"],
        {"word_0003": ("validation", 0, [1])},
    ),
    (
        "abdomenct-1k",
        ["AbdomenCT-1K-ImagePart1/Case_00001_0000.nii.gz", "Mask/Case_00001.nii.gz"],
        {"Case_00001": ("training", 0, [1])},
    ),
    (
        "abdomenatlas",
        ["BDMAP_00000001/ct.nii.gz", "BDMAP_00000001/combined_labels.nii.gz",
         "BDMAP_00000001/segmentations/liver.nii.gz"],
        {"BDMAP_00000001": ("training", 0, [1])},
    ),
    (
        "abdomenatlas",
        ["BDMAP_00000001/ct.nii.gz", "BDMAP_00000001/segmentations/kidney_left.nii.gz",
         "BDMAP_00000001/segmentations/liver.nii.gz", "BDMAP_00000001/segmentations/odd.nii.gz"],
        {"BDMAP_00000001": ("training", 0, [1, 2])},
    ),
    (
        "panorama",
        ["batch_1/100000_00001_0000.nii.gz", "panorama_labels/manual_labels/100000_00001.nii.gz"],
        {"100000_00001": ("training", 0, [1])},
    ),
    (
        "covid-19-20",
        ["COVID-19-20_v2/Train/volume-covid19-A-0003_ct.nii.gz",
         "COVID-19-20_v2/Train/volume-covid19-A-0003_seg.nii.gz",
         "COVID-19-20_v2/Validation/volume-covid19-A-0001_ct.nii.gz"],
        {"volume-covid19-A-0001": ("validation", 2, []),
         "volume-covid19-A-0003": ("training", 0, [1])},
    ),
    (
        "tcia-covid19",
        ["CT/volume-covid19-A-0003_day012.nii.gz"],
        {"volume-covid19-A-0003_day012": ("training", 0, [])},
    ),
    ("stoic21", ["data/mha/12.mha"], {"stoic21-12": ("training", 0, [])}),
    ("mela", ["Train/mela_0001.nii.gz"], {"mela_0001": ("training", 0, [])}),
    (
        "autopet",
        ["imagesTr/fdg_0a1b_03-23-2003-x_0000.nii.gz", "imagesTr/fdg_0a1b_03-23-2003-x_0001.nii.gz",
         "labelsTr/fdg_0a1b_03-23-2003-x.nii.gz"],
        {"fdg_0a1b_03-23-2003-x": ("training", 0, [2])},
    ),
    (
        "autopet",
        ["PETCT_0a1b/first/CTres.nii.gz", "PETCT_0a1b/first/SEG.nii.gz",
         "PETCT_0a1b/second/CTres.nii.gz", "PETCT_0a1b/second/SEG.nii.gz"],
        {"PETCT_0a1b_first": ("training", 0, [1]), "PETCT_0a1b_second": ("training", 2, [3])},
    ),
    ("synthrad2023", ["Task1/pelvis/1PA001/ct.nii.gz", "Task1/pelvis/1PA001/mr.nii.gz"],
     {"1PA001": ("training", 0, [])}),
]  # fmt: skip


@pytest.mark.parametrize("around", ["", "one more/"], ids=["plain", "in a folder"])
@pytest.mark.parametrize(("name", "files", "cases"), TREES)
def test_a_layout_is_found(tmp_path, name, files, cases, around):
    files = [around + file for file in files]
    touch(tmp_path, *files, around + "dataset.json", around + "._hidden.nii.gz")
    wanted = {
        case: (split, None if image is None else files[image], [files[n] for n in labels])
        for case, (split, image, labels) in cases.items()
    }
    assert found(name, tmp_path) == wanted


def test_most_datasets_are_tried():
    untried = set(DATASETS) - {name for name, _, _ in TREES}
    # DICOM trees are in test_prepare; Decathlon tasks are alike.
    assert untried == {"msd-pancreas", "msd-colon", "msd-lung", "msd-spleen", "kits23", "chaos",
                       "pancreas-ct", "3d-ircadb", "lidc"}  # fmt: skip


def test_nii_is_as_good_as_nii_gz(tmp_path):
    touch(tmp_path, "imagesTr/liver_1.nii", "labelsTr/liver_1.nii.gz")
    assert list(found("msd-liver", tmp_path)) == ["liver_1"]


def test_cases_come_in_the_order_of_their_numbers(tmp_path):
    touch(tmp_path, *(f"imagesTr/liver_{n}.nii.gz" for n in (10, 2, 1, 100)))
    assert list(found("msd-liver", tmp_path)) == ["liver_1", "liver_2", "liver_10", "liver_100"]


def test_two_files_of_one_case_are_a_problem_of_that_case(tmp_path):
    touch(tmp_path, "a/imagesTr/liver_1.nii.gz", "b/imagesTr/liver_1.nii.gz",
          "a/imagesTr/liver_2.nii.gz")  # fmt: skip
    one, two = find(dataset("msd-liver"), tmp_path).cases
    assert "2 files are of this case" in one.problem
    assert not two.problem


def test_a_folder_that_leads_back_to_itself_ends(tmp_path):
    touch(tmp_path, "imagesTr/liver_1.nii.gz")
    (tmp_path / "imagesTr" / "again").symlink_to(tmp_path)
    assert list(found("msd-liver", tmp_path)) == ["liver_1"]


def test_linked_folders_are_followed(tmp_path):
    touch(tmp_path, "elsewhere/liver_1.nii.gz")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "imagesTr").symlink_to(tmp_path / "elsewhere")
    assert list(found("msd-liver", tmp_path / "root")) == ["liver_1"]


@pytest.mark.parametrize("name", list(DATASETS))
def test_the_wrong_folder_is_a_sentence_that_says_where_the_data_are(tmp_path, name):
    touch(tmp_path, "notes.txt")
    with pytest.raises(InputError) as error:
        find(dataset(name), tmp_path)
    text = str(error.value)
    assert dataset(name).home in text
    assert "looked for" in text
    assert "downloads nothing" in text


def test_a_root_that_is_missing_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        find(dataset("btcv"), tmp_path / "nowhere")
