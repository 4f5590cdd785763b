"""DICOM folders in: real compressed slices, and every way in which a series can be broken."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    RLELossless,
    generate_uid,
)

from oncoforge.errors import InputError
from oncoforge.formats import read_case, read_image, write_image

SLICES, SPACING = 8, 2.5


def write_slice(folder, hu, index, **changes):
    """Write one 12 x 10 axial slice of a supine patient, stored with an intercept of -1024."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(folder), str(index)])
    data = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    data.SOPClassUID = CTImageStorage
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.SeriesInstanceUID = "1.2.3.4"
    data.SeriesDescription = "Abdomen"
    data.Modality = "CT"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.InstanceNumber = index + 1
    data.ImagePositionPatient = [-100, -120, -300 + SPACING * index]
    data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.PixelSpacing = [0.8, 0.7]
    data.Columns, data.Rows = hu.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    data.RescaleSlope, data.RescaleIntercept = 1, -1024
    data.PixelData = (hu.T + 1024).astype("<u2").tobytes()
    for name, value in changes.items():
        setattr(data, name, value)
    path = Path(folder) / f"IM{index:04d}"
    data.save_as(path)
    return path


@pytest.fixture
def series(tmp_path, ct):
    """A folder of eight slices, whose names run against their positions."""
    folder = tmp_path / "series"
    folder.mkdir()
    for index in range(SLICES):
        write_slice(folder, ct[:, :, index], index).rename(folder / f"{SLICES - index}.dcm")
    return folder


def change(path, **changes):
    data = pydicom.dcmread(path)
    for name, value in changes.items():
        setattr(data, name, value)
    data.save_as(path)


def test_a_series_is_hu_in_ras(series, ct):
    volume = read_image(series)
    np.testing.assert_array_equal(volume.source.grid.from_ras(volume.array), ct)
    np.testing.assert_array_equal(volume.array, ct[::-1, ::-1])
    assert volume.spacing == (0.7, 0.8, 2.5)
    assert volume.source.grid.axis_codes == "LPS"
    assert volume.source.series_uid == "1.2.3.4"
    assert volume.source.format == "dicom"
    np.testing.assert_allclose(volume.source.grid.to_world([0, 0, 0]), [100, 120, -300])


def test_the_place_is_that_of_simpleitk(series):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(series)))
    image = reader.Execute()
    grid = read_image(series).source.grid
    for index in ((0, 0, 0), (3, 4, 5), (11, 9, 7)):
        lps = image.TransformIndexToPhysicalPoint(index)
        np.testing.assert_allclose(grid.to_world(index), np.multiply(lps, (-1, -1, 1)))


@pytest.mark.parametrize(
    "orientation", [[1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1], [0.8, 0.6, 0, -0.6, 0.8, 0]]
)
def test_coronal_sagittal_and_oblique_series_keep_their_place(tmp_path, ct, orientation):
    normal = np.cross(orientation[:3], orientation[3:])
    for index in range(SLICES):
        place = (np.array([5, 6, 7]) + index * SPACING * normal).tolist()
        write_slice(
            tmp_path,
            ct[:, :, index],
            index,
            ImagePositionPatient=place,
            ImageOrientationPatient=orientation,
        )
    volume = read_image(tmp_path)
    grid = volume.source.grid
    np.testing.assert_array_equal(grid.from_ras(volume.array), ct)
    lps = np.array([5, 6, 7]) + 3 * SPACING * normal
    lps += 2 * 0.7 * np.array(orientation[:3]) + 4 * 0.8 * np.array(orientation[3:])
    np.testing.assert_allclose(grid.to_world([2, 4, 3]), lps * (-1, -1, 1), atol=1e-9)


def test_what_is_written_is_the_same_volume_as_nifti(tmp_path, series, ct):
    volume = read_image(series)
    write_image(tmp_path / "a.nii.gz", volume.array, volume.source)
    written = nib.load(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(np.asarray(written.dataobj), ct)
    np.testing.assert_allclose(written.affine, volume.source.grid.affine, atol=1e-5)


def test_each_slice_has_its_own_rescale(series, ct):
    for number, slope in ((1, 2), (5, 0.5)):
        path = series / f"{number}.dcm"
        stored = pydicom.dcmread(path).pixel_array.astype(float)
        change(path, RescaleSlope=slope)
        index = SLICES - number
        volume = read_image(series)
        got = volume.source.grid.from_ras(volume.array)[:, :, index]
        np.testing.assert_allclose(got, stored.T * slope - 1024)


def test_run_length_encoding_is_decoded(series, ct):
    for path in series.iterdir():
        data = pydicom.dcmread(path)
        data.compress(RLELossless)
        data.save_as(path)
    np.testing.assert_array_equal(read_image(series).array, ct[::-1, ::-1])


def test_other_files_are_left_out(series, ct):
    (series / "notes.txt").write_text("not DICOM\n" * 100)
    (series / "empty").write_bytes(b"")
    (series / "sub").mkdir()
    (series / "junk").write_bytes(b"\x08\x00" + bytes(range(256)) * 8)
    report = pydicom.dcmread(series / "1.dcm")
    for name in ("Rows", "Columns", "PixelData"):
        delattr(report, name)
    report.SOPClassUID = EncapsulatedPDFStorage
    report.save_as(series / "report.dcm")
    scout = series / "scout.dcm"
    shutil.copy(series / "2.dcm", scout)
    change(scout, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], SeriesInstanceUID="9.9")
    np.testing.assert_array_equal(read_image(series).array, ct[::-1, ::-1])


