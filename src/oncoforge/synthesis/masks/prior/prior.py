"""What lesions of an organ are like, as distributions: plain data that a JSON file holds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from oncoforge import anatomy
from oncoforge.errors import InputError
from oncoforge.fields import build, plain
from oncoforge.synthesis.masks.prior.places import Location, Mixture, RotatedEllipsoid
from oncoforge.synthesis.masks.sizes import LARGEST_MM
from oncoforge.version import __version__

FORMAT = 1
"""Version of the file's layout."""

_TRIES = 1000
_STEEPEST = 100.0
_NARROWEST = 1e6
_MOST = 1000


@dataclass(frozen=True)
class Normal:
    """A normal distribution that is cut off on both sides.

    Parameters
    ----------
    mean, sd
        Of the whole distribution.
    low, high
        Where it is cut off.
    """

    mean: float
    sd: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if self.sd < 0 or not self.low <= self.mean <= self.high:
            raise InputError(
                f"{self} is no distribution: sd is not negative, and low to high holds the mean."
            )

    def draw(self, rng: np.random.Generator) -> float:
        """Draw a number."""
        for _ in range(_TRIES):
            value = float(rng.normal(self.mean, self.sd))
            if self.low <= value <= self.high:
                return value
        return self.mean


@dataclass(frozen=True)
class Weibull:
    """A Weibull distribution that is cut off on both sides.

    Parameters
    ----------
    shape, scale
        Of the whole distribution.
    low, high
        Where it is cut off.
    """

    shape: float
    scale: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.shape <= _STEEPEST or not 0 < self.low < self.high <= LARGEST_MM:
            raise InputError(
                f"{self} is no distribution of diameters: shape is above 0 and at most "
                f"{_STEEPEST:g}, and low to high lie within 0 to {LARGEST_MM:g} mm."
            )
        if not self.low <= self.scale <= self.high:
            raise InputError(f"{self} is no distribution: low to high holds the scale.")

    def below(self, value: float) -> float:
        """Return the part of the whole distribution that is below a value."""
        # Far out in the tail all of it is below, and powers would overflow.
        return -math.expm1(-math.exp(min(self.shape * math.log(value / self.scale), 50.0)))

    def score(self, value: float) -> float:
        """Return the normal score of a value: 0 for the median."""
        part = min(max(self.below(value), 1e-6), 1 - 1e-6)
        return float(scipy.special.ndtri(part))

    def draw(self, rng: np.random.Generator) -> float:
        """Draw a number."""
        part = rng.uniform(self.below(self.low), self.below(self.high))
        value = self.scale * (-math.log1p(-min(part, 1 - 1e-12))) ** (1 / self.shape)
        return float(min(max(value, self.low), self.high))


