"""A simulated CT scanner: parallel rays, counted photons, filtered back-projection.

Blur, noise and its streaks come from the physics of the measurement, and from nothing that was
painted. What is left out: scatter, several energies (beam hardening), the fan and the spiral.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.transform import iradon, radon

WATER_PER_MM = 0.0193
"""Attenuation of water at 70 keV, the mean energy of a beam of about 120 kVp (NIST: 0.193/cm)."""

AIR_HU = -1000.0

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Scanner:
    """How a scan is made.

    Parameters
    ----------
    views
        Directions of rays, over half a turn.
    photons
        Of a ray that meets nothing; fewer is noisier.
    kernel
        Window of the ramp filter, as scikit-image names it.
    """

    views: int = 240
    photons: float = 3e5
    kernel: str = "cosine"

    @property
    def angles(self) -> NDArray[np.float64]:
        """Return the directions in degrees."""
        return np.linspace(0.0, 180.0, self.views, endpoint=False)

    def integrals(self, slices: Floats, pixel_mm: float) -> Floats:
        """Return what attenuates each ray of each slice, without noise.

        Parameters
        ----------
        slices
            (X, Y, Z), HU. Beyond the largest circle of the longer side there is air.
        pixel_mm
            Size of square pixels, which is that of the detector too.

        Returns
        -------
        float32 (rays, views, Z)
        """
        side = max(slices.shape[:2])
        inside = _circle(side)
        rays = np.empty((side, self.views, slices.shape[2]), np.float32)
        for k in range(slices.shape[2]):
            plane = _square(slices[:, :, k], side)
            density = np.where(inside, np.maximum(1.0 + plane / 1000.0, 0.0), 0.0)
            rays[:, :, k] = radon(density * (WATER_PER_MM * pixel_mm), self.angles, circle=True)
        return rays

    def measure(self, rays: Floats, rng: np.random.Generator) -> Floats:
        """Count photons along rays and return what they tell of the attenuation."""
        counts = rng.poisson(self.photons * np.exp(-rays.astype(np.float64)))
        return np.log(self.photons / np.maximum(counts, 1)).astype(np.float32)

    def image(self, rays: Floats, pixel_mm: float, shape: tuple[int, int]) -> Floats:
        """Reconstruct slices from what was measured.

        Returns
        -------
        float32 (X, Y, Z), HU
        """
        side, found = rays.shape[0], np.empty((*shape, rays.shape[2]), np.float32)
        corner = [(side - n) // 2 for n in shape]
        cut = tuple(slice(a, a + n) for a, n in zip(corner, shape, strict=True))
        for k in range(rays.shape[2]):
            plane = iradon(rays[:, :, k], self.angles, filter_name=self.kernel, circle=True)
            found[:, :, k] = (plane[cut] / (WATER_PER_MM * pixel_mm) - 1.0) * 1000.0
        return found


def _circle(side: int) -> NDArray[np.bool_]:
    """Mark the pixels that rays of every direction reach."""
    middle, (x, y) = side // 2, np.ogrid[:side, :side]
    return (x - middle) ** 2 + (y - middle) ** 2 < (side // 2) ** 2


def _square(plane: Floats, side: int) -> Floats:
    """Put a plane into the middle of a square of air."""
    square = np.full((side, side), AIR_HU, np.float32)
    x, y = ((side - n) // 2 for n in plane.shape)
    square[x : x + plane.shape[0], y : y + plane.shape[1]] = plane
    return square
