"""The check of a list: each fault is found, named by its kind, and found nowhere else."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import oncoforge as of
from oncoforge.datasets.check import check_list
from oncoforge.datasets.check_files import FILES, write_check
from oncoforge.datasets.findings import KINDS, SEVERITIES
from oncoforge.errors import InputError, OutputError, UnknownNameError
from oncoforge.lists import CaseList, Entry, read_list

FINE = {"cut-off", "orientation", "no-labels"}
LIVER, TUMOUR = 1, 2


@pytest.fixture(scope="module")
def phantoms():
    """Five patients with liver labels (and a tumour inside) in the numbers of MSD."""
    found = []
    for seed in range(5):
        phantom = of.make_phantom(seed=seed, spacing_mm=(6, 6, 6))
        labels = (phantom.labels == 1).astype(np.uint8)
        middle = np.argwhere(labels)[np.count_nonzero(labels) // 2]
        labels[tuple(middle)] = TUMOUR
        found.append((np.rint(phantom.image).astype(np.int16), labels, phantom.affine))
    return found


def save(folder, name, array, affine):
    nib.save(nib.Nifti1Image(array, affine), folder / f"{name}.nii.gz")


@pytest.fixture(scope="module")
def clean(phantoms, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clean")
    for number, (image, labels, affine) in enumerate(phantoms):
        save(folder, f"i{number}", image, affine)
        save(folder, f"l{number}", labels, affine)
    return folder


@dataclass
class Study:
    """A list of five cases; `put` replaces a file."""

    folder: Path
    affine: np.ndarray
    cases: CaseList

    def put(self, name, array, affine=None):
        save(self.folder, name, array, self.affine if affine is None else affine)
        return self.folder / f"{name}.nii.gz"

    def check(self, **options):
        options = {"convention": "msd-liver", "organ": "liver", "workers": 1} | options
        return check_list(self.cases, **options)

    def of_kind(self, checked):
        return {(f.kind, f.case) for f in checked.findings if f.kind not in FINE}

    def kinds(self, **options):
        return self.of_kind(self.check(**options))


@pytest.fixture
def study(phantoms, clean, tmp_path):
    shutil.copytree(clean, tmp_path, dirs_exist_ok=True)
    entries = [
        Entry(f"p{k}", tmp_path / f"i{k}.nii.gz", tmp_path / f"l{k}.nii.gz") for k in range(5)
    ]
    cases = CaseList(training=tuple(entries[:3]), test=tuple(entries[3:]), name="study")
    return Study(tmp_path, phantoms[0][2], cases)


def test_a_clean_list_has_no_faults(study):
    checked = study.check()
    assert study.of_kind(checked) == set()
    assert checked.fine
    assert checked.failed == 0
    assert [fact.shape for fact in checked.facts] == [(63, 50, 50)] * 5
    assert all(0 < fact.median_hu < 200 for fact in checked.facts)


def test_missing_and_broken_files_do_not_end_the_run(study, phantoms, tmp_path):
    image = phantoms[0][0]
    (tmp_path / "i0.nii.gz").unlink()
    path = tmp_path / "i1.nii.gz"
    path.write_bytes(path.read_bytes()[:-2000])
    study.put("i2", np.stack([image] * 2, -1))
    values = image.astype(np.float32)
    values[1, 2, 3] = np.nan
    study.put("i3", values)
    (tmp_path / "l4.nii.gz").write_bytes(b"hello")
    checked = study.check()
    assert study.of_kind(checked) == {
        ("missing", "p0"),
        ("broken", "p1"),
        ("broken", "p2"),
        ("broken", "p3"),
        ("broken", "p4"),
    }
    assert checked.failed == 5
    assert not checked.fine


def test_grids_that_differ_are_told_apart(study, phantoms):
    _, labels, affine = phantoms[0]
    moved = affine.copy()
    moved[:3, 3] += 9
    study.put("l0", labels, moved)
    study.put("l1", phantoms[1][1], np.eye(4))
    checked = study.check()
    assert study.of_kind(checked) == {("grid", "p0"), ("grid", "p1"), ("lost-geometry", "p1")}
    grids = [f.sentence for f in checked.findings if f.kind == "grid"]
    assert "its origin is 15.59 mm away" in grids[0]
    assert "the affine of the image belongs to it" in grids[1]


def test_axis_order_of_the_files_makes_no_difference(study, phantoms):
    _, labels, affine = phantoms[0]
    way = nib.orientations.axcodes2ornt("LPS")
    turned = nib.Nifti1Image(labels, affine).as_reoriented(
        nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), way)
    )
    study.put("l0", np.asarray(turned.dataobj), turned.affine)
    assert study.kinds() == set()


@pytest.mark.parametrize("change", ["scaled", "offset", "windowed", "constant"])
def test_images_that_are_not_hu_are_found(study, phantoms, change):
    image = phantoms[0][0]
    changed = {
        "scaled": ((np.clip(image, -175, 250) + 175) / 425).astype(np.float32),
        "offset": image + np.int16(1024),
        "windowed": np.clip(image, -100, 240),
        "constant": np.zeros_like(image),
    }
    study.put("i0", changed[change])
    assert study.kinds() == {("not-hu", "p0")}
    assert study.kinds(modality="mr") == set()


def test_an_organ_where_the_image_has_none_is_found(study, phantoms):
    image, labels, _ = phantoms[0]
    study.put("l0", labels[:, :, ::-1])
    kinds = study.kinds(content=False)
    study.put("l0", np.where(image < -900, 1, 0).astype(np.uint8))
    assert ("organ-hu", "p0") in kinds | study.kinds(content=False)


def test_label_values_are_held_against_the_convention_or_the_header(study, phantoms):
    labels = phantoms[0][1].copy()
    labels[:2, :2, :2] = 9
    study.put("l0", labels)
    assert study.kinds() == {("label-values", "p0")}
    assert study.kinds(convention=None, organ=None) == set()
    study.cases = replace(study.cases, labels={0: "background", 1: "liver", 2: "x", 5: "never"})
    assert study.kinds(convention=None, organ=None) == {
        ("header-values", "p0"),
        ("header-unseen", ""),
    }


def test_empty_label_maps_and_absent_organs_are_found(study, phantoms):
    labels = phantoms[0][1]
    study.put("l0", np.zeros_like(labels))
    study.put("l1", np.where(labels == TUMOUR, TUMOUR, 0).astype(np.uint8))
    assert study.kinds() == {
        ("label-empty", "p0"),
        ("organ-absent", "p0"),
        ("organ-absent", "p1"),
        ("tumour-apart", "p1"),
    }
    assert study.kinds(organ=None) == {("label-empty", "p0"), ("tumour-apart", "p1")}


def test_conventions_of_tumours_only_need_no_organ(study):
    assert study.kinds(convention="msd-colon", organ="colon") >= {("label-values", "p0")}
    assert not any(kind == "organ-absent" for kind, _ in study.kinds(convention="msd-colon"))


def test_tumour_that_touches_no_organ_is_found(study, phantoms):
    labels = phantoms[0][1].copy()
    labels[1:4, 1:4, 1:4] = TUMOUR
    study.put("l0", labels)
    checked = study.check()
    assert study.of_kind(checked) == {("tumour-apart", "p0")}
    [found] = [f for f in checked.findings if f.kind == "tumour-apart"]
    assert f"{27 * 216} mm3" in found.sentence


def test_organs_cut_off_are_noted(study, phantoms):
    image, labels, _ = phantoms[0]
    middle = int(np.argwhere(labels)[:, 2].mean())
    study.put("i0", image[:, :, :middle])
    study.put("l0", labels[:, :, :middle])
    found = [f for f in study.check().findings if f.kind == "cut-off" and f.case == "p0"]
    assert "the liver in the highest slice" in found[0].sentence
    assert found[0].severity == "note"


def test_spacing_outliers_and_tiny_volumes_are_found(study, phantoms):
    image, labels, affine = phantoms[0]
    study.put("i0", image, affine @ np.diag([1, 1, 3, 1]))
    study.put("l0", labels, affine @ np.diag([1, 1, 3, 1]))
    assert study.kinds() == {("spacing", "p0")}
    study.put("i0", image[:, :, :3])
    study.put("l0", labels[:, :, :3])
    assert study.kinds(organ=None) >= {("tiny", "p0")}


def test_patients_in_two_parts_and_duplicates_in_one_are_found(study, phantoms):
    study.put("i4", phantoms[0][0][::-1].astype(np.float32), phantoms[0][2])
    study.put("i1", phantoms[0][0].astype(np.int32))
    checked = study.check()
    assert {("duplicate", "p1"), ("leak", "p0"), ("leak", "p1")} <= study.of_kind(checked)
    assert {(leak.first.entry.case, leak.second.entry.case) for leak in checked.leaks} == {
        ("p0", "p4"),
        ("p1", "p4"),
    }
    assert checked.failed == 3
    assert not any(kind in ("leak", "duplicate") for kind, _ in study.kinds(content=False))


def test_label_maps_of_two_images_and_images_listed_twice_are_found(study):
    first, second, *rest = study.cases.training
    again = Entry("again", first.image, second.label)
    study.cases = replace(study.cases, training=(first, second, *rest, again))
    checked = study.check(organ=None)
    assert study.of_kind(checked) >= {("label-reused", "again"), ("image-twice", "again")}
    assert ("duplicate", "again") not in study.of_kind(checked)


def test_stale_counts_are_noted(study):
    study.cases = replace(study.cases, header={"numTraining": 80, "numTest": 2})
    [found] = [f for f in study.check().findings if f.kind == "header-count"]
    assert found.sentence == "The header's numTraining is 80; there are 3."


def test_another_list_is_compared_by_name_and_content(study, phantoms):
    noisy = phantoms[2][0] + np.random.default_rng(0).normal(0, 20, phantoms[2][0].shape)
    path = study.put("elsewhere", noisy.astype(np.int16))
    other = CaseList(test=(Entry("elsewhere", path),), name="other")
    [leak] = study.check(against=[other]).leaks
    assert (leak.first.entry.case, leak.second.part) == ("p2", "other")


def test_lists_of_images_only_and_of_label_maps_only_are_welcome(study):
    full = study.cases
    for role in ("image", "label"):
        study.cases = replace(
            full,
            training=tuple(replace(entry, **{role: None}) for entry in full.training),
            test=(),
        )
        assert study.kinds() == set(), role


def test_real_kidney_masks_pass(data_dir):
    files = sorted((data_dir / "kits19_labels").glob("*.nii.gz"))[:4]
    cases = CaseList(training=tuple(Entry(path.name, label=path) for path in files))
    checked = check_list(cases, "kits", "kidney", workers=1)
    assert checked.findings == ()
    assert {facts.orientation for facts in checked.facts} == {"IPL"}


def test_real_scans_of_three_kinds_pass_but_for_the_mr(data_dir):
    cases = CaseList(
        training=tuple(
            Entry(name, data_dir / name / image, data_dir / name / "totalsegmentator_labels.nii.gz")
            for name, image in (
                ("ct_abdomen", "image.nii.gz"),
                ("ct_dicom", "series"),
                ("mr_abdomen", "image.nii.gz"),
            )
        )
    )
    checked = check_list(cases, "totalsegmentator", workers=1)
    faults = {(f.kind, f.case) for f in checked.findings if f.severity != "note"}
    assert faults == {("not-hu", "mr_abdomen")}


def test_a_list_of_another_machine_is_refused_with_a_hint(data_dir):
    cases = read_list(data_dir / "datalists" / "freetumor" / "word.json")
    with pytest.raises(InputError, match=r"none of the 300 files exists below .* --root"):
        check_list(cases)


def test_options_that_make_no_sense_are_refused(study):
    with pytest.raises(InputError, match="names no files"):
        check_list(CaseList(training=(Entry("a"),)))
    with pytest.raises(InputError, match="--convention"):
        study.check(convention=None)
    for options in ({"convention": "msd-livr"}, {"organ": "livr"}, {"modality": "pet"}):
        with pytest.raises(UnknownNameError):
            study.check(**options)


def test_files_are_the_same_for_any_number_of_workers(study, tmp_path):
    texts = []
    for workers in (1, 2):
        out = tmp_path / f"out{workers}"
        write_check(study.check(workers=workers, tiles=True), out, {"Organ": "liver"})
        texts.append([(out / name).read_bytes() for name in FILES])
    assert texts[0] == texts[1]
    document = json.loads(texts[0][0])
    assert [case["case"] for case in document["cases"]] == [f"p{k}" for k in range(5)]
    assert document["parts"] == {"training": 3, "validation": 0, "test": 2}


def test_earlier_files_are_kept_unless_told_otherwise(study, tmp_path):
    checked = study.check(content=False)
    write_check(checked, tmp_path / "out", {})
    with pytest.raises(OutputError, match="already holds"):
        write_check(checked, tmp_path / "out", {})
    write_check(checked, tmp_path / "out", {}, overwrite=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES)


def test_kinds_are_in_the_order_of_their_severity():
    ranks = [SEVERITIES.index(kind.severity) for kind in KINDS.values()]
    assert ranks == sorted(ranks)
