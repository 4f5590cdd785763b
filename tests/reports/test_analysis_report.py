"""The report of a survey: what it shows, and that any set of lesions can be drawn."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from oncoforge.analysis.rows import CaseRow, LesionRow
from oncoforge.analysis.summary import summarize
from oncoforge.reports.analysis import AnalysisView, render


def _lesion(number: int = 1, diameter: float = 20.0, **more) -> LesionRow:
    values = {
        "case": f"case & <{number}> $x$",
        "organ": "kidney",
        "lesion": 1,
        "side": "left" if number % 2 else "right",
        "size_class": "small",
        "volume_mm3": np.pi / 6 * diameter**3,
        "voxels": 1000,
        "equivalent_diameter_mm": diameter,
        "longest_axial_diameter_mm": diameter * 1.2,
        "short_axial_diameter_mm": diameter * 0.9,
        "extent_x_mm": diameter,
        "extent_y_mm": diameter,
        "extent_z_mm": diameter,
        "major_axis_mm": diameter * 1.3,
        "middle_axis_mm": diameter,
        "minor_axis_mm": diameter * 0.8,
        "surface_mm2": np.pi * diameter**2 / 0.9,
        "sphericity": 0.9,
        "centroid_x_mm": 0.0,
        "centroid_y_mm": 0.0,
        "centroid_z_mm": 0.0,
        "location_x": 0.5,
        "location_y": 0.3,
        "location_z": 0.7,
        "organ_distance_mm": 8.0,
        "exophytic_fraction": 0.2,
        "protrusion_mm": 4.0,
    }
    return LesionRow(**{**values, **more})


def _case(number: int = 1, lesions: int = 1) -> CaseRow:
    share = 0.1 if lesions else 0.0
    return CaseRow(
        f"case & <{number}> $x$", "kidney", lesions, 2e5, 2e5 * share, share, 20.0, 1, 1, 3, "RAS"
    )


def _view(lesions=(), cases=(), **more) -> AnalysisView:
    return AnalysisView(lesions, cases, summarize(lesions, cases), **more)


def _size(png: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(png)).size


BARE = dict.fromkeys(
    ("location_x", "location_y", "location_z", "organ_distance_mm", "exophytic_fraction"), None
)


@pytest.mark.parametrize(
    "lesions",
    [
        [],
        [_lesion()],
        [_lesion(1, 20.0), _lesion(2, 20.0)],
        [_lesion(n, 3.0 * n) for n in range(1, 60)],
        [_lesion(1, 0.4), _lesion(2, 300.0)],
        [_lesion(1, contrast_hu=-40.0, mean_hu=60.0, std_hu=9.0), _lesion(2)],
        [_lesion(1, side="", **BARE, protrusion_mm=None), _lesion(2)],
        [_lesion(1, side="", **BARE, protrusion_mm=None)],
        [_lesion(1, location_x=-0.9, location_y=1.8, organ_distance_mm=0.0)],
    ],
    ids=["none", "one", "alike", "many", "wide", "hu", "some-bare", "bare", "outside"],
)
def test_any_set_of_lesions_is_drawn(lesions):
    cases = [_case(n, sum(row.case == _case(n).case for row in lesions)) for n in range(3)]
    html, png = render(_view(lesions, cases))
    assert _size(png) == (1560, 1272)
    assert html.count("<img") == bool(lesions)
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("L"), float)
    assert pixels.std() > 3


def test_same_rows_same_bytes():
    view = _view([_lesion(n, 5.0 * n) for n in range(1, 8)], [_case(n) for n in range(8)])
    assert render(view) == render(view)


def test_the_page_names_counts_cases_and_failures_and_escapes_them():
    lesions = [_lesion(n, 10.0 + n) for n in range(1, 14)]
    html, _ = render(
        _view(
            lesions,
            [_case(n) for n in range(15)],
            failures=["a<b>.nii.gz is cut short."],
            bare=["empty & bare"],
            facts={"Label maps": "16"},
        )
    )
    assert "13 tumours in 16 cases. 1 case could not be measured; see below." in html
    assert "13 lesions in 15 of 15 cases; median 17.0 mm (2.57 mL), from 11.0 to 23.0 mm." in html
    assert "a&lt;b&gt;.nii.gz is cut short." in html
    assert "empty &amp; bare" in html
    assert "case &amp; &lt;13&gt; $x$" in html
    assert "<b>" not in html
    # The ten largest, the largest first.
    assert html.index("&lt;13&gt;") < html.index("&lt;12&gt;")
    assert "&lt;3&gt;" not in html


def test_each_organ_with_lesions_has_a_sheet_the_one_with_most_first():
    liver = [_lesion(n, organ="liver", side="") for n in range(3)]
    lesions = [_lesion(), *liver]
    cases = [_case(), dataclasses.replace(_case(2, 0), organ="spleen")]
    html, png = render(_view(lesions, cases))
    assert html.count("<img") == 2
    assert html.index("Liver tumours") < html.index("Kidney tumours")
    assert "Spleen" not in html
    assert _size(png) == (1560, 1272)
