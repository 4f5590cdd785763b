"""The room around an organ: fat, and nothing else, near and joined to it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import oncoforge as of
from oncoforge.anatomy import LABELS
from oncoforge.errors import InputError
from oncoforge.synthesis.cases import METHODS
from oncoforge.synthesis.room import REACH_MM, room_around

SHAPE = (80, 80, 60)
SPACING = (2.0, 2.0, 2.0)


def _body():
    """An organ of 40 mm in fat, with a neighbour, bone without a label, and a bubble of gas."""
    x, y, z = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    organ = (x - 40) ** 2 + (y - 40) ** 2 + (z - 30) ** 2 < 10**2
    image = np.full(SHAPE, -100, np.float32)
    image[organ] = 100
    labels = np.where(organ, LABELS["kidney"], 0).astype(np.uint8)
    image[52:70, 30:50, :] = 50
    labels[52:70, 30:50, :] = LABELS["liver"]
    image[20:28, 20:60, :] = 600  # bone
    image[35:45, 54:60, 25:35] = -900  # gas
    image[35:45, 10:26, 25:35] = 40  # soft tissue without a label
    return image, labels, organ


def test_fat_is_room_and_nothing_else_is():
    image, labels, organ = _body()
    room = room_around(image, labels, organ, SPACING)
    added = room & ~organ
    assert (room & organ).sum() == organ.sum()
    assert added.sum() > 0.5 * organ.sum()
    assert not (added & (labels != 0)).any()
    assert not (added & (image > 100)).any()
    assert not (added & (image < -200)).any()
    soft = np.zeros(SHAPE, bool)
    soft[36:44, 12:24, 26:34] = True
    assert not (added & soft).any()


def test_room_ends_at_its_reach_and_is_joined_to_the_organ():
    image, labels, organ = _body()
    away = ndimage.distance_transform_edt(~organ, sampling=SPACING)
    sizes = []
    for reach in (0.0, 10.0, 25.0, REACH_MM):
        room = room_around(image, labels, organ, SPACING, reach)
        assert away[room].max() <= reach
        assert ndimage.label(room)[1] == 1
        sizes.append(room.sum())
    assert sizes[0] == organ.sum()
    assert sizes == sorted(sizes)


def test_fat_behind_a_wall_is_no_room():
    image, labels, organ = _body()
    image[48:50] = 60
    labels[48:50] = LABELS["muscle"]
    organ = organ.copy()
    organ[48:] = False
    assert not room_around(image, labels, organ, SPACING)[48:].any()


def test_labels_of_body_and_fat_are_room_as_no_label_is():
    image, labels, organ = _body()
    plain = room_around(image, labels, organ, SPACING)
    for name in ("body", "fat"):
        filled = np.where(labels == 0, LABELS[name], labels).astype(np.uint8)
        np.testing.assert_array_equal(room_around(image, filled, organ, SPACING), plain)


def test_an_organ_without_a_voxel_or_without_fat_has_no_room_and_inputs_stay():
    image, labels, organ = _body()
    nothing = np.zeros(SHAPE, bool)
    assert not room_around(image, labels, nothing, SPACING).any()
    soft = np.full(SHAPE, 60, np.float32)
    before = organ.copy()
    room = room_around(soft, labels, organ, SPACING)
    # Hollows of the organ itself are its own; all else is no fat.
    away = ndimage.distance_transform_edt(~organ, sampling=SPACING)
    assert away[room].max() <= 3 * SPACING[0]
    np.testing.assert_array_equal(organ, before)


def test_an_organ_that_fills_the_scan_has_itself():
    full = np.ones((12, 12, 12), bool)
    image = np.zeros(full.shape, np.float32)
    assert room_around(image, full.astype(np.uint8), full, (1, 1, 1)).all()


def test_a_negative_reach_is_an_error():
    image, labels, organ = _body()
    with pytest.raises(InputError, match="reach_mm"):
        room_around(image, labels, organ, SPACING, -1.0)


# Lesions in it, on scans.

SETTINGS = {
    "handcrafted": {"size": "large", "preset": "realistic"},
    "cellular": {"diameter_mm": 40.0, "count": 2},
}


@pytest.fixture(scope="module")
def abdomen(data_dir) -> of.Case:
    return of.read_case(
        data_dir / "ct_abdomen" / "image.nii.gz",
        data_dir / "ct_abdomen" / "totalsegmentator_labels.nii.gz",
        organ="kidney",
    )


@pytest.fixture(scope="module")
def phantom() -> of.Case:
    return of.make_phantom(spacing_mm=(3, 3, 3)).case()


@pytest.mark.parametrize("organ", ["kidney", "liver"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("where", ["abdomen", "phantom"])
def test_lesions_bulge_into_fat_alone(where, method, organ, request):
    case = request.getfixturevalue(where)
    mask = case.parenchyma(organ)
    free = ~mask
    away = ndimage.distance_transform_edt(free, sampling=case.spacing)
    labelled = free & ~np.isin(case.labels, (0, LABELS["body"], LABELS["fat"]))
    left = 0
    for seed in range(3):
        made = of.synthesize(case, organ, method, seed=seed, exophytic=True, **SETTINGS[method])
        touched = (made.image != case.image) | made.synthesis.tumor
        assert not (touched & labelled).any()
        assert not (touched & free & (case.image > 200)).any()
        assert not (touched & free & (case.image < -350)).any()
        assert away[touched].max() <= REACH_MM
        assert not (made.synthesis.tumor & labelled).any()
        left += int((made.synthesis.tumor & free).sum())
        np.testing.assert_array_equal(made.labels == LABELS[organ] + 1, made.synthesis.tumor)
    assert left > 20


@pytest.mark.parametrize("method", METHODS)
def test_without_exophytic_nothing_outside_the_organ_changes(method, phantom):
    made = of.synthesize(phantom, "kidney", method, seed=1, **SETTINGS[method])
    outside = ~phantom.parenchyma("kidney")
    assert made.image[outside].tobytes() == phantom.image[outside].tobytes()
    assert not (made.synthesis.tumor & outside).any()
    assert not made.synthesis.recipe.exophytic


@pytest.mark.parametrize("method", METHODS)
def test_bulging_lesions_are_repeated_and_replayed(method, phantom):
    a, b = (
        of.synthesize(phantom, "kidney", method, seed=3, exophytic=True, **SETTINGS[method])
        for _ in range(2)
    )
    again = of.replay(phantom, "kidney", a.synthesis.recipe.to_dict())
    assert a.image.tobytes() == b.image.tobytes() == again.image.tobytes()
    assert a.labels.tobytes() == b.labels.tobytes() == again.labels.tobytes()


def test_a_recipe_that_bulges_needs_its_room(phantom):
    made = of.synthesize(phantom, "kidney", size="large", exophytic=True)
    synth = of.Handcrafted(size="large")
    organ = phantom.parenchyma("kidney")
    with pytest.raises(InputError, match="room"):
        synth.apply(phantom.image, organ, phantom.spacing, made.synthesis.recipe)
    wrong = np.zeros((3, 3, 3), bool)
    with pytest.raises(InputError, match="room"):
        synth(phantom.image, organ, phantom.spacing, np.random.default_rng(0), room=wrong)


def test_records_from_before_there_was_room_still_replay(phantom):
    made = of.synthesize(phantom, "kidney", size="small", seed=2)
    old = made.synthesis.recipe.to_dict()
    for key in ("masks", "appearance", "exophytic"):
        del old[key]
    again = of.replay(phantom, "kidney", old)
    assert again.image.tobytes() == made.image.tobytes()
