"""Where the body is: nothing of it is lost, and tables are not of it."""

from __future__ import annotations

import numpy as np
import pytest

import oncoforge as of
from oncoforge.analysis.body import body, box_of


@pytest.mark.parametrize("spacing", [(4.0, 4.0, 4.0), (3.0, 3.0, 5.0)])
def test_no_organ_is_outside_the_body(spacing):
    case = of.make_phantom(spacing_mm=spacing).case()
    inside = body(case.image, case.spacing)
    assert inside[case.labels > 0].all()
    air = case.image < -900
    assert not inside[air].all()


def test_no_organ_of_a_real_scan_is_outside_the_body(data_dir):
    folder = data_dir / "ct_abdomen"
    case = of.read_case(folder / "image.nii.gz", folder / "totalsegmentator_labels.nii.gz")
    inside = body(case.image, case.spacing)
    assert inside[case.labels > 0].all()


def test_a_table_is_no_body_and_lungs_are():
    image = np.full((60, 60, 30), -1000.0, np.float32)
    x, y = np.ogrid[:60, :60]
    image[(x - 30) ** 2 + (y - 34) ** 2 < 20**2] = 40
    image[(x - 22) ** 2 + (y - 34) ** 2 < 6**2] = -850
    image[5:55, 4] = 100  # 3 mm of a table
    inside = body(image, (3.0, 3.0, 3.0))
    assert inside[22, 34].all()
    assert not inside[:, :6].any()
    assert not inside[:4].any()


@pytest.mark.parametrize("hu", [-1000.0, 40.0])
def test_all_air_and_all_tissue_are_all_body(hu):
    assert body(np.full((9, 10, 11), hu, np.float32), (1, 1, 3)).all()


def test_box_of_nothing_is_none():
    assert box_of(np.zeros((3, 4, 5), bool)) is None
    mask = np.zeros((3, 4, 5), bool)
    mask[1, 2, 3:] = True
    assert box_of(mask) == (slice(1, 2), slice(2, 3), slice(3, 5))
