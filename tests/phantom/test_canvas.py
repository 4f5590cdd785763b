"""Painting: boundaries in proportion, nobody in another's place, the patient may roll."""

from __future__ import annotations

import numpy as np
import pytest

from oncoforge.anatomy import LABELS
from oncoforge.phantom.canvas import Canvas, Pose
from oncoforge.phantom.contrast import STRUCTURE_IDS, structure_hu
from oncoforge.phantom.tubes import polyline

AXES = tuple(np.arange(-20.0, 20.5, 1.0) for _ in range(3))


def canvas(roll: float = 0.0, scale: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Canvas:
    return Canvas(AXES, Pose(roll, scale), "portal", 1.0)


def test_a_boundary_covers_voxels_in_proportion() -> None:
    slab = canvas()
    box = slab.everywhere()
    plane = np.broadcast_to(box.x - 0.25, slab.image.shape)
    slab.paint(box, plane, "liver")
    cover = (slab.image[:, 0, 0] + 1000.0) / (structure_hu("liver", "portal") + 1000.0)
    assert cover[19] == pytest.approx(1.0)
    assert cover[20] == pytest.approx(0.75)
    assert cover[21] == pytest.approx(0.0)
    assert (slab.labels[:21] == LABELS["liver"]).all()
    assert not slab.labels[21:].any()


def test_the_volume_of_a_tube_is_that_of_a_capsule() -> None:
    slab = canvas()
    found = slab.tube(polyline([[0.3, 0.2, -8.4], [0.3, 0.2, 7.6]], [5.0, 5.0]))
    assert found is not None
    capsule = np.pi * 25 * 16 + 4 / 3 * np.pi * 125
    assert (found[1] < 0).sum() == pytest.approx(capsule, rel=0.03)


def test_a_later_shape_gives_way_to_a_claim() -> None:
    slab = canvas()
    slab.free[:] = 50.0
    first = slab.tube(polyline([[0, 0, -8], [0, 0, 8]], [6.0, 6.0]))
    second = slab.tube(polyline([[6, 0, -8], [6, 0, 8]], [6.0, 6.0]))
    assert first is not None
    assert second is not None
    slab.paint(*first, "spleen")
    slab.claim(*first)
    before = (slab.labels == LABELS["spleen"]).sum()
    slab.paint(second[0], slab.carve(*second, 1.0), "liver")
    assert (slab.labels == LABELS["spleen"]).sum() == before
    assert (slab.labels == LABELS["liver"]).any()


def test_what_is_elsewhere_is_no_box() -> None:
    assert canvas().box([100, 100, 100], [110, 110, 110]) is None
    assert canvas().tube(polyline([[100, 0, 0], [110, 0, 0]], [3.0, 3.0])) is None


def test_pose_goes_there_and_back() -> None:
    pose = Pose(0.1, (1.05, 0.95, 1.02))
    points = np.random.default_rng(0).uniform(-100, 100, (20, 3))
    there = pose.to_scanner(points)
    back = np.stack(pose.to_patient(*there.T), axis=-1)
    assert np.allclose(back, points)


def test_a_rolled_patient_is_painted_rolled() -> None:
    slab = canvas(roll=np.pi / 2)
    found = slab.tube(polyline([[10, 0, 0], [12, 0, 0]], [3.0, 3.0]))
    assert found is not None
    slab.paint(*found, "liver")
    where = np.argwhere(slab.structures == STRUCTURE_IDS["liver"]).mean(axis=0) - 20.0
    assert where == pytest.approx([0.0, 11.0, 0.0], abs=0.3)
