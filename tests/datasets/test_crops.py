"""Libraries of real tumours: what is cut out, what it says of itself, and what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from oncoforge.datasets.crops import Wanted, crop
from oncoforge.errors import InputError, OutputError, UnknownNameError
from oncoforge.synthesis.library.items import INDEX, Index

SPACING = np.array([1.0, 1.2, 2.5])
SHAPE = (70, 50, 24)


def arrays():
    """Two kidneys; the right one with a large and a small tumour that touches by a corner."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[8:24, 15:35, 4:20] = 1
    labels[45:62, 15:35, 4:20] = 1
    labels[50:58, 20:28, 8:14] = 2
    labels[58, 28, 14] = 2  # a corner: still the same tumour
    labels[46:49, 30:33, 16:18] = 2
    rng = np.random.default_rng(0)
    image = rng.normal(-80, 5, SHAPE)
    image[:4] = -1000
    image[labels == 1] += 180
    image[labels == 2] += 120
    return image.round().astype(np.int16), labels


def save(folder: Path, name: str, codes: str = "RAS", labels=None) -> Path:
    """A case in nnU-Net's folders, its axes in any order."""
    image, own = arrays()
    labels = own if labels is None else labels
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = (-30, 20, 100)
    way = nib.orientations.ornt_transform(
        nib.orientations.io_orientation(affine), nib.orientations.axcodes2ornt(codes)
    )
    moved = affine @ nib.orientations.inv_ornt_aff(way, SHAPE)
    for kind, array, end in (("imagesTr", image, "_0000"), ("labelsTr", labels, "")):
        (folder / kind).mkdir(exist_ok=True, parents=True)
        turned = np.ascontiguousarray(nib.orientations.apply_orientation(array, way))
        path = folder / kind / f"{name}{end}.nii.gz"
        nib.save(nib.Nifti1Image(turned, moved), path)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def case(tmp_path) -> Path:
    save(tmp_path, "k1")
    return tmp_path


def test_every_tumor_is_cut_out_where_it_lies(case):
    crop(case / "labelsTr", case / "lib", Wanted("kits"), images=case / "imagesTr", workers=1)
    index = Index.from_json(case / "lib" / INDEX)
    assert [item.name for item in index.items] == ["k1_kidney_1", "k1_kidney_2"]
    image, labels = arrays()
    pieces, _ = ndimage.label(labels == 2, np.ones((3, 3, 3)))
    for item in index.items:
        mask = nib.load(case / "lib" / item.mask_file)
        picture = nib.load(case / "lib" / item.image_file)
        assert mask.get_data_dtype() == np.uint8
        assert picture.get_data_dtype() == np.int16
        assert nib.aff2axcodes(mask.affine) == ("R", "A", "S")
        values = np.asarray(mask.dataobj)
        # Every voxel is where it was in the patient, with its label and HU.
        place = np.indices(values.shape).reshape(3, -1)
        world = nib.affines.apply_affine(mask.affine, place.T)
        voxel = np.rint((world - (-30, 20, 100)) / SPACING).astype(int)
        there = labels[tuple(voxel.T)].reshape(values.shape)
        ids = np.unique(pieces[tuple(voxel.T)].reshape(values.shape)[values == 2])
        assert len(ids) == 1
        assert np.count_nonzero(values == 2) == np.count_nonzero(pieces == ids[0])
        assert np.array_equal(values > 0, there > 0)
        assert np.array_equal(
            np.asarray(picture.dataobj), image[tuple(voxel.T)].reshape(there.shape)
        )


def test_other_tumors_count_as_organ(case):
    crop(case / "labelsTr", case / "lib", Wanted("kits", margin_mm=30), workers=1)
    for name, voxels in (("k1_kidney_1", 8 * 8 * 6 + 1), ("k1_kidney_2", 3 * 3 * 2)):
        mask = np.asarray(nib.load(case / "lib" / f"{name}_mask.nii.gz").dataobj)
        assert np.count_nonzero(mask == 2) == voxels
        _, labels = arrays()
        assert np.count_nonzero(mask[mask == 1]) >= np.count_nonzero(labels[45:] > 0) - voxels


