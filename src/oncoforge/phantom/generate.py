"""From a seed to a CT: draw a patient, paint slab by slab, blur, add noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.phantom.contrast import PHASES, STRUCTURE_IDS, STRUCTURE_NAMES, STRUCTURES
from oncoforge.phantom.field_of_view import FieldOfView, make_field_of_view
from oncoforge.phantom.noise import noise_slices, noise_strength

if TYPE_CHECKING:
    from oncoforge.case import Case
    from oncoforge.phantom.canvas import Box, Canvas
    from oncoforge.phantom.patient import Patient

# Point spread of scanner and kernel: standard deviation in mm in the plane and along z.
_SPREAD_MM = (0.55, 0.55, 0.45)
# Slices thicker than this are painted as several thin ones and averaged.
_THINNEST_MM = 2.6
# The lower lung holds more blood: rise of its HU from front to back in a patient who lies.
_LUNG_HU_PER_MM = np.float32(0.35)
_SLAB_VOXELS = 6_000_000


@dataclass(frozen=True)
class Phantom:
    """A simulated CT and the truth about it.

    Attributes
    ----------
    image
        float32 (X, Y, Z), HU; x to the right, y to the front, z to the head (RAS+).
    labels
        uint8 (X, Y, Z), values of `oncoforge.anatomy.LABELS`.
    structures
        uint8 (X, Y, Z), the finer map; its names are in ``structure_names``.
    affine
        (4, 4) voxel index -> RAS mm.
    spacing
        (3,) voxel size in mm.
    structure_names
        Names of the values in ``structures``, the same for all phantoms.
    """

    image: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]
    structures: npt.NDArray[np.uint8]
    affine: npt.NDArray[np.float64]
    spacing: npt.NDArray[np.float64]

    structure_names: ClassVar[dict[int, str]] = STRUCTURE_NAMES

    def case(self) -> Case:
        """Return image and labels as a case, ready for synthesis."""
        from oncoforge.case import Case

        return Case(self.image, self.labels, self.affine)


def make_phantom(
    seed: int = 0,
    spacing_mm: Sequence[float] = (1.5, 1.5, 1.5),
    shape: Sequence[int] | None = None,
    phase: str = "portal",
    noise_hu: float = 12.0,
) -> Phantom:
    """Make a CT of the lower chest and abdomen of a patient who does not exist.

    Parameters
    ----------
    seed
        Non-negative whole number; the same seed is the same patient at any voxel size and phase.
    spacing_mm
        Voxel size in mm along x, y, z.
    shape
        Voxels along x, y, z, centred on the first lumbar vertebra; None for 380 x 300 x 300 mm.
    phase
        One of `PHASES`.
    noise_hu
        Standard deviation of the noise in the body, in HU.

    Raises
    ------
    InputError
        If a number cannot be used, or the volume would not fit in memory.
    UnknownNameError
        If there is no such phase.

    Examples
    --------
    >>> phantom = make_phantom(seed=0, spacing_mm=(6, 6, 6), phase="arterial")
    >>> phantom.image.shape
    (63, 50, 50)
    """
    view = make_field_of_view(spacing_mm, shape)
    if phase not in PHASES:
        raise UnknownNameError("contrast phase", phase, PHASES)
    _check_numbers(seed, noise_hu)
    # numba takes half a second to import, so it is imported with the first phantom.
    from oncoforge.phantom.patient import draw_patient

    anatomy_rng, noise_rng = np.random.default_rng(int(seed)).spawn(2)
    patient = draw_patient(anatomy_rng)
    phantom = _empty(view)
    for start, stop in _slabs(view):
        _paint_slab(phantom, view, patient, phase, (start, stop))
    _blur(phantom.image, view.spacing)
    if noise_hu > 0:
        _add_noise(phantom.image, view, noise_rng, noise_hu)
    np.maximum(phantom.image, -1024.0, out=phantom.image)
    return phantom


def _check_numbers(seed: object, noise_hu: object) -> None:
    if not isinstance(seed, Integral) or int(seed) < 0:
        raise InputError(f"seed must be a non-negative whole number, not {seed!r}.")
    if not (isinstance(noise_hu, Real) and 0 <= float(noise_hu) < math.inf):
        raise InputError(f"noise_hu must be zero or a positive number of HU, not {noise_hu!r}.")


def _empty(view: FieldOfView) -> Phantom:
    return Phantom(
        np.empty(view.shape, np.float32),
        np.empty(view.shape, np.uint8),
        np.empty(view.shape, np.uint8),
        view.affine,
        np.array(view.spacing),
    )


def _slabs(view: FieldOfView) -> list[tuple[int, int]]:
    """Cut the volume into runs of slices that fit in a few hundred megabytes."""
    per_slice = view.shape[0] * view.shape[1] * _sublayers(view)
    depth = max(1, _SLAB_VOXELS // per_slice)
    return [(start, min(start + depth, view.shape[2])) for start in range(0, view.shape[2], depth)]


def _sublayers(view: FieldOfView) -> int:
    """Odd number of thin layers per slice, so that one of them is the slice's middle."""
    return 2 * max(0, math.ceil((view.spacing[2] / _THINNEST_MM - 1) / 2)) + 1


