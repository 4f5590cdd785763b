"""NIfTI out: rounding, types, identical bytes, and all or nothing."""

from __future__ import annotations

import gzip
import os
import resource
import time

import nibabel as nib
import numpy as np
import pytest

from oncoforge.case import Case
from oncoforge.errors import OutputError
from oncoforge.formats import read_image, write_image, write_labels
from oncoforge.formats.atomic import atomic_write
from oncoforge.grid import Grid


@pytest.fixture
def grid(ct, affine):
    return Grid(ct.shape, affine)


def test_ct_is_rounded_half_to_even_and_clipped_to_int16(tmp_path, grid):
    values = np.zeros(grid.ras().shape, np.float32)
    values.ravel()[:8] = [0.5, 1.5, 2.5, -0.5, -1.5, 40000, -40000, 32767.4]
    write_image(tmp_path / "a.nii", values, grid)
    written = nib.load(tmp_path / "a.nii")
    assert written.get_data_dtype() == np.int16
    back = grid.to_ras(np.asarray(written.dataobj)).ravel()[:8]
    assert back.tolist() == [0, 2, 2, 0, -2, 32767, -32768, 32767]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int32", "uint32", "int64", "uint64"])
def test_each_integer_type_is_clipped_to_what_it_holds(tmp_path, grid, dtype):
    values = np.zeros(grid.ras().shape, np.float32)
    values.ravel()[:2] = [-3e38, 3e38]
    write_image(tmp_path / "a.nii", values, grid, dtype=dtype)
    back = grid.to_ras(np.asarray(nib.load(tmp_path / "a.nii").dataobj)).ravel()
    limits = np.iinfo(dtype)
    assert int(back[0]) == limits.min
    assert limits.max - int(back[1]) <= limits.max // 2**50


def test_float32_keeps_every_bit(tmp_path, grid):
    values = np.random.default_rng(0).normal(0, 500, grid.ras().shape).astype(np.float32)
    write_image(tmp_path / "a.nii.gz", values, grid, dtype="float32")
    written = nib.load(tmp_path / "a.nii.gz")
    assert written.get_data_dtype() == np.float32
    np.testing.assert_array_equal(grid.to_ras(np.asarray(written.dataobj)), values)


