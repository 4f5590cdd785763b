"""What every synthesizer promises, whatever its method, preset and organ."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from oncoforge.errors import InputError, OncoforgeError
from oncoforge.synthesis import cellular, handcrafted
from oncoforge.synthesis.base import Recipe
from oncoforge.synthesis.cases import METHODS
from oncoforge.synthesis.cellular import Cellular
from oncoforge.synthesis.handcrafted import Handcrafted
from oncoforge.synthesis.masks.sizes import SIZE_NAMES

PRESETS = {"handcrafted": handcrafted.PRESETS, "cellular": cellular.PRESETS}

every_method = pytest.mark.parametrize("method", METHODS)
every_preset = pytest.mark.parametrize(
    ("method", "preset"), [(method, preset) for method in METHODS for preset in PRESETS[method]]
)


def make(method, preset=None, **changes):
    """A synthesizer of lesions of several sizes, which is quick."""
    usual = {"handcrafted": {"size": "mix"}, "cellular": {"steps": (10, 60), "per_lesion": True}}
    if {"size", "diameter_mm"} & set(changes):
        del usual["cellular"]["steps"]
    kind = METHODS[method]
    return kind(preset=preset or kind.preset_for("liver"), **usual[method] | changes)


def test_every_method_has_its_presets_here():
    assert set(PRESETS) == set(METHODS)


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


HANDCRAFTED = st.builds(
    lambda size, preset, changes: Handcrafted(size, preset=preset, **changes),
    st.sampled_from(SIZE_NAMES),
    st.sampled_from(list(handcrafted.PRESETS)),
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


CELLULAR = st.builds(
    lambda until, preset, changes: Cellular(preset=preset, **until, **changes),
    st.one_of(
        st.fixed_dictionaries({"steps": st.integers(1, 40)}),
        st.fixed_dictionaries({"size": st.sampled_from(["tiny", "small"])}),
        st.fixed_dictionaries({"diameter_mm": st.floats(0.5, 25)}),
    ),
    st.sampled_from(list(cellular.PRESETS)),
    st.fixed_dictionaries(
        {},
        optional={
            "count": st.integers(1, 5),
            "clustered": st.floats(0, 1),
            "per_lesion": st.booleans(),
            "place": st.sampled_from(["anywhere", "band", "inside"]),
            "margin": st.floats(0, 2),
            "avoid_vessels": st.booleans(),
            "min_distance_mm": st.one_of(st.none(), st.floats(0, 20)),
            "necrosis": st.sampled_from([0.0, 0.5, 1.0]),
            "necrosis_steps": st.one_of(st.none(), st.integers(0, 30)),
            "levels_hu": st.one_of(
                st.none(), st.tuples(*[st.floats(60, 160)] * 3).map(lambda x: tuple(sorted(x)))
            ),
            "smooth_mm": st.sampled_from([0.0, 1.5, 4.0]),
            "acceptance": st.tuples(st.floats(0.2, 1), st.floats(0, 1), st.floats(0, 1)),
            "neighbours": st.sampled_from([27, 28]),
            "pitch_mm": st.sampled_from([1.0, 1.7, 3.0]),
            "contrast_hu": ranges(-300, 300),
            "necrosis_hu": ranges(-200, 100),
            "hyperdense": st.floats(0, 1),
            "rim": st.sampled_from([0.0, 0.5, 1.0]),
            "fill_hu": st.one_of(st.none(), ranges(-100, 100)),
            "floor_hu": st.one_of(st.none(), st.floats(-50, 80)),
            "vessel_keep": st.floats(0, 1),
            "bright_keep": st.floats(0, 1),
            "blur_mm": st.floats(0, 3),
            "fat_hu": st.one_of(st.none(), st.floats(-100, 100)),
            "mass_effect": st.one_of(st.none(), ranges(0, 0.5)),
        },
    ),
)

SYNTHESIZERS = {"handcrafted": HANDCRAFTED, "cellular": CELLULAR}


@every_method
@settings(max_examples=200, deadline=None)
@given(scan=scans(), data=st.data(), seed=st.integers(0, 2**32))
def test_any_organ_is_served_and_nothing_outside_it_is_touched(method, scan, data, seed):
    synth = data.draw(SYNTHESIZERS[method])
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
    assert [lesion.plan for lesion in out.lesions] == sorted({x.plan for x in out.lesions})
    for lesion in out.lesions:
        assert lesion.kind == out.recipe.lesions[lesion.plan].kind
        assert (lesion.growth is not None) == synth.grows
    if not organ.any():
        assert out.lesions == ()
        assert out.skipped


@every_method
@settings(max_examples=50, deadline=None)
@given(scan=scans(), data=st.data(), seed=st.integers(0, 2**32))
def test_draw_then_apply_is_the_call_and_json_keeps_every_byte(method, scan, data, seed):
    synth = data.draw(SYNTHESIZERS[method])
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


@every_preset
def test_lesions_are_measured_as_numpy_measures_them(thick_scan, method, preset):
    image, organ, spacing = thick_scan
    rng = np.random.default_rng(3)
    out = make(method, preset, count=7)(image, organ, spacing, rng)
    instances = out.instances()
    assert len(out.lesions) > 2
    for lesion in out.lesions:
        mine = instances == lesion.id
        volume = mine.sum() * np.prod(spacing)
        assert lesion.voxels == mine.sum()
        assert lesion.volume_mm3 == pytest.approx(volume)
        assert lesion.diameter_mm == pytest.approx((6 * volume / np.pi) ** (1 / 3))
        assert lesion.mean_hu == pytest.approx(out.image[mine].mean(dtype=float), abs=1e-3)
        centre = np.argwhere(mine).mean(axis=0) * spacing
        np.testing.assert_allclose(lesion.centre_mm, centre, atol=1e-6)


@every_method
def test_contrast_is_against_the_organ_around_the_lesion_without_other_lesions(thick_scan, method):
    image, organ, spacing = thick_scan
    out = make(method, size="small")(image, organ, spacing, np.random.default_rng(4))
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


@every_preset
def test_same_seed_gives_same_bytes_in_any_memory_layout(thick_scan, method, preset):
    image, organ, spacing = thick_scan
    synth = make(method, preset)
    organs = layouts(organ)
    prints = {
        fingerprint(synth(one, organs[name], spacing, np.random.default_rng(5)))
        for name, one in layouts(image).items()
    }
    prints.add(fingerprint(synth(image, organs["Fortran"], spacing, np.random.default_rng(5))))
    assert len(prints) == 1


@every_preset
def test_same_seed_gives_same_bytes_for_any_type_that_holds_the_values(thick_scan, method, preset):
    image, organ, spacing = thick_scan
    image = np.rint(image)
    synth = make(method, preset)
    prints = {
        fingerprint(synth(image.astype(kind), mask, spacing, np.random.default_rng(5)))
        for kind, mask in (
            (np.float32, organ),
            (np.float64, organ.astype(np.uint8)),
            (np.int16, organ.astype(np.int32)),
            (np.int32, organ),
            (">f4", organ.astype(np.uint8)),
            (np.float32, organ.astype(float)),
        )
    }
    assert len(prints) == 1


@every_method
def test_a_draw_from_integers_is_the_draw_of_a_call(scan, method):
    image = with_tubes(scan).astype(np.int16)
    synth = make(method, "realistic", size="medium")
    for seed in range(10):
        drawn = synth.draw(image, scan.organ, scan.spacing, np.random.default_rng(seed))
        called = synth(image, scan.organ, scan.spacing, np.random.default_rng(seed))
        assert drawn == called.recipe


def with_tubes(scan):
    """The scan with bright tubes along z in its organ."""
    image = scan.image.copy()
    for x, y in np.random.default_rng(0).integers(10, 80, (40, 2)):
        image[x : x + 3, y : y + 3] += 60
    return np.where(scan.organ, image, scan.image)


@every_preset
def test_in_place_and_into_another_array_give_what_a_copy_gives(scan, method, preset):
    image, organ, spacing = scan
    synth = make(method, preset)
    copied = synth(image, organ, spacing, np.random.default_rng(6))
    for order in "CF":
        mine = image.copy(order=order)
        inside = synth(mine, organ, spacing, np.random.default_rng(6), out=mine)
        assert inside.image is mine
        assert fingerprint(inside) == fingerprint(copied)
        other = np.full(image.shape, np.float32(-7), order=order)
        assert synth.apply(image, organ, spacing, copied.recipe, out=other).image is other
        assert other.tobytes("C") == copied.image.tobytes("C")


@every_method
def test_different_seeds_give_different_scans(scan, method):
    synth = make(method, size="small")
    prints = {fingerprint(synth(*scan, np.random.default_rng(seed))) for seed in range(12)}
    assert len(prints) == 12


ELSEWHERE = """
import hashlib
import numpy as np
from oncoforge.synthesis.cases import METHODS
rng = np.random.default_rng(1)
organ = np.zeros((50, 48, 40), bool)
organ[4:46, 4:44, 4:36] = True
image = rng.normal(100, 20, organ.shape).astype(np.float32)
for kind in METHODS.values():
    synth = kind("mix", preset="realistic")
    out = synth(image, organ, (1, 1, 1.5), np.random.default_rng(2))
    print(hashlib.sha256(out.image.tobytes() + out.instances().tobytes()).hexdigest())
