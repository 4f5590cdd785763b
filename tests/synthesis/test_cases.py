"""Synthesis on cases: organs by name, positions in world mm, labels kept right."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

import oncoforge as of
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.synthesis.cases import METHODS, find_method, make_synthesizer
from oncoforge.synthesis.handcrafted import PRESETS as HANDCRAFTED

SHAPE = (48, 44, 40)


@pytest.fixture(scope="module")
def phantom() -> of.Case:
    return of.make_phantom(spacing_mm=(5, 5, 5)).case()


def _body(affine: np.ndarray) -> of.Case:
    """A liver of 30 voxels a side, with a kidney, in air."""
    rng = np.random.default_rng(0)
    image = np.full(SHAPE, -1000, np.float32)
    labels = np.zeros(SHAPE, np.uint8)
    labels[5:35, 6:36, 5:35] = 1
    labels[37:45, 10:30, 10:30] = 5
    image[labels > 0] = 100 + 12 * rng.standard_normal(np.count_nonzero(labels))
    return of.Case.from_arrays(image, labels, affine)


def _affine(*turns: tuple[str, float], flip: tuple[float, ...] = (1, 1, 1)) -> np.ndarray:
    """Voxels of 1.5 x 1 x 2.5 mm, turned about axes by degrees."""
    linear = np.diag([1.5, 1.0, 2.5]) * flip
    for axis, degrees in turns:
        i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = c
        turn[i, j], turn[j, i] = -s, s
        linear = turn @ linear
    affine = np.eye(4)
    affine[:3, :3] = linear
    affine[:3, 3] = (-31, 17, 240)
    return affine


AFFINES = {
    "upright": _affine(),
    "flipped": _affine(flip=(-1, -1, 1)),
    "oblique": _affine(("x", 20), ("z", -25)),
    "sagittal": _affine(("y", 90), ("x", 10), flip=(1, -1, 1)),
}


@pytest.fixture(scope="module", params=list(AFFINES))
def case(request) -> of.Case:
    return _body(AFFINES[request.param])


def _inner(case: of.Case) -> np.ndarray:
    """Voxels well inside the liver."""
    return np.argwhere(ndimage.binary_erosion(case.labels == 1, iterations=8))


def test_result_is_the_case_with_tumours(case):
    out = of.synthesize(case, size="small", seed=1)
    tumor = out.synthesis.tumor
    assert tumor.any()
    np.testing.assert_array_equal(out.labels, np.where(tumor, 2, case.labels))
    np.testing.assert_array_equal(out.tumor("liver"), tumor)
    assert (case.labels[tumor] == 1).all()
    outside = case.labels != 1
    np.testing.assert_array_equal(out.image[outside], case.image[outside])
    assert (out.image[tumor] != case.image[tumor]).mean() > 0.9
    np.testing.assert_array_equal(out.affine, case.affine)


def test_input_stays_as_it_is_unless_told(case):
    image, labels = case.image.copy(), case.labels.copy()
    out = of.synthesize(case, size="small", seed=1)
    np.testing.assert_array_equal(case.image, image)
    np.testing.assert_array_equal(case.labels, labels)
    assert not np.shares_memory(out.image, case.image)
    assert not np.shares_memory(out.labels, case.labels)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("preset", [None, "realistic"])
def test_in_place_gives_the_same_bytes(phantom, method, preset):
    copy = of.Case(phantom.image.copy(), phantom.labels.copy(), phantom.affine, phantom.source)
    apart = of.synthesize(phantom, method=method, seed=3, preset=preset)
    inside = of.synthesize(copy, method=method, seed=3, preset=preset, in_place=True)
    assert inside.image is copy.image
    assert inside.labels is copy.labels
    assert inside.image.tobytes() == apart.image.tobytes()
    assert inside.labels.tobytes() == apart.labels.tobytes()
    assert inside.table() == apart.table()


@pytest.mark.parametrize("method", METHODS)
def test_positions_are_in_world_mm(case, method):
    inner = _inner(case)
    for voxel in (inner[0], inner[len(inner) // 2], inner[-1]):
        at = case.to_world(voxel)
        # A cluster of seeds lies about its first.
        alone = {"clustered": 0.0} if method == "cellular" else {}
        seed = int(voxel[0])
        out = of.synthesize(
            case, method=method, at=[tuple(at)], count=1, diameter_mm=12, seed=seed, **alone
        )
        (row,) = out.table()
        # Deformation moves the centroid, by much less than the radius as a rule.
        assert np.linalg.norm(row["centre_ras_mm"] - at) < 0.4 * 12
        centre = np.argwhere(out.tumor("liver")).mean(axis=0)
        np.testing.assert_allclose(row["centre_ras_mm"], case.to_world(centre), atol=1e-6)
        np.testing.assert_allclose(row["centre_voxel"], centre, atol=1e-6)
        volume = out.tumor("liver").sum() * np.prod(case.spacing)
        assert row["volume_mm3"] == pytest.approx(volume)
        assert row["diameter_mm"] == pytest.approx(12, rel=0.15)


def test_positions_come_first_and_others_follow(case):
    at = tuple(case.to_world(_inner(case)[0]))
    rows = of.synthesize(case, at=[at], count=4, diameter_mm=6).table()
    assert len(rows) >= 2
    assert np.linalg.norm(np.subtract(rows[0]["centre_ras_mm"], at)) < 0.4 * 6


def test_position_outside_is_told_its_nearest_voxel(case):
    voxels = np.argwhere(case.labels == 1)
    liver = case.to_world(voxels)
    for asked in (liver.max(axis=0) + 9, liver.min(axis=0) - (0, 0, 20)):
        with pytest.raises(InputError, match="is not in the liver") as mistake:
            of.synthesize(case, at=[tuple(asked)])
        found = re.search(
            r"(\d+) mm away at (-?[\d.]+),(-?[\d.]+),(-?[\d.]+)\.$", str(mistake.value)
        )
        away, *nearest = np.array(found.groups(), float)
        distance = np.linalg.norm(liver - asked, axis=1)
        assert away == pytest.approx(distance.min(), abs=0.5)
        assert np.linalg.norm(nearest - asked) == pytest.approx(distance.min(), abs=0.1)
        assert np.linalg.norm(liver - nearest, axis=1).min() < 0.1


@pytest.mark.parametrize("beyond", [(1e5, 0, 0), (-1e5, -1e5, -1e5), (1e300, 0, 0)])
def test_position_far_away_is_refused(case, beyond):
    with pytest.raises(InputError, match="is not in the liver"):
        of.synthesize(case, at=[beyond])


@pytest.mark.parametrize("bad", [(np.nan, 0, 0), (np.inf, 0, 0)])
def test_position_that_is_no_place_is_refused(case, bad):
    with pytest.raises(InputError):
        of.synthesize(case, at=[bad])


def test_seed_decides(phantom):
    one, two = (of.synthesize(phantom, seed=7, size="small") for _ in range(2))
    other = of.synthesize(phantom, seed=8, size="small")
    assert one.image.tobytes() == two.image.tobytes()
    assert one.labels.tobytes() == two.labels.tobytes()
    assert one.labels.tobytes() != other.labels.tobytes()


@pytest.mark.parametrize(
    ("organ", "preset"),
    [
        ("liver", "published"),
        ("liver", "realistic"),
        ("lung", "realistic"),
        ("kidney", "published"),
        ("liver", "liver"),
        ("spleen", "adaptive"),
        ("lung", "adaptive"),
    ],
)
def test_replay_is_the_original(phantom, organ, preset):
    method = "handcrafted" if preset in HANDCRAFTED else "cellular"
    made = of.synthesize(phantom, organ, method, seed=5, preset=preset)
    plain = json.loads(json.dumps(made.synthesis.recipe.to_dict()))
    for recipe in (made.synthesis.recipe, plain):
        again = of.replay(phantom, organ, recipe)
        assert again.image.tobytes() == made.image.tobytes()
        assert again.labels.tobytes() == made.labels.tobytes()
        assert again.table() == made.table()
    copy = of.Case(phantom.image.copy(), phantom.labels.copy(), phantom.affine, phantom.source)
    assert of.replay(copy, organ, plain, in_place=True).image.tobytes() == made.image.tobytes()


def test_replay_of_what_is_no_recipe_is_refused(phantom):
    made = of.synthesize(phantom, seed=5, size="small").synthesis.recipe.to_dict()
    with pytest.raises(UnknownNameError, match="magic"):
        of.replay(phantom, "liver", {**made, "method": "magic"})
    with pytest.raises(InputError, match="recipe"):
        of.replay(phantom, "liver", {"method": "handcrafted"})


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("preset", [None, "realistic"])
def test_lesions_of_the_lung_are_denser_than_the_lung(phantom, method, preset):
    out = of.synthesize(phantom, "lung", method, "medium", seed=1, preset=preset)
    lung = phantom.image[phantom.organ("lung")].mean()
    assert lung < -600
    assert out.table()
    for row in out.table():
        assert row["mean_hu"] > lung + 300
        assert row["contrast_hu"] is None or row["contrast_hu"] > 100


@pytest.mark.parametrize("organ", ["aorta", "inferior_vena_cava", "muscle", "body"])
def test_structures_without_tumours_are_refused(phantom, organ):
    with pytest.raises(InputError, match="liver"):
        of.synthesize(phantom, organ)
    recipe = of.synthesize(phantom, seed=5, size="tiny").synthesis.recipe
    with pytest.raises(InputError):
        of.replay(phantom, organ, recipe)


def test_absent_organ_is_refused_with_those_that_are_there(case):
    with pytest.raises(InputError, match="it has liver, kidney"):
        of.synthesize(case, "spleen")


def test_names_that_do_not_exist_are_refused_with_the_nearest(case):
    for options, nearest in (
        ({"organ": "livr"}, "liver"),
        ({"method": "handcraft"}, "handcrafted"),
        ({"size": "smal"}, "small"),
        ({"diameter": 3}, "diameter_mm"),
        ({"preset": "realistc"}, "realistic"),
    ):
        with pytest.raises(UnknownNameError, match=f"did you mean '{nearest}'"):
            of.synthesize(case, **options)


def test_every_method_is_built_by_its_name():
    for name, method in METHODS.items():
        assert method().method == name
        assert find_method(name) is method
        assert make_synthesizer(name, "liver").method == name
    with pytest.raises(UnknownNameError, match="did you mean 'cellular'"):
        find_method("celular")


@pytest.mark.parametrize(
    ("method", "organ", "preset"),
    [
        ("handcrafted", "liver", "published"),
        ("handcrafted", "spleen", "published"),
        ("cellular", "liver", "liver"),
        ("cellular", "Kidneys", "kidney"),
        ("cellular", "pancreas", "pancreas"),
        ("cellular", "spleen", "adaptive"),
    ],
)
def test_the_preset_suits_the_organ_unless_one_is_chosen(method, organ, preset):
    assert make_synthesizer(method, organ).parameters["preset"] == preset
    assert make_synthesizer(method, organ, preset="realistic").parameters["preset"] == "realistic"


def test_size_is_the_methods_own_choice_unless_one_is_chosen():
    assert make_synthesizer("handcrafted", "liver").parameters["size"] == "mix"
    assert make_synthesizer("cellular", "liver").parameters["size"] is None
    for method in METHODS:
        assert make_synthesizer(method, "liver", "small").parameters["size"] == "small"


def test_a_device_is_for_methods_that_can_use_one(phantom):
    with pytest.raises(InputError, match="handcrafted works on the CPU"):
        of.synthesize(phantom, device="cuda")
    recipe = of.synthesize(phantom, size="tiny").synthesis.recipe
    with pytest.raises(InputError, match="handcrafted works on the CPU"):
        of.replay(phantom, "liver", recipe, device="cuda")


def test_a_device_gives_the_same_case_and_a_replay_of_it_too(phantom):
    pytest.importorskip("torch")
    settings = {"method": "cellular", "diameter_mm": 15.0, "count": 3, "seed": 2}
    here, there = (of.synthesize(phantom, device=d, **settings) for d in ("cpu", "cpu:0"))
    again = of.replay(phantom, "liver", here.synthesis.recipe, device="cpu:0")
    for other in (there, again):
        assert other.image.tobytes() == here.image.tobytes()
        assert other.labels.tobytes() == here.labels.tobytes()
        assert other.table() == here.table()
    assert there.synthesis.recipe == here.synthesis.recipe


def test_tumours_that_are_there_already_are_left_alone(case):
    labels = case.labels.copy()
    labels[12:30, 12:30, 18] = 2
    labels[38:40, 12:16, 12:16] = 6
    sick = case.replace(labels=labels)
    out = of.synthesize(sick, size="medium", seed=2)
    old = (labels == 2) | (labels == 6)
    np.testing.assert_array_equal(out.image[old], case.image[old])
    np.testing.assert_array_equal(out.labels[old], labels[old])
    assert not (out.synthesis.tumor & old).any()
    assert out.synthesis.tumor.any()


@pytest.mark.parametrize("method", METHODS)
def test_table_is_plain_data(case, method):
    rows = of.synthesize(case, method=method, size="tiny").table()
    assert rows
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def test_the_table_says_how_lesions_grew_if_they_did(case):
    grown = of.synthesize(case, method="cellular", size="small", seed=1)
    for row, lesion in zip(grown.table(), grown.synthesis.lesions, strict=True):
        assert row["growth"] == lesion.growth.rows()
        assert row["necrotic_fraction"] == lesion.growth.necrotic_fraction
        plan = grown.synthesis.recipe.lesions[row["plan"]]
        assert len(row["growth"]) <= plan.mask["steps"] + 1
        assert row["kind"] == plan.kind
    for row in of.synthesize(case, size="small").table():
        assert not {"growth", "necrotic_fraction"} & set(row)


@pytest.mark.parametrize("method", METHODS)
def test_ids_have_no_gap_and_plans_say_which_lesion_of_the_recipe_each_is(case, method):
    inner = [tuple(case.to_world(v)) for v in _inner(case)[[0, -1]]]
    made = of.synthesize(case, method=method, at=inner, diameter_mm=8).synthesis
    plain = json.loads(json.dumps(made.recipe.to_dict()))
    stray = json.loads(json.dumps(plain["lesions"][0]))
    far = [-900.0, 0.0, 0.0]
    stray["mask"] |= {"centre_mm": far} if method == "handcrafted" else {"cores_mm": [far]}
    plain["lesions"].insert(1, stray)
    again = of.replay(case, "liver", plain)
    assert [(row["id"], row["plan"]) for row in again.table()] == [(1, 0), (2, 2)]
    assert len(again.synthesis.skipped) == 1
    assert again.image.tobytes() == of.replay(case, "liver", made.recipe).image.tobytes()


def test_lesion_that_takes_all_of_the_organ_has_no_contrast(case):
    labels = np.zeros_like(case.labels)
    labels[20:22, 20:22, 20:22] = 1
    small = case.replace(labels=labels)
    out = of.synthesize(small, at=[tuple(case.to_world((20, 20, 20)))], diameter_mm=30, count=1)
    (row,) = out.table()
    assert (row["voxels"], row["contrast_hu"]) == (8, None)
    json.dumps(row, allow_nan=False)


def test_tumours_of_the_result_can_be_written_and_read(case, tmp_path: Path):
    out = of.synthesize(case, "kidney", size="tiny", seed=1)
    of.write_labels(tmp_path / "label.nii.gz", out.labels, out)
    stored = nib.load(tmp_path / "label.nii.gz")
    np.testing.assert_allclose(stored.affine, case.source.grid.affine, atol=1e-4)
    assert (np.asarray(stored.dataobj) == 6).sum() == out.synthesis.tumor.sum()