def test_a_dose_report_in_the_folder_is_left_out(series, ct):
    report = series / "report.dcm"
    shutil.copy(series / "1.dcm", report)
    data = pydicom.dcmread(report)
    del data.ImagePositionPatient
    data.SeriesInstanceUID, data.SamplesPerPixel = "1.2.9", 3
    data.save_as(report)
    np.testing.assert_array_equal(read_image(series).array, ct[::-1, ::-1])


def test_files_without_a_preamble_are_read(series, ct):
    for path in series.iterdir():
        path.write_bytes(path.read_bytes()[132:])
    np.testing.assert_array_equal(read_image(series).array, ct[::-1, ::-1])


@pytest.fixture
def two_series(series, ct):
    for index in range(4):
        write_slice(
            series,
            ct[:, :, index],
            index,
            SeriesInstanceUID="1.2.8.5",
            SeriesDescription="Lung",
            ImagePositionPatient=[-100, -120, 10 + 5 * index],
        )
    return series


def test_several_series_are_listed(two_series):
    with pytest.raises(InputError) as caught:
        read_image(two_series)
    text = str(caught.value)
    assert "has 2 DICOM series; choose one with --series" in text
    assert "1. 1.2.3.4  CT  'Abdomen'  8 slices of 12 x 10" in text
    assert "2. 1.2.8.5  CT  'Lung'  4 slices of 12 x 10" in text


@pytest.mark.parametrize("choice", ["1.2.8.5", "1.2.8", "2", 2])
def test_a_series_is_chosen_by_uid_prefix_or_number(two_series, choice):
    volume = read_image(two_series, series=choice)
    assert volume.source.series_uid == "1.2.8.5"
    assert volume.array.shape[2] == 4


@pytest.mark.parametrize(("choice", "found"), [("7.7", "no"), ("1.2", "2"), (3, "no"), ("", "no")])
def test_a_choice_that_is_none_lists_the_series(two_series, choice, found):
    with pytest.raises(InputError, match=f"has {found} DICOM series whose UID starts") as caught:
        read_image(two_series, series=choice)
    assert "'Lung'" in str(caught.value)


def test_a_missing_slice_is_named_by_its_position(series, one_sentence):
    (series / "4.dcm").unlink()
    with pytest.raises(InputError) as caught:
        read_image(series)
    text = one_sentence(caught.value)
    assert "lacks 1 of its 8 slices, which are 2.5 mm apart: at (-100, -120, -290) mm" in text


def test_many_missing_slices_are_counted(series):
    for number in (2, 3, 4, 5, 6):
        (series / f"{number}.dcm").unlink()
    with pytest.raises(InputError, match=r"lacks 5 of its 8 slices.* and 2 more"):
        read_image(series)


