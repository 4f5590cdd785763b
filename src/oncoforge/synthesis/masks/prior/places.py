"""Distributions of where lesions lie, in the frame of their organ (see `organ_frame`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from oncoforge.errors import InputError

Point: TypeAlias = tuple[float, float, float]
Matrix: TypeAlias = tuple[Point, Point, Point]

_TRIES = 64


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians.

    Parameters
    ----------
    weights
        Of its components; they sum to 1.
    means
        Their centres.
    covariances
        Their covariance matrices, (3, 3) each.
    """

    weights: tuple[float, ...]
    means: tuple[Point, ...]
    covariances: tuple[Matrix, ...]

    def __post_init__(self) -> None:
        number = len(self.weights)
        if not number or len(self.means) != number or len(self.covariances) != number:
            raise InputError("A mixture has one weight, mean and covariance for each component.")
        if min(self.weights) < 0 or abs(sum(self.weights) - 1) > 1e-6:
            raise InputError(f"The weights of a mixture sum to 1, not {sum(self.weights):g}.")
        for covariance in self.covariances:
            _check_spread(covariance)

    def draw_one(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw a point, wherever it lies."""
        part = int(rng.choice(len(self.weights), p=np.divide(self.weights, sum(self.weights))))
        return rng.multivariate_normal(self.means[part], self.covariances[part], method="cholesky")


@dataclass(frozen=True)
class RotatedEllipsoid:
    """An ellipsoid that is filled evenly.

    Parameters
    ----------
    centre
        Its middle.
    axes
        Unit vectors of its semi-axes, one per row.
    radii
        Their lengths.
    """

    centre: Point
    axes: Matrix
    radii: Point

    def __post_init__(self) -> None:
        turned = np.asarray(self.axes) @ np.asarray(self.axes).T
        if not np.allclose(turned, np.eye(3), atol=1e-3) or min(self.radii) <= 0:
            raise InputError(
                "The axes of an ellipsoid are three unit vectors at right angles, and its radii "
                f"are above 0, not {self.radii}."
            )

    def draw_one(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw a point: even over directions, and with the cube root of an even number outwards."""
        direction = rng.normal(size=3)
        inside = direction / np.linalg.norm(direction) * rng.random() ** (1 / 3)
        return np.asarray(self.centre + np.asarray(self.axes).T @ (self.radii * inside))


Location: TypeAlias = Mixture | RotatedEllipsoid


def draw_unit(location: Location, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a point that lies in the frame; after many that do not, the last is brought there."""
    for _ in range(_TRIES):
        point = location.draw_one(rng)
        if ((point > 0) & (point < 1)).all():
            break
    return np.clip(point, 0.02, 0.98)


def _check_spread(covariance: Matrix) -> None:
    matrix = np.asarray(covariance)
    if not np.allclose(matrix, matrix.T) or np.linalg.eigvalsh(matrix).min() <= 0:
        raise InputError("A covariance matrix is symmetric and positive definite; this one is not.")
