"""Shapes keep their volume, whatever the grid, turn, scale and mirror."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oncoforge.synthesis.library.shelf import open_shelf
from oncoforge.synthesis.masks.library.pasted import Pasted
from oncoforge.synthesis.masks.library.shape import shape_of
from oncoforge.synthesis.scene import Scene

UPRIGHT = (0.0, 0.0, 0.0, 1.0)


def empty_scene(spacing, size_mm=80.0) -> Scene:
    shape = tuple(int(np.ceil(size_mm / s)) for s in spacing)
    box = tuple(slice(0, n) for n in shape)
    return Scene(np.zeros(shape, np.float32), np.ones(shape, bool), spacing, box)


def paste(library, name, spacing, quaternion=UPRIGHT, scale=1.0, flip=False, **more):
    shelf = open_shelf(library)
    item = shelf.item(name)
    shape = shape_of(shelf.crop(name, item.mask_sha256))
    pasted = Pasted((40.0,) * 3, quaternion, scale, flip, str(library), name, "", **more)
    return item, pasted.mask(empty_scene(spacing), shape, "small")


@pytest.mark.parametrize("name", ["fine_liver_1", "thick_liver_1"])
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    four=st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1),
    scale=st.floats(0.6, 1.3),
    flip=st.booleans(),
    spacing=st.sampled_from([(0.7, 0.7, 0.7), (0.6, 0.8, 1.2)]),
)
def test_volume_is_that_of_the_original_times_scale_cubed(
    library, name, four, scale, flip, spacing
):
    turn = tuple(float(q) for q in np.array(four) / np.linalg.norm(four))
    item, mask = paste(library, name, spacing, turn, scale, flip)
    volume = mask.inside.sum() * np.prod(spacing)
    # A small lesion on an evenly shifted grid is some 4 % off; most are within 1 %.
    assert volume == pytest.approx(item.volume_mm3 * scale**3, rel=0.06)


def test_centroid_goes_where_it_is_told(library):
    for name in ("fine_liver_1", "thick_liver_1"):
        _, mask = paste(library, name, (0.7, 0.7, 0.7), (0.5, 0.5, 0.5, 0.5))
        centroid = np.argwhere(mask.inside).mean(axis=0) + [s.start for s in mask.box]
        np.testing.assert_allclose(centroid * 0.7, 40.0, atol=0.3)


def test_on_its_own_grid_an_unturned_tumor_is_itself(library):
    shelf = open_shelf(library)
    item = shelf.item("fine_liver_1")
    crop = shelf.crop(item.name, item.mask_sha256)
    box = tuple(slice(0, n) for n in crop.tumor.shape)
    scene = Scene(np.zeros(crop.tumor.shape, np.float32), np.ones_like(crop.tumor), (1, 1, 1), box)
    pasted = Pasted(tuple(crop.centroid_vox.tolist()), UPRIGHT, 1.0, False, "", item.name, "")
    mask = pasted.mask(scene, shape_of(crop), "small")
    whole = np.zeros_like(crop.tumor)
    whole[mask.box] = mask.inside
    # The level that keeps the volume may move single voxels of the surface.
    assert np.count_nonzero(whole ^ crop.tumor) <= 0.02 * crop.tumor.sum()


def test_a_mirror_of_a_mirror_is_the_tumor(library):
    _, plain = paste(library, "fine_liver_1", (1.0, 1.0, 1.0))
    _, flipped = paste(library, "fine_liver_1", (1.0, 1.0, 1.0), flip=True)
    assert plain.inside.shape == flipped.inside.shape
    overlap = np.count_nonzero(plain.inside & flipped.inside[::-1]) / plain.inside.sum()
    assert overlap > 0.97
    assert np.count_nonzero(plain.inside & flipped.inside) / plain.inside.sum() < 0.97


def test_thick_slices_do_not_show_as_steps(library):
    """Copies of slices would repeat each one as often as the fine grid has it."""
    _, mask = paste(library, "thick_liver_1", (0.8, 0.8, 0.8))
    areas = mask.inside.sum(axis=(0, 1)).astype(int)
    same = np.count_nonzero((mask.inside[:, :, 1:] == mask.inside[:, :, :-1]).all(axis=(0, 1)))
    assert same <= len(areas) / 4