def test_a_grid_becomes_both_forms_of_the_header(tmp_path, grid, ct):
    write_image(tmp_path / "a.nii.gz", grid.to_ras(ct), grid)
    written = nib.load(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(written.affine, grid.affine)
    np.testing.assert_allclose(written.get_sform(), grid.affine)
    assert int(written.header["sform_code"]) == 1
    assert written.header.get_xyzt_units()[0] == "mm"
    np.testing.assert_array_equal(np.asarray(written.dataobj), ct)


def test_an_upright_grid_has_a_quaternion_and_a_sheared_one_does_not(tmp_path, ct):
    upright, sheared = np.diag([-1, 2, 3, 1.0]), np.diag([-1, 2, 3, 1.0])
    sheared[0, 2] = 0.5
    for name, affine, code in (("a.nii", upright, 1), ("b.nii", sheared, 0)):
        grid = Grid(ct.shape, affine)
        write_image(tmp_path / name, grid.to_ras(ct), grid)
        written = nib.load(tmp_path / name)
        assert int(written.header["qform_code"]) == code
        np.testing.assert_allclose(written.affine, affine)
    np.testing.assert_allclose(nib.load(tmp_path / "a.nii").get_qform(), upright, atol=1e-6)


def test_a_case_goes_back_onto_the_grid_of_its_arrays(tmp_path, ct, liver, affine):
    case = Case.from_arrays(ct, liver, affine)
    write_image(tmp_path / "a.nii.gz", case.image, case)
    write_labels(tmp_path / "b.nii.gz", case.labels, case.source)
    np.testing.assert_array_equal(np.asarray(nib.load(tmp_path / "a.nii.gz").dataobj), ct)
    np.testing.assert_array_equal(np.asarray(nib.load(tmp_path / "b.nii.gz").dataobj), liver)


@pytest.mark.parametrize(
    ("high", "given", "stored"),
    [(1, bool, "u1"), (255, "i8", "u1"), (256, "i4", "u2"), (65535, "u2", "u2")],
)
def test_labels_are_as_narrow_as_they_can_be(tmp_path, grid, high, given, stored):
    labels = np.zeros(grid.ras().shape, given)
    labels[1, 2, 3] = high
    write_labels(tmp_path / "a.nii.gz", labels, grid)
    written = nib.load(tmp_path / "a.nii.gz")
    assert written.get_data_dtype() == np.dtype(stored)
    np.testing.assert_array_equal(grid.to_ras(np.asarray(written.dataobj)), labels)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_the_same_array_gives_the_same_bytes(tmp_path, grid, name):
    rng = np.random.default_rng(0)
    values = rng.normal(0, 100, grid.ras().shape).astype(np.float32)
    one, other = tmp_path / "one" / name, tmp_path / "other" / f"x{name}"
    for path in (one, other):
        path.parent.mkdir()
        write_image(path, values, grid)
        write_labels(path.with_name("l" + path.name), values > 0, grid)
        time.sleep(0.01)
    assert one.read_bytes() == other.read_bytes()
    assert (
        one.with_name("l" + one.name).read_bytes() == other.with_name("l" + other.name).read_bytes()
    )


def test_the_gzip_header_has_no_name_and_no_time(tmp_path, grid, ct):
    write_image(tmp_path / "a.nii.gz", grid.to_ras(ct), grid)
    raw = (tmp_path / "a.nii.gz").read_bytes()
    assert raw[:2] == b"\x1f\x8b"
    assert raw[3] == 0
    assert raw[4:8] == bytes(4)
    assert len(gzip.decompress(raw)) == 352 + ct.nbytes


def test_memory_order_does_not_change_the_file(tmp_path, grid, ct):
    values = grid.to_ras(ct)
    for name, array in (("a.nii", np.asfortranarray(values)), ("b.nii", values.copy())):
        write_image(tmp_path / name, array, grid)
    assert (tmp_path / "a.nii").read_bytes() == (tmp_path / "b.nii").read_bytes()


def test_a_new_file_has_the_permissions_of_any_other(tmp_path, grid, ct):
    (tmp_path / "plain").write_text("")
    write_image(tmp_path / "a.nii", grid.to_ras(ct), grid)
    assert (tmp_path / "a.nii").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize(
    ("array", "options", "sentence"),
    [
        (np.zeros((2, 2, 2)), {}, r"array has shape \(2, 2, 2\) and its grid \(12, 10, 8\)"),
        (np.full((12, 10, 8), np.nan), {}, "NaN"),
        (np.zeros((12, 10, 8)), {"dtype": "complex64"}, "no voxel type 'complex64'"),
        (np.zeros((12, 10, 8)), {"dtype": "float16"}, "no voxel type 'float16'"),
        (np.zeros((12, 10, 8)), {"dtype": "nonsense"}, "no voxel type 'nonsense'"),
    ],
)
def test_what_cannot_be_written_is_said_and_leaves_nothing(
    tmp_path, grid, array, options, sentence
):
    with pytest.raises(OutputError, match=sentence):
        write_image(tmp_path / "a.nii.gz", array, grid, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (np.zeros((12, 10, 8)), "whole numbers"),
        (np.full((12, 10, 8), -1), "from -1 to -1"),
        (np.full((12, 10, 8), 70000), "70000"),
    ],
)
def test_what_is_no_label_map_is_not_written(tmp_path, grid, labels, sentence):
    with pytest.raises(OutputError, match=sentence):
        write_labels(tmp_path / "a.nii.gz", labels, grid)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.nrrd", "a", "a.gz", "a.nii.zip"])
def test_only_nifti_is_written(tmp_path, grid, ct, name):
    with pytest.raises(OutputError, match=r"ends in \.nii or \.nii\.gz"):
        write_image(tmp_path / name, grid.to_ras(ct), grid)


def test_a_missing_folder_is_a_sentence(tmp_path, grid, ct, one_sentence):
    with pytest.raises(OutputError, match="No such file or directory") as caught:
        write_image(tmp_path / "none" / "a.nii.gz", grid.to_ras(ct), grid)
    assert "none/a.nii.gz" in one_sentence(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_a_sentence(tmp_path, grid, ct):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        write_image(tmp_path / "a.nii.gz", grid.to_ras(ct), grid)


def test_a_folder_by_the_name_of_the_file_is_a_sentence(tmp_path, grid, ct):
    (tmp_path / "a.nii.gz").mkdir()
    with pytest.raises(OutputError, match="could not be written"):
        write_image(tmp_path / "a.nii.gz", grid.to_ras(ct), grid)
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii.gz"]


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, name):
    noise = np.random.default_rng(0).integers(-1000, 1000, (64, 64, 64)).astype(np.int16)
    grid = Grid(noise.shape, np.eye(4))
    (tmp_path / name).write_text("the old one")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OutputError, match="could not be written") as caught:
            write_image(tmp_path / name, noise, grid)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "the disk has room" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "the old one"


def test_an_interrupt_leaves_nothing(tmp_path):
    def interrupted():
        with atomic_write(tmp_path / "a") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not list(tmp_path.iterdir())


def test_an_old_file_is_replaced(tmp_path, grid, ct):
    (tmp_path / "a.nii.gz").write_text("old")
    write_image(tmp_path / "a.nii.gz", grid.to_ras(ct), grid)
    np.testing.assert_array_equal(read_image(tmp_path / "a.nii.gz").array, grid.to_ras(ct))
