"""NIfTI in: every type, scaling, orientation, and every way of being broken."""

from __future__ import annotations

import gzip
import struct
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from oncoforge.errors import InputError
from oncoforge.formats.nifti import open_nifti
from oncoforge.formats.read import read_image, read_labels
from oncoforge.formats.write import write_image

TYPES = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]


def save(path, array, affine=None, **header):
    image = nib.Nifti1Image(array, np.eye(4) if affine is None else affine, dtype=array.dtype)
    for field, value in header.items():
        image.header[field] = value
    nib.save(image, path)
    return Path(path)


def patch(path, at, fmt, *values):
    """Overwrite header fields of an uncompressed file: what no library would write."""
    raw = bytearray(path.read_bytes())
    struct.pack_into(fmt, raw, at, *values)
    path.write_bytes(raw)
    return path


@st.composite
def affines(draw):
    order = draw(st.permutations(range(3)))
    signs = draw(st.tuples(*[st.sampled_from([1, -1])] * 3))
    spacing = draw(st.tuples(*[st.sampled_from([0.5, 0.7, 1, 3]) | st.floats(0.2, 8)] * 3))
    angles = draw(st.just((0, 0, 0)) | st.tuples(*[st.floats(-20, 20)] * 3))
    affine = np.eye(4)
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    affine[:3, :3] = turn @ np.eye(3)[:, list(order)] * signs * spacing
    affine[:3, 3] = draw(st.tuples(*[st.floats(-500, 500)] * 3))
    return affine


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    affine=affines(),
    dtype=st.sampled_from(TYPES),
    big_endian=st.booleans(),
    shape=st.tuples(*[st.integers(1, 7)] * 3),
    form=st.sampled_from([(0, 2), (1, 0), (1, 1), (3, 4), (0, 0)]),
    ending=st.sampled_from([".nii", ".nii.gz"]),
    seed=st.integers(0, 2**16),
)
def test_what_is_read_and_written_is_the_same_file_again(
    tmp_path, affine, dtype, big_endian, shape, form, ending, seed
):
    rng = np.random.default_rng(seed)
    low = 0 if dtype[0] == "u" else -100
    stored = rng.integers(low, 120, shape).astype((">" if big_endian else "<") + dtype)
    header = nib.Nifti1Header(endianness=">" if big_endian else "<")
    header.set_data_dtype(stored.dtype)
    original = nib.Nifti1Image(stored, affine, header)
    original.set_sform(affine, form[1])
    original.set_qform(affine, form[0])
    original.header.set_xyzt_units("mm", "sec")
    path, again = tmp_path / f"a{ending}", tmp_path / f"b{ending}"
    nib.save(original, path)

    volume = read_image(path, force=True)
    assert volume.array.dtype == np.float32
    assert volume.array.flags.c_contiguous
    assert volume.grid.is_ras()
    reference = nib.as_closest_canonical(nib.load(path))
    np.testing.assert_allclose(volume.affine, reference.affine, atol=1e-4)
    np.testing.assert_array_equal(volume.array, reference.get_fdata(dtype=np.float32))

    write_image(again, volume.array, volume.source, dtype="same")
    written, loaded = nib.load(again), nib.load(path)
    assert written.shape == loaded.shape
    assert written.get_data_dtype() == loaded.get_data_dtype().newbyteorder("<")
    np.testing.assert_array_equal(np.asarray(written.dataobj), np.asarray(loaded.dataobj))
    np.testing.assert_array_equal(written.affine, loaded.affine)
    for field in ("qform_code", "sform_code", "xyzt_units", "srow_x", "quatern_c", "qoffset_y"):
        np.testing.assert_array_equal(written.header[field], loaded.header[field])
    np.testing.assert_array_equal(written.header["pixdim"][:4], loaded.header["pixdim"][:4])


