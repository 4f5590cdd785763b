"""What a lesion makes of the fat that it bulges into."""

from __future__ import annotations

import numpy as np

from oncoforge.synthesis.base import LesionMask
from oncoforge.synthesis.bulge import bulge_out
from oncoforge.synthesis.scene import make_scene

SHAPE = (60, 40, 40)
BOX = (slice(20, 40), slice(10, 30), slice(10, 30))


def _scene(noise=8.0, bulges=True):
    """An organ of 100 HU on the left of fat of -100 HU, and no room at the far end."""
    rng = np.random.default_rng(0)
    organ = np.zeros(SHAPE, bool)
    organ[:30] = True
    image = np.where(organ, 100.0, -100.0) + rng.normal(0, noise, SHAPE)
    room = np.ones(SHAPE, bool)
    room[50:59] = False  # its last plane keeps the scene as large as the scan
    room[:, :, 35:] = organ[:, :, 35:]
    return make_scene(image.astype(np.float32), organ, (1.0, 1.0, 1.0), room=room)


def _ball() -> LesionMask:
    x, y, z = np.ogrid[-9.5:10, -9.5:10, -9.5:10]
    return LesionMask(BOX, x**2 + y**2 + z**2 < 81)


def test_fat_becomes_as_dense_as_the_organ_and_as_noisy_as_before():
    scene = _scene()
    before, mask = scene.image.copy(), _ball()
    bulge_out(scene, mask)
    deep = np.zeros(SHAPE, bool)
    deep[32:36, 16:23, 16:23] = True
    assert abs(scene.image[deep].mean() - 100) < 4
    assert 4 < scene.image[deep].std() < 12
    # The organ itself stays, but for its seam.
    organ = scene.organ.copy()
    organ[29] = False
    assert scene.image[organ].tobytes() == before[organ].tobytes()


def test_only_the_room_changes_and_only_near_the_lesion():
    scene = _scene()
    before = scene.image.copy()
    bulge_out(scene, _ball())
    changed = scene.image != before
    assert changed.any()
    assert not (changed & ~scene.room).any()
    near = np.zeros(SHAPE, bool)
    near[15:45, 5:35, 5:35] = True
    assert not (changed & ~near).any()
    # Nothing becomes denser than organ and noise are.
    assert scene.image.max() <= before.max() + 20


def test_a_lesion_inside_the_organ_changes_nothing():
    scene = _scene()
    before = scene.image.tobytes()
    inner = LesionMask((slice(5, 25), *BOX[1:]), _ball().inside)
    bulge_out(scene, inner)
    assert scene.image.tobytes() == before


def test_vessels_in_the_fat_are_not_taken_for_noise():
    scene = _scene()
    scene.image[34:36, 19:21, :] = 250
    bulge_out(scene, _ball())
    assert scene.image[34:36, 19:21, 16:24].mean() < 130


def test_an_organ_of_few_voxels_is_served():
    organ = np.zeros((20, 20, 20), bool)
    organ[9:11, 9:11, 9:11] = True
    image = np.where(organ, 60, -90).astype(np.float32)
    scene = make_scene(image, organ, (1.0, 1.0, 1.0), room=np.ones_like(organ))
    mask = LesionMask((slice(5, 15),) * 3, np.ones((10, 10, 10), bool))
    bulge_out(scene, mask)
    assert np.isfinite(scene.image).all()
    assert scene.image[7:13, 7:13, 7:13].mean() > 30
