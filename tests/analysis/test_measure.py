"""Measures of lesions that are known: ellipsoids, boxes, and how they lie in their organ."""

from __future__ import annotations

import dataclasses
import itertools
import math
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import elliprg

import oncoforge as of
from oncoforge.analysis.measure import measure
from oncoforge.analysis.rows import CaseRow, LesionRow
from oncoforge.analysis.survey import survey
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.grid import Grid

LIVER, LIVER_TUMOR, KIDNEY, KIDNEY_TUMOR = 1, 2, 5, 6


def _grid(shape: tuple[int, ...], spacing: tuple[float, ...] = (1, 1, 1)) -> Grid:
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -31, 17, -400
    return Grid(shape, affine)


def _ellipsoid(grid: Grid, centre_vox, semi_axes, turn=None) -> np.ndarray:
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    points = (index - np.asarray(centre_vox)) * grid.spacing
    if turn is not None:
        points = points @ turn
    return ((points / np.asarray(semi_axes)) ** 2).sum(axis=-1) <= 1


def _turn(degrees: float = 30) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, c, -s], [0, s, c]]
    )


def _one(labels: np.ndarray, grid: Grid, **how) -> LesionRow:
    lesions, _ = measure(labels.astype(np.uint8), grid, "case", **how)
    assert len(lesions) == 1
    return lesions[0]


def test_a_ball_measures_as_a_ball():
    grid = _grid((48, 48, 48))
    row = _one(2 * _ellipsoid(grid, (23.2, 24.1, 23.7), (15, 15, 15)), grid)
    assert row.volume_mm3 == pytest.approx(4 / 3 * math.pi * 15**3, rel=0.01)
    for name in ("equivalent_diameter", "major_axis", "middle_axis", "minor_axis"):
        assert getattr(row, f"{name}_mm") == pytest.approx(30, rel=0.01), name
    assert row.longest_axial_diameter_mm == pytest.approx(30, abs=1)
    assert row.short_axial_diameter_mm == pytest.approx(30, abs=1)
    assert row.sphericity == pytest.approx(1, abs=0.01)
    assert row.surface_mm2 == pytest.approx(4 * math.pi * 15**2, rel=0.01)
    assert (row.size_class, row.organ, row.side) == ("medium", "liver", "")
    expected = np.add((23.2, 24.1, 23.7), (-31, 17, -400))
    np.testing.assert_allclose(
        [row.centroid_x_mm, row.centroid_y_mm, row.centroid_z_mm], expected, atol=0.1
    )


@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.8, 0.8, 3), (0.8, 0.8, 5), (3, 0.8, 0.8)])
@pytest.mark.parametrize("semi_axes", [(20, 15, 10), (30, 12, 12), (40, 30, 20)])
def test_axes_and_surface_of_a_turned_ellipsoid(spacing, semi_axes):
    shape = tuple(int(2 * (max(semi_axes) + 3) / s) + 3 for s in spacing)
    grid = _grid(shape, spacing)
    row = _one(2 * _ellipsoid(grid, np.array(shape) / 2 - 0.3, semi_axes, _turn()), grid)
    axes = (row.major_axis_mm, row.middle_axis_mm, row.minor_axis_mm)
    np.testing.assert_allclose(axes, 2 * np.array(semi_axes), rtol=0.03)
    a, b, c = semi_axes
    surface = 4 * math.pi * elliprg((a * b) ** 2, (a * c) ** 2, (b * c) ** 2)
    assert row.surface_mm2 == pytest.approx(surface, rel=0.06)


def test_axial_diameters_are_found_in_the_slice_where_the_lesion_is_longest():
    labels = np.zeros((40, 40, 6), np.uint8)
    labels[10:14, 11:14, 0:5] = LIVER_TUMOR  # 4 x 3 everywhere
    labels[5:35, 11:16, 2] = LIVER_TUMOR  # 30 x 5 in one slice
    row = _one(labels, _grid(labels.shape, (0.5, 2, 7)))
    long = math.hypot(29 * 0.5, 4 * 2)
    assert row.longest_axial_diameter_mm == pytest.approx(long)
    # Its four corners: the other diagonal, across.
    assert row.short_axial_diameter_mm == pytest.approx(2 * 29 * 0.5 * 4 * 2 / long)
    assert (row.extent_x_mm, row.extent_y_mm, row.extent_z_mm) == (15, 10, 35)