@pytest.mark.parametrize(
    ("order", "signs"),
    [(o, s) for o in permutations(range(3)) for s in product((1, -1), repeat=3)],
)
def test_each_orientation_comes_in_as_ras_and_goes_out_as_it_was(tmp_path, ct, order, signs):
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, list(order)] * signs * (0.5, 0.75, 3)
    path = save(tmp_path / "a.nii.gz", ct, affine)
    volume = read_image(path)
    reference = nib.as_closest_canonical(nib.load(path))
    np.testing.assert_array_equal(volume.array, np.asarray(reference.dataobj))
    np.testing.assert_array_equal(volume.affine, reference.affine)
    write_image(tmp_path / "b.nii.gz", volume.array, volume.source)
    written = nib.load(tmp_path / "b.nii.gz")
    np.testing.assert_array_equal(written.affine, affine)
    np.testing.assert_array_equal(np.asarray(written.dataobj), ct)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("slope", "intercept"), [(1, -1024), (0.5, 3), (-2, 0), (1.7, -0.3)])
def test_scaling_is_that_of_nibabel(tmp_path, dtype, slope, intercept):
    stored = np.random.default_rng(0).integers(0, 127, (5, 4, 3)).astype(dtype)
    path = save(tmp_path / "a.nii", stored, scl_slope=slope, scl_inter=intercept)
    # nibabel forgets the scaling that it is told on saving.
    patch(path, 112, "<ff", slope, intercept)
    volume = read_image(path, force=True)
    expected = nib.load(path).get_fdata().astype(np.float32)
    np.testing.assert_allclose(volume.array, expected, rtol=1e-6)
    write_image(tmp_path / "b.nii", volume.array, volume.source, dtype="same")
    again = nib.load(tmp_path / "b.nii")
    assert (again.dataobj.slope, again.dataobj.inter) == (
        nib.load(path).dataobj.slope,
        intercept,
    ) or (np.isclose(again.dataobj.inter, intercept))
    ours = np.asarray(again.dataobj.get_unscaled())
    if dtype[0] in "iu":
        np.testing.assert_array_equal(ours, stored)
    else:
        np.testing.assert_allclose(ours, stored, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("slope", [0, np.nan])
def test_no_slope_means_no_scaling(tmp_path, ct, slope):
    path = patch(save(tmp_path / "a.nii", ct), 112, "<ff", slope, 7)
    np.testing.assert_array_equal(read_image(path).array, ct)


def test_a_scan_of_several_slabs_is_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("oncoforge.formats.slabs._SLAB_BYTES", 3 * 20 * 30 * 2)
    stored = np.random.default_rng(0).integers(-1000, 1000, (20, 30, 13)).astype(np.int16)
    path = save(tmp_path / "a.nii.gz", stored, np.diag([-1, 1, -2, 1]))
    volume = read_image(path)
    np.testing.assert_array_equal(volume.array, stored[::-1, :, ::-1])
    write_image(tmp_path / "b.nii.gz", volume.array, volume.source)
    np.testing.assert_array_equal(np.asarray(nib.load(tmp_path / "b.nii.gz").dataobj), stored)


def test_one_frame_is_a_volume(tmp_path, ct):
    path = save(tmp_path / "a.nii.gz", ct[..., None])
    np.testing.assert_array_equal(read_image(path).array, ct)


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000), ("micron", 0.001), ("mm", 1)])
def test_units_are_brought_to_mm(tmp_path, ct, unit, factor):
    image = nib.Nifti1Image(ct, np.diag([0.5, 0.5, 2, 1]))
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "a.nii")
    volume = read_image(tmp_path / "a.nii")
    np.testing.assert_allclose(volume.spacing, np.multiply([0.5, 0.5, 2], factor))
    write_image(tmp_path / "b.nii", volume.array, volume.source)
    written = nib.load(tmp_path / "b.nii")
    assert written.header.get_xyzt_units()[0] == unit
    np.testing.assert_array_equal(written.affine, image.affine)


def test_nifti_2_is_read_and_stays_nifti_2(tmp_path, ct, affine):
    nib.save(nib.Nifti2Image(ct, affine), tmp_path / "a.nii.gz")
    volume = read_image(tmp_path / "a.nii.gz")
    write_image(tmp_path / "b.nii.gz", volume.array, volume.source)
    written = nib.load(tmp_path / "b.nii.gz")
    assert isinstance(written, nib.Nifti2Image)
    np.testing.assert_array_equal(np.asarray(written.dataobj), ct)
    np.testing.assert_array_equal(written.affine, affine)


