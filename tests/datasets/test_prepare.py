"""Datasets in their own layouts become images, label maps in one convention, and a list."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from oncoforge.datasets.label_files import read_whole
from oncoforge.datasets.prepare import prepare
from oncoforge.datasets.prepare_case import Wishes
from oncoforge.datasets.registry import dataset
from oncoforge.errors import InputError, OutputError, UnknownNameError
from oncoforge.formats.open import open_volume
from oncoforge.lists import read_list

SHAPE = (12, 10, 8)
AFFINE = np.diag([-0.75, -0.75, 2.5, 1.0])
AFFINE[:3, 3] = (100, 80, -300)


@pytest.fixture(scope="module")
def ct():
    """A body in air without any symmetry, HU."""
    image = np.full(SHAPE, -1000, np.int16)
    image[2:9, 3:9, 1:] = np.random.default_rng(1).integers(20, 90, (7, 6, 7))
    return image


@pytest.fixture(scope="module")
def organ():
    """1 in a box, 2 in a smaller one in it."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[3:8, 4:8, 2:6] = 1
    labels[4:6, 5:7, 3:5] = 2
    return labels


def save(path, array, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


def load(path):
    return np.asarray(nib.load(path).dataobj)


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder that is no link, but for the record of where it came from."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.name != "prepare.json"
    }


@pytest.fixture
def liver(tmp_path, ct, organ):
    """A small MSD Liver: two cases with labels and a test case."""
    root = tmp_path / "Task03_Liver"
    for number in (2, 10):
        save(root / f"imagesTr/liver_{number}.nii.gz", ct + np.int16(number))
        save(root / f"labelsTr/liver_{number}.nii.gz", organ)
    save(root / "imagesTs/liver_131.nii.gz", ct)
    return root


def run(name, root, out, workers=1, overwrite=False, progress=lambda *_: None, **wishes):
    return prepare(dataset(name), root, out, Wishes(**wishes), workers=workers,
                   overwrite=overwrite, progress=progress)  # fmt: skip


def test_a_decathlon_task_becomes_a_list(liver, tmp_path, organ):
    made = run("msd-liver", liver, tmp_path / "out")
    assert not made.failed
    listed = read_list(tmp_path / "out" / "list.json")
    assert [entry.case for entry in listed.training] == ["liver_2", "liver_10"]
    assert [entry.case for entry in listed.test] == ["liver_131"]
    assert listed.labels == {0: "background", 1: "liver", 2: "liver_tumor"}
    assert listed.header["licence"] == "CC BY-SA 4.0"
    for entry in listed.training:
        np.testing.assert_array_equal(load(entry.label), organ)
        np.testing.assert_allclose(nib.load(entry.label).affine, AFFINE)
        assert entry.image.is_symlink()
        assert entry.image.resolve() == (liver / "imagesTr" / entry.image.name).resolve()


def test_paths_in_the_list_are_relative(liver, tmp_path):
    run("msd-liver", liver, tmp_path / "out")
    listed = json.loads((tmp_path / "out" / "list.json").read_text())
    assert listed["training"][0] == {
        "image": "images/liver_2.nii.gz",
        "label": "labels/liver_2.nii.gz",
    }
    assert listed["test"] == ["images/liver_131.nii.gz"]


def test_the_table_and_the_record_say_what_was_done(liver, tmp_path):
    run("msd-liver", liver, tmp_path / "out")
    header, first, *_ = (tmp_path / "out" / "cases.csv").read_text().splitlines()
    assert header.split(",")[:4] == ["case", "patient", "split", "status"]
    assert first.startswith("liver_2,liver_2,training,done,images/liver_2.nii.gz,")
    record = json.loads((tmp_path / "out" / "prepare.json").read_text())
    case = record["cases"][0]
    assert case["source_labels"] == {"": "labelsTr/liver_2.nii.gz"}
    assert case["voxels"] == {"background": 960 - 80, "liver": 72, "liver_tumor": 8}


def test_other_conventions_become_oncoforge_labels(tmp_path, ct):
    labels = np.zeros(SHAPE, np.uint8)
    labels[2, 2, :4] = [2, 3, 11, 6]  # two kidneys, pancreas, liver
    save(tmp_path / "in/img/img0001.nii.gz", ct)
    save(tmp_path / "in/label/label0001.nii.gz", labels)
    run("btcv", tmp_path / "in", tmp_path / "out")
    assert load(tmp_path / "out/labels/img0001.nii.gz")[2, 2, :4].tolist() == [5, 5, 3, 1]


