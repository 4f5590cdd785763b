"""Which scan a file holds, by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from oncoforge.datasets.identity import identity
from oncoforge.lists import Entry


@pytest.mark.parametrize(
    ("names", "scan"),
    [
        (
            (
                "LiTS/volume-12.nii",
                "LiTS/segmentation-12.nii",
                "Task03_Liver/imagesTr/liver_12.nii.gz",
                "Dataset003_Liver/imagesTr/liver_12_0000.nii.gz",
                "label/lits-liver_12.nii.gz",
                "out/synt_liver_12.nii.gz",
            ),
            "lits:12",
        ),
        (
            (
                "kits19/data/case_00012/imaging.nii.gz",
                "kits23/dataset/case_00012/segmentation.nii.gz",
                "kits21/data/case_00012/aggregated_MAJ_seg.nii.gz",
                "Dataset220_KiTS2023/imagesTr/case_00012_0000.nii.gz",
                "kidney_label/05_KiTS/label0012.nii.gz",
            ),
            "kits:12",
        ),
        (
            (
                "Train/volume-covid19-A-0003_ct.nii.gz",
                "Train/volume-covid19-A-0003_seg.nii.gz",
                "imagesTr/volume-covid19-A-0003_day012.nii.gz",
                "imagesTr/volume-covid19-A-0003.nii.gz",
            ),
            "covid19-a:0003",
        ),
        (
            (
                "RawData/Training/img/img0001.nii.gz",
                "BTCV/labelsTr/label0001.nii.gz",
                "label/multi-atlas-label0001.nii.gz",
            ),
            "btcv:1",
        ),
        (
            (
                "imagesTr/PANCREAS_0001_0000.nii.gz",
                "label/tcia-label0001.nii.gz",
                "TCIA_pancreas_labels-02-05-2017/label0001.nii.gz",
                "Pancreas-CT/PANCREAS_0001/11-24-2015/Pancreas-18957",
            ),
            "pancreas-ct:1",
        ),
        (("CHAOS/CT/5/DICOM_anon", "label/chaos-5_segmentation.nii.gz"), "chaos:5"),
        (("CHAOS/imagesTr/5_0000.nii.gz", "03_CHAOS/ct/img/5_image.nii.gz"), "chaos:5"),
        (("imagesTr/BDMAP_00000012_0000.nii.gz", "BDMAP_00000012/ct.nii.gz"), "abdomenatlas:12"),
        (("BDMAP_00000012/segmentations/liver.nii.gz",), "abdomenatlas:12"),
        (("AbdomenCT-1K/Case_00012_0000.nii.gz",), "abdomenct-1k:12"),
        (("pancreas_001.nii.gz",), "msd-pancreas:1"),
        (("imagesTr/FLARE22_Tr_0001_0000.nii.gz",), "flare22:1"),
        (("amos_0004.nii.gz",), "amos22:4"),
        (("100000_00001_0000.nii.gz",), "panorama:100000_00001"),
        (("Task1/pelvis/1PA001/ct.nii.gz",), "synthrad2023:1PA001"),
        (("LIDC-IDRI-0001/study/series", "LIDC-IDRI-0001.nii.gz"), "lidc:1"),
    ],
)
def test_a_scan_has_one_name_in_every_dataset(names, scan):
    assert {name: identity(name) for name in names} == dict.fromkeys(names, scan)


@pytest.mark.parametrize(("ircadb", "lits"), [(5, 32), (7, 34), (11, 38), (14, 41), (20, 47)])
def test_the_healthy_cases_of_ircadb_are_healthy_cases_of_lits(ircadb, lits):
    assert identity(f"3Dircadb1.{ircadb}/PATIENT_DICOM") == f"lits:{lits}"


@pytest.mark.parametrize(
    "name",
    ["foo.nii.gz", "labels/label0001.nii.gz", "imagesTr/12_0000.nii.gz", "spleen_2/mine.nii.gz"],
)
def test_a_name_that_tells_nothing_is_none(name):
    assert identity(name) is None


def test_a_hint_tells_names_apart_that_datasets_share():
    told = {hint: identity("label0001.nii.gz", hint) for hint in ("btcv", "Pancreas-CT", "KiTS")}
    assert told == {"btcv": "btcv:1", "Pancreas-CT": "pancreas-ct:1", "KiTS": "kits:1"}


def test_lower_and_upper_case_are_different_datasets():
    assert identity("Case_00001.nii.gz") != identity("case_00001.nii.gz")


def test_a_case_of_a_list_is_asked_for_its_image_first():
    entry = Entry("x", Path("/d/img0003.nii.gz"), Path("/d/label0003.nii.gz"))
    assert identity(entry) == "btcv:3"
    assert identity(Entry("liver_4", None, Path("/d/a.nii.gz"))) == "lits:4"
    assert identity(Entry("x")) is None
