"""Where the lesions of one scan lie, how large they are and how they are turned, by a prior."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oncoforge.organ_frame import Frame, frames, mirrored
from oncoforge.synthesis.base import sphere_diameter
from oncoforge.synthesis.masks.prior.places import draw_unit
from oncoforge.synthesis.masks.prior.prior import OrganPrior
from oncoforge.synthesis.masks.prior.shape import FittedShape
from oncoforge.synthesis.masks.sizes import nearest_size, share_of
from oncoforge.synthesis.scene import Scene, Vector

UNEVENNESS = 0.1
"""Standard deviation of a lesion's radius over its surface."""

LEAST_INSIDE = 0.05
"""Least part of a lesion that lies in its organ."""

_CANDIDATES = 64
_BUMPS = 1.5
"""How far a surface reaches out, in standard deviations of its radius."""

_GOOD = 0.2
"""A place whose lesion misses what was drawn for it by less is taken at once."""

_ROOMY = 0.6
"""Part of a lesion's ellipsoid that should find room where it is put."""

_EATEN = 0.5
"""Part of its organ, or of its side, that a lesion should replace at most."""

_POINTS = 400
_HULL_STEP = 3
"""Every third point is compared with the planes of a hull, of which there are many."""

_TOUCH = 0.08
_STEPS_IN = 16
_MOST_ENDS = 4000
_HALVINGS = 50
_TOGETHER = 1.0


@dataclass(frozen=True)
class Wish:
    """What a lesion is to be, whatever its place.

    Parameters
    ----------
    volume_mm3
        Its volume.
    ratios
        Its axes, largest first, as parts of the radius of the sphere of that volume.
    quaternion
        How it is turned.
    outside
        Part of it beyond the organ's hull; None where lesions stay in the organ.
    seed
        Of its unevenness.
    """

    volume_mm3: float
    ratios: Vector
    quaternion: tuple[float, float, float, float]
    outside: float | None
    seed: int

    @property
    def radius_mm(self) -> float:
        """Radius of the sphere of its volume."""
        return sphere_diameter(self.volume_mm3) / 2

    @property
    def kind(self) -> str:
        """Nearest size class."""
        return nearest_size(self.radius_mm)

    def at(self, centre_mm: ArrayLike) -> FittedShape:
        """Return its shape at a place, mm from the scan's first voxel."""
        x, y, z = (float(c) for c in np.asarray(centre_mm))
        a, b, c = (self.radius_mm * ratio for ratio in self.ratios)
        return FittedShape(
            (x, y, z), (a, b, c), self.quaternion, self.volume_mm3, UNEVENNESS, self.seed
        )


def draw_wishes(
    prior: OrganPrior,
    scene: Scene,
    count: int | None,
    diameter_mm: float | None,
    rng: np.random.Generator,
) -> list[Wish]:
    """Draw what the lesions of a scan are to be, the largest first.

    Parameters
    ----------
    prior
        Distributions.
    scene
        The organ.
    count
        Their number; None draws it.
    diameter_mm
        Diameter of each; None draws it.
    rng
        Source of randomness.
    """
    number = prior.count.draw(rng) if count is None else count
    wishes = [_draw_wish(prior, scene.bulges, diameter_mm, rng) for _ in range(number)]
    wishes = wishes if count is not None else share_of(wishes, scene.share, rng)
    # Small ones still find a place between large ones, but not the reverse.
    return sorted(wishes, key=lambda wish: -wish.volume_mm3)


def _draw_wish(
    prior: OrganPrior, bulges: bool, diameter_mm: float | None, rng: np.random.Generator
) -> Wish:
    drawn = prior.diameter_mm.draw(rng)
    diameter = drawn if diameter_mm is None else diameter_mm
    ratios = prior.shape.draw(rng)
    outside = prior.exophytic.draw(prior.diameter_mm.score(diameter), rng)
    four = rng.normal(size=4)
    x, y, z, w = (float(q) for q in four / np.linalg.norm(four))
    volume = math.pi / 6 * diameter**3
    return Wish(volume, ratios, (x, y, z, w), outside if bulges else None, int(rng.integers(2**31)))