@pytest.mark.parametrize(("first", "cyst"), [({}, 0), ({3: 1}, 1)])
def test_a_style_of_one_organ_and_cysts(tmp_path, ct, organ, first, cyst):
    labels = organ.copy()
    labels[3, 4, 2] = 3
    save(tmp_path / "in/case_00001/imaging.nii.gz", ct)
    save(tmp_path / "in/case_00001/segmentation.nii.gz", labels)
    run("kits23", tmp_path / "in", tmp_path / "out", organ="kidney", style="organ-tumour",
        first=first)  # fmt: skip
    made = load(tmp_path / "out/labels/case_00001.nii.gz")
    np.testing.assert_array_equal(made, np.where(labels == 3, cyst, organ))
    listed = read_list(tmp_path / "out/list.json")
    assert listed.labels == {0: "background", 1: "kidney", 2: "kidney_tumor"}


def test_copies_are_copies(liver, tmp_path):
    run("msd-liver", liver, tmp_path / "out", link=False)
    copy = tmp_path / "out/images/liver_2.nii.gz"
    assert not copy.is_symlink()
    assert copy.read_bytes() == (liver / "imagesTr/liver_2.nii.gz").read_bytes()


def test_a_second_run_keeps_what_is_there(liver, tmp_path, ct, organ):
    out = tmp_path / "out"
    run("msd-liver", liver, out)
    before = {path: path.stat().st_mtime_ns for path in (out / "labels").iterdir()}
    save(liver / "imagesTr/liver_11.nii.gz", ct)
    save(liver / "labelsTr/liver_11.nii.gz", organ)
    save(liver / "labelsTr/liver_10.nii.gz", organ * np.uint8(organ < 2))
    made = run("msd-liver", liver, out)
    assert {case.case: case.kept for case in made.cases if case.label} == {
        "liver_2": True, "liver_10": False, "liver_11": False,
    }  # fmt: skip
    unchanged = out / "labels/liver_2.nii.gz"
    assert unchanged.stat().st_mtime_ns == before[unchanged]
    assert load(out / "labels/liver_10.nii.gz").max() == 1
    assert len(read_list(out / "list.json").training) == 3


def test_a_run_that_was_stopped_goes_on(liver, tmp_path):
    def stop(done, of):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("msd-liver", liver, tmp_path / "out", progress=stop)
    assert not (tmp_path / "out/list.json").exists()
    made = run("msd-liver", liver, tmp_path / "out")
    assert [case.kept for case in made.cases] == [True, False, False]
    run("msd-liver", liver, tmp_path / "again")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "again")