def test_a_file_of_several_gzip_members_is_read_whole(tmp_path, ct):
    raw = save(tmp_path / "a.nii", ct).read_bytes()
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(raw[:700]) + gzip.compress(raw[700:]))
    np.testing.assert_array_equal(read_image(tmp_path / "b.nii.gz").array, ct)


def test_compression_is_seen_from_the_bytes_and_not_the_name(tmp_path, ct):
    plain, packed = save(tmp_path / "a.nii", ct), save(tmp_path / "b.nii.gz", ct)
    plain.rename(tmp_path / "c.nii.gz")
    packed.rename(tmp_path / "d.nii")
    for name in ("c.nii.gz", "d.nii"):
        np.testing.assert_array_equal(read_image(tmp_path / name).array, ct)


def test_extensions_are_skipped_and_nothing_private_is_written(tmp_path, ct):
    image = nib.Nifti1Image(ct, np.eye(4))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"Jane Doe " * 50))
    image.header["descrip"] = b"Jane Doe"
    nib.save(image, tmp_path / "a.nii")
    volume = read_image(tmp_path / "a.nii")
    np.testing.assert_array_equal(volume.array, ct)
    write_image(tmp_path / "b.nii", volume.array, volume.source)
    assert b"Jane Doe" not in (tmp_path / "b.nii").read_bytes()


@pytest.mark.parametrize("dtype", TYPES)
def test_labels_of_any_type_are_whole_numbers(tmp_path, liver, dtype):
    path = save(tmp_path / "a.nii.gz", liver.astype(dtype))
    volume = read_labels(path)
    assert volume.array.dtype == (np.uint8 if dtype == "u1" else np.uint16)
    np.testing.assert_array_equal(volume.array, liver)


