"""Vessel trees are trees: connected, thinner towards their ends, inside what they supply."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from oncoforge.phantom import make_phantom
from oncoforge.phantom.contrast import STRUCTURE_IDS
from oncoforge.phantom.liver import draw_liver
from oncoforge.phantom.torso import draw_torso
from oncoforge.phantom.trees import grow_tree
from oncoforge.phantom.tubes import Tube


def pieces(tree: Tube) -> int:
    count = len(tree.points)
    ones = np.ones(len(tree.edges))
    links = coo_array((ones, tree.edges.T), shape=(count, count))
    return int(connected_components(links, directed=False)[0])


def test_a_tree_reaches_its_attractors_in_one_piece() -> None:
    rng = np.random.default_rng(0)
    attractors = rng.uniform([10, -30, -30], [70, 30, 30], (300, 3))
    trunk = np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [8.0, 0.0, 0.0]])
    tree = grow_tree(trunk, attractors, 6.0, rng=rng)
    assert pieces(tree) == 1
    assert len(tree.edges) == len(tree.points) - 1
    away = np.linalg.norm(attractors[:, None] - tree.points[None], axis=2).min(axis=1)
    assert np.percentile(away, 95) < 8.0
    parent, child = tree.edges.T
    assert (tree.radii[child] <= tree.radii[parent] + 1e-9).all()
    assert tree.radii[0] == pytest.approx(6.0)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_vessels_of_the_liver_are_trees(seed: int) -> None:
    torso_rng, liver_rng = np.random.default_rng(seed).spawn(2)
    liver = draw_liver(liver_rng, draw_torso(torso_rng))
    for tree in (liver.portal, *liver.hepatic):
        assert pieces(tree) == 1
        assert len(tree.points) > 60
    roots = np.array([tree.points[0] for tree in liver.hepatic])
    assert np.ptp(roots, axis=0).max() < 6.0


def test_the_vessels_seen_in_the_liver_hang_together() -> None:
    phantom = make_phantom(0, (1.2, 1.2, 1.2), (230, 160, 170), noise_hu=0.0)
    for name, share in (("portal_vein", 0.8), ("hepatic_vein", 0.8)):
        vessel = phantom.structures == STRUCTURE_IDS[name]
        if name == "hepatic_vein":
            vessel |= phantom.structures == STRUCTURE_IDS["inferior_vena_cava"]
        parts, _ = ndimage.label(vessel, np.ones((3, 3, 3)))
        sizes = np.bincount(parts.ravel())[1:]
        assert sizes.max() > share * sizes.sum(), name
