"""What every synthesizer promises, whatever the organ: shown with the hand-crafted one."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from oncoforge.errors import InputError, OncoforgeError
from oncoforge.synthesis.base import Recipe
from oncoforge.synthesis.handcrafted import PRESETS, Handcrafted
from oncoforge.synthesis.masks.sizes import SIZE_NAMES

ORGANS = ("blob", "plate", "rod", "voxel", "empty", "everything", "dust", "two", "shell", "box")


def make_organ(kind, shape, seed):
    """An organ that somebody will have, however unwise."""
    rng = np.random.default_rng(seed)
    organ = np.zeros(shape, bool)
    point = tuple(int(rng.integers(n)) for n in shape)
    axis = int(rng.integers(3))
    if kind in ("blob", "shell"):
        field = ndimage.gaussian_filter(rng.normal(size=shape), rng.uniform(1, 4))
        organ = field > np.quantile(field, rng.uniform(0.1, 0.95))
        if kind == "shell":
            organ &= ~ndimage.binary_erosion(organ)
    elif kind == "plate":
        organ[(slice(None),) * axis + (point[axis],)] = True
    elif kind == "rod":
        organ[(*point[:axis], slice(None), *point[axis + 1 :])] = True
    elif kind == "voxel":
        organ[point] = True
    elif kind == "everything":
        organ[:] = True
    elif kind == "dust":
        organ = rng.random(shape) < 0.02
    elif kind == "two":
        organ[: shape[0] // 3] = True
        organ[2 * shape[0] // 3 :, : shape[1] // 2] = True
    elif kind == "box":
        organ[1:-1, 2:-2, 1:-2] = True
    return organ


@st.composite
def scans(draw):
    shape = draw(st.tuples(*[st.integers(1, 40)] * 3))
    organ = make_organ(draw(st.sampled_from(ORGANS)), shape, draw(st.integers(0, 2**31)))
    step = st.floats(0.5, 6.0)
    spacing = draw(st.one_of(st.just((1.0, 1.0, 1.0)), st.tuples(step, step, step)))
    noise = np.random.default_rng(draw(st.integers(0, 99))).normal(100, 20, shape)
    image = np.where(organ, noise, noise - 600).astype(np.float32)
    return image, organ, spacing


def ranges(low, high):
    """Ranges (a, b) within [low, high]."""
    return st.tuples(st.floats(low, high), st.floats(low, high)).map(lambda r: tuple(sorted(r)))


SYNTHESIZERS = st.builds(
    lambda size, preset, changes: Handcrafted(size, preset=preset, **changes),
    st.sampled_from(SIZE_NAMES),
    st.sampled_from(list(PRESETS)),
    st.fixed_dictionaries(
        {},
        optional={
            "count": st.integers(1, 6),
            "diameter_mm": st.floats(0.5, 40),
            "units": st.sampled_from(["mm", "vox"]),
            "rotate": st.booleans(),
            "elastic": st.sampled_from(["none", "planes", "volume"]),
            "place": st.sampled_from(["band", "inside"]),
            "margin": st.floats(0, 2),
            "avoid_vessels": st.booleans(),
            "min_distance_mm": st.one_of(st.none(), st.floats(0, 20)),
            "min_inside": st.floats(0, 1),
            "contrast_hu": ranges(-300, 300),
            "edge_mm": ranges(0, 4),
            "per_lesion": st.booleans(),
            "hyperdense": st.floats(0, 1),
            "rim": st.sampled_from([0.0, 0.5, 1.0]),
            "core": st.sampled_from([0.0, 0.5, 1.0]),
            "core_part": ranges(0.0, 0.95),
            "fill_hu": st.one_of(st.none(), ranges(-100, 100)),
            "mass_effect": st.one_of(st.none(), ranges(0, 0.5)),
        },
    ),
)


@settings(max_examples=250, deadline=None)
@given(scan=scans(), synth=SYNTHESIZERS, seed=st.integers(0, 2**32))
def test_any_organ_is_served_and_nothing_outside_it_is_touched(scan, synth, seed):
    image, organ, spacing = scan
    before = image.copy()
    out = synth(image, organ, spacing, np.random.default_rng(seed))

    assert image.tobytes() == before.tobytes()
    assert out.image.dtype == np.float32
    assert out.image.shape == out.tumor.shape == image.shape
    assert out.image[~organ].tobytes() == image[~organ].tobytes()
    assert np.isfinite(out.image).all()

    instances = out.instances()
    assert not (out.tumor & ~organ).any()
    np.testing.assert_array_equal(out.tumor, instances > 0)
    assert [lesion.id for lesion in out.lesions] == list(range(1, len(out.lesions) + 1))
    np.testing.assert_array_equal(np.unique(instances[instances > 0]), [x.id for x in out.lesions])

    # Every lesion that was asked for is either there or excused.
    unplanned = len(out.recipe.skipped)
    assert len(out.lesions) + len(out.skipped) == len(out.recipe.lesions) + unplanned
    if not organ.any():
        assert out.lesions == ()
        assert out.skipped


@settings(max_examples=60, deadline=None)
@given(scan=scans(), synth=SYNTHESIZERS, seed=st.integers(0, 2**32))
def test_draw_then_apply_is_the_call_and_json_keeps_every_byte(scan, synth, seed):
    called = synth(*scan, np.random.default_rng(seed))
    drawn = synth.draw(*scan, np.random.default_rng(seed))
    assert drawn == called.recipe
    plain = json.loads(json.dumps(drawn.to_dict()))
    for recipe in (drawn, Recipe.from_dict(plain), plain):
        applied = synth.apply(*scan, recipe)
        assert fingerprint(applied) == fingerprint(called)


def fingerprint(out) -> str:
    """Image, instances and the table of lesions, all bytes of them."""
    digest = hashlib.sha256(np.ascontiguousarray(out.image).tobytes())
    digest.update(np.ascontiguousarray(out.instances()).tobytes())
    digest.update(np.ascontiguousarray(out.tumor).tobytes())
    digest.update(repr(out.lesions).encode())
    return digest.hexdigest()


@pytest.mark.parametrize("preset", PRESETS)
def test_lesions_are_measured_as_numpy_measures_them(thick_scan, preset):
    image, organ, spacing = thick_scan
    rng = np.random.default_rng(3)
    out = Handcrafted("mix", preset=preset)(image, organ, spacing, rng)
    instances = out.instances()
    assert len(out.lesions) > 5
    for lesion in out.lesions:
        mine = instances == lesion.id
        volume = mine.sum() * np.prod(spacing)
        assert lesion.voxels == mine.sum()
        assert lesion.volume_mm3 == pytest.approx(volume)
        assert lesion.diameter_mm == pytest.approx((6 * volume / np.pi) ** (1 / 3))
        assert lesion.mean_hu == pytest.approx(out.image[mine].mean(dtype=float), abs=1e-3)
        centre = np.argwhere(mine).mean(axis=0) * spacing
        np.testing.assert_allclose(lesion.centre_mm, centre, atol=1e-6)


def test_contrast_is_against_the_organ_around_the_lesion_without_other_lesions(thick_scan):
    image, organ, spacing = thick_scan
    out = Handcrafted("small")(image, organ, spacing, np.random.default_rng(4))
    instances = out.instances()
    pad = np.ceil(5 / np.array(spacing)).astype(int)
    for lesion in out.lesions:
        mine = instances == lesion.id
        at = np.argwhere(mine)
        low = np.maximum(at.min(axis=0) - pad, 0)
        box = tuple(slice(a, b + 1) for a, b in zip(low, at.max(axis=0) + pad, strict=True))
        around = organ[box] & (instances[box] == 0)
        expected = out.image[mine].mean(dtype=float) - out.image[box][around].mean(dtype=float)
        assert lesion.contrast_hu == pytest.approx(expected, abs=1e-3)


def test_contrast_is_not_a_number_where_nothing_of_the_organ_is_left():
    organ = np.zeros((9, 9, 9), bool)
    organ[4, 4, 4] = True
    image = np.full(organ.shape, 100, np.float32)
    synth = Handcrafted("tiny", count=1, at_mm=((4, 4, 4),), elastic="none")
    (lesion,) = synth(image, organ, (1, 1, 1), np.random.default_rng(0)).lesions
    assert lesion.voxels == 1
    assert np.isnan(lesion.contrast_hu)


def layouts(array):
    """One array in several memory layouts and types that hold the same values."""
    wide = np.zeros([2 * n for n in array.shape], array.dtype)
    wide[::2, ::2, ::2] = array
    return {
        "C": np.ascontiguousarray(array),
        "Fortran": np.asfortranarray(array),
        "strided": wide[::2, ::2, ::2],
        "reversed": array[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
    }


@pytest.mark.parametrize("preset", PRESETS)
def test_same_seed_gives_same_bytes_in_any_memory_layout(thick_scan, preset):
    image, organ, spacing = thick_scan
    synth = Handcrafted("mix", preset=preset)
    organs = layouts(organ)
    prints = {
        fingerprint(synth(one, organs[name], spacing, np.random.default_rng(5)))
        for name, one in layouts(image).items()
    }
    prints.add(fingerprint(synth(image, organs["Fortran"], spacing, np.random.default_rng(5))))
    assert len(prints) == 1


@pytest.mark.parametrize("preset", PRESETS)
def test_same_seed_gives_same_bytes_for_any_type_that_holds_the_values(thick_scan, preset):
    image, organ, spacing = thick_scan
    image = np.rint(image)
    synth = Handcrafted("mix", preset=preset)
    prints = {
        fingerprint(synth(image.astype(kind), mask, spacing, np.random.default_rng(5)))
        for kind in (np.float32, np.float64, np.int16, np.int32, ">f4")
        for mask in (organ, organ.astype(np.uint8), organ.astype(np.int32))
    }
    assert len(prints) == 1


def test_a_draw_from_integers_is_the_draw_of_a_call(scan):
    image = with_tubes(scan).astype(np.int16)
    synth = Handcrafted("medium", preset="realistic")
    for seed in range(30):
        drawn = synth.draw(image, scan.organ, scan.spacing, np.random.default_rng(seed))
        called = synth(image, scan.organ, scan.spacing, np.random.default_rng(seed))
        assert drawn == called.recipe


def with_tubes(scan):
    """The scan with bright tubes along z in its organ."""
    image = scan.image.copy()
    for x, y in np.random.default_rng(0).integers(10, 80, (40, 2)):
        image[x : x + 3, y : y + 3] += 60
    return np.where(scan.organ, image, scan.image)


@pytest.mark.parametrize("preset", PRESETS)
def test_in_place_and_into_another_array_give_what_a_copy_gives(scan, preset):
    image, organ, spacing = scan
    synth = Handcrafted("mix", preset=preset)
    copied = synth(image, organ, spacing, np.random.default_rng(6))
    for order in "CF":
        mine = image.copy(order=order)
        inside = synth(mine, organ, spacing, np.random.default_rng(6), out=mine)
        assert inside.image is mine
        assert fingerprint(inside) == fingerprint(copied)
        other = np.full(image.shape, np.float32(-7), order=order)
        assert synth.apply(image, organ, spacing, copied.recipe, out=other).image is other
        assert other.tobytes("C") == copied.image.tobytes("C")


def test_different_seeds_give_different_scans(scan):
    synth = Handcrafted("small")
    prints = {fingerprint(synth(*scan, np.random.default_rng(seed))) for seed in range(12)}
    assert len(prints) == 12


ELSEWHERE = """
import hashlib
import numpy as np
from oncoforge.synthesis.handcrafted import Handcrafted
rng = np.random.default_rng(1)
organ = np.zeros((50, 48, 40), bool)
organ[4:46, 4:44, 4:36] = True
image = rng.normal(100, 20, organ.shape).astype(np.float32)
out = Handcrafted("mix", preset="realistic")(image, organ, (1, 1, 1.5), np.random.default_rng(2))
print(hashlib.sha256(out.image.tobytes() + out.instances().tobytes()).hexdigest())
"""


def test_same_seed_gives_same_bytes_in_another_process():
    here: list[str] = []
    exec(ELSEWHERE, {"print": here.append})
    run = [sys.executable, "-c", ELSEWHERE]
    there = subprocess.run(run, capture_output=True, text=True, check=True)
    assert there.stdout.split() == here


@pytest.mark.parametrize("drawn_by", [{}, {"rotate": True, "elastic": "volume"}, {"rim": 1.0}])
def test_a_recipe_is_replayed_alike_by_any_configuration(scan, drawn_by):
    drawn = Handcrafted("small", **drawn_by)(*scan, np.random.default_rng(8))
    others = (
        Handcrafted(),
        Handcrafted("tiny", elastic="none", mass_effect=(0.5, 0.6)),
        Handcrafted("large", per_lesion=True, fill_hu=(0, 1), count=1, units="vox"),
    )
    for other in others:
        assert fingerprint(other.apply(*scan, drawn.recipe)) == fingerprint(drawn)


def test_a_realistic_recipe_is_replayed_alike_by_the_published_preset(scan):
    realistic = Handcrafted("mix", preset="realistic")
    for seed in range(10):
        drawn = realistic(*scan, np.random.default_rng(seed))
        assert fingerprint(Handcrafted().apply(*scan, drawn.recipe)) == fingerprint(drawn)


def test_a_recipe_of_another_method_is_refused(scan):
    recipe = Recipe("diffusion", {}, ())
    with pytest.raises(InputError, match=r"'diffusion'.*'handcrafted'"):
        Handcrafted().apply(*scan, recipe)


def test_other_contrasts_and_effects_leave_the_shapes_of_a_seed_as_they_are(scan):
    def shapes(**changes):
        synth = Handcrafted("small", **changes)
        return [x.mask for x in synth.draw(*scan, np.random.default_rng(9)).lesions]

    plain = shapes()
    assert shapes(contrast_hu=(-20, -10)) == plain
    assert shapes(per_lesion=True, rim=1.0, core=0.5, hyperdense=0.3) == plain
    assert shapes(mass_effect=(0.1, 0.4)) == plain


def test_part_of_an_organ_holds_part_of_its_lesions_but_at_least_one(small_scan):
    synth = Handcrafted("mix")
    rng = np.random.default_rng(0)
    counts = {
        share: [len(synth.draw(*small_scan, rng, share=share).lesions) for _ in range(100)]
        for share in (1.0, 0.5, 0.01)
    }
    assert np.mean(counts[0.5]) == pytest.approx(0.5 * np.mean(counts[1.0]), rel=0.1)
    assert min(counts[0.01]) == 1
    assert np.mean(counts[0.01]) < 1.5


def test_draw_changes_nothing(scan):
    image, organ = scan.image.copy(), scan.organ.copy()
    Handcrafted("mix", preset="realistic").draw(
        image, organ, scan.spacing, np.random.default_rng(0)
    )
    assert image.tobytes() == scan.image.tobytes()
    assert organ.tobytes() == scan.organ.tobytes()


def test_lesions_do_not_share_voxels_and_touch_only_their_reach(scan):
    image, organ, spacing = scan
    out = Handcrafted("small")(image, organ, spacing, np.random.default_rng(1))
    edge = max(plan.appearance["edge_mm"] for plan in out.recipe.lesions)
    far = ndimage.distance_transform_edt(~out.tumor) > np.sqrt(3) * (4 * edge + 1)
    assert far.sum() > 1000
    assert out.image[far].tobytes() == image[far].tobytes()
    assert sum(lesion.voxels for lesion in out.lesions) == out.tumor.sum()


@pytest.mark.parametrize("axes", [2, 4])
def test_an_image_that_is_not_a_volume_is_refused(axes):
    image = np.zeros((4,) * axes, np.float32)
    with pytest.raises(InputError, match=f"{axes} axes"):
        Handcrafted()(image, image > 0, (1, 1, 1), np.random.default_rng(0))


def test_a_mask_of_another_shape_is_refused(scan):
    with pytest.raises(InputError, match="one grid"):
        Handcrafted()(scan.image, scan.organ[1:], scan.spacing, np.random.default_rng(0))


@pytest.mark.parametrize(
    "spacing",
    [(1, 1, 0), (1, -1, 1), (1, 1, np.nan), (np.inf, 1, 1), (1, 1), (1, 1, 1, 1), 1.0, ()],
)
def test_a_spacing_that_is_not_three_positive_sizes_is_refused(scan, spacing):
    for act in (Handcrafted().draw, Handcrafted()):
        with pytest.raises(InputError, match="three positive sizes"):
            act(scan.image, scan.organ, spacing, np.random.default_rng(0))


def test_an_image_that_is_not_in_hu_is_refused_and_left_alone(scan):
    image = np.clip(scan.image / 400, 0, 1)
    before = image.copy()
    with pytest.raises(InputError, match="not HU"):
        Handcrafted()(image, scan.organ, scan.spacing, np.random.default_rng(0), out=image)
    assert image.tobytes() == before.tobytes()


@pytest.mark.parametrize(
    "out", [np.zeros((3, 3, 3), np.float32), np.zeros((100, 90, 84)), np.zeros((100, 90, 84), "i2")]
)
def test_an_output_of_another_shape_or_type_is_refused(scan, out):
    with pytest.raises(InputError, match="float32"):
        Handcrafted()(*scan, np.random.default_rng(0), out=out)


def test_an_empty_organ_gives_no_lesion_and_the_reason(scan):
    organ = np.zeros_like(scan.organ)
    out = Handcrafted()(scan.image, organ, scan.spacing, np.random.default_rng(0))
    assert out.lesions == ()
    assert not out.tumor.any()
    assert not out.instances().any()
    assert out.image.tobytes() == scan.image.tobytes()
    assert "empty" in out.skipped[0]


def test_a_recipe_that_lies_outside_the_organ_gives_no_lesion_and_the_reason(scan):
    synth = Handcrafted("tiny", at_mm=((-50.0, 3.0, 900.0),))
    out = synth(*scan, np.random.default_rng(0))
    assert out.lesions == ()
    assert re.search("in(side)? the organ", out.skipped[0])


def test_a_synthesizer_travels_to_another_process(scan):
    synth = Handcrafted("small", preset="realistic", count=3)
    copy = pickle.loads(pickle.dumps(synth))
    expected = fingerprint(synth(*scan, np.random.default_rng(1)))
    assert fingerprint(copy(*scan, np.random.default_rng(1))) == expected


def test_a_small_watery_organ_is_served_if_its_user_insists():
    organ = np.zeros((9, 9, 9), bool)
    organ[2:6, 2:6, 2:6] = True
    image = np.full(organ.shape, 5, np.float32)
    synth, at_once = Handcrafted("tiny", count=1), np.random.default_rng
    with pytest.raises(InputError, match="not HU"):
        synth(image, organ, (1, 1, 1), at_once(0))
    out = synth(image, organ, (1, 1, 1), at_once(0), force=True)
    assert out.tumor[organ].any()
    assert (out.image[~organ] == 5).all()


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("mask", {"surprise": 1}),
        ("mask", {"elastic": "bad"}),
        ("mask", {"radii_mm": "abc"}),
        ("mask", {"radii_mm": [1, 2]}),
        ("mask", {"quaternion": [0, 0, 0, 0]}),
        ("mask", {"seed": -1}),
        ("mask", {"seed": None}),
        ("mask", {"sigma_mm": -1}),
        ("mask", {"centre_mm": [float("nan")] * 3}),
        ("appearance", {"surprise": 1}),
        ("appearance", {"texture": [3]}),
        ("appearance", {"texture": [3, -4]}),
        ("appearance", {"contrast_hu": "x"}),
        ("appearance", {"edge_mm": -1}),
        ("appearance", {"edge_mm": 1e6}),
        ("appearance", {"push": 0.1}),
    ],
)
def test_a_recipe_with_values_that_make_no_sense_is_refused(scan, part, change):
    synth = Handcrafted("tiny")
    plain = json.loads(json.dumps(synth.draw(*scan, np.random.default_rng(0)).to_dict()))
    plain["lesions"][0][part].update(change)
    with pytest.raises(OncoforgeError):
        synth.apply(*scan, plain)


PUSHED_TOO_FAR = """
import sys
import numpy as np
from oncoforge.errors import InputError
from oncoforge.synthesis.handcrafted import Handcrafted
organ = np.ones((40, 40, 40), bool)
image = np.random.default_rng(0).normal(100, 15, organ.shape)
synth = Handcrafted("tiny")
recipe = synth.draw(image, organ, (1, 1, 1), np.random.default_rng(0)).to_dict()
recipe["lesions"][0]["push"] = float(sys.argv[1])
try:
    synth.apply(image, organ, (1, 1, 1), recipe)
except InputError:
    print("refused")
"""


@pytest.mark.parametrize("push", ["5", "-50", "1e6", "nan"])
def test_a_recipe_cannot_make_the_push_read_beyond_the_image(push):
    run = [sys.executable, "-c", PUSHED_TOO_FAR, push]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.stdout.split() == ["refused"]
