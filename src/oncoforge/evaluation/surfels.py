"""Surfels: the pieces of a mask's surface, one for each corner at which eight voxels meet.

The eight voxels around a corner are the corners of a cube, each inside the mask or outside. The
surface in that cube is the one of marching cubes (Lorensen & Cline, SIGGRAPH 1987) with every
vertex in the middle of its edge, and its area is what the corner weighs in the metrics of
Nikolov et al., "Deep learning to achieve clinically applicable segmentation of head and neck
anatomy for radiotherapy", arXiv:1809.04430, and of their program surface-distance. Three rules
make it definite, and give the areas of that program for all 256 cubes and any spacing:

1. The fewer of the eight are inside; if five or more are, the cube is taken inside out.
2. On a face whose diagonals differ, each of the two inside corners is cut off by itself.
3. A polygon is split into the triangles that have the largest area on the unit cube; they stay
   the same triangles when the spacing stretches the cube.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product
from math import sqrt

import numpy as np

Corner = tuple[int, int, int]
Vector = tuple[float, float, float]


def surfel_areas(spacing: tuple[float, float, float]) -> np.ndarray:
    """Return the area of the surface in each of the 256 cubes, in mm².

    Parameters
    ----------
    spacing
        Of voxels, in mm.

    Returns
    -------
    np.ndarray
        256 areas, by code: the voxel at (i, j, k) of the 2 x 2 x 2 is the bit 4 i + 2 j + k.
    """
    codes, kinds, vectors = _triangles()
    a, b, c = spacing
    # One by one: NumPy rounds the lengths of many vectors at once in another way, and where a
    # percentile falls exactly between two distances, the last bit decides which one it is.
    lengths = np.array([np.linalg.norm(vector * (b * c, a * c, a * b)) for vector in vectors])
    areas = lengths[kinds]
    # From the largest of a cube on, so that mirrored cubes have the same area to the last bit.
    order = np.lexsort((-areas, codes))
    return np.bincount(codes[order], areas[order], 256)


@cache
def _triangles() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for all triangles on the unit cube the cube each is in and its kind, and the kinds.

    Triangles whose area vectors differ in signs only are of one kind.
    """
    codes, vectors = [], []
    for code in range(256):
        fewer = code if code.bit_count() <= 4 else 255 - code
        for polygon in _polygons(fewer):
            triangles = _largest(polygon)
            codes += [code] * len(triangles)
            vectors += triangles
    kept, kinds = np.unique(np.abs(vectors), axis=0, return_inverse=True)
    return np.array(codes), kinds, kept


def _polygons(code: int) -> Iterator[list[Vector]]:
    """Yield the closed lines in which the surface meets the faces of the cube.

    Seen from outside, every face is walked around in the same sense, so an edge that is crossed
    into the mask on one face is crossed out of it on the other: what follows what on the faces
    chains up to closed lines.
    """
    follows: dict[Vector, Vector] = {}
    for face in _faces():
        inside = [code >> (4 * i + 2 * j + k) & 1 for i, j, k in face]
        for start in range(4):
            if inside[start - 1] or not inside[start]:
                continue
            end = start
            while inside[end % 4]:
                end += 1
            entry = _middle(face[start - 1], face[start])
            follows[entry] = _middle(face[(end - 1) % 4], face[end % 4])
    while follows:
        point, after = follows.popitem()
        polygon = [point]
        while after != point:
            polygon.append(after)
            after = follows.pop(after)
        yield polygon


def _faces() -> Iterator[list[Corner]]:
    """Yield the corners of each face, counter-clockwise as seen from outside the cube."""
    for axis, side in product(range(3), (0, 1)):
        around = [(0, 0), (1, 0), (1, 1), (0, 1)]
        if side == 0:
            around.reverse()
        face = []
        for across, up in around:
            corner = [0, 0, 0]
            corner[axis], corner[axis - 2], corner[axis - 1] = side, across, up
            face.append((corner[0], corner[1], corner[2]))
        yield face


def _middle(one: Corner, other: Corner) -> Vector:
    x, y, z = ((a + b) / 2 for a, b in zip(one, other, strict=True))
    return x, y, z


def _largest(polygon: list[Vector]) -> list[Vector]:
    """Split a polygon into triangles of the largest total area; return their area vectors."""
    if len(polygon) < 3:
        return []
    splits = [
        [
            *_largest(polygon[: apex + 1]),
            _area_vector(polygon[0], polygon[apex], polygon[-1]),
            *_largest(polygon[apex:]),
        ]
        for apex in range(1, len(polygon) - 1)
    ]
    return max(splits, key=_total)


def _area_vector(one: Vector, two: Vector, three: Vector) -> Vector:
    """Return the vector across a triangle, as long as its area."""
    (a, b, c), (d, e, f) = ((p[0] - one[0], p[1] - one[1], p[2] - one[2]) for p in (two, three))
    return (b * f - c * e) / 2, (c * d - a * f) / 2, (a * e - b * d) / 2


def _total(vectors: list[Vector]) -> float:
    return sum(sqrt(x * x + y * y + z * z) for x, y, z in vectors)