def test_the_index_agrees_with_simpleitk(case):
    crop(case / "labelsTr", case / "lib", Wanted("kits"), images=case / "imagesTr", workers=1)
    for item in Index.from_json(case / "lib" / INDEX).items:
        stats = sitk.LabelIntensityStatisticsImageFilter()
        mask = sitk.ReadImage(str(case / "lib" / item.mask_file))
        stats.Execute(mask, sitk.ReadImage(str(case / "lib" / item.image_file)))
        assert item.volume_mm3 == pytest.approx(stats.GetPhysicalSize(2), rel=1e-6)
        assert item.equivalent_diameter_mm == pytest.approx(
            2 * stats.GetEquivalentSphericalRadius(2), rel=1e-6
        )
        assert item.lesion_hu == pytest.approx(stats.GetMean(2), abs=0.01)
        left, posterior, superior = stats.GetCentroid(2)
        assert item.centroid_mm == pytest.approx((-left, -posterior, superior), abs=1e-3)
        assert item.spacing == pytest.approx(tuple(SPACING))
        assert item.side == "right"
        for name, sha in (
            (item.mask_file, item.mask_sha256),
            (item.image_file, item.image_sha256),
        ):
            assert hashlib.sha256((case / "lib" / name).read_bytes()).hexdigest() == sha
    assert 95 < item.organ_hu < 105


@pytest.mark.parametrize("codes", ["LPS", "IPL", "ASR"])
def test_axis_order_changes_nothing(case, tmp_path, codes):
    turned = tmp_path / "turned"
    save(turned, "k1", codes)
    for folder in (case, turned):
        images = folder / "imagesTr"
        crop(folder / "labelsTr", folder / "lib", Wanted("kits"), images=images, workers=1)
    own = Index.from_json(case / "lib" / INDEX).items
    other = Index.from_json(turned / "lib" / INDEX).items
    for a, b in zip(own, other, strict=True):
        assert (a.name, a.side) == (b.name, b.side)
        np.testing.assert_allclose(a.centroid_mm, b.centroid_mm, atol=1e-4)
        first, second = (
            np.asarray(nib.load(f / "lib" / a.image_file).dataobj) for f in (case, turned)
        )
        assert np.array_equal(first, second)


def test_margin_is_in_millimetres(case):
    crop(case / "labelsTr", case / "lib", Wanted("kits", margin_mm=5), workers=1)
    shape = nib.load(case / "lib" / "k1_kidney_2_mask.nii.gz").shape
    assert shape == (3 + 2 * 5, 3 + 2 * 5, 2 + 2 * 2)


def test_bytes_do_not_depend_on_the_number_of_workers(tmp_path):
    for name in ("b", "a", "c"):
        save(tmp_path, name)
    found = []
    for workers in (1, 2):
        out = tmp_path / f"lib{workers}"
        images = tmp_path / "imagesTr"
        crop(tmp_path / "labelsTr", out, Wanted("kits"), images=images, workers=workers)
        found.append(contents(out))
    assert found[0] == found[1]
    assert len(found[0]) == 1 + 3 * 2 * 2


def test_specks_sizes_and_cut_off_tumors_are_left_out(tmp_path):
    _, labels = arrays()
    labels[47, 17, 6] = 2  # a speck
    labels[8:24, 15:35, :] = 1
    labels[10:16, 20:26, :4] = 2  # cut off by the edge
    save(tmp_path, "k1", labels=labels)
    found = crop(
        tmp_path / "labelsTr", tmp_path / "lib", Wanted("kits", min_diameter_mm=8), workers=1
    )
    assert [item.name for item in found.index.items] == ["k1_kidney_1"]
    text = " ".join(found.index.left_out)
    assert "edge of the scan" in text
    assert "1 voxel, fewer than 8" in text
    assert "not asked for" in text
    assert not (tmp_path / "lib" / "k1_kidney_2_mask.nii.gz").exists()


def test_a_broken_case_is_told_and_the_others_are_cut(case):
    whole = (case / "labelsTr" / "k1.nii.gz").read_bytes()
    (case / "labelsTr" / "broken.nii.gz").write_bytes(whole[: len(whole) // 2])
    found = crop(case / "labelsTr", case / "lib", Wanted("kits"), workers=1)
    assert len(found.index.items) == 2
    assert len(found.failed) == 1
    assert "broken.nii.gz" in found.failed[0]


def test_an_image_on_another_grid_is_told(case):
    save(case, "k2")
    image = nib.load(case / "imagesTr" / "k2_0000.nii.gz")
    affine = image.affine.copy()
    affine[0, 3] += 7
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine), image.get_filename())
    found = crop(
        case / "labelsTr", case / "lib", Wanted("kits"), images=case / "imagesTr", workers=1
    )
    assert {item.case for item in found.index.items} == {"k1"}
    assert "not on the grid" in found.failed[0]


