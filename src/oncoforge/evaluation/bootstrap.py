"""How sure a number is: confidence intervals from patients drawn anew."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

Interval = tuple[float | None, float | None]
Floats = NDArray[np.float64]

_NONE: Interval = (None, None)

_MOST_DRAWN = 4_000_000
"""Values drawn at a time, so that thousands of patients do not fill the memory."""


@dataclass(frozen=True)
class Bootstrap:
    """Intervals of one evaluation.

    Bias-corrected and accelerated intervals (Efron, J Am Stat Assoc 1987;82:171), by SciPy. Every
    number has a generator of its own, seeded by its name, so that it does not depend on which
    others are asked for, and two models are resampled alike.

    Parameters
    ----------
    draws
        Resamples of each.
    seed
        Of the generators.
    level
        Part of the time that an interval holds the truth.
    """

    draws: int = 2000
    seed: int = 0
    level: float = 0.95

    def generator(self, name: str) -> np.random.Generator:
        """Return the generator of one number."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])

    def ratio(self, sums: ArrayLike, counts: ArrayLike, name: str) -> Interval:
        """Return the interval of ``sum(sums) / sum(counts)``.

        Means of the values of patients with several scans have this form, and so have
        sensitivity, precision and F1 over lesions: what belongs to one patient stays together.

        Parameters
        ----------
        sums, counts
            (patients,); patients whose count is 0 say nothing of the number and are left out.
        name
            Of the number.

        Returns
        -------
        tuple
            Low and high; None for both where there are fewer than two patients.
        """
        over = np.asarray(counts, np.float64)
        told = over > 0
        values = np.asarray(sums, np.float64)[told], over[told]
        if len(values[1]) < 2:
            return _NONE
        return self._interval(values, _ratio, name, paired=True)

    def share(self, found: ArrayLike, of: ArrayLike, name: str) -> Interval:
        """Return the interval of a part of a whole: as `ratio`, but never narrower than it can be.

        If all or none were found, every resample says the same, which is no certainty: then the
        exact binomial interval (Clopper and Pearson, Biometrika 1934;26:404) of as many patients
        is given, as if each had one.
        """
        hits, over = np.asarray(found, np.float64), np.asarray(of, np.float64)
        patients = int(np.count_nonzero(over))
        if not patients:
            return _NONE
        if 0 < hits.sum() < over.sum():
            return self.ratio(hits, over, name)
        exact = scipy.stats.binomtest(patients if hits.any() else 0, patients)
        low, high = exact.proportion_ci(self.level, "exact")
        return float(low), float(high)

    def area(self, positive: ArrayLike, negative: ArrayLike, name: str) -> Interval:
        """Return the interval of the area under the curve; the ill and the healthy are drawn apart.

        Parameters
        ----------
        positive, negative
            Scores of the patients of each kind.
        name
            Of the number.
        """
        scores = np.asarray(positive, np.float64), np.asarray(negative, np.float64)
        if min(map(len, scores)) < 2:
            return _NONE
        return self._interval(scores, _area, name, paired=False)

    def _interval(
        self,
        values: tuple[Floats, Floats],
        statistic: Callable[..., Any],
        name: str,
        paired: bool,
    ) -> Interval:
        with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
            # Where all resamples agree: the interval is NaN then, and this is looked for.
            warnings.simplefilter("ignore")
            found = scipy.stats.bootstrap(
                values,
                statistic,
                n_resamples=self.draws,
                batch=max(1, _MOST_DRAWN // max(map(len, values))),
                paired=paired,
                vectorized=True,
                confidence_level=self.level,
                method="BCa",
                random_state=self.generator(name),
            )
        low, high = (float(end) for end in found.confidence_interval)
        if np.isfinite(low) and np.isfinite(high):
            return low, high
        drawn = found.bootstrap_distribution
        if np.ptp(drawn) > 0:
            tails = (0.5 - self.level / 2, 0.5 + self.level / 2)
            low, high = (float(end) for end in np.quantile(drawn, tails))
            return low, high
        return _NONE


def _ratio(sums: Floats, counts: Floats, axis: int = -1) -> Any:
    return sums.sum(axis=axis) / counts.sum(axis=axis)


def _area(positive: Floats, negative: Floats, axis: int = -1) -> Any:
    """How often a positive is above a negative, ties counting half: for many draws at once."""
    both = np.concatenate([positive, negative], axis=axis)
    ranks = scipy.stats.rankdata(both, axis=axis)
    m, n = positive.shape[axis], negative.shape[axis]
    own = np.take(ranks, np.arange(m), axis=axis).sum(axis=axis)
    return (own - m * (m + 1) / 2) / (m * n)
