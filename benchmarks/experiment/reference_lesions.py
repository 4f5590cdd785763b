"""Lesions that none of the synthesizers made, to train and to test against.

Lesions are put into the patient, not into the picture: the scanner sees them afterwards, as in
the projection-domain insertion that Chen et al. validated with radiologists (Acad Radiol 2016;
23:1221). What is drawn from where:

- shape: a kidney tumour of KiTS19, turned at random and brought to the size that was drawn; where
  that data is absent, a ball whose surface a smooth random field moves;
- contrast to the liver: uniform between the quartiles of 91 metastases that were hard to see in
  contrast-enhanced CT, 23 and 68 HU (Hsieh et al., Abdom Radiol 2025;50:668), all of them darker;
- diameter, number and grain: set by hand. RECIST 1.1 measures lesions from 10 mm (Eisenhauer et
  al., Eur J Cancer 2009;45:228), and the smallest is somewhat above that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import scipy
from numpy.typing import NDArray

from oncoforge.formats import read_labels

CONTRAST_HU = (-68.0, -23.0)
DIAMETER_MM = (12.0, 50.0)
COUNT = (1, 4)
GRAIN = 0.15
"""Standard deviation of a lesion's texture, as a part of its contrast."""
GRAIN_MM = 4.0

KIDNEY_TUMOR = 2
_LEAST_MM3 = 1000.0
_FIELD = 48
_PARTS = 3
"""Points along each axis of a voxel, of which the share inside a lesion is its partial volume."""
_TRIES = 200
_INSIDE = 0.75
"""Least part of a lesion that lies in the liver; the rest is cut off."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Shape:
    """A form without a size.

    Parameters
    ----------
    name
        Where it is from.
    depth
        float32 (x, y, z): distance to the surface in mm, positive inside.
    spacing_mm
        Of its voxels.
    """

    name: str
    depth: Floats
    spacing_mm: tuple[float, float, float]

    @cached_property
    def centre(self) -> NDArray[np.float64]:
        """Centroid in mm from its first voxel."""
        return np.argwhere(self.depth > 0).mean(axis=0) * self.spacing_mm

    @cached_property
    def radius_mm(self) -> float:
        """Radius of the ball of the same volume."""
        volume = np.count_nonzero(self.depth > 0) * math.prod(self.spacing_mm)
        return float((3 * volume / (4 * math.pi)) ** (1 / 3))

    def holds(self, offsets_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which points, (3, ...) in mm from the centroid, lie inside."""
        spacing = np.array(self.spacing_mm)
        index = (offsets_mm.T + self.centre).T
        index = (index.T / spacing).T
        depth = scipy.ndimage.map_coordinates(
            self.depth, index, order=1, mode="constant", cval=-1.0, prefilter=False
        )
        return depth > 0


def kidney_shapes(folder: Path) -> list[Shape]:
    """Return the largest tumour of every label map of KiTS19, in the order of the files' names."""
    shapes = []
    for path in sorted(folder.glob("case_*.nii.gz")):
        volume = read_labels(path)
        tumor = _cut(volume.array == KIDNEY_TUMOR)
        parts, _ = scipy.ndimage.label(tumor)
        largest = parts == np.bincount(parts[tumor], minlength=2)[1:].argmax() + 1
        if np.count_nonzero(largest) * math.prod(volume.spacing) >= _LEAST_MM3:
            mask = _cut(largest)
            shapes.append(Shape(path.name, _depth(mask, volume.spacing), volume.spacing))
    return shapes