@pytest.mark.parametrize(
    ("value", "dtype", "sentence"),
    [
        (0.5, "f4", "fractions"),
        (-1, "i2", "from -1 to 5"),
        (70000, "i4", "from 0 to 70000"),
        (np.nan, "f4", "NaN"),
        (np.inf, "f8", "infinite"),
    ],
)
def test_what_is_no_label_map_is_refused(tmp_path, liver, one_sentence, value, dtype, sentence):
    labels = liver.astype(dtype)
    labels[1, 1, 1] = value
    path = save(tmp_path / "a.nii.gz", labels)
    with pytest.raises(InputError, match=sentence) as caught:
        read_labels(path)
    assert str(path) in one_sentence(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_an_image_with_what_is_no_number_is_refused(tmp_path, ct, value):
    image = ct.astype(np.float64)
    image[0, 0, 0] = value
    with pytest.raises(InputError, match="NaN or infinite values near slice 0"):
        read_image(save(tmp_path / "a.nii.gz", image))


# Byte offsets are those of the NIfTI-1 header: dim 40, datatype 70, pixdim 76, vox_offset 108,
# scl_slope 112, qform_code 252, quatern_b 256, srow_x 280, magic 344.
DAMAGE = {
    "absurd size": ((42, "<hhh", 32767, 32767, 32767), "the most that is read"),
    "more than is there": ((42, "<hhh", 120, 100, 80), "cut short or its header is damaged"),
    "no axes": ((40, "<h", 0), "claims 0 axes"),
    "too many axes": ((40, "<h", 9), "claims 9 axes"),
    "empty axis": ((42, "<h", 0), "no voxels"),
    "negative axis": ((42, "<h", -5), "no voxels"),
    "two axes": ((40, "<h", 2), "expected a volume with 3 axes"),
    "colours": ((70, "<hh", 128, 24), "not colours"),
    "complex": ((70, "<hh", 32, 64), "not colours"),
    "unknown type": ((70, "<hh", 999, 16), "unknown type"),
    "offset in the header": ((108, "<f", 100), "inside its header"),
    "no offset": ((108, "<f", float("nan")), "inside its header"),
    "scaling": ((112, "<ff", 2, float("inf")), "scl_inter"),
    "singular": ((280, "<12f", *[1.0] * 12), "singular"),
    "not finite": ((280, "<f", float("nan")), "NaN"),
    "pair": ((344, "<4s", b"ni1\0"), "not a single-file NIfTI"),
    "analyze": ((344, "<4s", b"\0\0\0\0"), "not a single-file NIfTI"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_header_is_named(tmp_path, ct, one_sentence, name):
    change, sentence = DAMAGE[name]
    path = patch(save(tmp_path / "a.nii", ct, np.diag([1, 1, 2, 1])), *change)
    with pytest.raises(InputError, match=sentence) as caught:
        read_image(path)
    assert str(path) in one_sentence(caught.value)


@pytest.mark.parametrize("spacing", [0.0, -1.0, float("nan"), float("inf")])
def test_spacing_without_a_meaning_is_refused(tmp_path, ct, spacing):
    image = nib.Nifti1Image(ct, np.diag([1, 1, 2, 1]))
    image.set_sform(None, 0)
    image.set_qform(image.affine, 1)
    nib.save(image, tmp_path / "a.nii")
    path = patch(tmp_path / "a.nii", 80, "<f", spacing)
    with pytest.raises(InputError, match="above 0 mm"):
        read_image(path)


def test_a_quaternion_that_is_none_is_refused(tmp_path, ct):
    image = nib.Nifti1Image(ct, np.eye(4))
    image.set_sform(None, 0)
    image.set_qform(image.affine, 1)
    nib.save(image, tmp_path / "a.nii")
    path = patch(tmp_path / "a.nii", 256, "<fff", 3, 3, 3)
    with pytest.raises(InputError, match="rotation"):
        read_image(path)


def test_several_volumes_are_refused(tmp_path, ct):
    path = save(tmp_path / "a.nii.gz", np.stack([ct, ct], axis=-1))
    with pytest.raises(InputError, match="several volumes"):
        read_image(path)


def test_a_header_that_claims_gigabytes_allocates_nothing(tmp_path, ct):
    path = patch(save(tmp_path / "a.nii", ct), 42, "<hhh", 1200, 1200, 1200)
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(path.read_bytes()))
    for each in (path, tmp_path / "a.nii.gz"):
        with pytest.raises(InputError, match="cut short or its header is damaged"):
            open_nifti(each)


@pytest.mark.parametrize("keep", [1, 9, 30, 300, -1, -5, -60])
def test_a_truncated_gzip_file_is_said_to_be_so(tmp_path, one_sentence, keep):
    noise = np.random.default_rng(0).integers(-1000, 1000, (20, 20, 20)).astype(np.int16)
    path = save(tmp_path / "a.nii.gz", noise)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError) as caught:
        read_image(path)
    assert str(path) in one_sentence(caught.value)


@pytest.mark.parametrize("keep", [10, 347, 352, 1000, -1])
def test_a_truncated_plain_file_is_said_to_be_so(tmp_path, ct, one_sentence, keep):
    path = save(tmp_path / "a.nii", ct)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError) as caught:
        read_image(path)
    assert str(path) in one_sentence(caught.value)


def test_a_flipped_bit_in_compressed_data_is_found(tmp_path):
    noise = np.random.default_rng(0).integers(-1000, 1000, (20, 20, 20)).astype(np.int16)
    path = save(tmp_path / "a.nii.gz", noise)
    raw = bytearray(path.read_bytes())
    for at in (len(raw) // 2, -6):
        damaged = bytearray(raw)
        damaged[at] ^= 16
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"damaged|cut short"):
            read_image(path)


def test_text_by_the_name_of_a_scan_is_refused(tmp_path):
    for name in ("a.nii", "b.nii.gz"):
        (tmp_path / name).write_text("this is not a scan\n" * 50)
        with pytest.raises(InputError, match="not a NIfTI file"):
            read_image(tmp_path / name)
    (tmp_path / "c.nii.gz").write_bytes(gzip.compress(b"nor is this" * 99))
    with pytest.raises(InputError, match="not a NIfTI file"):
        read_image(tmp_path / "c.nii.gz")


def test_real_labels_of_any_orientation_keep_their_place(data_dir):
    for path in sorted((data_dir / "kits19_labels").glob("*.nii.gz"))[:4]:
        volume = read_labels(path)
        reference = nib.as_closest_canonical(nib.load(path))
        np.testing.assert_array_equal(volume.array, np.asarray(reference.dataobj))
        np.testing.assert_allclose(volume.affine, reference.affine)