def test_lesions_are_numbered_from_the_largest_and_specks_left_out():
    labels = np.zeros((40, 40, 40), np.uint8)
    labels[2:38, 2:38, 2:38] = LIVER
    labels[5:7, 5:7, 5:7] = LIVER_TUMOR  # 8 voxels
    labels[20:30, 20:30, 20:30] = LIVER_TUMOR
    labels[35, 35, 30:37] = LIVER_TUMOR  # 7 voxels
    lesions, cases = measure(labels, _grid(labels.shape), "case")
    assert [(row.lesion, row.voxels) for row in lesions] == [(1, 1000), (2, 8)]
    (case,) = cases
    assert (case.lesions, case.organ_mm3, case.burden_mm3) == (2, 36**3, 1008)
    assert case.burden_fraction == pytest.approx(1008 / 36**3)
    assert len(measure(labels, _grid(labels.shape), "case", min_voxels=1)[0]) == 3
    assert len(measure(labels, _grid(labels.shape), "case", min_voxels=9)[0]) == 1


def test_voxels_that_touch_at_a_corner_are_one_lesion_unless_asked_otherwise():
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[2:6, 2:6, 2:6] = labels[6:10, 6:10, 6:10] = LIVER_TUMOR
    assert len(measure(labels, _grid(labels.shape), "case")[0]) == 1
    assert len(measure(labels, _grid(labels.shape), "case", connectivity=6)[0]) == 2


def test_place_and_depth_in_the_organ():
    labels = np.zeros((60, 60, 60), np.uint8)
    labels[10:50, 20:40, 5:55] = LIVER  # 40 x 40 x 100 mm at 1 x 2 x 2
    labels[19:21, 24:26, 29:31] = LIVER_TUMOR
    row = _one(labels, _grid(labels.shape, (1, 2, 2)))
    assert (row.location_x, row.location_y, row.location_z) == pytest.approx((0.25, 0.25, 0.5))
    assert row.organ_distance_mm == pytest.approx(10)
    assert (row.exophytic_fraction, row.protrusion_mm) == (0, 0)


def test_the_edge_of_the_scan_is_a_surface_too():
    labels = np.full((30, 30, 30), LIVER, np.uint8)
    labels[4:8, 13:17, 13:17] = LIVER_TUMOR
    row = _one(labels, _grid(labels.shape, (2, 1, 1)))
    assert row.organ_distance_mm == pytest.approx(12)
    assert not row.touches_border
    labels[0:8, 13:17, 13:17] = LIVER_TUMOR
    assert _one(labels, _grid(labels.shape)).touches_border


def test_what_bulges_out_of_the_organ_is_told():
    labels = np.zeros((60, 60, 60), np.uint8)
    labels[10:50, 10:30, 10:50] = LIVER
    grid = _grid(labels.shape, (1, 1, 1.5))
    labels[20:40, 20:40, 20:40] = LIVER_TUMOR  # half in, half out; 10 voxels beyond y = 29
    row = _one(labels, grid)
    assert row.exophytic_fraction == pytest.approx(0.5)
    assert row.protrusion_mm == pytest.approx(10)
    # A speck of organ far away is no part of its form.
    labels[30, 58, 30] = LIVER
    assert _one(labels, grid).exophytic_fraction == pytest.approx(0.5)


def test_hull_agrees_with_half_spaces_of_every_point():
    from scipy.spatial import Delaunay

    grid = _grid((50, 50, 40), (0.9, 0.9, 2.0))
    organ = _ellipsoid(grid, (25, 22, 20), (16, 12, 22), _turn(20))
    lesion = _ellipsoid(grid, (25, 34, 22), (10, 9, 11), _turn(50))
    labels = np.where(lesion, KIDNEY_TUMOR, np.where(organ, KIDNEY, 0)).astype(np.uint8)
    row = _one(labels, grid)
    inside = Delaunay(np.argwhere(labels == KIDNEY) * grid.spacing).find_simplex(
        np.argwhere(lesion) * grid.spacing
    )
    assert row.exophytic_fraction == pytest.approx(np.mean(inside < 0), abs=0.002)
    assert 0.2 < row.exophytic_fraction < 0.95


