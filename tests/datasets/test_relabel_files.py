"""Label maps change their numbers and nothing else."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoforge import anatomy
from oncoforge.datasets.label_table import LabelTable
from oncoforge.datasets.relabel import label_files, relabel, totals, translation
from oncoforge.errors import InputError, OutputError, UnknownNameError

AFFINE = np.array([[0, 0, -3.0, 40], [0, -0.7, 0, 50], [-0.7, 0, 0, 60], [0, 0, 0, 1]])


def save(path, values, dtype=np.uint8, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.zeros((4, 5, 6), dtype)
    array.flat[: len(values)] = values
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


def values(path):
    return np.asarray(nib.load(path).dataobj).astype(int).ravel().tolist()


@pytest.mark.parametrize(
    ("source", "target", "organ", "first", "before", "after"),
    [
        ("btcv", "organ-tumor", "liver", None, [6, 1, 13, 0], [1, 0, 0, 0]),
        ("kits", "organ-tumor", "kidney", {3: 1}, [1, 2, 3, 0], [1, 2, 1, 0]),
        ("kits", None, None, None, [1, 2, 3], [5, 6, 75]),
        ("msd-colon", "tumor-only", "colon", None, [1, 0], [1, 0]),
        ("msd-pancreas", "organ-tumour", "pancreas", None, [1, 2], [1, 2]),
        ("organ-tumor", "oncoforge", "pancreas", None, [1, 2], [3, 4]),
        ("amos", "btcv", None, None, [6, 2, 3, 13], [6, 2, 3, 0]),
        ("totalsegmentator", "msd-spleen", None, None, [1, 5], [1, 0]),
        (None, None, None, {3: 1, 255: 1}, [3, 255, 7, 0], [1, 1, 7, 0]),
        (None, None, None, {0: 9}, [0, 1], [9, 1]),
    ],
)
def test_values_go_where_they_should(tmp_path, source, target, organ, first, before, after):
    path = save(tmp_path / "a.nii.gz", before)
    relabel([path], tmp_path / "out", translation(source, target, organ, first), workers=1)
    rest = (first or {}).get(0, 0)
    assert values(tmp_path / "out/a.nii.gz") == after + [rest] * (120 - len(after))


def test_grid_header_and_name_stay(tmp_path):
    path = save(tmp_path / "scan ä.nii.gz", [6])
    relabel([path], tmp_path / "out", translation("btcv", "organ-tumor", "liver"), workers=1)
    before, after = nib.load(path), nib.load(tmp_path / "out/scan ä.nii.gz")
    np.testing.assert_array_equal(after.affine, before.affine)
    assert after.header.get_sform(coded=True)[1] == before.header.get_sform(coded=True)[1]
    assert after.get_data_dtype() == np.uint8


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.int32])
def test_label_maps_of_other_types(tmp_path, dtype):
    path = save(tmp_path / "a.nii.gz", [255, 1], dtype)
    relabel([path], tmp_path / "out", translation(None, None, None, {255: 1}), workers=1)
    assert values(tmp_path / "out/a.nii.gz")[:3] == [1, 1, 0]


def test_every_voxel_is_accounted_for(tmp_path):
    paths = [save(tmp_path / "in/a.nii.gz", [6, 6, 1]), save(tmp_path / "in/b.nii.gz", [6])]
    done = relabel(
        [tmp_path / "in"], tmp_path / "out", translation("btcv", "organ-tumor", "liver"), workers=1
    )
    assert totals(done) == [
        {"value": 0, "to": 0, "voxels": 236},
        {"value": 1, "to": 0, "voxels": 1},
        {"value": 6, "to": 1, "voxels": 3},
    ]
    report = json.loads((tmp_path / "out/relabel.json").read_text())
    assert report["moved"] == totals(done)
    assert [one["source"] for one in report["files"]] == [path.as_posix() for path in paths]


@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=40),
    st.dictionaries(st.integers(0, 300), st.integers(0, 255), max_size=10),
)
def test_a_table_is_a_lookup(found, table):
    labels = np.array(found, np.uint16)
    kept = LabelTable(table, "some", keep=True)
    if any(value > 255 and value not in table for value in found):
        with pytest.raises(InputError, match="are not some labels"):
            kept.apply(labels)
        return
    made, moved = kept.apply(labels)
    assert made.tolist() == [table.get(value, value) for value in found]
    assert sum(one.voxels for one in moved) == len(found)


@pytest.mark.parametrize("name", sorted(set(anatomy.CONVENTIONS) - {"organ-tumor"}))
def test_every_convention_agrees_with_the_library(name):
    labels = np.array([v for v, t in anatomy.CONVENTIONS[name].targets.items() if "{" not in t])
    made, _ = translation(name, None).apply(labels.astype(np.uint8))
    np.testing.assert_array_equal(made, anatomy.convention(name).to_oncoforge(labels))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((None, None), InputError, "Say what to change"),
        ((None, "oncoforge"), InputError, "--from"),
        (("btvc", "oncoforge"), UnknownNameError, "btcv"),
        (("btcv", "organ-tumor"), InputError, "--organ"),
        (("totalsegmentator", "no-style"), UnknownNameError, "label convention"),
        (("oncoforge", "btcv"), InputError, "tells apart"),
        (("kits", "oncoforge", None, {3: 9}), InputError, "--map leads to 9"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(arguments, error, words):
    with pytest.raises(error) as refused:
        translation(*arguments)
    assert words in str(refused.value)


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path):
    for case in ("case_00001", "case_00002"):
        save(tmp_path / "in" / case / "segmentation.nii.gz", [3])
    done = relabel(
        [tmp_path / "in"], tmp_path / "out", translation(None, None, None, {3: 1}), workers=1
    )
    assert [one.file for one in done] == ["case_00001.nii.gz", "case_00002.nii.gz"]


def test_bad_files_are_listed_and_the_rest_goes_on(tmp_path):
    good = save(tmp_path / "in/good.nii.gz", [6])
    save(tmp_path / "in/stray.nii.gz", [99])
    save(tmp_path / "in/half.nii.gz", [0.5], np.float32)
    cut = save(tmp_path / "in/cut.nii.gz", [6])
    cut.write_bytes(cut.read_bytes()[:40])
    done = relabel([tmp_path / "in"], tmp_path / "out", translation("btcv", None), workers=2)
    failed = {one.source.name: one.sentence for one in done if one.sentence}
    assert sorted(failed) == ["cut.nii.gz", "half.nii.gz", "stray.nii.gz"]
    assert "found 99" in failed["stray.nii.gz"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [good.name, "relabel.json"]


def test_sources_are_never_overwritten(tmp_path):
    path = save(tmp_path / "a.nii.gz", [6])
    before = path.read_bytes()
    table = translation("btcv", None)
    with pytest.raises(OutputError, match="stay as they are"):
        relabel([path], tmp_path, table, workers=1, overwrite=True)
    relabel([path], tmp_path / "out", table, workers=1)
    with pytest.raises(OutputError, match="already holds"):
        relabel([path], tmp_path / "out", table, workers=1)
    relabel([path], tmp_path / "out", table, workers=1, overwrite=True)
    assert path.read_bytes() == before


def test_files_folders_patterns_and_lists(tmp_path):
    paths = [save(tmp_path / f"in/{name}.nii.gz", [1]) for name in "ab"]
    (tmp_path / "in/notes.txt").write_text("no label map")
    listed = {"training": [{"label": "in/a.nii.gz"}, {"label": "in/b.nii.gz"}]}
    (tmp_path / "list.json").write_text(json.dumps(listed))
    for given_ in ("in", "in/*.nii.gz", "list.json"):
        assert label_files([tmp_path / given_]) == paths
    assert label_files([*paths, tmp_path / "in"]) == paths
    with pytest.raises(InputError, match="holds no label maps"):
        label_files([tmp_path / "none*.nii.gz"])
