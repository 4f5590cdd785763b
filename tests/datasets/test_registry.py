"""The datasets that are known, as data."""

from __future__ import annotations

import json
import re

import pytest

from oncoforge import anatomy
from oncoforge.datasets.describe import as_dict, classes_of, description
from oncoforge.datasets.record import ROLES
from oncoforge.datasets.registry import DATASETS, dataset
from oncoforge.errors import UnknownNameError

ASKED_FOR = """
    msd-liver msd-pancreas msd-spleen msd-colon msd-lung lits kits19 kits21 kits23 btcv chaos
    pancreas-ct flare22 flare23 amos22 word abdomenct-1k abdomenatlas panorama 3d-ircadb mela
    tcia-covid19 covid-19-20 stoic21 lidc autopet synthrad2023
"""

all_datasets = pytest.mark.parametrize("one", DATASETS.values(), ids=list(DATASETS))


def test_every_dataset_of_the_predecessors_is_there():
    assert sorted(DATASETS) == sorted(ASKED_FOR.split())


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Task03_Liver", "msd-liver"),
        ("task03", "msd-liver"),
        ("LiTS17", "lits"),
        ("KiTS 23", "kits23"),
        ("AbdomenAtlas1.0Mini", "abdomenatlas"),
        ("3Dircadb", "3d-ircadb"),
        ("TCIAcovid19", "tcia-covid19"),
    ],
)
def test_a_dataset_is_found_however_it_is_written(name, found):
    assert dataset(name).name == found


def test_an_unknown_dataset_names_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'msd-liver'"):
        dataset("msd-livr")


def test_no_two_datasets_share_a_name():
    names = [name for one in DATASETS.values() for name in {one.name, *one.aliases}]
    assert len(names) == len(set(names))


@all_datasets
def test_facts_are_complete(one):
    assert one.role in ROLES
    assert one.home.startswith("http")
    assert one.title
    assert one.citation
    assert one.access.endswith(".")
    assert one.total > 0
    assert one.size_gb is None or (one.size_gb > 0 and one.size_note)
    assert all(note.endswith(".") for note in one.notes)


@all_datasets
def test_organs_and_classes_are_those_of_the_library(one):
    names = set(anatomy.NAMES.values())
    assert set(one.organs) <= set(anatomy.LABELS)
    assert one.convention is None or one.convention in anatomy.CONVENTIONS
    classes = {*classes_of(one).values(), *one.parts.values()}
    classes |= {name for layout in one.layouts for name in layout.classes.values()}
    assert {name.format(organ="liver") for name in classes} <= names
    if one.role != "unlabelled":
        assert classes
        assert one.labelled


@all_datasets
def test_overlaps_and_healthy_organs_are_known(one):
    assert {dataset(other).name for other in one.overlaps} == set(one.overlaps)
    assert set(one.healthy) <= set(anatomy.LABELS)


@all_datasets
def test_layouts_can_be_used(one):
    for layout in one.layouts:
        assert layout.split in ("training", "validation", "test")
        assert re.compile(layout.case).groups == 0
        for pattern in filter(None, (layout.image, layout.label)):
            assert "{case}" in pattern
        assert layout.name.format(case="1", study="2")


@all_datasets
def test_everything_can_be_said_and_written(one):
    text = description(one)
    assert one.home in text
    assert "Nothing is downloaded." in text
    assert max(map(len, text.splitlines())) <= 110
    assert json.loads(json.dumps(as_dict(one)))["name"] == one.name


def test_lits_and_msd_liver_are_one():
    assert "msd-liver" in dataset("lits").overlaps
    assert dataset("lits").healthy == dataset("msd-liver").healthy
    assert len(dataset("lits").healthy["liver"]) == 13