def test_positions_rounded_by_the_scanner_are_even(series):
    for number in range(1, SLICES + 1):
        place = round(-300 + 0.625 * (SLICES - number), 1)
        change(series / f"{number}.dcm", ImagePositionPatient=[-100, -120, place])
    assert read_image(series).spacing[2] == pytest.approx(0.6286, abs=1e-3)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ImagePositionPatient": [-100, -120, -297.5]}, "at one position"),
        ({"ImagePositionPatient": [-100, -120, -301.2]}, "uneven"),
        ({"ImagePositionPatient": [-96, -120, -300]}, "sheared|uneven"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "the orientation of"),
        ({"PixelSpacing": [0.8, 0.8]}, "the pixel spacing of"),
        ({"Rows": 5, "PixelData": bytes(120)}, "the size of"),
        ({"ImagePositionPatient": None}, "no usable ImagePositionPatient"),
        ({"ImageOrientationPatient": [1, 0, 0]}, "no usable ImageOrientationPatient"),
        ({"PixelSpacing": None}, "no usable PixelSpacing"),
        ({"SamplesPerPixel": 3}, "colour"),
        ({"NumberOfFrames": 4}, "multi-frame"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_one_odd_slice_is_named(series, one_sentence, changes, sentence):
    change(series / "8.dcm", **changes)
    with pytest.raises(InputError, match=sentence) as caught:
        read_image(series)
    assert str(series) in one_sentence(caught.value)


def test_a_tilted_gantry_is_named_with_its_angle(series):
    for number in range(1, SLICES + 1):
        index = SLICES - number
        place = [-100, -120 + index * SPACING * np.tan(np.radians(15)), -300 + index * SPACING]
        change(series / f"{number}.dcm", ImagePositionPatient=place)
    with pytest.raises(InputError, match="stacked at 15 degrees from upright"):
        read_image(series)


def test_an_orientation_that_is_none_is_refused(series):
    for path in series.iterdir():
        change(path, ImageOrientationPatient=[1, 0, 0, 1, 0, 0])
    with pytest.raises(InputError, match="perpendicular"):
        read_image(series)


@pytest.mark.parametrize("modality", ["MR", "PT", ""])
def test_another_modality_is_read_only_by_force(series, modality):
    for path in series.iterdir():
        change(path, Modality=modality, SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    with pytest.raises(InputError, match=f"is {modality or 'of unknown modality'}, not CT"):
        read_image(series)
    assert read_image(series, force=True).array.shape == (12, 10, 8)


def test_a_truncated_slice_is_named(series, capfd, one_sentence):
    path = series / "3.dcm"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError) as caught:
        read_image(series)
    assert str(path) in one_sentence(caught.value)
    assert capfd.readouterr().err == ""


def test_a_slice_with_a_damaged_header_is_not_left_out_silently(series):
    path = series / "1.dcm"
    raw = path.read_bytes()
    for keep in (400, len(raw) - 330):
        path.write_bytes(raw[:keep])
        with pytest.raises(InputError, match=r"1\.dcm"):
            read_image(series)


def test_a_folder_without_dicom_is_a_sentence(tmp_path, series):
    with pytest.raises(InputError, match=r"has no DICOM images. Its subfolder series has"):
        read_image(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"has no DICOM images. Give the folder"):
        read_image(empty)


def test_localizers_alone_are_a_sentence(series):
    for path in series.iterdir():
        change(path, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    with pytest.raises(InputError, match="only localizers"):
        read_image(series)


def test_a_single_file_or_slice_is_a_sentence(series):
    (series / "1.dcm").rename(series / "scan")
    with pytest.raises(InputError, match="single DICOM file; give the folder"):
        read_image(series / "scan")
    for number in range(2, SLICES + 1):
        (series / f"{number}.dcm").unlink()
    with pytest.raises(InputError, match="has one slice"):
        read_image(series)


def test_stored_values_without_an_intercept_are_refused(series):
    for path in series.iterdir():
        change(path, RescaleIntercept=0)
    with pytest.raises(InputError, match="without their rescale intercept"):
        read_image(series)


def test_real_compressed_slices_are_those_of_two_other_readers(data_dir, capfd):
    folder = data_dir / "ct_dicom" / "series"
    volume = read_image(folder)
    reader = sitk.ImageSeriesReader()
    names = reader.GetGDCMSeriesFileNames(str(folder))
    reader.SetFileNames(names)
    image = reader.Execute()
    capfd.readouterr()
    stored = volume.source.grid.from_ras(volume.array)
    np.testing.assert_array_equal(stored, sitk.GetArrayFromImage(image).transpose(2, 1, 0))
    np.testing.assert_allclose(volume.spacing, image.GetSpacing())
    lps = np.array(image.TransformIndexToPhysicalPoint((511, 511, 19)))
    np.testing.assert_allclose(volume.source.grid.to_world([511, 511, 19]), lps * (-1, -1, 1))
    pytest.importorskip("openjpeg", reason="pydicom's own JPEG 2000 decoder is not installed")
    data = pydicom.dcmread(names[7])
    hu = data.pixel_array * float(data.RescaleSlope) + float(data.RescaleIntercept)
    np.testing.assert_array_equal(stored[:, :, 7], hu.T)


def test_a_real_series_fits_its_labels_of_another_orientation(data_dir):
    labels = data_dir / "ct_dicom" / "totalsegmentator_labels.nii.gz"
    case = read_case(data_dir / "ct_dicom" / "series", labels, organ="liver")
    assert case.source.grid.axis_codes == "LPS"
    assert 80 < np.median(case.image[case.parenchyma("liver")]) < 110
    stored = nib.as_closest_canonical(nib.load(labels))
    np.testing.assert_array_equal(case.organ("liver"), np.asarray(stored.dataobj) == 5)


def test_a_real_series_with_a_slice_missing_is_refused(data_dir, tmp_path):
    files = sorted((data_dir / "ct_dicom" / "series").iterdir())
    for path in files[:4] + files[5:]:
        shutil.copy(path, tmp_path)
    with pytest.raises(InputError, match="lacks 1 of its 20 slices, which are 2 mm apart"):
        read_image(tmp_path)


def test_a_real_folder_of_two_series_offers_both(data_dir, tmp_path):
    files = sorted((data_dir / "ct_dicom" / "series").iterdir())
    for number, path in enumerate(files):
        data = pydicom.dcmread(path)
        if number % 2:
            data.SeriesInstanceUID = "1.2.3"
        data.save_as(tmp_path / path.name)
    with pytest.raises(InputError, match=r"1\. \(no UID\)(.|\n)*2\. 1\.2\.3"):
        read_image(tmp_path)
    one, other = (read_image(tmp_path, series=choice) for choice in (1, "1.2"))
    assert one.array.shape == other.array.shape == (512, 512, 10)
    assert one.spacing[2] == other.spacing[2] == 4
