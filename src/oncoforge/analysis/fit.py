"""Fit a prior to measured lesions: what `synthesize(prior=...)` draws from."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from oncoforge import anatomy
from oncoforge.analysis.rows import CaseRow, LesionRow
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.organ_frame import mirrored
from oncoforge.synthesis.masks.prior.places import Location, Mixture, RotatedEllipsoid
from oncoforge.synthesis.masks.prior.prior import (
    Counts,
    Exophytic,
    Normal,
    OrganPrior,
    Prior,
    Shape,
    Weibull,
)
from oncoforge.synthesis.masks.sizes import LARGEST_MM

LOCATIONS: Final = ("mixture", "ellipsoid")
"""Forms of the distribution of locations."""

FEWEST: Final = 3
"""Fewer lesions say nothing about their distribution."""

_DUST = 0.01
"""A lesion below this part of the volume of the largest in its organ and case is a fleck of the
annotation and no lesion."""

SUPPOSED: Final = 6
"""Sizes are fitted as if this many lesions of the organ's usual sizes (`anatomy.ORGANS`) had been
seen too: it steadies fits to a dozen lesions, and hardly shows in fits to a hundred."""

_WITHIN = (0.005, 0.995)
"""Sizes are drawn between these parts of their distribution."""

_ANY_MM = (5.0, 20.0, 80.0)

_CUT_OFF = 2.5
"""Contrasts are drawn within this many standard deviations."""

_MOST_COMPONENTS = 4
_LESIONS_PER_COMPONENT = 10
_LEAST_VARIANCE = 0.0025
"""Of a location along any axis: a standard deviation of 5 % of the organ."""

_ENOUGH = 8
"""Fewer lesions do not show whether larger ones bulge out more."""

_BULGES = 0.05
"""A lesion with more of it outside bulges out."""

_MOST_OUTSIDE = 0.99
_FLAT = 1e-3


def fit_prior(
    lesions: Sequence[LesionRow],
    cases: Sequence[CaseRow] = (),
    location: str = "mixture",
    source: str = "",
    supposed: int = SUPPOSED,
) -> Prior:
    """Fit distributions to the lesions of every organ that has enough of them.

    Parameters
    ----------
    lesions
        As measured by `analysis.survey`.
    cases
        The same; only says how many there were.
    location
        ``"mixture"`` of Gaussians, of which the Bayesian information criterion chooses the number
        (up to 4, with at least 10 lesions each) and the form of the covariances; or a rotated
        ``"ellipsoid"`` that is filled evenly, of the same mean and covariance.
    source
        What the lesions are from, in words.
    supposed
        Number of lesions of the organ's usual sizes that are added to those seen, to steady the fit
        of sizes; 0 for none.

    Returns
    -------
    Prior

    Raises
    ------
    InputError
        If no organ has at least 3 lesions.
    UnknownNameError
        If there is no such form of location.

    Notes
    -----
    Diameters have a Weibull distribution, fitted by maximum likelihood to the lesions and the
    supposed ones of the organ's usual sizes, which steady the fit to a dozen. (Over random halves
    of 24 KiTS19 tumours it foretells the other half better than a log-normal distribution.)
    Locations on the left of a paired organ are fitted together with those on the right, in a mirror
    or as they are, whichever explains them better. Lesions below 1 % of the largest one in their
    organ and case are left out as flecks, and those cut off by the edge of the scan are where there
    are enough others.
    """
    if supposed < 0:
        raise InputError(f"supposed is a number of lesions, not {supposed}.")
    if location not in LOCATIONS:
        raise UnknownNameError("form of location", location, LOCATIONS)
    organs = sorted({row.organ for row in lesions})
    fitted = {}
    for organ in organs:
        rows = _considerable([row for row in lesions if row.organ == organ])
        if len(rows) >= FEWEST:
            number = len({row.case for row in cases if row.organ == organ}) or None
            fitted[organ] = _fit_organ(organ, rows, number, location, supposed)
    if not fitted:
        found = ", ".join(f"{sum(r.organ == o for r in lesions)} of the {o}" for o in organs)
        raise InputError(
            f"A prior needs at least {FEWEST} lesions of an organ; there are "
            f"{found or 'none'}. Give more label maps."
        )
    return Prior(fitted, source)


def _considerable(rows: list[LesionRow]) -> list[LesionRow]:
    """Leave out flecks, and lesions that are cut off where there are enough others."""
    largest: dict[str, float] = {}
    for row in rows:
        largest[row.case] = max(largest.get(row.case, 0.0), row.volume_mm3)
    rows = [row for row in rows if row.volume_mm3 >= _DUST * largest[row.case]]
    whole = [row for row in rows if not row.touches_border]
    return whole if len(whole) >= max(FEWEST, len(rows) // 2) else rows


def _fit_organ(
    organ: str, rows: Sequence[LesionRow], cases: int | None, location: str, supposed: int
) -> OrganPrior:
    per_case = [sum(r.case == case for r in rows) for case in sorted({r.case for r in rows})]
    values, times = np.unique(per_case, return_counts=True)
    axes = np.array(
        [[r.middle_axis_mm / r.major_axis_mm, r.minor_axis_mm / r.major_axis_mm] for r in rows]
    )
    sided = [row.side for row in rows if row.side]
    contrasts = [row.contrast_hu for row in rows if row.contrast_hu is not None]
    logs = np.log(np.clip(axes, 0.05, 1.0))
    place, symmetric = _location(rows, location)
    return OrganPrior(
        organ=organ,
        cases=len(per_case) if cases is None else cases,
        lesions=len(rows),
        count=Counts(tuple(int(n) for n in values), tuple((times / times.sum()).tolist())),
        diameter_mm=_sizes(organ, np.array([row.equivalent_diameter_mm for row in rows]), supposed),
        shape=Shape(tuple(logs.mean(axis=0).tolist()), _plain(np.cov(logs.T))),
        location=place,
        # One more on each side than were seen: no side is impossible.
        right=(sided.count("right") + 1) / (len(sided) + 2) if sided else None,
        exophytic=_exophytic(rows),
        contrast_hu=_normal(np.array(contrasts)) if len(contrasts) >= FEWEST else None,
        symmetric=symmetric,
    )


def _sizes(organ: str, seen: NDArray[np.float64], number: int) -> Weibull:
    """Fit diameters, mm, steadied by what is known of the organ's tumours."""
    from scipy.special import ndtri  # slow to import
    from scipy.stats import weibull_min

    low, typical, high = anatomy.organ(organ).tumor_diameter_mm or _ANY_MM
    # Small and large are about two standard deviations from typical, on a scale of ratios.
    spread = math.log(high / low) / 4
    supposed = typical * np.exp(spread * ndtri((np.arange(number) + 0.5) / max(number, 1)))
    shape, _, scale = weibull_min.fit(np.concatenate([seen, supposed]), floc=0)
    first, last = weibull_min.ppf(_WITHIN, shape, scale=scale)
    return Weibull(float(shape), float(scale), float(first), float(min(last, LARGEST_MM)))