class Sites:
    """Draws places in a scene for lesions of a prior.

    Parameters
    ----------
    prior
        Distributions of location.
    scene
        Organ and room.
    """

    def __init__(self, prior: OrganPrior, scene: Scene) -> None:
        self.prior = prior
        self.scene = scene
        self._taken: list[tuple[NDArray[np.float64], float]] = []
        self._ball = _unit_ball()

    @cached_property
    def _frames(self) -> tuple[Frame, ...]:
        middle = self.scene.middle_mm
        own = None if middle is None else middle - float(self.scene.origin_mm[0])
        return frames(self.scene.organ, self.scene.spacing, self.prior.organ, own)

    @cached_property
    def _hulls(self) -> dict[str, NDArray[np.float64]]:
        return {side: _hull(ends) for side, ends in self._ends.items()}

    @cached_property
    def _volumes(self) -> dict[str, float]:
        voxel = math.prod(self.scene.spacing)
        return {f.side: np.count_nonzero(self.scene.organ[f.slices]) * voxel for f in self._frames}

    def take(self, wish: Wish, centre_mm: ArrayLike) -> NDArray[np.float64]:
        """Keep a place for a lesion, mm from the scan's first voxel."""
        centre = np.asarray(centre_mm, float)
        self._taken.append((centre, wish.radius_mm))
        return centre

    def find(self, wish: Wish, rng: np.random.Generator) -> NDArray[np.float64] | None:
        """Draw a place for a lesion and keep it; None if nothing of it would lie in the organ.

        Candidates come from the prior's locations. One is taken that gives the lesion room, apart
        from others, and lets as much of it bulge out as was drawn; else the best of them.
        """
        frame = self._draw_frame(rng)
        best, least = None, math.inf
        # Its voxels reach a little beyond the even ellipsoid.
        reach = (1 + _BUMPS * UNEVENNESS) * wish.at((0, 0, 0)).half_extents()
        reach = reach + np.asarray(self.scene.spacing) / 2
        for _ in range(_CANDIDATES):
            unit = draw_unit(self.prior.location, rng)
            if self.prior.symmetric:
                unit = mirrored(unit, frame.side)
            centre = centre_for(unit, reach, frame)
            centre = self._touching(wish, centre + self.scene.origin_mm, frame)
            harm = self._harm(wish, centre, frame)
            if harm < least:
                best, least = centre, harm
            if harm < _GOOD:
                break
        return None if best is None else self.take(wish, best)

    def _draw_frame(self, rng: np.random.Generator) -> Frame:
        """Draw the side."""
        toss = rng.random()
        if len(self._frames) == 1:
            return self._frames[0]
        left, right = self._frames
        # A prior that knows of no sides puts as many on either.
        return right if toss < (0.5 if self.prior.right is None else self.prior.right) else left

    @cached_property
    def _ends(self) -> dict[str, NDArray[np.float64]]:
        return {frame.side: _ends(self.scene, frame) for frame in self._frames}

    def _touching(
        self, wish: Wish, centre: NDArray[np.float64], frame: Frame
    ) -> NDArray[np.float64]:
        """Bring a lesion that misses the organ to it by the shortest way.

        A real one that lies so far out has drawn the organ along. To draw another place instead
        would thin out all that are far from the middle.
        """
        ends = self._ends[frame.side]
        points = ends[:: max(1, len(ends) // _MOST_ENDS)]
        nearest = points[np.linalg.norm(points - centre, axis=1).argmin()]
        shape = wish.at(centre)
        ball = (self._ball[::_HULL_STEP] * shape.axes_mm) @ shape.turned()
        for part in np.linspace(0.0, 1.0, _STEPS_IN):
            place = centre + part * (nearest - centre)
            if self._part(place + ball, self.scene.organ) >= _TOUCH:
                break
        return np.asarray(place)

    def _harm(self, wish: Wish, centre: NDArray[np.float64], frame: Frame) -> float:
        """Return how far a place is from what was drawn: 0 is perfect, infinite impossible."""
        shape = wish.at(centre)
        points = centre + (self._ball * shape.axes_mm) @ shape.turned()
        organ, room = (self._part(points, mask) for mask in (self.scene.organ, self.scene.room))
        if organ < LEAST_INSIDE:
            return math.inf
        harm = max(_ROOMY - room, 0.0)
        harm += max(organ * wish.volume_mm3 / self._volumes[frame.side] - _EATEN, 0.0)
        if wish.outside is not None:
            out = _beyond(self._hulls[frame.side], points[::_HULL_STEP])
            harm += abs(out - wish.outside)
        if any(np.linalg.norm(centre - c) < wish.radius_mm + r for c, r in self._taken):
            harm += _TOGETHER
        return harm

    def _part(self, points_mm: NDArray[np.float64], mask: NDArray[np.bool_]) -> float:
        """Return the part of some points that lie in a mask of the scene."""
        voxels = np.rint(self.scene.to_voxel(points_mm)).astype(int)
        there = ((voxels >= 0) & (voxels < mask.shape)).all(axis=1)
        return float(np.count_nonzero(mask[tuple(voxels[there].T)]) / len(voxels))


def centre_for(unit: ArrayLike, half_mm: ArrayLike, frame: Frame) -> NDArray[np.float64]:
    """Return where a lesion's centre is if it lies at given coordinates of the organ *with it*.

    Real lesions are measured in the box of their organ and themselves, which grows with a lesion
    that bulges out; the organ of a scan to come has none yet. This finds the centre at which the
    box that both will have puts the lesion at those coordinates.

    Parameters
    ----------
    unit
        (3,) coordinates, 0 to 1.
    half_mm
        (3,) half of the lesion's extents.
    frame
        Of the organ alone.

    Returns
    -------
    numpy.ndarray
        (3,) mm, in the frame's own mm.
    """
    goal, half = np.asarray(unit, float), np.asarray(half_mm, float)
    low, high = np.asarray(frame.low_mm), np.asarray(frame.high_mm)

    def reached(centre: NDArray[np.float64]) -> NDArray[np.float64]:
        first, last = np.minimum(low, centre - half), np.maximum(high, centre + half)
        return np.asarray((centre - first) / (last - first))

    # A lesion wider than the organ is in the middle wherever it covers all of it: of the places
    # that fit, the middle one.
    ends = []
    for below in (np.less, np.less_equal):
        a, b = low - 20 * half, high + 20 * half
        for _ in range(_HALVINGS):
            middle = (a + b) / 2
            up = below(reached(middle), goal)
            a, b = np.where(up, middle, a), np.where(up, b, middle)
        ends.append((a + b) / 2)
    return np.asarray((ends[0] + ends[1]) / 2)


def _unit_ball() -> NDArray[np.float64]:
    """Return points spread evenly over the unit ball (a Fibonacci spiral on shells)."""
    number = np.arange(_POINTS) + 0.5
    radius = (number / _POINTS) ** (1 / 3)
    # Steps along the radius and around the axis that never fall into a common pattern.
    height = 1 - 2 * ((number * 0.7548776662) % 1.0)
    angle = 2 * math.pi * ((number * 0.5698402910) % 1.0)
    across = np.sqrt(1 - height**2)
    directions = np.stack([across * np.cos(angle), across * np.sin(angle), height], axis=1)
    return np.asarray(radius[:, None] * directions)


def _ends(scene: Scene, frame: Frame) -> NDArray[np.float64]:
    """Return the ends (n, 3) of the organ's columns within a frame, mm of the scan."""
    part = scene.organ[frame.slices]
    columns = part.any(axis=2)
    first, last = part.argmax(axis=2), part.shape[2] - 1 - part[:, :, ::-1].argmax(axis=2)
    x, y = np.nonzero(columns)
    ends = np.concatenate([np.stack([x, y, z[columns]], axis=1) for z in (first, last)])
    return scene.to_mm(ends + np.asarray(frame.low_vox))


def _hull(ends_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the planes (n, 4) of the convex hull of an organ: its corners are among the ends."""
    from scipy.spatial import ConvexHull, QhullError  # slow to import

    try:
        found: NDArray[np.float64] = ConvexHull(ends_mm).equations
    except (QhullError, ValueError):
        return np.zeros((0, 4))  # an organ that is flat
    return found


def _beyond(planes: NDArray[np.float64], points_mm: NDArray[np.float64]) -> float:
    """Return the part of some points that lie outside of a hull."""
    if len(planes) == 0:
        return 0.0
    apart = points_mm @ planes[:, :3].T + planes[:, 3]
    return float((apart.max(axis=1) > 0).mean())