def random_shapes(count: int, rng: np.random.Generator) -> list[Shape]:
    """Return balls whose surface random fields have moved by about a quarter of the radius."""
    grid = np.indices((_FIELD,) * 3) - (_FIELD - 1) / 2
    distance, radius = np.sqrt((grid**2).sum(axis=0)), _FIELD / 4
    shapes = []
    for number in range(count):
        field = scipy.ndimage.gaussian_filter(rng.standard_normal((_FIELD,) * 3), radius / 2)
        mask = distance < radius * (1.0 + 0.25 * field / field.std())
        found, _ = scipy.ndimage.label(mask)
        middle = found == found[(_FIELD // 2,) * 3]
        shapes.append(Shape(f"field {number}", _depth(middle, (1.0,) * 3), (1.0, 1.0, 1.0)))
    return shapes


def _cut(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cut out the box that holds a mask; an empty one stays empty."""
    [box] = scipy.ndimage.find_objects(mask.astype(np.uint8), 1)
    return mask[box] if box is not None else mask[:0, :0, :0]


def _depth(mask: NDArray[np.bool_], spacing: Sequence[float]) -> Floats:
    """Return the signed distance to a mask's surface; between thick slices it has no steps."""
    padded = np.pad(mask, 2)
    inside = scipy.ndimage.distance_transform_edt(padded, spacing)
    outside = scipy.ndimage.distance_transform_edt(~padded, spacing)
    half = min(spacing) / 2
    return np.where(padded, inside - half, half - outside).astype(np.float32)


@dataclass(frozen=True)
class Lesion:
    """One lesion, as drawn.

    Parameters
    ----------
    shape
        Its form's name.
    centre_vox
        In voxels of the scan.
    diameter_mm
        Of the ball of the same volume, before what lies beyond the liver is cut off.
    contrast_hu
        Against the liver.
    """

    shape: str
    centre_vox: tuple[int, int, int]
    diameter_mm: float
    contrast_hu: float


def put_lesions(
    image: Floats,
    liver: NDArray[np.bool_],
    spacing_mm: Sequence[float],
    shapes: Sequence[Shape],
    rng: np.random.Generator,
) -> tuple[Floats, NDArray[np.bool_], list[Lesion]]:
    """Put lesions into a patient.

    Parameters
    ----------
    image
        (X, Y, Z), HU without noise.
    liver
        (X, Y, Z).
    shapes
        To choose from.
    rng
        Source of everything that is drawn.

    Returns
    -------
    image : float32 (X, Y, Z)
        With lesions. Voxels on their surface hold some of both.
    lesions : bool (X, Y, Z)
        Voxels of which a lesion has at least half.
    drawn : list of Lesion
        The largest first.
    """
    changed, taken = image.astype(np.float32), np.zeros(liver.shape, np.bool_)
    usual = float(np.median(image[liver]))
    count = int(rng.integers(COUNT[0], COUNT[1] + 1))
    diameters = np.exp(rng.uniform(*np.log(DIAMETER_MM), size=count))
    drawn = []
    for diameter in sorted(map(float, diameters), reverse=True):
        shape = shapes[int(rng.integers(len(shapes)))]
        contrast = float(rng.uniform(*CONTRAST_HU))
        turn = scipy.spatial.transform.Rotation.random(random_state=rng).as_matrix()
        part = _partial(shape, turn, diameter, spacing_mm)
        centre, here, there = _place(part, liver, taken, rng)
        if here is None:
            continue
        inside = part[there] * liver[here]
        grain = _grain(inside.shape, spacing_mm, rng)
        value = usual + contrast * (1.0 + GRAIN * grain)
        changed[here] += inside * (value - changed[here])
        taken[here] |= inside >= 0.5
        drawn.append(Lesion(shape.name, centre, diameter, contrast))
    return changed, taken, drawn


def _partial(
    shape: Shape, turn: NDArray[np.float64], diameter_mm: float, spacing_mm: Sequence[float]
) -> Floats:
    """Return which part of each voxel a lesion fills, in a box with its centre in the middle."""
    scale = shape.radius_mm / (diameter_mm / 2)
    spacing = np.asarray(spacing_mm)
    extent = np.multiply(shape.depth.shape, shape.spacing_mm)
    reach = np.linalg.norm(np.maximum(shape.centre, extent - shape.centre)) / scale
    half = np.ceil(reach / spacing).astype(int)
    size = 2 * half + 1
    offsets = (np.arange(_PARTS) - (_PARTS - 1) / 2) / _PARTS
    axes = [
        ((np.arange(n) - h)[:, None] + offsets).ravel() * s
        for n, h, s in zip(size, half, spacing, strict=True)
    ]
    points = np.stack(np.meshgrid(*axes, indexing="ij"))
    inside = shape.holds(np.tensordot(turn, points, axes=1) * scale)
    cells = inside.reshape(size[0], _PARTS, size[1], _PARTS, size[2], _PARTS)
    return cells.mean(axis=(1, 3, 5), dtype=np.float32)


def _place(
    part: Floats, liver: NDArray[np.bool_], taken: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[tuple[int, int, int], tuple[slice, ...] | None, tuple[slice, ...]]:
    """Find a centre in the liver where most of a lesion lies in it, and clear of the others.

    Returns
    -------
    centre
        Voxel.
    here
        Box in the scan; None if there is no such place.
    there
        The same box in the lesion's own.
    """
    voxels, whole = np.argwhere(liver), part.sum()
    for _ in range(_TRIES):
        centre = voxels[int(rng.integers(len(voxels)))]
        start = centre - np.array(part.shape) // 2
        low = np.maximum(start, 0)
        high = np.minimum(start + part.shape, liver.shape)
        here = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        there = tuple(slice(a, b) for a, b in zip(low - start, high - start, strict=True))
        inside = part[there] * liver[here]
        if inside.sum() >= _INSIDE * whole and not (taken[here] & (part[there] > 0)).any():
            return tuple(map(int, centre)), here, there
    return (0, 0, 0), None, ()


def _grain(shape: tuple[int, ...], spacing_mm: Sequence[float], rng: np.random.Generator) -> Floats:
    """Return a smooth random field of mean 0 and standard deviation 1."""
    sigma = GRAIN_MM / np.asarray(spacing_mm)
    field = scipy.ndimage.gaussian_filter(rng.standard_normal(shape, np.float32), sigma)
    return field / max(float(field.std()), 1e-6)