def test_what_is_gone_from_the_source_goes(liver, tmp_path):
    run("msd-liver", liver, tmp_path / "out")
    for name in ("imagesTr", "labelsTr"):
        (liver / name / "liver_10.nii.gz").unlink()
    run("msd-liver", liver, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out/labels").iterdir()) == ["liver_2.nii.gz"]
    assert not os.path.lexists(tmp_path / "out/images/liver_10.nii.gz")


def test_runs_with_other_wishes_are_not_mixed(liver, tmp_path):
    run("msd-liver", liver, tmp_path / "out")
    with pytest.raises(OutputError, match=r"another organ .*--overwrite"):
        run("msd-liver", liver, tmp_path / "out", style="tumor-only", organ="liver")
    run("msd-liver", liver, tmp_path / "out", style="tumor-only", organ="liver", overwrite=True)
    assert load(tmp_path / "out/labels/liver_2.nii.gz").max() == 1


def test_a_list_of_someone_else_stays(liver, tmp_path):
    (tmp_path / "list.json").write_text("mine")
    with pytest.raises(OutputError, match=r"already holds list\.json"):
        run("msd-liver", liver, tmp_path)
    assert (tmp_path / "list.json").read_text() == "mine"


def test_the_result_does_not_depend_on_the_workers(liver, tmp_path):
    run("msd-liver", liver, tmp_path / "one", workers=1)
    run("msd-liver", liver, tmp_path / "two", workers=2)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_bad_cases_are_listed_and_the_rest_goes_on(liver, tmp_path, ct, organ):
    labels = liver / "labelsTr"
    content = (labels / "liver_2.nii.gz").read_bytes()
    bad = {
        "liver_3": lambda path: path.write_bytes(content[: len(content) // 2]),
        "liver_4": lambda path: save(path, organ, AFFINE + np.eye(4)[3] * 40),
        "liver_5": lambda path: save(path, organ[:, :, :-1]),
        "liver_6": lambda path: save(path, organ * np.uint8(40)),
        "liver_7": lambda path: save(path, np.stack([organ, organ], axis=3)),
        "liver_8": lambda path: save(path, organ * np.float32(0.5)),
        "liver_9": lambda path: path.write_bytes(b""),
    }
    for name, spoil in bad.items():
        save(liver / f"imagesTr/{name}.nii.gz", ct)
        spoil(labels / f"{name}.nii.gz")
    made = run("msd-liver", liver, tmp_path / "out")
    assert {case.case for case in made.failed} == set(bad)
    for case in made.failed:
        assert case.case in case.sentence, case
        assert case.sentence.endswith("."), case
    assert [e.case for e in read_list(tmp_path / "out/list.json").training] == [
        "liver_2",
        "liver_10",
    ]
    written = {path.name.split(".")[0] for path in (tmp_path / "out").glob("*/*")}
    assert not written & set(bad)


def test_an_empty_label_map_is_kept_and_said(tmp_path, ct):
    save(tmp_path / "in/imagesTr/liver_1.nii.gz", ct)
    save(tmp_path / "in/labelsTr/liver_1.nii.gz", np.zeros(SHAPE, np.uint8))
    (case,) = run("msd-liver", tmp_path / "in", tmp_path / "out").cases
    assert case.status == "done"
    assert case.sentence == "Its label map is empty."


def test_all_failed_leaves_no_list(liver, tmp_path):
    for path in liver.rglob("*.nii.gz"):
        path.write_bytes(gzip.compress(b"no volume"))
    made = run("msd-liver", liver, tmp_path / "out")
    assert len(made.failed) == 3
    assert made.list_path is None
    assert not (tmp_path / "out/list.json").exists()


def test_a_label_map_that_has_lost_its_geometry(tmp_path, ct, organ):
    save(tmp_path / "in/imagesTr/liver_1.nii.gz", ct)
    save(tmp_path / "in/labelsTr/liver_1.nii.gz", organ.astype(np.float32), np.diag([-1, -1, 1, 1]))
    (case,) = run("msd-liver", tmp_path / "in", tmp_path / "out").cases
    assert "lost its geometry" in case.sentence
    assert "--fix-geometry" in case.sentence
    out = tmp_path / "fixed"
    (case,) = run("msd-liver", tmp_path / "in", out, fix_geometry=True).cases
    assert "it had lost its own" in case.sentence
    np.testing.assert_array_equal(load(out / "labels/liver_1.nii.gz"), organ)
    np.testing.assert_allclose(nib.load(out / "labels/liver_1.nii.gz").affine, AFFINE)
    assert load(out / "labels/liver_1.nii.gz").dtype == np.uint8


def test_the_grid_is_not_guessed_for_another_number_of_voxels(tmp_path, ct, organ):
    save(tmp_path / "in/imagesTr/liver_1.nii.gz", ct)
    save(tmp_path / "in/labelsTr/liver_1.nii.gz", organ[:-1], np.eye(4))
    (case,) = run("msd-liver", tmp_path / "in", tmp_path / "out", fix_geometry=True).cases
    assert "not on the grid" in case.sentence


def test_a_tumour_of_any_organ_needs_the_organ(tmp_path, ct, organ):
    save(tmp_path / "in/imagesTr/fdg_0a_x_0000.nii.gz", ct)
    save(tmp_path / "in/labelsTr/fdg_0a_x.nii.gz", (organ == 2).astype(np.uint8))
    with pytest.raises(InputError, match="--organ"):
        run("autopet", tmp_path / "in", tmp_path / "out")
    run("autopet", tmp_path / "in", tmp_path / "out", organ="lung")
    assert np.unique(load(tmp_path / "out/labels/fdg_0a_x.nii.gz")).tolist() == [0, 8]


def test_an_organ_that_one_value_leaves_open_is_asked_for(tmp_path, ct, organ):
    for number, top in ((1, 1), (2, 14)):
        save(tmp_path / f"in/imagesTr/FLARE23_000{number}_0000.nii.gz", ct)
        save(tmp_path / f"in/labelsTr/FLARE23_000{number}.nii.gz", np.minimum(organ, 1) * top)
    made = run("flare23", tmp_path / "in", tmp_path / "out", workers=1)
    assert [case.case for case in made.failed] == ["FLARE23_0002"]
    assert "name it with --organ" in made.failed[0].sentence
    made = run("flare23", tmp_path / "in", tmp_path / "named", organ="liver")
    assert not made.failed
    assert load(tmp_path / "named/labels/FLARE23_0002.nii.gz").max() == 2


@pytest.mark.parametrize(
    ("wishes", "error", "words"),
    [
        ({"style": "organ-tumor"}, InputError, "--organ"),
        ({"style": "organs"}, UnknownNameError, "label style"),
        ({"organ": "lever"}, UnknownNameError, "liver"),
        ({"organ": "aorta", "style": "tumor-only"}, InputError, "tumour"),
        ({"first": {3: 9}}, InputError, "--map leads to 9"),
    ],
)
def test_wishes_that_cannot_be_met(liver, tmp_path, wishes, error, words):
    with pytest.raises(error) as refused:
        run("msd-liver", liver, tmp_path / "out", **wishes)
    assert words in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_result_within_the_download_is_not_found_again(tmp_path, organ):
    save(tmp_path / "case_00001.nii.gz", organ)
    for _ in range(2):
        (case,) = run("kits19", tmp_path, tmp_path / "out").cases
        assert case.status == "done"


def test_follow_up_scans_are_of_one_patient(tmp_path, ct):
    for day in ("", "_day012"):
        save(tmp_path / f"in/volume-covid19-A-0003{day}.nii.gz", ct)
    run("tcia-covid19", tmp_path / "in", tmp_path / "out")
    listed = read_list(tmp_path / "out/list.json")
    assert len(listed.test) == 2
    assert {entry.patient for entry in listed.test} == {"volume-covid19-A-0003"}


def test_structures_in_files_of_their_own_are_painted_over_each_other(tmp_path, ct, organ):
    case = tmp_path / "in/BDMAP_00000001"
    save(case / "ct.nii.gz", ct)
    save(case / "segmentations/liver.nii.gz", np.minimum(organ, 1))
    save(case / "segmentations/kidney_left.nii.gz", (organ == 2).astype(np.uint8))
    save(case / "segmentations/stomach.nii.gz", (organ > 0).astype(np.uint8))
    run("abdomenatlas", tmp_path / "in", tmp_path / "out")
    made = load(tmp_path / "out/labels/BDMAP_00000001.nii.gz")
    # Stomach, then kidney, then liver: the order of the registry, whatever the files are called.
    np.testing.assert_array_equal(made, np.minimum(organ, 1))


def test_names_that_are_not_ascii(liver, tmp_path):
    root = liver.rename(tmp_path / "Läsion 中文")
    made = run("msd-liver", root, tmp_path / "résultat")
    assert not made.failed
    assert len(read_list(tmp_path / "résultat/list.json")) == 3


def write_series(folder, stored, uid="1.2.3", modality="CT", reverse=False, intercept=-1024):
    """Write (X, Y, Z) as axial DICOM slices; `reverse` names them against their positions."""
    folder.mkdir(parents=True)
    for index in range(stored.shape[2]):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(folder), str(index)])
        data = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
        data.SOPClassUID = CTImageStorage
        data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        data.SeriesInstanceUID, data.Modality = uid, modality
        data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        data.ImagePositionPatient = [-100, -80, -300 + 2.5 * index]
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.PixelSpacing = [0.75, 0.75]
        data.Columns, data.Rows = stored.shape[:2]
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
        data.PixelRepresentation, data.RescaleSlope, data.RescaleIntercept = 0, 1, intercept
        plane = stored[:, :, index].T.astype(np.int32) - intercept
        data.PixelData = plane.astype("<u2").tobytes()
        number = stored.shape[2] - index if reverse else index
        data.save_as(folder / f"i{number:04d}.dcm")


@pytest.mark.parametrize("reverse", [False, True], ids=["upwards", "downwards"])
def test_chaos_has_dicom_and_png_slices(tmp_path, ct, organ, reverse):
    case = tmp_path / "CHAOS_Train_Sets/Train_Sets/CT/5"
    write_series(case / "DICOM_anon", ct, reverse=reverse)
    (case / "Ground").mkdir()
    mask = np.minimum(organ, 1) * np.uint8(255)
    for index in range(SHAPE[2]):
        number = SHAPE[2] - index if reverse else index
        Image.fromarray(mask[:, :, index].T).save(case / f"Ground/liver_GT_{number:03d}.png")
    made = run("chaos", tmp_path / "CHAOS_Train_Sets", tmp_path / "out")
    assert not made.failed, made.failed
    np.testing.assert_array_equal(load(tmp_path / "out/labels/chaos-5.nii.gz"), mask // 255)
    np.testing.assert_array_equal(load(tmp_path / "out/images/chaos-5.nii.gz"), ct)
    grids = [
        open_volume(tmp_path / f"out/{name}/chaos-5.nii.gz").source.grid
        for name in ("images", "labels")
    ]
    assert grids[0].difference(grids[1]) is None
    again = run("chaos", tmp_path / "CHAOS_Train_Sets", tmp_path / "out")
    assert again.cases[0].kept
    image = tmp_path / "out/images/chaos-5.nii.gz"
    image.write_bytes(b"older")
    run("chaos", tmp_path / "CHAOS_Train_Sets", tmp_path / "out")
    assert image.read_bytes() == b"older"  # nothing changed, so it is kept
    os.utime(next((case / "DICOM_anon").iterdir()), (1, 1))
    run("chaos", tmp_path / "CHAOS_Train_Sets", tmp_path / "out")
    np.testing.assert_array_equal(load(image), ct)


def test_slices_that_do_not_fit_are_a_sentence(tmp_path, ct):
    case = tmp_path / "CT/5"
    write_series(case / "DICOM_anon", ct)
    (case / "Ground").mkdir()
    image = open_volume(case / "DICOM_anon")
    with pytest.raises(InputError, match="has 0 slices"):
        read_whole(case / "Ground", image, False)
    for index in range(SHAPE[2]):
        Image.new("L", (3, 3)).save(case / f"Ground/{index}.png")
    with pytest.raises(InputError, match=r"is \(3, 3\)"):
        read_whole(case / "Ground", image, False)
    with pytest.raises(InputError, match="from the image only"):
        read_whole(case / "Ground", None, False)


def test_ircadb_has_one_dicom_mask_per_structure(tmp_path, ct, organ):
    case = tmp_path / "3Dircadb1.5"
    write_series(case / "PATIENT_DICOM", ct)
    masks = {"liver": organ > 0, "livertumor1": organ == 2, "bone": organ < 1, "rightkidney": 0}
    for name, mask in masks.items():
        stored = np.broadcast_to(np.asarray(mask) * 255, SHAPE)
        write_series(case / "MASKS_DICOM" / name, stored, uid=f"1.9.{len(name)}", intercept=0)
    made = run("3d-ircadb", tmp_path, tmp_path / "out")
    assert not made.failed, made.failed
    np.testing.assert_array_equal(load(tmp_path / "out/labels/3Dircadb1.5.nii.gz"), organ)


def test_pancreas_ct_pairs_series_with_label_files(tmp_path, ct, organ):
    root = tmp_path / "in"
    write_series(root / "Pancreas-CT/PANCREAS_0001/11-24-2015-x/Pancreas-1", ct)
    save(root / "TCIA_pancreas_labels/label0001.nii.gz", np.minimum(organ, 1))
    made = run("pancreas-ct", root, tmp_path / "out")
    assert not made.failed, made.failed
    assert np.unique(load(tmp_path / "out/labels/PANCREAS_0001.nii.gz")).tolist() == [0, 3]
    np.testing.assert_array_equal(load(tmp_path / "out/images/PANCREAS_0001.nii.gz"), ct)


def test_lidc_passes_radiographs_over_and_keeps_two_scans_of_a_patient(tmp_path, ct):
    root = tmp_path / "in/LIDC-IDRI"
    write_series(root / "LIDC-IDRI-0001/a/1", ct)
    write_series(root / "LIDC-IDRI-0001/b/2", ct[:, :, :1], modality="DX")
    write_series(root / "LIDC-IDRI-0132/a/1", ct)
    write_series(root / "LIDC-IDRI-0132/b/1", ct)
    made = run("lidc", tmp_path / "in", tmp_path / "out")
    assert not made.failed, made.failed
    entries = read_list(tmp_path / "out/list.json").test
    assert {e.case: e.patient for e in entries} == {
        "LIDC-IDRI-0001": "LIDC-IDRI-0001",
        "LIDC-IDRI-0132_1": "LIDC-IDRI-0132",
        "LIDC-IDRI-0132_2": "LIDC-IDRI-0132",
    }


def test_label_maps_without_images_are_prepared_too(data_dir, tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    for name in ("case_00007", "case_00061"):
        (root / f"{name}.nii.gz").symlink_to(data_dir / f"kits19_labels/{name}.nii.gz")
    run("kits19", root, tmp_path / "out")
    for entry in read_list(tmp_path / "out/list.json").training:
        before, after = nib.load(root / entry.label.name), nib.load(entry.label)
        assert entry.image is None
        np.testing.assert_allclose(after.affine, before.affine)
        table = np.array([0, 5, 6], np.uint8)
        np.testing.assert_array_equal(load(entry.label), table[np.asarray(before.dataobj)])
