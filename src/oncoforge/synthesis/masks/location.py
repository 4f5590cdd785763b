"""Where lesions may lie: the published band of slices, or admissible places by distance.

Every search here is bounded. When nothing suits, the best of the candidates is taken; only where
all lie too close to other lesions is there no place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import ceil
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from oncoforge.errors import UnknownNameError
from oncoforge.synthesis.scene import Scene, draw_voxel

PLACES = ("band", "inside", "anywhere")
Placed = tuple[NDArray[np.float64], float]
"""Centre (mm) and radius (mm) of a lesion that has its place."""

_BAND = (0.3, 0.7)
"""Part of the organ's z extent from which the published generator takes the slice."""

_MARGIN_MM = 2.0
"""In-plane margin of the published generator: a 5 x 5 erosion at 1 mm."""

_BATCH = 64
_SLICES = 40
_CANDIDATES = 24
_COARSE_MM = 3.0
_SMALL_BALL = 32_000


def check_place(name: str) -> None:
    """Raise `UnknownNameError` with the nearest name if there is no such way of placing."""
    if name not in PLACES:
        raise UnknownNameError("place", name, PLACES)


@dataclass
class Places:
    """Draws centres of lesions in a scene.

    Parameters
    ----------
    scene
        The organ's box.
    place
        ``"band"``: as published, a slice from the central 40 % of the organ's z extent and a pixel
        at least 2 mm inside it in that plane. ``"inside"``: anywhere whose distance to the organ's
        surface is at least `margin` of the lesion's radius. ``"anywhere"``: any voxel of the organ.
    margin
        That fraction; it is halved, then dropped, where the organ is too thin.
    avoid_vessels
        Prefer centres without vessels within the lesion's radius.
    min_distance_mm
        Least gap between two lesions, each taken as a sphere; None lets them overlap.
    min_inside
        Prefer centres where at least this part of the lesion's sphere lies in the organ.
    """

    scene: Scene
    place: str = "band"
    margin: float = 0.5
    avoid_vessels: bool = False
    min_distance_mm: float | None = None
    min_inside: float = 0.0
    _placed: list[Placed] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        check_place(self.place)

    def take(self, centre_mm: NDArray[Any], radius_mm: float) -> None:
        """Keep a place for a lesion."""
        self._placed.append((centre_mm, radius_mm))

    def find(
        self, kind: str, radius_mm: float, rng: np.random.Generator
    ) -> NDArray[np.float64] | str:
        """Draw a centre and keep it, or say in a sentence why there is no place for the lesion.

        Parameters
        ----------
        kind
            What to call the lesion.
        radius_mm
            Its radius.
        rng
            Source of randomness.
        """
        centre = self.draw(radius_mm, rng)
        if centre is None:
            return self.too_close(kind, radius_mm)
        self.take(centre, radius_mm)
        return centre

    def too_close(self, kind: str, radius_mm: float) -> str:
        """Say that there is no place clear of the other lesions."""
        return (
            f"A {kind} lesion ({2 * radius_mm:.0f} mm) was left out: there is no place "
            f"{self.min_distance_mm:g} mm clear of the others."
        )

    def draw(self, radius_mm: float, rng: np.random.Generator) -> NDArray[np.float64] | None:
        """Draw a centre, mm from the scan's first voxel; None if every candidate is too close."""
        propose = {"band": self._in_band, "inside": self._inside, "anywhere": self._anywhere}[
            self.place
        ]
        easy = self.min_distance_mm is None and not self.avoid_vessels and self.min_inside == 0
        best, least = None, np.inf
        for _ in range(1 if easy else _CANDIDATES):
            centre = self.scene.to_mm(propose(radius_mm, rng))
            if not self.is_clear(centre, radius_mm):
                continue
            harm = self._harm(centre, radius_mm)
            if harm < least:
                best, least = centre, harm
            if harm == 0.0:
                break
        return best

    def is_clear(self, centre: NDArray[Any], radius: float) -> bool:
        """Tell whether a place (mm) is far enough from all that are taken."""
        if self.min_distance_mm is None:
            return True
        gap = self.min_distance_mm
        return all(np.linalg.norm(centre - c) >= radius + r + gap for c, r in self._placed)

    def _in_band(self, radius_mm: float, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw as published: a slice of the band, then any pixel of it that erosion leaves."""
        organ = self.scene.organ
        nz = organ.shape[2]
        mx, my = (ceil(_MARGIN_MM / s - 1e-6) for s in self.scene.spacing[:2])
        for _ in range(_SLICES):
            # A slice may hold nothing after erosion (the original crashes there): draw another.
            z = round(rng.uniform(*_BAND) * (nz - 1))
            pixel = self._pixel(organ[:, :, z], mx, my, rng)
            if pixel is not None:
                return np.array([*pixel, z], float)
        return self._inside(radius_mm, rng)

    def _pixel(
        self, plane: NDArray[np.bool_], mx: int, my: int, rng: np.random.Generator
    ) -> tuple[int, int] | None:
        """Draw one of the pixels that erosion leaves: by trial, or else among them all."""
        nx, ny = plane.shape
        xs, ys = rng.integers(0, nx, _BATCH), rng.integers(0, ny, _BATCH)
        hit = plane[xs, ys]
        for x, y in zip(xs[hit], ys[hit], strict=True):
            # Beyond its box there is no organ.
            within = mx <= x < nx - mx and my <= y < ny - my
            if within and plane[x - mx : x + mx + 1, y - my : y + my + 1].all():
                return int(x), int(y)
        square = np.ones((2 * mx + 1, 2 * my + 1), np.bool_)
        left = np.argwhere(scipy.ndimage.binary_erosion(plane, square))
        if len(left) == 0:
            return None
        x, y = left[rng.integers(len(left))]
        return int(x), int(y)

    def _anywhere(self, _: float, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw any voxel."""
        return draw_voxel(self.scene.organ, rng).astype(float)

    def _inside(self, radius_mm: float, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw among voxels deep enough for the radius; the margin yields in a thin organ."""
        depth_mm = self.margin * radius_mm
        ball = np.prod([2 * depth_mm / s + 1 for s in self.scene.spacing])
        # A small ball is looked at voxel by voxel; a large one is quicker told by distances.
        for _ in range(_CANDIDATES if ball <= _SMALL_BALL else 0):
            voxel = draw_voxel(self.scene.organ, rng)
            if self._is_deep(voxel, depth_mm):
                return voxel.astype(float)
        depth, voxels = self._depths
        for margin in (self.margin, self.margin / 2, 0.0):
            # Depths ascend, so the admissible voxels are a tail.
            first = int(np.searchsorted(depth, margin * radius_mm))
            if first < depth.size:
                break
        return voxels[rng.integers(min(first, depth.size - 1), depth.size)].astype(float)

    def _is_deep(self, voxel: NDArray[np.int64], depth_mm: float) -> bool:
        """Tell whether all of a ball about a voxel is organ; beyond its box there is none."""
        organ, spacing = self.scene.organ, self.scene.spacing
        reach = [int(depth_mm / s) for s in spacing]
        low, high = voxel - reach, voxel + reach + 1
        if (low < 0).any() or (high > organ.shape).any():
            return False
        box = organ[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        x, y, z = np.ogrid[tuple(slice(-n, n + 1) for n in reach)]
        away = (x * spacing[0]) ** 2 + (y * spacing[1]) ** 2 + (z * spacing[2]) ** 2
        return bool(box[away <= depth_mm**2].all())

    @cached_property
    def _depths(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return depth below the organ's surface (mm, ascending) and the voxels it belongs to.

        Every n-th voxel is enough for choosing a place, and keeps the cost of a large organ low.
        """
        step = [max(1, int(_COARSE_MM // s)) for s in self.scene.spacing]
        coarse = self.scene.organ[:: step[0], :: step[1], :: step[2]]
        if not coarse.any():
            step, coarse = [1, 1, 1], self.scene.organ
        import edt  # slow to import, and only some presets need it

        pitch = [n * s for n, s in zip(step, self.scene.spacing, strict=True)]
        distance = edt.edt(
            np.ascontiguousarray(coarse), anisotropy=pitch, black_border=True, parallel=1
        )
        voxels = np.argwhere(coarse)
        # The true surface is at most half a coarse voxel's diagonal nearer than the samples tell.
        depth = distance[tuple(voxels.T)] - np.float32(np.linalg.norm(pitch) / 2)
        order = np.argsort(depth, kind="stable")
        return depth[order], voxels[order] * np.array(step)

    @cached_property
    def _vessel_hu(self) -> float:
        """Return the HU above which smoothed tissue counts as vessel."""
        values = self.scene.organ_sample()
        middle = np.median(values)
        spread = 1.4826 * np.median(np.abs(values - middle))
        return float(middle + max(25.0, 2.0 * spread))

    def _harm(self, centre_mm: NDArray[np.float64], radius_mm: float) -> float:
        """Return how bad a place is for a sphere: 0 is perfect.

        It is the part of the sphere that is vessel, plus what it lacks of lying in the organ.
        Vessels are after Hu et al. 2023 (the smoothed CT exceeds the organ's mean by b); here b is
        twice the robust spread, at least 25 HU, of the organ's own values.
        """
        if not self.avoid_vessels and self.min_inside == 0:
            return 0.0
        scene = self.scene
        spacing = np.asarray(scene.spacing)
        centre = scene.to_voxel(centre_mm)
        reach = radius_mm / spacing
        box = scene.clip(np.floor(centre - reach), np.ceil(centre + reach) + 1)
        if box is None:
            return 1.0
        axes = [
            ((np.arange(s.start, s.stop) - c) * h) ** 2
            for s, c, h in zip(box, centre, spacing, strict=True)
        ]
        x, y, z = np.ix_(*axes)
        ball = (x + y + z <= radius_mm**2) & scene.organ[box]
        inside = ball.sum() * spacing.prod() / (4 / 3 * np.pi * radius_mm**3)
        # Deformation and rotation move a lesion's edge: ask for a little more than is needed.
        harm = max(min(1.2 * self.min_inside, 0.95) - inside, 0.0)
        if self.avoid_vessels:
            smooth = scipy.ndimage.gaussian_filter(scene.image[box], 1.0 / spacing)
            harm += float((smooth[ball] > self._vessel_hu).sum() / max(ball.sum(), 1))
        return harm
