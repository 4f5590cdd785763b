"""Real kidney tumours, against SimpleITK, which measures them independently."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from oncoforge.analysis.rows import LesionRow
from oncoforge.analysis.survey import Survey, survey

KIDNEY, TUMOR = 1, 2
CASES = 24


@pytest.fixture(scope="module")
def masks(data_dir) -> Path:
    return data_dir / "kits19_labels"


def _reference(path: Path) -> tuple[sitk.Image, sitk.LabelShapeStatisticsImageFilter, list[int]]:
    """Lesions of a mask as SimpleITK finds them, the largest first."""
    image = sitk.ReadImage(str(path), sitk.sitkUInt8)
    box = sitk.LabelShapeStatisticsImageFilter()
    box.Execute(image == TUMOR)
    around = box.GetBoundingBox(1)
    tumor = sitk.RegionOfInterest(image == TUMOR, around[3:], around[:3])
    parts = sitk.ConnectedComponent(tumor, True)
    stats = sitk.LabelShapeStatisticsImageFilter()
    stats.Execute(parts)
    labels = [n for n in stats.GetLabels() if stats.GetNumberOfPixels(n) >= 8]
    return parts, stats, sorted(labels, key=lambda n: -stats.GetNumberOfPixels(n))


def _axes(image: sitk.Image) -> list[int]:
    """Which axis of an image runs along R, A and S."""
    direction = np.array(image.GetDirection()).reshape(3, 3)
    return [int(np.abs(direction[world]).argmax()) for world in range(3)]


def _longest(parts: sitk.Image, label: int, axis: int) -> float:
    """The largest Feret diameter of the slices along an axis."""
    longest = 0.0
    size = list(parts.GetSize())
    for k in range(size[axis]):
        start, extent = [0, 0, 0], list(size)
        start[axis], extent[axis] = k, 0
        section = sitk.Extract(
            parts, extent, start, sitk.ExtractImageFilter.DIRECTIONCOLLAPSETOIDENTITY
        )
        shapes = sitk.LabelShapeStatisticsImageFilter()
        shapes.ComputeFeretDiameterOn()
        shapes.Execute(section == label)
        if shapes.HasLabel(1):
            longest = max(longest, shapes.GetFeretDiameter(1))
    return longest


def _check(rows: list[LesionRow], path: Path) -> None:
    parts, stats, labels = _reference(path)
    assert len(rows) == len(labels)
    axes = _axes(parts)
    spacing = np.array(parts.GetSpacing())[axes]
    for row, label in zip(rows, labels, strict=True):
        assert row.volume_mm3 == pytest.approx(stats.GetPhysicalSize(label), rel=1e-3)
        across = 2 * stats.GetEquivalentSphericalRadius(label)
        assert row.equivalent_diameter_mm == pytest.approx(across, rel=1e-3)
        extent = np.array(stats.GetBoundingBox(label)[3:])[axes] * spacing
        np.testing.assert_allclose(
            [row.extent_x_mm, row.extent_y_mm, row.extent_z_mm], extent, atol=spacing.min() / 2
        )
        # SimpleITK's world is LPS.
        centre = np.array(stats.GetCentroid(label)) * (-1, -1, 1)
        mine = [row.centroid_x_mm, row.centroid_y_mm, row.centroid_z_mm]
        np.testing.assert_allclose(mine, centre, atol=spacing.min() / 2)
        longest = _longest(parts, label, axes[2])
        assert row.longest_axial_diameter_mm == pytest.approx(longest, abs=spacing[:2].min() / 2)
        # Moments of points in SimpleITK, of boxes here: little of a lesion, much of a speck.
        if row.voxels < 100:
            continue
        axis = 2 * np.sqrt(5 * np.array(stats.GetPrincipalMoments(label)))
        mine = [row.minor_axis_mm, row.middle_axis_mm, row.major_axis_mm]
        np.testing.assert_allclose(mine, axis, atol=spacing.max() / 2)


@pytest.mark.parametrize("case", ["case_00023", "case_00075", "case_00130"])
def test_a_real_tumour_measures_as_in_simpleitk(masks, case):
    path = masks / f"{case}.nii.gz"
    found = survey(path, "kits", workers=1)
    assert found.failures == ()
    _check(list(found.lesions), path)


@pytest.fixture(scope="module")
def everything(masks) -> tuple[Survey, float]:
    """All masks, measured, and how many seconds it took."""
    start = time.perf_counter()
    found = survey(masks, "kits", workers=2)
    return found, time.perf_counter() - start


@pytest.mark.slow
def test_all_real_tumours_measure_as_in_simpleitk_in_a_minute(masks, everything):
    found, taken = everything
    assert found.failures == ()
    assert len(found.cases) == CASES
    assert taken < 60
    for path in sorted(masks.glob("*.nii.gz")):
        name = path.name.removesuffix(".nii.gz")
        _check([row for row in found.lesions if row.case == name], path)


@pytest.mark.slow
def test_real_tumours_look_plausible(everything):
    found, _ = everything
    large = [row for row in found.lesions if row.voxels > 100]
    assert len(large) == CASES
    assert {row.side for row in large} == {"left", "right"}
    for row in large:
        assert 0 <= row.location_x <= 1
        assert 0 <= row.location_y <= 1
        assert 0 <= row.location_z <= 1
        assert 0.6 < row.sphericity <= 1
        assert row.minor_axis_mm <= row.equivalent_diameter_mm * 1.02 <= row.major_axis_mm * 1.05
        assert row.short_axial_diameter_mm <= row.longest_axial_diameter_mm
        assert row.surface_mm2 >= math.pi * row.equivalent_diameter_mm**2 * 0.98
        assert 0 <= row.exophytic_fraction <= 1
