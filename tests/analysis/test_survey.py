"""A survey of many cases: what it takes, what it does with bad ones, and what it writes."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from oncoforge.analysis.results import FILES, analyze, read_survey
from oncoforge.analysis.rows import CaseRow, LesionRow
from oncoforge.analysis.summary import summarize
from oncoforge.analysis.survey import survey
from oncoforge.analysis.tables import csv_of, is_lesions, read_cases, read_lesions
from oncoforge.errors import InputError, OutputError, UnknownNameError
from oncoforge.lists.sources import find_sources

AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])


def _labels(seed: int = 0) -> np.ndarray:
    """A liver with two tumours, placed by a seed."""
    labels = np.zeros((40, 30, 20), np.uint8)
    labels[5:35, 5:25, 2:18] = 1
    labels[8 + seed : 14 + seed, 8:14, 5:9] = 2
    labels[25:28, 10:13, 10 + seed : 12 + seed] = 2
    return labels


def _save(path: Path, array: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


@pytest.fixture
def cases(tmp_path) -> Path:
    """Four readable label maps and their images."""
    rng = np.random.default_rng(0)
    for seed in range(4):
        labels = _labels(seed)
        _save(tmp_path / "labels" / f"Fall_{seed}.nii.gz", labels)
        image = np.where(labels == 2, 40, np.where(labels == 1, 110, -1000))
        image = image + rng.normal(0, 5, labels.shape)
        _save(tmp_path / "images" / f"Fall_{seed}_0000.nii.gz", image.astype(np.int16))
    return tmp_path


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_same_bytes_for_any_number_of_workers_and_order_of_files(cases):
    analyze(cases / "labels", out=cases / "one", images=cases / "images", workers=1)
    analyze(
        [str(cases / "labels" / "*.nii.gz")],
        out=cases / "two",
        images=cases / "images",
        workers=2,
    )
    assert _bytes(cases / "one") == _bytes(cases / "two")
    assert set(_bytes(cases / "one")) == set(FILES)
    assert str(cases).encode() not in b"".join(_bytes(cases / "one").values())


def test_tables_have_the_promised_columns_and_read_back_as_they_were(cases):
    found = analyze(cases / "labels", out=cases / "out", images=cases / "images", workers=1)
    with (cases / "out" / "lesions.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    promised = (
        "case, organ, volume_mm3, equivalent_diameter_mm, longest_axial_diameter_mm, sphericity, "
        "centroid_x_mm, centroid_y_mm, centroid_z_mm"
    )
    assert set(promised.split(", ")) <= set(header)
    assert header == [field.name for field in dataclasses.fields(LesionRow)]
    assert len(rows) == len(found.lesions) == 8
    for name, read, kind in (
        ("lesions.csv", read_lesions, LesionRow),
        ("cases.csv", read_cases, CaseRow),
    ):
        path = cases / "out" / name
        assert csv_of(read(path), kind) == path.read_text()
    (row,) = [r for r in read_lesions(cases / "out" / "lesions.csv") if r.case == "Fall_2"][:1]
    assert row.contrast_hu == pytest.approx(-70, abs=3)
    assert row.volume_mm3 == 6 * 6 * 4 * 12
    record = json.loads((cases / "out" / "analysis.json").read_text())
    assert record["organs"]["liver"]["lesions"] == 8
    assert record["organs"]["liver"]["cases_with_lesions"] == 4
    assert len(record["lesions"]) == 8
    assert record["failures"] == []


def test_an_earlier_table_is_not_measured_again(cases):
    found = analyze(cases / "labels", out=cases / "out", workers=1)
    again = analyze(cases / "out" / "lesions.csv", out=cases / "again")
    for name in ("lesions.csv", "cases.csv", "report.png"):
        assert (cases / "again" / name).read_bytes() == (cases / "out" / name).read_bytes(), name
    assert len(again.lesions) == len(found.lesions)
    assert read_survey([cases / "out" / "lesions.csv"], "kidney").lesions == ()
    (cases / "out" / "cases.csv").unlink()
    with pytest.raises(InputError, match=r"cases.csv does not exist"):
        analyze(cases / "out" / "lesions.csv", out=cases / "third")


def test_bad_cases_are_listed_and_the_rest_is_measured(cases):
    labels = cases / "labels"
    whole = (labels / "Fall_1.nii.gz").read_bytes()
    (labels / "Fall_1.nii.gz").write_bytes(whole[: len(whole) // 2])
    _save(labels / "odd.nii.gz", np.full((5, 5, 5), 200, np.uint8))
    _save(labels / "series.nii.gz", np.zeros((5, 5, 5, 2), np.uint8))
    _save(labels / "nothing.nii.gz", np.zeros((5, 5, 5), np.uint8))
    found = survey(labels, workers=2)
    assert [row.case for row in found.cases] == ["Fall_0", "Fall_2", "Fall_3"]
    assert found.bare == ("nothing",)
    assert len(found.failures) == 3
    for name, sentence in zip(("Fall_1", "odd", "series"), found.failures, strict=True):
        assert f"{name}.nii.gz" in sentence
        assert sentence.endswith((".", "?"))


def test_an_image_on_another_grid_or_without_hu_fails_its_case_only(cases):
    image = cases / "images" / "Fall_0_0000.nii.gz"
    _save(image, np.full((40, 30, 20), -1000, np.int16), np.diag([2.0, 2.0, 2.5, 1.0]))
    _save(cases / "images" / "Fall_1_0000.nii.gz", np.zeros((40, 30, 20), np.int16))
    (cases / "images" / "Fall_2_0000.nii.gz").unlink()
    found = survey(cases / "labels", images=cases / "images", workers=1)
    assert "is not on the grid of" in found.failures[0]
    assert "does not look like CT in HU" in found.failures[1]
    assert "has no image of its id" in found.failures[2]
    assert {row.case for row in found.lesions} == {"Fall_3"}
    forced = survey(cases / "labels", images=cases / "images", workers=1, force=True)
    assert {row.case for row in forced.lesions} == {"Fall_1", "Fall_3"}


def test_where_every_case_fails_nothing_is_written(cases):
    for path in (cases / "labels").iterdir():
        path.write_bytes(b"no NIfTI")
    with pytest.raises(InputError, match="None of 4 is readable"):
        analyze(cases / "labels", out=cases / "out", workers=1)
    assert not (cases / "out").exists()


def test_earlier_results_are_kept_unless_they_may_be_replaced(cases):
    analyze(cases / "labels", out=cases / "out", workers=1)
    before = _bytes(cases / "out")
    with pytest.raises(OutputError, match="--overwrite"):
        analyze(cases / "labels", out=cases / "out", workers=1)
    analyze(cases / "labels", out=cases / "out", workers=1, overwrite=True)
    assert _bytes(cases / "out") == before


def test_settings_that_make_no_sense_are_refused(cases):
    with pytest.raises(UnknownNameError, match="convention"):
        survey(cases / "labels", "kitts")
    with pytest.raises(UnknownNameError, match="organ"):
        survey(cases / "labels", organ="livre")
    with pytest.raises(InputError, match="holds no tumours here"):
        survey(cases / "labels", organ="aorta")
    with pytest.raises(InputError, match="min_voxels"):
        survey(cases / "labels", min_voxels=0)
    with pytest.raises(InputError, match="name the organ"):
        survey(cases / "labels", "organ-tumor")
    assert survey(cases / "labels", "organ-tumor", "pancreas", workers=1).organs == ("pancreas",)


def test_folders_patterns_and_archives_are_looked_through(tmp_path):
    msd = tmp_path / "Task03"
    for name in ("labelsTr/liver_1", "labelsTr/._liver_1", "imagesTr/liver_1", "imagesTs/liver_9"):
        _save(msd / f"{name}.nii.gz", _labels())
    assert [e.case for e in find_sources([msd])] == ["liver_1"]
    kits = tmp_path / "kits"
    for case in ("case_00000", "case_00001"):
        _save(kits / case / "segmentation.nii.gz", _labels())
        _save(kits / case / "imaging.nii.gz", _labels())
    found = find_sources([str(kits / "*" / "segmentation.nii.gz")], images=kits)
    assert [e.case for e in found] == ["case_00000", "case_00001"]
    assert [e.image.parent.name for e in found] == ["case_00000", "case_00001"]
    assert {e.image.name for e in found} == {"imaging.nii.gz"}
    # Once, though it is given twice.
    path = kits / "case_00000" / "segmentation.nii.gz"
    assert len(find_sources([path, str(path), kits / "case_00000"])) == 2


def test_a_list_gives_labels_and_images(cases):
    items = [
        {"image": f"images/Fall_{n}_0000.nii.gz", "label": f"labels/Fall_{n}.nii.gz"}
        for n in range(4)
    ]
    text = json.dumps({"training": items[:3], "validation": items[3:], "test": ["images/x.nii.gz"]})
    (cases / "list.json").write_text(text)
    found = survey(cases / "list.json", workers=1)
    assert found.failures == ()
    assert len(found.lesions) == 8
    assert all(row.contrast_hu == pytest.approx(-70, abs=4) for row in found.lesions)
    moved = cases / "elsewhere" / "list.json"
    moved.parent.mkdir()
    moved.write_text(text)
    assert survey(moved, root=cases, workers=1).lesions == found.lesions


@pytest.mark.parametrize("what", ["missing", "empty", "pattern", "images"])
def test_where_nothing_is_found_a_sentence_says_so(tmp_path, what):
    (tmp_path / "empty").mkdir()
    given = {
        "missing": (tmp_path / "no such.nii.gz", None, "does not exist"),
        "empty": (tmp_path / "empty", None, "holds no label maps"),
        "pattern": (tmp_path / "*.nrrd", None, "Nothing matches"),
        "images": (_save(tmp_path / "a.nii.gz", _labels()), tmp_path / "empty", "none has the id"),
    }
    source, images, sentence = given[what]
    with pytest.raises(InputError, match=sentence):
        find_sources([source], images)


def test_tables_of_others_are_refused_with_their_line(tmp_path):
    path = tmp_path / "lesions.csv"
    path.write_text("case,organ\na,liver\n")
    assert not is_lesions(path)
    with pytest.raises(InputError, match="no column 'lesion'"):
        read_lesions(path)
    rows, _ = _rows()
    good = csv_of(rows, LesionRow)
    path.write_text(good.replace(f",{rows[1].voxels},", ",many,"))
    assert is_lesions(path)
    with pytest.raises(InputError, match=r"line 3: voxels is 'many'"):
        read_lesions(path)
    path.write_bytes(b"\xff\xfe\x00case")
    with pytest.raises(InputError, match="not UTF-8"):
        read_lesions(path)
    # As a spreadsheet saves it.
    path.write_bytes(b"\xef\xbb\xbf" + good.replace("\n", "\r\n").encode())
    assert is_lesions(path)
    assert csv_of(read_lesions(path), LesionRow) == good


def _rows() -> tuple[list[LesionRow], list[CaseRow]]:
    from oncoforge.analysis.measure import measure
    from oncoforge.grid import Grid

    return measure(_labels(), Grid((40, 30, 20), AFFINE), "a, b")


def test_summary_counts_and_quantiles():
    lesions, cases = _rows()
    healthy = dataclasses.replace(cases[0], case="c", lesions=0, burden_fraction=0.0)
    summary = summarize(lesions, [*cases, healthy])["liver"]
    assert (summary["cases"], summary["cases_with_lesions"], summary["lesions"]) == (2, 1, 2)
    assert summary["lesions_per_case"] == {"0": 1, "2": 1}
    volumes = [row.volume_mm3 for row in lesions]
    assert summary["volume_mm3"]["median"] == pytest.approx(np.median(volumes))
    assert summary["volume_mm3"]["q1"] == pytest.approx(np.quantile(volumes, 0.25))
    assert "contrast_hu" not in summary
    assert sum(summary["size_classes"].values()) == 2