def _normal(values: NDArray[np.float64]) -> Normal:
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    return Normal(mean, sd, mean - _CUT_OFF * sd, mean + _CUT_OFF * sd)


def _exophytic(rows: Sequence[LesionRow]) -> Exophytic:
    """Fit how often and how far lesions bulge out (beta distribution, by its moments)."""
    known = [
        (row.exophytic_fraction, row.protrusion_mm, row.volume_mm3)
        for row in rows
        if row.exophytic_fraction is not None and row.protrusion_mm is not None
    ]
    parts, reach, sizes = np.array(known).reshape(-1, 3).T
    out = parts > _BULGES
    # One more of each than were seen.
    probability = (np.count_nonzero(out) + 1) / (len(parts) + 2)
    if np.count_nonzero(out) < FEWEST:
        return Exophytic(float(probability), 1.0, 2.0, 0.0)
    mean = min(float(parts[out].mean()), _MOST_OUTSIDE)
    variance = min(max(float(parts[out].var(ddof=1)), _FLAT), 0.95 * mean * (1 - mean))
    strength = mean * (1 - mean) / variance - 1
    alpha, beta = mean * strength, (1 - mean) * strength
    return Exophytic(
        float(probability), alpha, beta, float(np.median(reach[out])), _correlation(parts, sizes)
    )


