"""Vessel trees that grow into a region until no point of it is far from a branch.

Space colonisation: Runions, Lane and Prusinkiewicz, "Modeling trees with a space colonization
algorithm", Eurographics Workshop on Natural Phenomena 2007. Radii follow Murray's law (PNAS 1926):
the radius to a power is the sum of that of the branches.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from oncoforge.phantom.tubes import Tube

FloatArray = npt.NDArray[np.float64]


def grow_tree(
    trunk: FloatArray,
    attractors: FloatArray,
    root_radius_mm: float,
    *,
    step_mm: float = 4.0,
    murray: float = 2.7,
    thinnest_mm: float = 0.45,
    rng: np.random.Generator,
) -> Tube:
    """Grow a tree from a trunk towards attractors.

    Parameters
    ----------
    trunk
        (N, 3) mm, from the root to where branching may begin.
    attractors
        (K, 3) mm, the points to be supplied.
    root_radius_mm
        Radius of the trunk at its root.
    step_mm
        Length of a segment.
    murray
        Exponent of Murray's law.
    thinnest_mm
        Radius below which no twig is drawn thinner.
    rng
        Source of the wobble of the branches.
    """
    nodes = [*trunk]
    parents = [-1, *range(len(trunk) - 1)]
    first = max(0, len(trunk) - 2)
    remaining = attractors
    for _ in range(120):
        if len(remaining) == 0:
            break
        usable = np.array(nodes[first:])
        distance, nearest = cKDTree(usable).query(remaining)
        pull = np.zeros_like(usable)
        np.add.at(pull, nearest, (remaining - usable[nearest]) / (distance[:, None] + 1e-9))
        growing = np.unique(nearest)
        direction = pull[growing] / (np.linalg.norm(pull[growing], axis=1, keepdims=True) + 1e-9)
        direction += rng.normal(0.0, 0.22, direction.shape)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        tips = usable[growing] + step_mm * direction
        nodes.extend(tips)
        parents.extend(int(index) + first for index in growing)
        gone = cKDTree(tips).query(remaining)[0] < 1.6 * step_mm
        remaining = remaining[~gone]
    points = np.array(nodes)
    return _with_radii(points, np.array(parents), root_radius_mm, murray, thinnest_mm)


def _with_radii(
    points: FloatArray,
    parents: npt.NDArray[np.int64],
    root_mm: float,
    murray: float,
    thinnest_mm: float,
) -> Tube:
    """Give every node a radius from the number of twig ends behind it."""
    is_end = np.ones(len(points), bool)
    is_end[parents[1:]] = False
    load = is_end.astype(float)
    for node in range(len(points) - 1, 0, -1):
        load[parents[node]] += load[node]
    radii = np.maximum(root_mm * (load / load[0]) ** (1.0 / murray), thinnest_mm)
    edges = np.stack([parents[1:], np.arange(1, len(points))], axis=1)
    normals = np.broadcast_to([0.0, 0.0, 1.0], (len(edges), 3))
    return Tube(points, radii, edges, np.array(normals), 1.0)