def test_sides_of_a_paired_organ_have_frames_of_their_own():
    labels = np.zeros((80, 40, 40), np.uint8)
    labels[10:26, 10:30, 5:35] = labels[56:72, 10:30, 5:35] = KIDNEY
    labels[12:16, 18:22, 18:22] = KIDNEY_TUMOR
    labels[58:64, 18:22, 18:22] = KIDNEY_TUMOR
    lesions, cases = measure(labels, _grid(labels.shape), "case")
    # RAS: x grows to the patient's right.
    assert [(row.side, row.voxels) for row in lesions] == [("right", 96), ("left", 64)]
    assert lesions[0].location_x == pytest.approx(5 / 16)
    assert lesions[1].location_x == pytest.approx(4 / 16)
    assert [row.organ for row in cases] == ["kidney"]


def test_tumours_without_their_organ_have_no_place_in_it():
    labels = np.zeros((30, 30, 30), np.uint8)
    labels[10:20, 10:20, 10:20] = LIVER_TUMOR
    row = _one(labels, _grid(labels.shape))
    names = ("location_x", "location_y", "location_z", "organ_distance_mm")
    names += ("exophytic_fraction", "protrusion_mm", "mean_hu", "contrast_hu")
    assert [getattr(row, name) for name in names] == [None] * len(names)


def test_hu_inside_and_against_the_organ_nearby():
    rng = np.random.default_rng(0)
    labels = np.zeros((50, 50, 50), np.uint8)
    labels[5:45, 5:45, 5:45] = LIVER
    labels[20:30, 20:30, 20:30] = LIVER_TUMOR
    labels[32:34, 20:30, 20:30] = LIVER_TUMOR  # another, near, brighter: no part of the organ
    image = rng.normal(-900, 1, labels.shape).astype(np.float32)
    image[15:35, 15:35, 15:35] = 100  # within 5 mm of its box
    image[20:30, 20:30, 20:30] = rng.normal(60, 8, (10, 10, 10))
    image[32:34, 20:30, 20:30] = 900
    (row, _), _ = measure(labels, _grid(labels.shape), "case", image=image)
    assert row.mean_hu == pytest.approx(60, abs=1)
    assert row.std_hu == pytest.approx(8, rel=0.05)
    assert row.contrast_hu == pytest.approx(row.mean_hu - 100, abs=1e-3)


def test_organs_without_tumours_are_cases_and_absent_ones_are_not():
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[2:8, 2:8, 2:8] = LIVER
    lesions, cases = measure(labels, _grid(labels.shape), "c")
    assert lesions == []
    assert [(row.organ, row.lesions, row.largest_diameter_mm) for row in cases] == [("liver", 0, 0)]
    assert measure(labels, _grid(labels.shape), "c", organs=["kidney"]) == ([], [])
    assert measure(np.zeros_like(labels), _grid(labels.shape), "c") == ([], [])


def test_wrong_arguments_are_sentences():
    labels = np.zeros((4, 4, 4), np.uint8)
    with pytest.raises(InputError, match=r"c: the label map has shape \(4, 4, 4\)"):
        measure(labels, _grid((4, 4, 5)), "c")
    with pytest.raises(InputError, match="the image has shape"):
        measure(labels, _grid((4, 4, 4)), "c", image=np.zeros((4, 4, 3), np.float32))
    with pytest.raises(UnknownNameError, match="livver"):
        measure(labels, _grid((4, 4, 4)), "c", organs=["livver"])


ORIENTATIONS = [
    "".join(code[flip] for code, flip in zip(axes, flips, strict=True))
    for axes in itertools.permutations(("RL", "AP", "SI"))
    for flips in itertools.product((0, 1), repeat=3)
]