"""


@pytest.mark.parametrize("threads", ["1", "2"])
def test_same_seed_gives_same_bytes_in_another_process(threads):
    here: list[str] = []
    exec(ELSEWHERE, {"print": here.append})
    run = [sys.executable, "-c", ELSEWHERE]
    environment = {**os.environ, "NUMBA_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
    there = subprocess.run(run, capture_output=True, text=True, check=True, env=environment)
    assert there.stdout.split() == here
    assert len(set(here)) == len(METHODS)


@every_method
def test_several_threads_at_once_give_what_one_gives(scan, method):
    synth = make(method, "realistic", size="small")

    def run(seed):
        return fingerprint(synth(*scan, np.random.default_rng(seed)))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(8))) == [run(seed) for seed in range(8)]


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


def test_a_grown_recipe_is_replayed_alike_by_any_configuration(scan):
    others = (
        Cellular(),
        Cellular(steps=3, levels_hu=(0.0, 1.0, 2.0), neighbours=28, pitch_mm=3.0),
        Cellular("large", preset="realistic", fill_hu=(0.0, 1.0), necrosis=1.0, foci=1),
    )
    for preset in cellular.PRESETS:
        drawn = make("cellular", preset)(*scan, np.random.default_rng(8))
        assert drawn.lesions
        for other in others:
            assert fingerprint(other.apply(*scan, drawn.recipe)) == fingerprint(drawn)


@every_method
def test_a_recipe_of_another_method_is_refused(scan, method):
    for other in {*METHODS, "diffusion"} - {method}:
        with pytest.raises(InputError, match=f"'{other}'.*'{method}'"):
            make(method).apply(*scan, Recipe(other, {}, ()))


@every_method
def test_other_contrasts_and_effects_leave_the_shapes_of_a_seed_as_they_are(scan, method):
    def shapes(**changes):
        synth = make(method, size="small", **changes)
        return [x.mask for x in synth.draw(*scan, np.random.default_rng(9)).lesions]

    plain = shapes()
    assert shapes(contrast_hu=(-20, -10)) == plain
    assert shapes(rim=1.0, hyperdense=0.3, fill_hu=(0.0, 9.0)) == plain
    assert shapes(mass_effect=(0.1, 0.4)) == plain
    more = {"handcrafted": {"per_lesion": True, "core": 0.5}, "cellular": {"vessel_keep": 0.1}}
    assert shapes(**more[method]) == plain


@pytest.mark.parametrize("sized", [True, False], ids=["by size", "by the method"])
@every_method
def test_part_of_an_organ_holds_part_of_its_lesions_but_at_least_one(small_scan, method, sized):
    synth = make(method, **{"size": "mix"} if sized else {})
    rng = np.random.default_rng(0)
    counts = {
        share: [len(synth.draw(*small_scan, rng, share=share).lesions) for _ in range(150)]
        for share in (1.0, 0.5, 0.01)
    }
    # Half of them, or one where that would be none: which matters to those that are few.
    least = np.mean([0.5 * n + 0.5**n for n in counts[1.0]])
    assert np.mean(counts[0.5]) == pytest.approx(least, rel=0.15)
    assert min(counts[0.01]) == 1
    assert np.mean(counts[0.01]) < 1.5


@every_method
def test_a_count_is_not_cut_down_by_the_part_that_is_in_view(small_scan, method):
    synth = make(method, count=5)
    recipe = synth.draw(*small_scan, np.random.default_rng(0), share=0.01)
    assert len(recipe.lesions) == 5


@every_preset
def test_draw_changes_nothing(scan, method, preset):
    image, organ = scan.image.copy(), scan.organ.copy()
    make(method, preset).draw(image, organ, scan.spacing, np.random.default_rng(0))
    assert image.tobytes() == scan.image.tobytes()
    assert organ.tobytes() == scan.organ.tobytes()


@every_method
def test_lesions_do_not_share_voxels_and_touch_only_their_reach(scan, method):
    image, organ, spacing = scan
    out = make(method, size="small")(image, organ, spacing, np.random.default_rng(1))
    edge = max(plan.appearance.get("edge_mm", 0) for plan in out.recipe.lesions)
    far = ndimage.distance_transform_edt(~out.tumor) > np.sqrt(3) * (4 * edge + 1)
    assert far.sum() > 1000
    assert out.image[far].tobytes() == image[far].tobytes()
    assert sum(lesion.voxels for lesion in out.lesions) == out.tumor.sum()


@every_method
@pytest.mark.parametrize("axes", [2, 4])
def test_an_image_that_is_not_a_volume_is_refused(method, axes):
    image = np.zeros((4,) * axes, np.float32)
    with pytest.raises(InputError, match=f"{axes} axes"):
        make(method)(image, image > 0, (1, 1, 1), np.random.default_rng(0))


@every_method
def test_a_mask_of_another_shape_is_refused(scan, method):
    with pytest.raises(InputError, match="one grid"):
        make(method)(scan.image, scan.organ[1:], scan.spacing, np.random.default_rng(0))


@every_method
@pytest.mark.parametrize(
    "spacing",
    [(1, 1, 0), (1, -1, 1), (1, 1, np.nan), (np.inf, 1, 1), (1, 1), (1, 1, 1, 1), 1.0, ()],
)
def test_a_spacing_that_is_not_three_positive_sizes_is_refused(scan, method, spacing):
    for act in (make(method).draw, make(method)):
        with pytest.raises(InputError, match="three positive sizes"):
            act(scan.image, scan.organ, spacing, np.random.default_rng(0))


def scaled(image):
    return np.clip(image / 400, 0, 1)


def windowed(image):
    return np.clip(image, 60, 140) - 60


def holed(image):
    image = image.copy()
    image[image > 90] = np.nan
    return image


@every_method
@pytest.mark.parametrize(
    ("spoil", "says"), [(scaled, "not HU"), (windowed, "windowed"), (holed, "NaN")]
)
def test_an_image_that_is_not_in_hu_is_refused_and_left_alone(scan, method, spoil, says):
    image = spoil(scan.image)
    before = image.copy()
    for act, more in ((make(method), {"out": image}), (make(method).draw, {})):
        with pytest.raises(InputError, match=says):
            act(image, scan.organ, scan.spacing, np.random.default_rng(0), **more)
    assert image.tobytes() == before.tobytes()


@pytest.mark.parametrize(
    "out", [np.zeros((3, 3, 3), np.float32), np.zeros((100, 90, 84)), np.zeros((100, 90, 84), "i2")]
)
def test_an_output_of_another_shape_or_type_is_refused(scan, out):
    with pytest.raises(InputError, match="float32"):
        Handcrafted()(*scan, np.random.default_rng(0), out=out)


@every_preset
def test_an_empty_organ_gives_no_lesion_and_the_reason(scan, method, preset):
    organ = np.zeros_like(scan.organ)
    out = make(method, preset)(scan.image, organ, scan.spacing, np.random.default_rng(0))
    assert out.lesions == ()
    assert not out.tumor.any()
    assert not out.instances().any()
    assert out.image.tobytes() == scan.image.tobytes()
    assert "empty" in out.skipped[0]


@every_preset
@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.7, 2.0, 5.0)], ids=str)
def test_an_organ_of_one_voxel_is_served(scan, method, preset, spacing):
    organ = np.zeros((9, 9, 9), bool)
    organ[4, 4, 4] = True
    image = np.full(organ.shape, 100, np.float32)
    synth = make(method, preset, count=1, min_distance_mm=None, margin=0.0)
    for seed in range(5):
        out = synth(image, organ, spacing, np.random.default_rng(seed))
        assert len(out.lesions) + len(out.skipped) == 1
        assert not out.tumor[~organ].any()
        assert (out.image[~organ] == 100).all()
        assert np.isfinite(out.image).all()


@every_method
def test_a_recipe_that_lies_outside_the_organ_gives_no_lesion_and_the_reason(scan, method):
    synth = make(method, size="tiny", at_mm=((-50.0, 3.0, 900.0),))
    out = synth(*scan, np.random.default_rng(0))
    assert out.lesions == ()
    assert re.search("(in(side)?|outside) the organ", out.skipped[0])


@every_preset
def test_a_synthesizer_travels_to_another_process(small_scan, method, preset):
    synth = make(method, preset, count=3, size="tiny")
    copy = pickle.loads(pickle.dumps(synth))
    expected = fingerprint(synth(*small_scan, np.random.default_rng(1)))
    assert fingerprint(copy(*small_scan, np.random.default_rng(1))) == expected


@every_method
def test_a_small_watery_organ_is_served_if_its_user_insists(method):
    organ = np.zeros((9, 9, 9), bool)
    organ[2:6, 2:6, 2:6] = True
    image = np.full(organ.shape, 5, np.float32)
    synth, at_once = make(method, size="tiny", count=1), np.random.default_rng
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
    _refuses(Handcrafted("tiny"), scan, part, change)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("mask", {"surprise": 1}),
        ("mask", {"radii_mm": [1, 2, 3]}),
        ("mask", {"cores_mm": []}),
        ("mask", {"cores_mm": [[1, 2]]}),
        ("mask", {"cores_mm": [1, 2, 3]}),
        ("mask", {"cores_mm": [[1e9, 0, 0]]}),
        ("mask", {"cores_mm": [[float("nan")] * 3]}),
        ("mask", {"cores_mm": [[50, 45, 42]] * 200}),
        ("mask", {"steps": -1}),
        ("mask", {"steps": 10**6}),
        ("mask", {"steps": 2.5}),
        ("mask", {"seed": -1}),
        ("mask", {"seed": None}),
        ("mask", {"diameter_mm": -2}),
        ("mask", {"levels_hu": [160, 140, 120]}),
        ("mask", {"levels_hu": [120, 140]}),
        ("mask", {"smooth_mm": -1}),
        ("mask", {"acceptance": [1, 0.3, 2]}),
        ("mask", {"acceptance": [0, 0, 0]}),
        ("mask", {"neighbours": 6}),
        ("mask", {"pitch_mm": 0}),
        ("mask", {"necrosis": "yes"}),
        ("appearance", {"surprise": 1}),
        ("appearance", {"texture": [3]}),
        ("appearance", {"texture": [3, -4]}),
        ("appearance", {"offset_mm": [1e6, 0, 0]}),
        ("appearance", {"contrast_hu": "x"}),
        ("appearance", {"contrast_hu": 1e9}),
        ("appearance", {"necrosis_hu": -1e9}),
        ("appearance", {"levels_hu": [160, 140, 120]}),
        ("appearance", {"blur_mm": -1}),
        ("appearance", {"blur_mm": 1e6}),
        ("appearance", {"fat_gain": -1}),
        ("appearance", {"fat_hu": "low"}),
        ("appearance", {"edge_mm": 1.5}),
    ],
)
def test_a_grown_recipe_with_values_that_make_no_sense_is_refused(small_scan, part, change):
    _refuses(Cellular(steps=5, foci=1), small_scan, part, change)


def _refuses(synth, scan, part, change):
    plain = json.loads(json.dumps(synth.draw(*scan, np.random.default_rng(0)).to_dict()))
    plain["lesions"][0][part].update(change)
    with pytest.raises(OncoforgeError, match=r"[.?]$"):
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
