"""The noise of a CT reconstruction: ramp-like in the plane, smooth between slices, worst inside.

The spectrum rises with frequency, as filtered back-projection makes it, and is cut off by the
reconstruction kernel: Riederer, Pelc and Chesler, Phys Med Biol 1978;23:446-454.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import fft

FloatArray = npt.NDArray[np.float32]

# A soft-tissue kernel peaks here, in cycles per mm; on coarse pixels the kernel is made softer, as
# a scanner's operator would, to keep the peak below this fraction of a cycle per pixel.
_PEAK_PER_MM = 0.17
_PEAK_PER_PIXEL = 0.20
# Distance in mm over which the noise of neighbouring slices is shared.
_SLICE_MM = 1.1


def _filter(shape: tuple[int, int], spacing: tuple[float, float]) -> FloatArray:
    """Amplitude of every in-plane frequency, scaled so that white noise keeps a sd of 1."""
    peak = min(_PEAK_PER_MM, _PEAK_PER_PIXEL / max(spacing))
    fx = fft.fftfreq(shape[0], spacing[0])[:, None]
    fy = fft.rfftfreq(shape[1], spacing[1])[None, :]
    f = np.hypot(fx, fy)
    # Power ~ f exp(-(f/peak)^2 / 2) has its maximum at the peak; a patient is wider than deep, so
    # lateral rays are noisier and the noise is slightly drawn out along x.
    sideways = 1.0 + 0.35 * (fy / np.maximum(f, 1e-9)) ** 2
    power = (f + 0.04 * peak) * np.exp(-0.5 * (f / peak) ** 2) * sideways
    whole = np.concatenate([power, power[:, 1 : shape[1] - power.shape[1] + 1]], axis=1)
    amplitude: FloatArray = np.sqrt(power / whole.mean()).astype(np.float32)
    return amplitude


def noise_slices(
    rng: np.random.Generator, shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> Iterator[FloatArray]:
    """Yield slice after slice of noise with mean 0 and standard deviation 1.

    Parameters
    ----------
    rng
        Source; used slice by slice, so the memory does not grow with the number of slices.
    shape, spacing
        Grid of the image, voxels and mm.
    """
    plane = shape[:2]
    response = _filter(plane, spacing[:2])

    def fresh() -> FloatArray:
        white = rng.standard_normal(plane, dtype=np.float32)
        filtered: FloatArray = fft.irfft2(fft.rfft2(white, workers=1) * response, plane, workers=1)
        return filtered

    side = float(np.exp(-0.5 * (spacing[2] / _SLICE_MM) ** 2))
    norm = np.float32(1.0 / np.sqrt(1.0 + 2.0 * side**2))
    before, here = fresh(), fresh()
    for _ in range(shape[2]):
        after = fresh()
        yield (here + np.float32(side) * (before + after)) * norm
        before, here = here, after


def noise_strength(x: FloatArray, y: FloatArray) -> FloatArray:
    """Noise relative to its mean in the body, over the plane in mm: more where rays are long."""
    depth = np.exp(-((x / 150.0) ** 2 + (y / 115.0) ** 2))
    strength: FloatArray = (0.55 + 0.75 * depth).astype(np.float32)
    return strength