@dataclass(frozen=True)
class Counts:
    """How many lesions a case has that has any.

    Parameters
    ----------
    values
        Numbers that occur.
    weights
        How often, as parts of 1.
    """

    values: tuple[int, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values or len(self.values) != len(self.weights):
            raise InputError("Counts have one weight for each value.")
        if not all(1 <= n <= _MOST for n in self.values):
            raise InputError(f"Counts are from 1 to {_MOST}, not {self.values}.")
        if min(self.weights) < 0 or abs(sum(self.weights) - 1) > 1e-6:
            raise InputError(
                f"The weights of counts sum to 1, and none is negative: not {self.weights}."
            )

    def draw(self, rng: np.random.Generator) -> int:
        """Draw a number of lesions."""
        return int(rng.choice(self.values, p=np.divide(self.weights, sum(self.weights))))


@dataclass(frozen=True)
class Shape:
    """Ratios of the middle and the smallest axis to the largest, on a logarithmic scale.

    Parameters
    ----------
    mean
        Of the two logarithms.
    covariance
        Of the two, (2, 2).
    """

    mean: tuple[float, float]
    covariance: tuple[tuple[float, float], tuple[float, float]]

    def __post_init__(self) -> None:
        (a, b), (c, d) = self.covariance
        # A spread of 0 is one: lesions of one form.
        if b != c or min(a, d) < 0 or b * c > a * d * (1 + 1e-9):
            raise InputError(
                f"A covariance matrix is symmetric and not negative, not {self.covariance}."
            )

    def draw(self, rng: np.random.Generator) -> tuple[float, float, float]:
        """Draw three relative axes, largest first, whose product is 1."""
        drawn = rng.multivariate_normal(self.mean, self.covariance, method="eigh")
        middle, least = sorted(np.exp(np.clip(drawn, math.log(0.2), 0.0)), reverse=True)
        scale = (middle * least) ** (-1 / 3)
        return float(scale), float(middle * scale), float(least * scale)


@dataclass(frozen=True)
class Exophytic:
    """How far lesions bulge out of their organ.

    Parameters
    ----------
    probability
        Part of the lesions that bulge out at all.
    alpha, beta
        Beta distribution of the part of their volume that lies outside.
    protrusion_mm
        Median distance that they reach out.
    with_size
        Correlation, from -1 to 1, of that part with the lesion's size (of their normal scores).
    """

    probability: float
    alpha: float
    beta: float
    protrusion_mm: float
    with_size: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1 or not all(
            0 < value <= _NARROWEST for value in (self.alpha, self.beta)
        ):
            raise InputError(
                "Exophytic lesions need a probability, and alpha and beta above 0 and at most "
                f"{_NARROWEST:g}."
            )
        if not -1 <= self.with_size <= 1:
            raise InputError(f"A correlation is from -1 to 1, not {self.with_size:g}.")

    def draw(self, size: float, rng: np.random.Generator) -> float:
        """Draw the part of a lesion that lies outside of its organ.

        Parameters
        ----------
        size
            Normal score of its size: 0 for the usual, 1 for one standard deviation above.
        rng
            Source of randomness.
        """
        rest = math.sqrt(1 - self.with_size**2) * float(rng.normal())
        rank = float(scipy.special.ndtr(self.with_size * size + rest))
        if rank <= 1 - self.probability:
            return 0.0
        within = (rank - (1 - self.probability)) / self.probability
        return float(scipy.special.betaincinv(self.alpha, self.beta, within))


@dataclass(frozen=True)
class OrganPrior:
    """Distributions of the lesions of one organ.

    Parameters
    ----------
    organ
        Its name.
    cases, lesions
        How many it was fitted to.
    count
        Lesions per case.
    diameter_mm
        Diameter of the sphere of the same volume.
    shape
        Axis ratios.
    location
        Centroid in the organ's frame.
    symmetric
        Whether locations on the left are those on the right in a mirror; else they run from left to
        right on both sides.
    right
        Part of the lesions of a paired organ that lie on the right; None for other organs.
    exophytic
        How far they bulge out.
    contrast_hu
        Their mean HU less that of the organ around; None where no images were given.
    """

    organ: str
    cases: int
    lesions: int
    count: Counts
    diameter_mm: Weibull
    shape: Shape
    location: Location
    right: float | None
    exophytic: Exophytic
    contrast_hu: Normal | None = None
    symmetric: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "organ", anatomy.organ(self.organ).name)
        if self.right is not None and not 0 <= self.right <= 1:
            raise InputError(f"right is a part of 1, not {self.right:g}.")

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        kind = "mixture" if isinstance(self.location, Mixture) else "ellipsoid"
        return {**asdict(self), "location": {"kind": kind, **asdict(self.location)}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> OrganPrior:
        """Build one from what `to_dict` gave.

        Raises
        ------
        InputError
            If anything is missing, unknown or makes no sense.
        """
        kinds: dict[str, type] = {
            "count": Counts,
            "diameter_mm": Weibull,
            "shape": Shape,
            "exophytic": Exophytic,
        }
        try:
            rest = {name: plain(value) for name, value in data.items()}
            place = dict(rest["location"])
            kind = {"mixture": Mixture, "ellipsoid": RotatedEllipsoid}[place.pop("kind")]
            made: dict[str, Any] = {
                name: build(t, rest[name], f"part of {name}") for name, t in kinds.items()
            }
            made["location"] = build(kind, place, "part of location")
            if rest.get("contrast_hu") is not None:
                made["contrast_hu"] = build(Normal, rest["contrast_hu"], "part of contrast_hu")
            built: OrganPrior = build(cls, rest | made, "part of a prior")
        except KeyError as error:
            raise InputError(f"This is not a prior of an organ: {error} is missing.") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise InputError(f"This is not a prior of an organ ({error}).") from error
        return built


@dataclass(frozen=True)
class Prior:
    """Distributions of the lesions of several organs.

    Parameters
    ----------
    organs
        By name.
    source
        What they were fitted to, in words.
    """

    organs: Mapping[str, OrganPrior]
    source: str = ""

    def of(self, organ: str) -> OrganPrior:
        """Return the prior of one organ.

        Raises
        ------
        InputError
            If it was not fitted to that organ.
        """
        name = anatomy.organ(organ).name
        if name not in self.organs:
            known = ", ".join(sorted(self.organs)) or "nothing"
            raise InputError(
                f"The prior has no {name.replace('_', ' ')}; it was fitted to {known}. Fit one "
                "with 'oncoforge analyze LABELS --fit prior.json', or choose another organ."
            )
        return self.organs[name]

    def save(self, path: str | PathLike[str]) -> None:
        """Write the prior as JSON.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        from oncoforge.formats.atomic import atomic_write

        data = {
            "oncoforge_prior": FORMAT,
            "oncoforge": __version__,
            "source": self.source,
            "organs": {name: organ.to_dict() for name, organ in sorted(self.organs.items())},
        }
        with atomic_write(path) as file:
            file.write((json.dumps(data, indent=2) + "\n").encode())

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Prior:
        """Read a prior from JSON.

        Raises
        ------
        InputError
            If the file cannot be read, or is not a prior.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
            if data["oncoforge_prior"] != FORMAT:
                raise ValueError(f"its format is {data['oncoforge_prior']!r}, not {FORMAT}")
            organs = {name: OrganPrior.from_dict(one) for name, one in data["organs"].items()}
            if wrong := [name for name, one in organs.items() if one.organ != name]:
                raise ValueError(f"what it calls {wrong[0]} is of another organ")
        except FileNotFoundError as error:
            raise InputError(
                f"{path} does not exist; 'oncoforge analyze LABELS --fit prior.json' writes one."
            ) from error
        except (
            OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, InputError
        ) as error:  # fmt: skip
            raise InputError(
                f"{path} is not a prior that 'oncoforge analyze --fit' wrote ({error})."
            ) from error
        return cls(organs, str(data.get("source", "")))