def _paint_slab(
    phantom: Phantom, view: FieldOfView, patient: Patient, phase: str, part: tuple[int, int]
) -> None:
    from oncoforge.phantom.canvas import Canvas

    x, y, z = view.axes
    layers = _sublayers(view)
    thin = view.spacing[2] / layers
    offsets = (np.arange(layers) - layers // 2) * thin
    heights = (z[part[0] : part[1], None] + offsets).ravel()
    softness = max(0.9, (view.spacing[0] * view.spacing[1] * thin) ** (1 / 3))
    canvas = Canvas((x, y, heights), patient.pose, phase, softness)
    patient.paint(canvas)
    _add_texture(canvas, patient)
    here = slice(*part)
    shape = (*canvas.image.shape[:2], part[1] - part[0], layers)
    phantom.image[:, :, here] = canvas.image.reshape(shape).mean(axis=3)
    phantom.structures[:, :, here] = canvas.structures.reshape(shape)[..., layers // 2]
    phantom.labels[:, :, here] = canvas.labels.reshape(shape)[..., layers // 2]


def _add_texture(canvas: Canvas, patient: Patient) -> None:
    """Give every structure its grain, and the whole a slow drift of a few HU."""
    box = canvas.everywhere()
    rows = list(STRUCTURES.values())
    for texture, strength in (
        (patient.fine_grain, [row.fine_hu for row in rows]),
        (patient.coarse_grain, [row.coarse_hu for row in rows]),
    ):
        grain = canvas.bumps(box, texture)
        grain *= np.array(strength, np.float32)[canvas.structures]
        canvas.image += grain
    _add_strands(canvas, box, patient)
    lung = canvas.structures == STRUCTURE_IDS["lung"]
    canvas.image -= np.where(lung, _LUNG_HU_PER_MM * (box.y + np.float32(25.0)), np.float32(0.0))
    drift = canvas.bumps(box, patient.drift)
    drift *= np.where(canvas.structures > 1, np.float32(1.5), np.float32(0.0))
    canvas.image += drift


def _add_strands(canvas: Canvas, box: Box, patient: Patient) -> None:
    """Draw the faint septa of fat, and keep stool from being brighter than its solids.

    The septa are the sheets where a random field passes through zero.
    """
    fat = [n for n, row in enumerate(STRUCTURES.values()) if row.label == "fat"]
    strength = np.zeros(len(STRUCTURES), np.float32)
    strength[fat] = 26.0
    sheet = canvas.bumps(box, patient.septa)
    sheet *= np.float32(9.0)
    sheet *= sheet
    np.maximum(1.0 - sheet, 0.0, out=sheet)
    sheet *= strength[canvas.structures]
    canvas.image += sheet
    ceiling = np.full(len(STRUCTURES), 4000.0, np.float32)
    ceiling[list(STRUCTURES).index("stool")] = 70.0
    np.minimum(canvas.image, ceiling[canvas.structures], out=canvas.image)


def _blur(image: npt.NDArray[np.float32], spacing: tuple[float, float, float]) -> None:
    """Spread every point as the scanner does; less than a quarter of a voxel is left alone."""
    for axis, (spread, step) in enumerate(zip(_SPREAD_MM, spacing, strict=True)):
        if spread / step > 0.25:
            gaussian_filter1d(image, spread / step, axis=axis, output=image, truncate=3.0)


def _add_noise(
    image: npt.NDArray[np.float32], view: FieldOfView, rng: np.random.Generator, noise_hu: float
) -> None:
    x, y, _ = view.axes
    strength = noise_strength(
        x[:, None].astype(np.float32), y[None, :].astype(np.float32)
    ) * np.float32(noise_hu)
    for k, noise in enumerate(noise_slices(rng, view.shape, view.spacing)):
        noise *= strength
        image[:, :, k] += noise