def _correlation(parts: NDArray[np.float64], sizes: NDArray[np.float64]) -> float:
    """Return the correlation of normal scores, from that of ranks, shrunk towards none."""
    from scipy.stats import spearmanr  # slow to import

    if len(parts) < _ENOUGH or np.ptp(parts) == 0 or np.ptp(sizes) == 0:
        return 0.0
    ranks = float(spearmanr(parts, sizes).statistic)
    return 2 * math.sin(math.pi / 6 * ranks) * (1 - 1 / math.sqrt(len(parts)))


def _location(rows: Sequence[LesionRow], form: str) -> tuple[Location, bool]:
    """Fit where lesions lie, and whether the left side is the right one in a mirror."""
    known = [
        ((row.location_x, row.location_y, row.location_z), row.side)
        for row in rows
        if row.location_x is not None
    ]
    if len(known) < FEWEST:
        # Tumours without an organ around them: anywhere in it.
        return RotatedEllipsoid((0.5, 0.5, 0.5), _plain(np.eye(3)), (0.5, 0.5, 0.5)), True
    straight = np.array([place for place, _ in known], float)
    turned = np.array(
        [mirrored(place, side) for place, side in zip(straight, [s for _, s in known], strict=True)]
    )
    # Of two that explain the lesions as well, the mirror.
    (location, cost), (other, cost_of_other) = (
        _ellipsoid(places) if form == "ellipsoid" else _mixture(places)
        for places in (turned, straight)
    )
    return (location, True) if cost <= cost_of_other else (other, False)


def _ellipsoid(places: NDArray[np.float64]) -> tuple[RotatedEllipsoid, float]:
    """Fit an evenly filled ellipsoid by mean and covariance; return it and what it costs."""
    covariance = np.cov(places.T) + _LEAST_VARIANCE * np.eye(3)
    values, vectors = np.linalg.eigh(covariance)
    # An evenly filled ellipsoid has a variance of a fifth of its squared radius.
    radii = np.sqrt(5 * values)
    shape = RotatedEllipsoid(
        tuple(places.mean(axis=0).tolist()), _plain(vectors.T), tuple(radii.tolist())
    )
    return shape, float(np.log(radii).sum())


def _mixture(places: NDArray[np.float64]) -> tuple[Mixture, float]:
    """Fit mixtures of 1 to 4 Gaussians; return the one of the least BIC, and its BIC."""
    from sklearn.exceptions import ConvergenceWarning  # slow to import
    from sklearn.mixture import GaussianMixture

    most = max(1, min(_MOST_COMPONENTS, len(places) // _LESIONS_PER_COMPONENT))
    with warnings.catch_warnings():
        # Of lesions that lie in the same place: the BIC then chooses fewer components.
        warnings.simplefilter("ignore", ConvergenceWarning)
        candidates = [
            GaussianMixture(
                number, covariance_type=form, reg_covar=_LEAST_VARIANCE, n_init=5, random_state=0
            ).fit(places)
            for number in range(1, most + 1)
            for form in ("full", "diag", "spherical")
        ]
    costs = [float(model.bic(places)) for model in candidates]
    best = candidates[int(np.argmin(costs))]
    # Of lesions to come, not of those seen: what a dozen leave open of mean and spread.
    wider = (len(places) + 1) / (len(places) - 1)
    mixture = Mixture(
        tuple((best.weights_ / best.weights_.sum()).tolist()),
        _plain(best.means_),
        tuple(_plain(wider * _full(best, part)) for part in range(best.n_components)),
    )
    return mixture, min(costs)


def _full(model: Any, part: int) -> NDArray[np.float64]:
    """Return the covariance matrix of one component, whatever form it was fitted in."""
    covariance = np.asarray(model.covariances_[part])
    if model.covariance_type == "spherical":
        return np.asarray(covariance * np.eye(3))
    return np.diag(covariance) if model.covariance_type == "diag" else covariance


def _plain(array: Any) -> Any:
    """Return an array as nested tuples of numbers."""
    values = np.asarray(array, float).tolist()

    def tuples(value: Any) -> Any:
        return tuple(map(tuples, value)) if isinstance(value, list) else value

    return tuples(values)
