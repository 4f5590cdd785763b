"""NRRD and MetaImage in, against SimpleITK and against the same volume as NIfTI."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from oncoforge.errors import InputError
from oncoforge.formats import read_image, read_labels, write_image
from oncoforge.formats.open import open_volume

ENDINGS = [".nrrd", ".nhdr", ".mha", ".mhd"]


@pytest.fixture
def image(ct):
    """An oblique scan: ITK keeps arrays as (z, y, x) and geometry in LPS."""
    image = sitk.GetImageFromArray(ct.transpose(2, 1, 0))
    image.SetSpacing((0.7, 0.8, 2.5))
    image.SetOrigin((-120.5, 33, 1000))
    turn = sitk.Euler3DTransform((0, 0, 0), 0.1, -0.2, 2.8)
    image.SetDirection(turn.GetMatrix())
    return image


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("ending", [*ENDINGS, ".nii.gz"])
def test_array_and_place_are_those_of_simpleitk(tmp_path, image, ct, ending, compress):
    path = tmp_path / f"a{ending}"
    sitk.WriteImage(image, str(path), compress)
    volume = read_image(path)
    grid = volume.source.grid
    np.testing.assert_array_equal(grid.from_ras(volume.array), ct)
    assert volume.array.flags.c_contiguous
    assert volume.grid.is_ras()
    reference = sitk.ReadImage(str(path))
    for index in ((0, 0, 0), (3, 4, 5), (11, 9, 7)):
        lps = reference.TransformIndexToPhysicalPoint(index)
        np.testing.assert_allclose(grid.to_world(index), np.multiply(lps, (-1, -1, 1)), atol=1e-4)
        value = volume.array[tuple(np.rint(volume.grid.to_voxel(grid.to_world(index))).astype(int))]
        assert value == reference[index]


def test_every_format_gives_the_same_case_and_the_same_nifti(tmp_path, image):
    volumes = []
    for ending in [*ENDINGS, ".nii", ".nii.gz"]:
        sitk.WriteImage(image, str(tmp_path / f"a{ending}"))
        volumes.append(read_image(tmp_path / f"a{ending}"))
    first = volumes[0]
    for other in volumes[1:]:
        np.testing.assert_array_equal(other.array, first.array)
        np.testing.assert_allclose(other.affine, first.affine, atol=1e-4)
        assert first.grid.difference(other.grid) is None
    write_image(tmp_path / "b.nii.gz", first.array, first.source)
    back = sitk.ReadImage(str(tmp_path / "b.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(back), sitk.GetArrayFromImage(image))
    np.testing.assert_allclose(back.GetOrigin(), image.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(back.GetDirection(), image.GetDirection(), atol=1e-6)


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_labels_of_any_type_are_whole_numbers(tmp_path, liver, dtype, ending):
    image = sitk.GetImageFromArray(liver.astype(dtype).transpose(2, 1, 0))
    sitk.WriteImage(image, str(tmp_path / f"a{ending}"), True)
    volume = read_labels(tmp_path / f"a{ending}")
    np.testing.assert_array_equal(volume.source.grid.from_ras(volume.array), liver)


def test_one_frame_is_a_volume_and_two_are_not(tmp_path, ct):
    frame = sitk.GetImageFromArray(ct.transpose(2, 1, 0))
    for count in (1, 2):
        sitk.WriteImage(sitk.JoinSeries([frame] * count), str(tmp_path / f"{count}.nrrd"))
    volume = read_image(tmp_path / "1.nrrd")
    np.testing.assert_array_equal(volume.source.grid.from_ras(volume.array), ct)
    with pytest.raises(InputError, match="several volumes"):
        read_image(tmp_path / "2.nrrd")


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_colours_and_flat_images_are_refused(tmp_path, ending):
    colour = sitk.GetImageFromArray(np.zeros((4, 4, 4, 3), np.uint8), isVector=True)
    flat = sitk.GetImageFromArray(np.zeros((4, 4), np.int16))
    sitk.WriteImage(colour, str(tmp_path / f"a{ending}"))
    sitk.WriteImage(flat, str(tmp_path / f"b{ending}"))
    with pytest.raises(InputError, match="not colours or vectors"):
        read_image(tmp_path / f"a{ending}")
    with pytest.raises(InputError, match="expected a volume with 3 axes"):
        read_image(tmp_path / f"b{ending}")


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_a_truncated_file_is_said_to_be_so(tmp_path, capfd, image, one_sentence, ending, compress):
    path = tmp_path / f"a{ending}"
    sitk.WriteImage(image, str(path), compress)
    raw = path.read_bytes()
    for keep in (10, len(raw) - 40):
        path.write_bytes(raw[:keep])
        with pytest.raises(InputError) as caught:
            read_image(path)
        assert str(path) in one_sentence(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("ending", ENDINGS)
def test_text_by_the_name_of_a_scan_is_refused(tmp_path, capfd, ending):
    path = tmp_path / f"a{ending}"
    path.write_text("this is not a scan\n" * 20)
    with pytest.raises(InputError, match="header is damaged"):
        read_image(path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("ending", [".nhdr", ".mhd"])
def test_missing_voxels_of_a_detached_header_are_named(tmp_path, image, ending):
    path = tmp_path / f"a{ending}"
    sitk.WriteImage(image, str(path))
    for other in tmp_path.iterdir():
        if other != path:
            other.unlink()
    with pytest.raises(InputError, match="not a file beside it"):
        read_image(path)


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [("30000 30000 30000", "the most that is read"), ("900 900 900", "cut short")],
)
def test_a_header_that_claims_gigabytes_allocates_nothing(tmp_path, image, sizes, sentence):
    for ending, old, new in (
        (".nrrd", b"sizes: 12 10 8", f"sizes: {sizes}"),
        (".mha", b"DimSize = 12 10 8", f"DimSize = {sizes}"),
    ):
        path = tmp_path / f"a{ending}"
        sitk.WriteImage(image, str(path))
        raw = path.read_bytes()
        assert old in raw
        path.write_bytes(raw.replace(old, new.encode()))
        with pytest.raises(InputError, match=sentence):
            open_volume(path)


def test_the_warnings_of_itk_are_as_loud_afterwards_as_before(tmp_path, image):
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    read_image(tmp_path / "a.mha")
    assert sitk.ProcessObject.GetGlobalWarningDisplay() == before


def test_a_left_handed_nrrd_keeps_its_place(tmp_path, image, ct):
    flipped = sitk.Flip(image, (False, False, True))
    sitk.WriteImage(flipped, str(tmp_path / "a.nrrd"))
    sitk.WriteImage(image, str(tmp_path / "b.nrrd"))
    one, other = read_image(tmp_path / "a.nrrd"), read_image(tmp_path / "b.nrrd")
    np.testing.assert_array_equal(one.array, other.array)
    np.testing.assert_allclose(one.affine, other.affine, atol=1e-6)
    write_image(tmp_path / "c.nii", one.array, one.source)
    stored = np.asarray(nib.load(tmp_path / "c.nii").dataobj)
    np.testing.assert_array_equal(stored, ct[:, :, ::-1])


HOSTILE = ("/dev/zero", "/etc/hostname", "../secret.raw", "LIST", "slice%03d.raw 1 3 1")


@pytest.mark.parametrize("data", HOSTILE)
@pytest.mark.parametrize("ending", [".nhdr", ".mhd"])
def test_a_header_may_name_a_file_beside_it_only(tmp_path, image, ending, data):
    (tmp_path / "secret.raw").write_bytes(b"0" * 10**6)
    folder = tmp_path / "inner"
    folder.mkdir()
    path = folder / f"a{ending}"
    sitk.WriteImage(image, str(path))
    header = path.read_text("latin-1").replace("a.raw", data)
    assert data in header
    path.write_text(header, "latin-1")
    with pytest.raises(InputError, match=r"not a file beside it|several files"):
        read_image(path)


@pytest.mark.parametrize("ending", [".nhdr", ".mhd"])
def test_a_detached_file_too_small_for_its_header_is_refused(tmp_path, image, ending):
    path = tmp_path / f"a{ending}"
    sitk.WriteImage(image, str(path))
    (tmp_path / "a.raw").write_bytes(b"0")
    with pytest.raises(InputError, match=r"cut short|cannot be read"):
        read_image(path)
