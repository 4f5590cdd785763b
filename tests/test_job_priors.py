"""Runs with priors, libraries, bulging and checks: their files, and the same files again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import oncoforge as of
from oncoforge.anatomy import LABELS
from oncoforge.datasets.crops import Wanted, crop
from oncoforge.errors import InputError, OncoforgeError
from oncoforge.job import FILES, forge_again, forge_case
from oncoforge.order import Order, Origin
from oncoforge.synthesis.masks.prior.places import RotatedEllipsoid
from oncoforge.synthesis.masks.prior.prior import (
    Counts,
    Exophytic,
    OrganPrior,
    Prior,
    Shape,
    Weibull,
)

FREE = (0, LABELS["body"], LABELS["fat"])
KIDNEY, TUMOR = LABELS["kidney"], LABELS["kidney"] + 1


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("scan")
    case = of.make_phantom(spacing_mm=(4, 4, 4)).case()
    of.write_image(folder / "ct.nii.gz", case.image, case)
    of.write_labels(folder / "labels.nii.gz", case.labels, case)
    return folder / "ct.nii.gz", folder / "labels.nii.gz"


@pytest.fixture(scope="module")
def prior(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("prior") / "prior.json"
    eye = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    kidney = OrganPrior(
        organ="kidney",
        cases=5,
        lesions=5,
        count=Counts((1,), (1.0,)),
        diameter_mm=Weibull(4.0, 40.0, 30.0, 50.0),
        shape=Shape((-0.1, -0.2), ((0.01, 0.0), (0.0, 0.01))),
        location=RotatedEllipsoid((0.5, 0.5, 0.5), eye, (0.4, 0.4, 0.4)),
        right=0.5,
        exophytic=Exophytic(1.0, 4.0, 4.0, 10.0),
    )
    Prior({"kidney": kidney}).save(path)
    return path


@pytest.fixture(scope="module")
def library(files, tmp_path_factory) -> Path:
    """Tumours of a synthetic patient, with their image."""
    folder = tmp_path_factory.mktemp("library")
    case = of.read_case(*files, convention="oncoforge")
    made = of.synthesize(case, "kidney", seed=1, count=2, diameter_mm=24.0, place="inside")
    assert len(made.synthesis.lesions) == 2
    for name in ("images", "labels"):
        (folder / name).mkdir()
    of.write_image(folder / "images" / "a.nii.gz", made.image, made)
    of.write_labels(folder / "labels" / "a.nii.gz", made.labels, made)
    crop(
        folder / "labels",
        folder / "shelf",
        Wanted("oncoforge", "kidney"),
        images=folder / "images",
        workers=1,
    )
    return folder / "shelf"


def _forge(files, out, **options):
    usual = {"organ": "kidney", "convention": "oncoforge", "seed": 3}
    return of.forge(*files, out, **usual | options)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def _changed(files, out) -> tuple[np.ndarray, np.ndarray]:
    """Which voxels a run changed, and the labels before."""
    before, after = (np.asarray(nib.load(p).dataobj) for p in (files[0], out / "image.nii.gz"))
    return before != after, np.asarray(nib.load(files[1]).dataobj)


def test_a_prior_and_bulging_leave_five_files_and_again_the_same(files, prior, tmp_path):
    made = _forge(files, tmp_path / "a", prior=prior, exophytic=True)
    record = made.record
    assert record["recipe"]["masks"] == "prior"
    assert record["recipe"]["exophytic"] is True
    assert len(record["lesions"]) == 1
    assert 25 < record["lesions"][0]["diameter_mm"] < 55
    changed, labels = _changed(files, tmp_path / "a")
    assert (changed & (labels != KIDNEY)).any()
    assert not (changed & (labels != KIDNEY) & ~np.isin(labels, FREE)).any()
    tumor = np.asarray(nib.load(tmp_path / "a" / "label.nii.gz").dataobj) == TUMOR
    assert (tumor & np.isin(labels, FREE)).any()
    forge_again(tmp_path / "a" / "lesions.json", tmp_path / "b")
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")


def test_a_replay_needs_no_prior(files, prior, tmp_path):
    moved = tmp_path / "p.json"
    shutil.copy(prior, moved)
    _forge(files, tmp_path / "a", prior=moved)
    moved.unlink()
    forge_again(tmp_path / "a" / "lesions.json", tmp_path / "b")
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")


@pytest.mark.parametrize("style", ["instances", "tumor-only", "organ-tumor"])
def test_label_styles_hold_what_bulges_out(files, prior, tmp_path, style):
    _forge(files, tmp_path / "a", prior=prior, exophytic=True, label_style=style)
    labels = np.asarray(nib.load(tmp_path / "a" / "label.nii.gz").dataobj)
    before = np.asarray(nib.load(files[1]).dataobj)
    value = {"instances": 1, "tumor-only": 1, "organ-tumor": 2}[style]
    assert ((labels == value) & np.isin(before, FREE)).any()


@pytest.mark.parametrize("appearance", ["texture", "copy"])
def test_a_library_that_moved_gives_the_same_bytes(files, library, tmp_path, appearance):
    old = tmp_path / "old"
    shutil.copytree(library, old)
    made = _forge(files, tmp_path / "a", library=old, appearance=appearance, count=2)
    assert len(made.record["lesions"]) == 2
    shutil.move(old, tmp_path / "new")
    with pytest.raises(InputError, match="old"):
        forge_again(tmp_path / "a" / "lesions.json", tmp_path / "b")
    assert not (tmp_path / "b").exists() or not list((tmp_path / "b").iterdir())
    forge_again(tmp_path / "a" / "lesions.json", tmp_path / "b", library=tmp_path / "new")
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")


def test_copies_differ_from_textures_in_their_look_and_not_in_their_shape(files, library, tmp_path):
    for appearance in ("texture", "copy"):
        _forge(files, tmp_path / appearance, library=library, appearance=appearance, count=1)
    texture, copy = (
        [np.asarray(nib.load(tmp_path / a / n).dataobj) for n in ("image.nii.gz", "label.nii.gz")]
        for a in ("texture", "copy")
    )
    np.testing.assert_array_equal(texture[1], copy[1])
    assert (texture[0] != copy[0]).any()


def test_lesions_that_fail_a_check_are_taken_out_and_stay_out(files, tmp_path):
    settings = {"count": 3, "size": "small", "exophytic": False}
    everything = _forge(files, tmp_path / "all", **settings)
    assert len(everything.record["lesions"]) > 0
    made = _forge(files, tmp_path / "none", require={"diameter": 90}, **settings)
    assert made.record["lesions"] == []
    assert len(made.record["skipped"]) >= len(everything.record["lesions"])
    changed, _ = _changed(files, tmp_path / "none")
    assert not changed.any()
    forge_again(tmp_path / "none" / "lesions.json", tmp_path / "again")
    assert _bytes(tmp_path / "none") == _bytes(tmp_path / "again")

    kept = _forge(files, tmp_path / "kept", require={"cnr": 0.1, "diameter": 1}, **settings)
    assert kept.record["lesions"] == everything.record["lesions"]


def test_the_phantom_takes_the_same(prior, tmp_path):
    origin = Origin("phantom", {"seed": 0, "spacing_mm": [5, 5, 5]})
    order = Order("kidney", seed=2, prior=prior, exophytic=True, require={"inside": 0.01})
    forge_case(origin, tmp_path / "a", order)
    forge_again(tmp_path / "a" / "lesions.json", tmp_path / "b")
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")


def test_mistakes_are_found_before_the_scan_is_read(prior, library, tmp_path):
    nowhere = tmp_path / "none.nii.gz"
    for options in (
        {"prior": tmp_path / "none.json"},
        {"prior": library / "library.json"},
        {"prior": prior, "organ": "liver"},
        {"prior": prior, "library": library},
        {"prior": prior, "size": "small"},
        {"library": tmp_path / "none"},
        {"library": prior},
        {"library": library, "appearance": "copi"},
        {"appearance": "copy"},
        {"require": {"beauty": 1}},
        {"require": {"cnr": -1}},
        {"method": "cellular", "movie": True, "exophytic": True},
    ):
        with pytest.raises(OncoforgeError) as mistake:
            _forge((nowhere, nowhere), tmp_path / "out", **options)
        assert str(nowhere) not in str(mistake.value), options
        assert not (tmp_path / "out").exists()


def test_a_record_that_was_tampered_with_gives_one_sentence(files, prior, tmp_path):
    _forge(files, tmp_path / "a", prior=prior, exophytic=True)
    whole = json.loads((tmp_path / "a" / "lesions.json").read_text())
    lesion = whole["recipe"]["lesions"][0]
    for place, value in (
        (whole["recipe"], {"exophytic": "yes"}),
        (whole["recipe"], {"masks": "cloud"}),
        (whole["recipe"], {"masks": 3}),
        (lesion["mask"], {"volume_mm3": -1}),
        (lesion["mask"], {"axes_mm": [1, 2]}),
        (lesion["mask"], {"quaternion": [0, 0, 0, 0]}),
        (lesion["mask"], {"nonsense": 1}),
    ):
        before = dict(place)
        place.update(value)
        (tmp_path / "bad.json").write_text(json.dumps(whole))
        place.clear()
        place.update(before)
        with pytest.raises(OncoforgeError) as mistake:
            forge_again(tmp_path / "bad.json", tmp_path / "out")
        assert "\n" not in str(mistake.value)


def test_a_run_never_replaces_its_own_scan(tmp_path):
    case = of.make_phantom(seed=0, spacing_mm=(6, 6, 6)).case()
    of.write_image(tmp_path / "image.nii.gz", case.image, case.source)
    of.write_labels(tmp_path / "label.nii.gz", case.labels, case.source)
    before = (tmp_path / "image.nii.gz").read_bytes()
    with pytest.raises(of.OncoforgeError, match=r"image\.nii\.gz"):
        of.forge(
            tmp_path / "image.nii.gz", tmp_path / "label.nii.gz", tmp_path,
            convention="oncoforge", overwrite=True,
        )  # fmt: skip
    assert (tmp_path / "image.nii.gz").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["image.nii.gz", "label.nii.gz"]