def test_a_case_without_its_image_is_told(case):
    save(case, "k2")
    (case / "imagesTr" / "k2_0000.nii.gz").unlink()
    found = crop(
        case / "labelsTr", case / "lib", Wanted("kits"), images=case / "imagesTr", workers=1
    )
    assert "no image" in found.failed[0]


def test_names_of_cases_become_names_of_files(tmp_path):
    for name in ("größe 1", "größe_1"):
        save(tmp_path, name)
    found = crop(tmp_path / "labelsTr", tmp_path / "lib", Wanted("kits"), workers=1)
    names = {item.name for item in found.index.items}
    assert len(names) == 4
    assert all(" " not in name for name in names)
    assert {item.case for item in found.index.items} == {"größe 1", "größe_1"}


def test_another_library_replaces_the_first_one_whole(case):
    crop(case / "labelsTr", case / "lib", Wanted("kits"), images=case / "imagesTr", workers=1)
    with pytest.raises(OutputError, match="--overwrite"):
        crop(case / "labelsTr", case / "lib", Wanted("kits"), workers=1)
    (case / "lib" / "notes.txt").write_text("mine")
    wanted = Wanted("kits", min_diameter_mm=8)
    crop(case / "labelsTr", case / "lib", wanted, workers=1, overwrite=True)
    assert set(contents(case / "lib")) == {INDEX, "k1_kidney_1_mask.nii.gz", "notes.txt"}


def test_an_index_that_names_other_files_deletes_none(case):
    (case / "lib").mkdir()
    (case / "precious_mask.nii.gz").write_bytes(b"x")
    (case / "lib" / INDEX).write_text(json.dumps({"items": [{"name": "../precious"}, 3]}))
    crop(case / "labelsTr", case / "lib", Wanted("kits"), workers=1, overwrite=True)
    assert (case / "precious_mask.nii.gz").exists()


def test_maps_without_tumors_make_no_library(tmp_path):
    save(tmp_path, "k1", labels=np.zeros(SHAPE, np.uint8))
    with pytest.raises(InputError, match="hold"):
        crop(tmp_path / "labelsTr", tmp_path / "lib", Wanted("kits"), workers=1)
    assert not (tmp_path / "lib").exists()


def test_a_wrong_convention_makes_no_library(case):
    for name in ("k1", "k2"):
        save(case, name, labels=arrays()[1] * 60)
    with pytest.raises(InputError, match=r"None of the 2 cases could be used.*'kits'"):
        crop(case / "labelsTr", case / "lib", Wanted("kits"), workers=1)
    assert not (case / "lib").exists()


@pytest.mark.parametrize(
    ("how", "error", "sentence"),
    [
        ({"convention": "kitz"}, UnknownNameError, "kits"),
        ({"organ": "kidny"}, UnknownNameError, "kidney"),
        ({"organ": "aorta"}, InputError, "tumour"),
        ({"convention": "organ-tumor"}, InputError, "name the organ"),
        ({"margin_mm": -1.0}, InputError, "margin"),
        ({"min_diameter_mm": 20.0, "max_diameter_mm": 10.0}, InputError, "No tumour"),
    ],
)
def test_senseless_wishes_are_refused(how, error, sentence):
    with pytest.raises(error, match=sentence):
        Wanted(**how)


def test_every_real_tumor_is_cut_out_as_simpleitk_counts_them(data_dir, tmp_path):
    sources = sorted((data_dir / "kits19_labels").glob("*.nii.gz"))[:4]
    found = crop(sources, tmp_path / "lib", Wanted("kits", min_voxels=1), workers=1)
    volumes = []
    for source in sources:
        labels = sitk.ReadImage(str(source)) == 2
        parts = sitk.ConnectedComponent(labels, True)
        stats = sitk.LabelShapeStatisticsImageFilter()
        stats.Execute(parts)
        volumes += [stats.GetPhysicalSize(part) for part in stats.GetLabels()]
    own = sorted(item.volume_mm3 for item in found.index.items)
    np.testing.assert_allclose(own, sorted(volumes), rtol=1e-3)
