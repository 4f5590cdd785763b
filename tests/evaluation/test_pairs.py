"""Predictions and truths are paired by the names of their cases, and nothing is lost silently."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oncoforge.errors import InputError
from oncoforge.evaluation.pairs import find_pairs


def _files(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def test_by_the_name_of_the_file(tmp_path):
    truth = _files(tmp_path / "truth", "liver_1.nii.gz", "liver_2.nii.gz", "liver_3.nii.gz")
    one = _files(tmp_path / "one", "liver_2.nii.gz", "liver_1.nrrd", "liver_3.nii")
    two = _files(tmp_path / "two", *(f"liver_{n}.nii.gz" for n in (1, 2, 3)))
    found = find_pairs([truth], {"one": [one], "two": [two]})
    assert [pair.case for pair in found.pairs] == ["liver_1", "liver_2", "liver_3"]
    assert [pair.predictions["one"].name for pair in found.pairs] == [
        "liver_1.nrrd",
        "liver_2.nii.gz",
        "liver_3.nii",
    ]
    assert found.missing == found.remarks == ()


def test_by_the_folder_of_the_case(tmp_path):
    truth = _files(tmp_path / "kits", *(f"case_{n}/segmentation.nii.gz" for n in range(3)))
    own = _files(tmp_path / "pred", *(f"case_{n}.nii.gz" for n in range(3)))
    found = find_pairs([f"{truth}/*/segmentation.nii.gz"], {"net": [own]})
    assert [(pair.case, pair.predictions["net"].name) for pair in found.pairs] == [
        (f"case_{n}", f"case_{n}.nii.gz") for n in range(3)
    ]


def test_by_the_name_of_the_image_in_a_list(tmp_path):
    _files(tmp_path, *(f"volume-{n}.nii" for n in range(2)), *(f"seg-{n}.nii" for n in range(2)))
    cases = [
        {"image": f"volume-{n}.nii", "label": f"seg-{n}.nii", "fold": n, "patient": "same"}
        for n in range(2)
    ]
    (tmp_path / "list.json").write_text(json.dumps({"training": cases}))
    own = _files(tmp_path / "pred", "volume-0.nii.gz", "volume-1.nii.gz")
    found = find_pairs([tmp_path / "list.json"], {"net": [own]})
    assert [pair.fold for pair in found.pairs] == [0, 1]
    assert [pair.patient for pair in found.pairs] == ["same", "same"]
    assert [pair.image.name for pair in found.pairs] == ["volume-0.nii", "volume-1.nii"]
    only = find_pairs([tmp_path / "list.json"], {"net": [own]}, fold=1)
    assert [pair.predictions["net"].name for pair in only.pairs] == ["volume-1.nii.gz"]
    assert only.remarks == ()  # the other fold's prediction has a truth
    with pytest.raises(InputError, match="have the folds 0, 1"):
        find_pairs([tmp_path / "list.json"], {"net": [own]}, fold=7)


def test_folds_in_several_folders_are_one_set(tmp_path):
    truth = _files(tmp_path / "truth", *(f"c{n}.nii.gz" for n in range(4)))
    for fold in range(2):
        _files(tmp_path / f"fold_{fold}" / "pred", *(f"c{n}.nii.gz" for n in (fold, fold + 2)))
    together = find_pairs([truth], {"net": [tmp_path / "fold_0", tmp_path / "fold_1"]})
    assert [pair.case for pair in together.pairs] == ["c0", "c1", "c2", "c3"]
    pattern = find_pairs([truth], {"net": [f"{tmp_path}/fold_*/pred"]})
    assert pattern.pairs == together.pairs


def test_what_is_missing_and_what_is_extra_is_named(tmp_path):
    truth = _files(tmp_path / "truth", "a.nii.gz", "b.nii.gz", "c.nii.gz")
    one = _files(tmp_path / "one", "a.nii.gz", *(f"x{n}.nii.gz" for n in range(7)))
    two = _files(tmp_path / "two", "a.nii.gz", "b.nii.gz")
    found = find_pairs([truth], {"one": [one], "two": [two]})
    assert [(pair.case, sorted(pair.predictions)) for pair in found.pairs] == [
        ("a", ["one", "two"]),
        ("b", ["two"]),
    ]
    assert [sentence.partition(": ")[2] for sentence in found.missing] == [
        "one has no prediction of this case (b).",
        "one has no prediction of this case (c).",
        "two has no prediction of this case (c).",
    ]
    assert all(str(truth) in sentence for sentence in found.missing)
    assert found.remarks == (
        "7 predictions of one without a truth: x0.nii.gz, x1.nii.gz, x2.nii.gz, x3.nii.gz, "
        "x4.nii.gz and 2 more.",
    )


def test_two_predictions_of_a_case_are_refused(tmp_path):
    truth = _files(tmp_path / "truth", "a.nii.gz", "b.nii.gz")
    own = _files(tmp_path / "own", "fold_0/a.nii.gz", "fold_1/a.nii.gz")
    with pytest.raises(InputError, match=r"net has two predictions of a: .*fold_0.*fold_1"):
        find_pairs([truth], {"net": [own]})


def test_a_truth_is_no_prediction(tmp_path):
    truth = _files(tmp_path / "truth", "a.nii.gz")
    with pytest.raises(InputError, match="both a truth and a prediction of net"):
        find_pairs([truth], {"net": [truth]})


def test_names_that_do_not_agree_are_shown(tmp_path):
    truth = _files(tmp_path / "truth", "volume-1.nii", "volume-2.nii")
    own = _files(tmp_path / "own", "out1.nii.gz")
    with pytest.raises(InputError, match=r"of net, such as out1\.nii\.gz, .* 2 truths, such as vo"):
        find_pairs([truth], {"net": [own]})