def _scan() -> tuple[np.ndarray, np.ndarray]:
    """Two kidneys with tumours, and a liver with one, in a patient who lies a little askew."""
    grid = _grid((64, 44, 30), (0.9, 1.1, 3.0))
    labels = np.zeros(grid.shape, np.uint8)
    for centre, axes, label in (
        ((14, 20, 14), (9, 12, 28), KIDNEY),
        ((50, 22, 15), (9, 12, 28), KIDNEY),
        ((32, 34, 20), (14, 8, 18), LIVER),
        ((14, 10, 12.5), (7, 9, 8), KIDNEY_TUMOR),
        ((52.3, 21.2, 17), (4, 6, 11), KIDNEY_TUMOR),
        ((31, 34, 21), (3, 4, 7), LIVER_TUMOR),
    ):
        labels[_ellipsoid(grid, centre, axes, _turn(15))] = label
    affine = grid.affine.copy()
    affine[:3, :3] = _turn(8) @ affine[:3, :3]
    return labels, affine


def _measured(array: np.ndarray, affine: np.ndarray) -> tuple[list[dict], list[dict]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scan.nii"
        nib.save(nib.Nifti1Image(array, affine), path)
        found = survey(path, workers=1)
    assert found.failures == ()
    rows: tuple[list[dict], list[dict]] = ([], [])
    for kind, out in zip((found.lesions, found.cases), rows, strict=True):
        out += [dataclasses.asdict(row) for row in kind]
    return rows


@pytest.fixture(scope="module")
def upright() -> tuple[list[dict], list[dict]]:
    return _measured(*_scan())


@settings(max_examples=12, deadline=None)
@given(codes=st.sampled_from(ORIENTATIONS))
def test_any_axis_order_of_the_file_gives_the_same_numbers(upright, codes):
    labels, affine = _scan()
    start = nib.orientations.io_orientation(affine)
    way = nib.orientations.ornt_transform(start, nib.orientations.axcodes2ornt(codes))
    turned = np.ascontiguousarray(nib.orientations.apply_orientation(labels, way))
    lesions, cases = _measured(turned, affine @ nib.orientations.inv_ornt_aff(way, labels.shape))
    assert [row.pop("axis_codes") for row in cases] == [codes] * len(cases)
    for mine, theirs in ((lesions, upright[0]), (cases, upright[1])):
        assert len(mine) == len(theirs)
        for one, other in zip(mine, theirs, strict=True):
            for name, value in one.items():
                same = (
                    value
                    if not isinstance(value, float)
                    else pytest.approx(value, rel=1e-4, abs=1e-4)
                )
                assert other[name] == same, name


def test_rows_hold_plain_numbers():
    labels, affine = _scan()
    lesions, cases = measure(labels, Grid(labels.shape, affine), "case")
    for row in (*lesions, *cases):
        kinds = LesionRow if isinstance(row, LesionRow) else CaseRow
        for field in dataclasses.fields(kinds):
            value = getattr(row, field.name)
            assert type(value) in (str, int, float, bool, type(None)), field.name


def test_a_synthetic_tumour_measures_as_its_record_says():
    case = of.make_phantom(seed=1, spacing_mm=(3, 3, 4)).case()
    out = of.synthesize(case, "liver", count=1, diameter_mm=40, seed=4)
    (written,) = out.table()
    (row,), (organ,) = measure(out.labels, out.grid, "c", organs=["liver"], image=out.image)
    assert row.voxels == written["voxels"]
    assert row.volume_mm3 == pytest.approx(written["volume_mm3"])
    assert row.equivalent_diameter_mm == pytest.approx(written["diameter_mm"])
    assert row.mean_hu == pytest.approx(written["mean_hu"], abs=1e-3)
    assert row.contrast_hu == pytest.approx(written["contrast_hu"], abs=1e-3)
    centre = [row.centroid_x_mm, row.centroid_y_mm, row.centroid_z_mm]
    np.testing.assert_allclose(centre, written["centre_ras_mm"], atol=1e-6)
    assert organ.burden_mm3 == row.volume_mm3
