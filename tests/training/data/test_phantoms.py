"""Phantoms are made once, whole or not at all, and the same for the same seed."""

from __future__ import annotations

import hashlib
import shutil

import numpy as np
import pytest

from oncoforge import anatomy
from oncoforge.errors import InputError, OutputError
from oncoforge.formats import read_case
from oncoforge.lists.read import read_list
from oncoforge.training.data.phantoms import phantoms
from oncoforge.training.settings import PhantomSettings

FEW = PhantomSettings(healthy=1, validation=1, spacing_mm=(8.0, 8.0, 8.0))
LIVER = (anatomy.organ("liver"),)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return phantoms(FEW, LIVER, tmp_path_factory.mktemp("phantoms"), seed=1, workers=1)


def _bytes(path):
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in path.parent.iterdir()
    }


def _case(entry):
    return read_case(entry.image, entry.label, "oncoforge", force=True)


def test_healthy_ones_are_healthy_and_the_others_have_tumours_in_the_organ(made):
    cases = read_list(made)
    assert [len(cases.training), len(cases.validation), len(cases.test)] == [1, 1, 0]
    well, ill = _case(cases.training[0]), _case(cases.validation[0])
    assert not well.tumor("liver").any()
    assert well.organ("liver").any()
    assert 0 < ill.tumor("liver").sum() < ill.parenchyma("liver").sum()
    assert not ill.tumor("kidney").any()
    np.testing.assert_allclose(well.spacing, FEW.spacing_mm)
    assert well.shape != ill.shape or not np.array_equal(well.image, ill.image)


def test_they_are_found_again_and_not_made_anew(made):
    times = {file: file.stat().st_mtime_ns for file in made.parent.iterdir()}
    assert phantoms(FEW, LIVER, made.parents[1], seed=1) == made
    assert {file: file.stat().st_mtime_ns for file in made.parent.iterdir()} == times
    assert not [file for file in made.parents[1].iterdir() if file.name.startswith(".")]


def test_the_same_seed_is_the_same_files_anywhere(made, tmp_path):
    # Paths in the list are relative, so that even it is the same.
    assert _bytes(phantoms(FEW, LIVER, tmp_path, seed=1, workers=1)) == _bytes(made)


@pytest.mark.slow
def test_the_number_of_workers_changes_nothing(made, tmp_path):
    assert _bytes(phantoms(FEW, LIVER, tmp_path, seed=1, workers=2)) == _bytes(made)


def test_other_seeds_settings_and_organs_have_folders_of_their_own(made, tmp_path):
    none = PhantomSettings(healthy=0, validation=0)
    places = {
        phantoms(none, LIVER, tmp_path, seed=1),
        phantoms(none, LIVER, tmp_path, seed=2),
        phantoms(none, (anatomy.organ("kidney"),), tmp_path, seed=1),
        phantoms(PhantomSettings(0, 0, (2.0, 2.0, 2.0)), LIVER, tmp_path, seed=1),
    }
    assert len(places) == 4


def test_a_set_that_failed_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="could not be made"):
        phantoms(PhantomSettings(1, 0, (-1.0, 3.0, 3.0)), LIVER, tmp_path, workers=1)
    assert list(tmp_path.iterdir()) == []


def test_a_set_without_its_list_is_no_set(tmp_path):
    none = PhantomSettings(healthy=0, validation=0)
    half = phantoms(none, LIVER, tmp_path).parent
    (half / "list.json").rename(half / "left over")
    with pytest.raises(OutputError, match="cannot be written"):
        phantoms(none, LIVER, tmp_path)
    shutil.rmtree(half)
    assert phantoms(none, LIVER, tmp_path).is_file()


def test_numbers_that_make_no_sense_are_named(tmp_path):
    with pytest.raises(InputError, match=r"phantoms.healthy \(-1\)"):
        phantoms(PhantomSettings(healthy=-1), LIVER, tmp_path)
