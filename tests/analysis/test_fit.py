"""Fits of priors: known distributions come back, and a handful of lesions is no problem."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp, weibull_min

from oncoforge.analysis.fit import fit_prior
from oncoforge.analysis.measure import measure
from oncoforge.analysis.rows import CaseRow, LesionRow
from oncoforge.analysis.survey import survey
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.formats import read_case
from oncoforge.organ_frame import mirrored
from oncoforge.synthesis.cases import make_synthesizer
from oncoforge.synthesis.masks.prior.places import Mixture, RotatedEllipsoid
from oncoforge.synthesis.masks.prior.prior import Prior
from oncoforge.synthesis.room import room_around


def _row(case: str, diameter: float = 20.0, **more) -> LesionRow:
    usual = {
        "organ": "kidney",
        "lesion": 1,
        "side": "right",
        "size_class": "small",
        "volume_mm3": math.pi / 6 * diameter**3,
        "voxels": 1000,
        "equivalent_diameter_mm": diameter,
        "major_axis_mm": 1.2 * diameter,
        "middle_axis_mm": diameter,
        "minor_axis_mm": 0.8 * diameter,
        "surface_mm2": math.pi * diameter**2,
        "sphericity": 1.0,
        "location_x": 0.5,
        "location_y": 0.5,
        "location_z": 0.5,
        "organ_distance_mm": 5.0,
        "exophytic_fraction": 0.0,
        "protrusion_mm": 0.0,
    }
    lengths = ("longest_axial_diameter_mm", "short_axial_diameter_mm")
    lengths += tuple(f"extent_{a}_mm" for a in "xyz") + tuple(f"centroid_{a}_mm" for a in "xyz")
    return LesionRow(case=case, **dict.fromkeys(lengths, diameter) | usual | more)


def _rows(number: int, seed: int = 0, **columns) -> list[LesionRow]:
    """One lesion per case; columns are drawn by functions of a generator."""
    rng = np.random.default_rng(seed)
    return [
        _row(f"c{n}", **{name: draw(rng) for name, draw in columns.items()}) for n in range(number)
    ]


def _fit(rows, cases=(), location="ellipsoid"):
    """A fit without the mixtures, which take their time, where they are not looked at."""
    return fit_prior(rows, cases, location).of("kidney")


# What comes back.


def test_many_diameters_give_their_weibull_back_and_a_dozen_lean_towards_the_usual():
    rows = _rows(2000, diameter=lambda rng: float(weibull_min.rvs(2.5, scale=40, random_state=rng)))
    fitted = _fit(rows).diameter_mm
    assert fitted.shape == pytest.approx(2.5, rel=0.05)
    assert fitted.scale == pytest.approx(40, rel=0.03)
    # The same scale, seen few times, is believed less.
    tiny = _fit(_rows(4, diameter=lambda rng: rng.uniform(4, 6))).diameter_mm
    assert tiny.scale > 8
    assert tiny.low <= 5 <= tiny.high


def test_two_clusters_of_places_are_found_by_the_bic_and_one_is_left_one():
    def two(rng):
        return rng.normal([0.2, 0.8][rng.integers(2)], 0.03)

    rows = _rows(80, location_z=two, location_x=lambda rng: rng.normal(0.5, 0.05))
    places = _fit(rows, location="mixture").location
    assert isinstance(places, Mixture)
    assert len(places.weights) == 2
    np.testing.assert_allclose(sorted(m[2] for m in places.means), [0.2, 0.8], atol=0.03)
    np.testing.assert_allclose(places.weights, 0.5, atol=0.15)

    one = {f"location_{a}": lambda rng: rng.normal(0.5, 0.15) for a in "xyz"}
    places = _fit(_rows(80, **one), location="mixture").location
    assert len(places.weights) == 1
    spread = np.sqrt(np.diag(places.covariances[0]))
    np.testing.assert_allclose(spread, math.hypot(0.15, 0.05), rtol=0.2)


def test_an_ellipsoid_has_the_mean_and_the_covariance_of_the_places():
    rng = np.random.default_rng(0)
    turn = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
    points = 0.5 + rng.normal(size=(400, 3)) * [0.15, 0.05, 0.1] @ turn.T
    rows = [
        _row(f"c{n}", location_x=x, location_y=y, location_z=z)
        for n, (x, y, z) in enumerate(points.tolist())
    ]
    place = _fit(rows).location
    assert isinstance(place, RotatedEllipsoid)
    drawn = np.array([place.draw_one(rng) for _ in range(4000)])
    expected = np.cov(points.T) + 0.0025 * np.eye(3)
    np.testing.assert_allclose(np.cov(drawn.T), expected, atol=0.0015)
    assert expected[0, 1] > 0.005


def test_counts_and_sides_are_those_seen():
    rows = [_row("a", lesion=n) for n in (1, 2, 3)]
    rows += [_row(c, side="left") for c in "bcd"]
    cases = [CaseRow(c, "kidney", 1, 1.0, 1.0, 0.5, 20.0, 1.0, 1.0, 1.0, "RAS") for c in "abcdefg"]
    fitted = _fit(rows, cases)
    assert (fitted.cases, fitted.lesions) == (7, 6)
    assert fitted.count.values == (1, 3)
    np.testing.assert_allclose(fitted.count.weights, (0.75, 0.25))
    assert fitted.right == pytest.approx((3 + 1) / (6 + 2))


def test_axis_ratios_and_contrasts_give_their_moments_back():
    rows = _rows(
        500,
        middle_axis_mm=lambda rng: 24 * math.exp(rng.normal(-0.3, 0.05)),
        minor_axis_mm=lambda rng: 24 * math.exp(rng.normal(-0.7, 0.05)),
        contrast_hu=lambda rng: rng.normal(-45, 12),
    )
    fitted = _fit(rows)
    np.testing.assert_allclose(fitted.shape.mean, (-0.3, -0.7), atol=0.01)
    np.testing.assert_allclose(np.sqrt(np.diag(fitted.shape.covariance)), 0.05, rtol=0.15)
    assert fitted.contrast_hu.mean == pytest.approx(-45, abs=2)
    assert fitted.contrast_hu.sd == pytest.approx(12, rel=0.15)


def test_without_images_there_is_no_contrast():
    assert _fit(_rows(10)).contrast_hu is None


def test_how_often_and_how_far_lesions_bulge_out_comes_back_and_whether_large_ones_do_more():
    rng = np.random.default_rng(3)
    rows = []
    for n in range(400):
        size, out = rng.normal(), rng.random() < 0.7
        part = float(rng.beta(4, 6)) if out else 0.0
        rows.append(
            _row(
                f"c{n}", 30 * math.exp(0.3 * size), exophytic_fraction=part, protrusion_mm=50 * part
            )
        )
    fitted = _fit(rows).exophytic
    assert fitted.probability == pytest.approx(0.7, abs=0.06)
    assert fitted.alpha / (fitted.alpha + fitted.beta) == pytest.approx(0.4, abs=0.03)
    assert fitted.alpha + fitted.beta == pytest.approx(10, rel=0.3)
    assert fitted.with_size == pytest.approx(0, abs=0.12)
    assert fitted.protrusion_mm == pytest.approx(20, rel=0.1)
    linked = [replace(r, exophytic_fraction=min(r.volume_mm3 / 1e5, 1.0)) for r in rows]
    assert _fit(linked).exophytic.with_size > 0.8


def test_lesions_all_outside_or_never_outside_are_fitted():
    for part, often in ((1.0, 0.9), (0.0, 0.1)):
        rows = [_row(f"c{n}", exophytic_fraction=part, protrusion_mm=9.0) for n in range(12)]
        fitted = _fit(rows).exophytic
        assert (fitted.probability > 0.5) == (often > 0.5)
        assert math.isfinite(fitted.draw(0.0, np.random.default_rng(0)))


# What is left out, and what is missing.


def test_flecks_and_cut_off_lesions_are_left_out():
    rows = [*_rows(6), _row("c0", 1.0, lesion=2), _row("c1", 90.0, touches_border=True)]
    assert _fit(rows).lesions == 6
    # But where nearly all are cut off, they are better than nothing.
    assert _fit([replace(r, touches_border=True) for r in _rows(6)]).lesions == 6


def test_too_few_lesions_are_an_error_that_counts_them():
    with pytest.raises(InputError, match=r"2 of the kidney"):
        fit_prior(_rows(2))
    with pytest.raises(InputError, match="none"):
        fit_prior([])
    with pytest.raises(UnknownNameError, match="mixture"):
        fit_prior(_rows(5), location="mixtur")


def test_organs_with_enough_are_fitted_and_the_others_not():
    rows = _rows(5) + [replace(r, organ="liver", side="") for r in _rows(2)]
    assert set(fit_prior(rows).organs) == {"kidney"}


def test_tumours_without_an_organ_around_them_lie_anywhere():
    unknown = dict.fromkeys(
        ("location_x", "location_y", "location_z", "exophytic_fraction", "protrusion_mm")
    )
    fitted = _fit([_row(f"c{n}", side="", **unknown) for n in range(5)])
    assert fitted.right is None
    assert isinstance(fitted.location, RotatedEllipsoid)
    assert fitted.location.radii == (0.5, 0.5, 0.5)


def test_equal_lesions_are_fitted_without_a_warning():
    assert len(_fit(_rows(40), location="mixture").location.weights) == 1


def test_the_same_rows_give_the_same_file_in_any_order_of_cases(tmp_path):
    rows = _rows(30, location_x=lambda rng: rng.random(), diameter=lambda rng: rng.uniform(9, 40))
    fit_prior(rows).save(tmp_path / "a.json")
    fit_prior(list(rows)).save(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert isinstance(Prior.load(tmp_path / "a.json"), Prior)


# The check of the issue.


@pytest.fixture(scope="module")
def kits(data_dir):
    return survey(data_dir / "kits19_labels", "kits", "kidney", workers=1)


@pytest.mark.slow
@pytest.mark.parametrize("half", ["odd", "even"])
def test_tumours_drawn_from_twelve_cases_are_like_those_of_the_other_twelve(data_dir, kits, half):
    cases = sorted({row.case for row in kits.lesions})
    assert len(cases) == 24
    chosen = set(cases[1::2] if half == "odd" else cases[::2])
    fitted = fit_prior([r for r in kits.lesions if r.case in chosen], kits.cases)
    others = [row for row in kits.lesions if row.case not in chosen]

    case = read_case(
        data_dir / "ct_abdomen" / "image.nii.gz",
        data_dir / "ct_abdomen" / "totalsegmentator_labels.nii.gz",
        organ="kidney",
    )
    organ = case.parenchyma("kidney")
    room = room_around(case.image, case.labels, organ, case.spacing)
    synth = make_synthesizer("handcrafted", "kidney", prior=fitted)
    drawn = []
    for seed in range(200):
        out = synth(case.image, organ, case.spacing, np.random.default_rng(seed), room=room)
        labels = np.where(organ, 5, 0).astype(np.uint8)
        labels[out.tumor] = 6
        drawn += measure(labels, case.grid, "drawn", ["kidney"])[0]
    assert len(drawn) > 180

    def locations(rows):
        return np.array([[r.location_x, r.location_y, r.location_z] for r in rows])

    def mirror(rows):
        pairs = zip(locations(rows), rows, strict=True)
        return np.array([mirrored(place, row.side) for place, row in pairs])

    p = {
        "volume": ks_2samp([r.volume_mm3 for r in drawn], [r.volume_mm3 for r in others]).pvalue,
        "mirrored x": ks_2samp(mirror(drawn)[:, 0], mirror(others)[:, 0]).pvalue,
    }
    for axis, name in enumerate("xyz"):
        p[name] = ks_2samp(locations(drawn)[:, axis], locations(others)[:, axis]).pvalue
    assert min(p.values()) > 0.05, p
