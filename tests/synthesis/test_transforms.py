"""Synthesis as MONAI transforms: any array type, any loader, and repeatable in each."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")
# MONAI and PyTorch warn of their own deprecated parts as they are imported and used.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

from monai.data import CacheDataset, DataLoader, Dataset, MetaTensor  # noqa: E402
from monai.transforms import Compose, EnsureChannelFirstd, EnsureTyped  # noqa: E402

from oncoforge import (  # noqa: E402
    Cellular,
    Handcrafted,
    OncoforgeError,
    Synthesis,
    SynthesizeTumor,
    SynthesizeTumord,
    SynthesizeTumorPatchd,
)
from oncoforge.synthesis.synthesizer import Synthesizer  # noqa: E402

KEYS = ("image", "label")
SHAPE = (30, 28, 26)
ISOTROPIC = np.eye(4)
SYNTH = Handcrafted(size="tiny", count=3)
every_method = pytest.mark.parametrize(
    "synth", [SYNTH, Cellular(steps=20, count=3)], ids=lambda synth: synth.method
)


def _volume(shape: Sequence[int] = SHAPE, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """An organ (1) in air with a neighbour (3): float32 HU and float32 labels."""
    rng = np.random.default_rng(seed)
    image = rng.normal(-1000, 5, shape).astype(np.float32)
    label = np.zeros(shape, np.float32)
    x, y, z = shape
    label[4 : x - 4, 4 : y - 4, 4 : z - 4] = 1
    label[4 : x - 4, 4 : y - 4, :3] = 3
    image[label > 0] = rng.normal(90, 12, np.count_nonzero(label))
    return image, label


def _item(
    affine: np.ndarray = ISOTROPIC, seed: int = 0, name: str | None = None, **more: Any
) -> dict[str, Any]:
    """A dictionary as MONAI's readers leave it."""
    meta = {} if name is None else {"filename_or_obj": name}
    pair = zip(KEYS, _volume(seed=seed), strict=True)
    item = {
        key: MetaTensor(torch.tensor(a)[None], affine=affine, meta=dict(meta)) for key, a in pair
    }
    return item | more


def _tumor(result: dict[str, Any] | Any) -> np.ndarray:
    label = result["label"] if isinstance(result, dict) else result
    return np.asarray(label) == 2


def _key(result: dict[str, Any]) -> bytes:
    """What was drawn, as something to compare."""
    return _tumor(result).tobytes() + np.asarray(result["image"]).tobytes()


@dataclass
class Spy:
    """A synthesizer that remembers what it was given."""

    synth: Synthesizer = SYNTH
    seen: list[tuple[tuple[int, ...], tuple[float, ...], float]] = field(default_factory=list)
    planned: list[int] = field(default_factory=list)

    def __call__(
        self, image: np.ndarray, organ: np.ndarray, spacing: Any, rng: Any, **options: Any
    ) -> Synthesis:
        share = options.get("share", 1.0)
        self.seen.append((image.shape, tuple(float(s) for s in spacing), share))
        made = self.synth(image, organ, spacing, rng, **options)
        self.planned.append(len(made.recipe.lesions))
        return made


# What goes in and what comes out.


def test_metatensors_keep_type_shape_affine_and_meta():
    affine = np.diag([-1.5, -1.0, 2.0, 1.0])
    affine[:3, 3] = (10, 20, 30)
    item = _item(affine, name="scan-1.nii.gz", other="kept")
    out = SynthesizeTumord(KEYS, SYNTH).set_random_state(0)(item)
    assert out["other"] == "kept"
    for key in KEYS:
        assert isinstance(out[key], MetaTensor)
        assert (out[key].shape, out[key].dtype) == (item[key].shape, item[key].dtype)
        np.testing.assert_array_equal(out[key].affine, affine)
        assert out[key].meta["filename_or_obj"] == "scan-1.nii.gz"
    assert _tumor(out).any()


def test_inputs_are_not_modified():
    item = _item()
    before = {key: item[key].clone() for key in KEYS}
    tensors = dict(item)
    out = SynthesizeTumord(KEYS, SYNTH).set_random_state(0)(item)
    for key in KEYS:
        assert item[key] is tensors[key]
        assert torch.equal(item[key], before[key])
        assert out[key] is not item[key]


@every_method
@pytest.mark.parametrize("channel", [True, False], ids=["(1, X, Y, Z)", "(X, Y, Z)"])
@pytest.mark.parametrize("kind", ["numpy", "torch", "metatensor"])
def test_every_kind_of_array_gives_the_same_tumours(synth, kind, channel):
    image, label = _volume()
    make = {"numpy": np.array, "torch": torch.tensor, "metatensor": MetaTensor}[kind]
    pair = [make(a[None] if channel else a) for a in (image, label)]
    out = SynthesizeTumor(synth, spacing=(1, 1, 1)).set_random_state(3)(*pair)
    reference = SynthesizeTumor(synth, spacing=(1, 1, 1)).set_random_state(3)(image, label)
    for given, got, expected in zip(pair, out, reference, strict=True):
        assert type(got) is type(given)
        assert (got.shape, got.dtype) == (given.shape, given.dtype)
        np.testing.assert_array_equal(np.asarray(got).reshape(SHAPE), expected)


@every_method
def test_tumour_lies_in_the_organ_and_all_else_is_as_it_was(synth):
    image, label = _volume()
    new_image, new_label = SynthesizeTumor(synth, spacing=(1, 1, 1)).set_random_state(1)(
        image, label
    )
    tumor = new_label == 2
    assert tumor.any()
    assert (label[tumor] == 1).all()
    np.testing.assert_array_equal(new_label[~tumor], label[~tumor])
    np.testing.assert_array_equal(new_image[label != 1], image[label != 1])
    assert new_image[tumor].mean() < image[tumor].mean() - 10


@every_method
@pytest.mark.parametrize("dtype", ["int16", "float64", "float16"])
@pytest.mark.parametrize("label_dtype", ["uint8", "int64", "float32"])
def test_number_types_are_kept_and_voxels_outside_bit_identical(synth, dtype, label_dtype):
    image, label = _volume()
    image = np.rint(image).astype(dtype) if dtype == "int16" else image.astype(dtype)
    if dtype == "float64":
        image += 1e-9  # beyond what float32 can hold
    label = label.astype(label_dtype)
    new_image, new_label = SynthesizeTumor(synth, spacing=(1, 1, 1)).set_random_state(1)(
        image, label
    )
    assert (new_image.dtype, new_label.dtype) == (image.dtype, label.dtype)
    assert set(np.unique(new_label)) == {0, 1, 2, 3}
    np.testing.assert_array_equal(new_image[label != 1], image[label != 1])


def test_other_label_values_can_be_named():
    image, label = _volume()
    label = np.where(label == 1, 5, 0).astype(np.uint8)
    out = SynthesizeTumor(SYNTH, organ_label=5, tumor_label=6, spacing=(1, 1, 1))
    _, new_label = out.set_random_state(1)(image, label)
    assert set(np.unique(new_label)) == {0, 5, 6}


def test_scan_without_the_organ_passes_through():
    image, label = _volume()
    empty = np.where(label == 1, 0, label)
    out = SynthesizeTumor(SYNTH, spacing=(1, 1, 1)).set_random_state(1)(image, empty)
    np.testing.assert_array_equal(out[0], image)
    np.testing.assert_array_equal(out[1], empty)


@every_method
@pytest.mark.parametrize("voxels", [1, 2, 5])
@pytest.mark.parametrize("hu", [0, 5, -3])
def test_a_few_voxels_of_organ_do_not_stop_the_training(synth, voxels, hu):
    image, label = _volume()
    label[:] = 0
    label[10 : 10 + voxels, 10, 10] = 1
    image[label == 1] = hu
    made, made_label = SynthesizeTumor(synth, spacing=(1, 1, 1)).set_random_state(1)(image, label)
    assert np.isfinite(made).all()
    assert (made_label[label == 0] == 0).all()


def test_scan_with_a_tumour_passes_through_unless_asked_otherwise():
    item = _item()
    item["label"][0, 10:12, 10:12, 10:12] = 2
    passed = SynthesizeTumord(KEYS, SYNTH).set_random_state(0)(item)
    for key in KEYS:
        assert torch.equal(passed[key], item[key])
    changed = SynthesizeTumord(KEYS, SYNTH, existing=True).set_random_state(0)(item)
    assert _tumor(changed).sum() > 8
    assert _tumor(changed)[_tumor(item)].all()
    assert torch.equal(changed["image"][item["label"] == 2], item["image"][item["label"] == 2])


# Geometry.


@every_method
@pytest.mark.parametrize("codes", ["LPS", "PSR"])
def test_orientation_makes_no_difference(synth, codes):
    from nibabel import orientations as nio

    affine = np.diag([1.0, 1.5, 2.0, 1.0])
    upright = SynthesizeTumord(KEYS, synth).set_random_state(5)(_item(affine))
    way = nio.ornt_transform(nio.axcodes2ornt("RAS"), nio.axcodes2ornt(codes))
    other = affine @ nio.inv_ornt_aff(way, SHAPE)
    turned = {
        key: MetaTensor(
            torch.tensor(nio.apply_orientation(np.asarray(value[0]), way).copy())[None],
            affine=other,
        )
        for key, value in _item(affine).items()
    }
    out = SynthesizeTumord(KEYS, synth).set_random_state(5)(turned)
    back = nio.ornt_transform(nio.axcodes2ornt(codes), nio.axcodes2ornt("RAS"))
    for key in KEYS:
        assert out[key].shape == turned[key].shape
        np.testing.assert_array_equal(
            nio.apply_orientation(np.asarray(out[key][0]), back), np.asarray(upright[key][0])
        )


@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.8, 0.8, 1.6), (2, 1, 0.7)])
@pytest.mark.parametrize("kind", [Handcrafted, Cellular])
def test_lesions_have_their_size_in_mm(kind, spacing):
    one = kind(count=1, diameter_mm=8)
    item = _item(np.diag([*spacing, 1.0]))
    out = SynthesizeTumord(KEYS, one).set_random_state(2)(item)
    volume = _tumor(out).sum() * np.prod(spacing)
    assert volume == pytest.approx(np.pi / 6 * 8**3, rel=0.3)


def test_voxel_size_comes_from_the_affine():
    spy = Spy()
    SynthesizeTumord(KEYS, spy)(_item(np.diag([-0.8, 1.0, 2.5, 1.0])))
    assert spy.seen[0][1] == pytest.approx((0.8, 1.0, 2.5))


def test_metatensor_brings_its_own_voxel_size():
    spy = Spy()
    SynthesizeTumord(KEYS, spy, spacing=(9, 9, 9))(_item(np.diag([0.8, 1.0, 2.5, 1.0])))
    assert spy.seen[0][1] == pytest.approx((0.8, 1.0, 2.5))


@pytest.mark.parametrize("make", [np.array, torch.tensor])
def test_array_without_a_voxel_size_is_refused(make):
    image, label = (make(a[None]) for a in _volume())
    with pytest.raises(OncoforgeError, match="spacing"):
        SynthesizeTumor(SYNTH)(image, label)
    with pytest.raises(OncoforgeError, match="spacing"):
        SynthesizeTumorPatchd(KEYS, SYNTH, (8, 8, 8))({"image": image, "label": label})


def test_what_does_not_fit_is_refused_in_a_sentence():
    image, label = _volume()
    transform = SynthesizeTumor(SYNTH, spacing=(1, 1, 1))
    for pair in (
        (image, label[1:]),
        (image[None, None], label[None, None]),
        (np.stack([image] * 2), np.stack([label] * 2)),
        (image[0], label[0]),
        (image / 4096, label),
    ):
        with pytest.raises(OncoforgeError):
            transform(*pair)
    for keys in ("image", ("image", "label", "more")):
        with pytest.raises(OncoforgeError, match="keys"):
            SynthesizeTumord(keys, SYNTH)
    with pytest.raises(OncoforgeError, match="spatial_size"):
        SynthesizeTumorPatchd(KEYS, SYNTH, (8, 8))
    with pytest.raises(OncoforgeError, match="odds"):
        SynthesizeTumorPatchd(KEYS, SYNTH, pos=0, neg=0)


def test_missing_keys_are_allowed_only_when_said():
    image = {"image": _item()["image"]}
    assert SynthesizeTumord(KEYS, SYNTH, allow_missing_keys=True)(image) == image
    with pytest.raises(KeyError):
        SynthesizeTumord(KEYS, SYNTH)(image)


# Chance.


def test_probability_none_and_half():
    item = _item()
    never = SynthesizeTumord(KEYS, SYNTH, prob=0.0)
    assert not any(_tumor(never(item)).any() for _ in range(20))
    half = SynthesizeTumord(KEYS, SYNTH, prob=0.5).set_random_state(0)
    changed = sum(bool(_tumor(half(item)).any()) for _ in range(80))
    assert 25 <= changed <= 55


def test_random_state_is_obeyed_and_no_two_items_are_alike():
    item = _item()
    runs = []
    for seed in (4, 4, 5):
        transform = SynthesizeTumord(KEYS, SYNTH).set_random_state(seed)
        runs.append([_key(transform(item)) for _ in range(4)])
    assert runs[0] == runs[1]
    assert len({*runs[0], *runs[2]}) == 8
    state = SynthesizeTumord(KEYS, SYNTH).set_random_state(state=np.random.RandomState(4))
    assert _key(state(item)) == runs[0][0]


def test_last_draw_can_be_used_again():
    image, label = _volume()
    transform = SynthesizeTumor(SYNTH, spacing=(1, 1, 1)).set_random_state(4)
    first = transform(image, label)
    for _ in range(2):
        again = transform(image, label, randomize=False)
        np.testing.assert_array_equal(again[0], first[0])
        np.testing.assert_array_equal(again[1], first[1])


def test_global_random_states_are_left_alone():
    torch_state = torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    SynthesizeTumord(KEYS, SYNTH)(_item())
    SynthesizeTumord(KEYS, SYNTH, seed=3)(_item())
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)


@every_method
def test_pickled_transform_goes_on_as_the_original_would(synth):
    for transform in (
        SynthesizeTumord(KEYS, synth).set_random_state(4),
        SynthesizeTumord(KEYS, synth, seed=4, item_key="id"),
        SynthesizeTumorPatchd(KEYS, synth, (16, 16, 16), seed=4),
    ):
        transform.set_epoch(3)
        twin = pickle.loads(pickle.dumps(transform))
        item = _item(id=7)
        assert _key(twin(item)) == _key(transform(item))


def _draws(
    transform: Any, items: list[dict[str, Any]], workers: int, **options: Any
) -> list[bytes]:
    """What a plain PyTorch loader gives for each item, in order."""
    loader = torch.utils.data.DataLoader(
        Dataset(items, transform),
        batch_size=1,
        num_workers=workers,
        collate_fn=lambda batch: _key(batch[0]),
        multiprocessing_context="fork" if workers else None,
        **options,
    )
    return list(loader)


def test_workers_of_a_plain_loader_do_not_draw_alike():
    items = [_item() for _ in range(4)]
    for transform in (
        SynthesizeTumord(KEYS, SYNTH),
        SynthesizeTumord(KEYS, SYNTH).set_random_state(0),
        Compose([SynthesizeTumord(KEYS, SYNTH)]),
    ):
        # The workers of every epoch start from a copy of this process's state.
        epochs = [_draws(transform, items, 2) for _ in range(2)]
        assert len({*epochs[0], *epochs[1]}) == 8


def test_plain_loader_with_a_seeded_generator_is_repeatable():
    items = [_item() for _ in range(4)]
    runs = []
    for _ in range(2):
        transform = Compose([SynthesizeTumord(KEYS, SYNTH)]).set_random_state(0)
        runs.append(_draws(transform, items, 2, generator=torch.Generator().manual_seed(1)))
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 4


@every_method
@pytest.mark.parametrize("workers", [0, 2])
def test_monai_loader_with_a_seeded_generator_is_repeatable(synth, workers):
    def run(seed: int) -> list[list[bytes]]:
        loader = DataLoader(
            Dataset([_item() for _ in range(4)], Compose([SynthesizeTumord(KEYS, synth)])),
            batch_size=1,
            num_workers=workers,
            collate_fn=lambda batch: _key(batch[0]),
            generator=torch.Generator().manual_seed(seed),
            multiprocessing_context="fork" if workers else None,
        )
        return [list(loader) for _ in range(2)]

    first, again, other = run(0), run(0), run(1)
    assert first == again
    assert len({*first[0], *first[1]}) == 8
    assert not {*first[0]} & {*other[0]}


@every_method
def test_seed_gives_the_same_for_any_number_of_workers_and_any_order(synth):
    items = [_item(name=f"scan-{n}.nii.gz", seed=n % 2) for n in range(5)]
    transform = Compose([SynthesizeTumord(KEYS, synth, seed=11)])
    alone = _draws(transform, items, 0)
    assert len(set(alone)) == 5
    for workers in (0, 1, 2):
        assert _draws(transform, items, workers) == alone
    assert _draws(transform, items[::-1], 2) == alone[::-1]
    assert _draws(SynthesizeTumord(KEYS, synth, seed=12), items[:1], 0)[0] not in alone


def test_epoch_changes_what_the_seed_gives():
    items = [_item(name=f"scan-{n}.nii.gz") for n in range(3)]
    transform = SynthesizeTumord(KEYS, SYNTH, seed=11)
    epochs = []
    for epoch in (0, 1, 0):
        transform.set_epoch(epoch)
        epochs.append(_draws(transform, items, 0))
        assert _draws(transform, items, 2) == epochs[-1]
    assert epochs[0] == epochs[2]
    assert len({*epochs[0], *epochs[1]}) == 6


def test_persistent_workers_see_the_next_epoch():
    items = [_item(name=f"scan-{n}.nii.gz") for n in range(3)]
    transform = SynthesizeTumord(KEYS, SYNTH, seed=11)
    loader = torch.utils.data.DataLoader(
        Dataset(items, Compose([transform])),
        batch_size=1,
        num_workers=2,
        persistent_workers=True,
        collate_fn=lambda batch: _key(batch[0]),
        multiprocessing_context="fork",
    )
    for epoch in range(3):
        transform.set_epoch(epoch)
        assert list(loader) == _draws(transform, items, 0)


def test_item_is_named_by_its_file_its_contents_or_its_key():
    def draw(item: dict[str, Any], **options: Any) -> bytes:
        return _key(SynthesizeTumord(KEYS, SYNTH, seed=1, **options)(item))

    assert draw(_item(name="a")) == draw(_item(name="a"))
    assert draw(_item(name="a")) != draw(_item(name="b"))
    assert draw(_item()) == draw(_item())
    for value, other in ((3, 4), ("x", "y"), (("x", 1), ("x", 2))):
        keyed = draw(_item(id=value), item_key="id")
        assert keyed == draw(_item(id=value, name="a"), item_key="id")
        assert keyed != draw(_item(id=other), item_key="id")


def test_items_of_other_contents_draw_otherwise():
    one, two = _item(), _item()
    two["image"][0, 5, 5, 5] += 1
    transform = SynthesizeTumord(KEYS, SYNTH, seed=1)
    assert _tumor(transform(one)).tobytes() != _tumor(transform(two)).tobytes()


def test_array_form_takes_the_items_name():
    image, label = _volume()
    transform = SynthesizeTumor(SYNTH, spacing=(1, 1, 1), seed=1)
    one, again, two = (_tumor(transform(image, label, item=n)[1]) for n in ("a", "a", "b"))
    np.testing.assert_array_equal(one, again)
    assert (one != two).any()


# Among MONAI's own.


def test_cached_items_stay_healthy_and_draw_anew():
    image, label = _volume()
    data = [{"image": image, "label": label}] * 2
    transform = Compose(
        [
            EnsureChannelFirstd(KEYS, channel_dim="no_channel"),
            EnsureTyped(KEYS),
            SynthesizeTumord(KEYS, SYNTH).set_random_state(0),
        ]
    )
    cached = CacheDataset(data, transform, progress=False)
    draws = {_key(cached[n]) for n in (0, 1, 0, 1)}
    assert len(draws) == 4
    assert not any(_tumor(item).any() for item in cached._cache)


def test_compose_seeds_the_transform():
    runs = [
        _key(Compose([SynthesizeTumord(KEYS, SYNTH)]).set_random_state(3)(_item()))
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


# Patches.


def _corner(patch: MetaTensor, volume: MetaTensor) -> np.ndarray:
    """The voxel of the volume where the first voxel of the patch lies."""
    first = np.linalg.inv(np.asarray(volume.affine)) @ np.asarray(patch.affine)[:, 3]
    np.testing.assert_allclose(first, np.rint(first), atol=1e-6)
    return np.rint(first[:3]).astype(int)


AFFINE = np.array([[-1.0, 0, 0, 40], [0, 0, 1.25, -7], [0, -1.5, 0, 3], [0, 0, 0, 1]])


def test_patch_without_synthesis_is_a_crop_in_its_right_place():
    item = _item(AFFINE)
    transform = SynthesizeTumorPatchd(KEYS, SYNTH, (12, 10, 8), prob=0.0).set_random_state(0)
    corners = set()
    for _ in range(20):
        out = transform(item)
        start = _corner(out["image"], item["image"])
        corners.add(tuple(start))
        box = (0, *(slice(a, a + n) for a, n in zip(start, (12, 10, 8), strict=True)))
        for key in KEYS:
            assert out[key].shape == (1, 12, 10, 8)
            np.testing.assert_allclose(out[key].affine[:3, :3], AFFINE[:3, :3])
            np.testing.assert_array_equal(np.asarray(out[key])[0], np.asarray(item[key])[box])
    assert len(corners) > 10


@every_method
def test_patch_with_synthesis_is_the_crop_with_tumours(synth):
    item = _item(AFFINE)
    before = {key: item[key].clone() for key in KEYS}
    transform = SynthesizeTumorPatchd(KEYS, synth, (14, 12, 16)).set_random_state(0)
    held = 0
    for _ in range(20):
        out = transform(item)
        start = _corner(out["image"], item["image"])
        box = (0, *(slice(a, a + n) for a, n in zip(start, (14, 12, 16), strict=True)))
        image, label = (np.asarray(item[key])[box] for key in KEYS)
        tumor = _tumor(out)[0]
        held += bool(tumor.any())
        assert (label[tumor] == 1).all()
        np.testing.assert_array_equal(np.asarray(out["label"])[0][~tumor], label[~tumor])
        np.testing.assert_array_equal(np.asarray(out["image"])[0][label != 1], image[label != 1])
    assert held >= 15
    for key in KEYS:
        assert torch.equal(item[key], before[key])


@every_method
@pytest.mark.parametrize("size", [(40, 12, 30), (64, 64, 64), SHAPE, (1, 1, 1)])
def test_patch_has_its_size_even_if_the_volume_is_smaller(synth, size):
    item = _item(AFFINE)
    out = SynthesizeTumorPatchd(KEYS, synth, size).set_random_state(1)(item)
    inside = tuple(slice(0, n) for n in SHAPE)
    whole = {key: np.asarray(item[key])[0] for key in KEYS}
    for key in KEYS:
        assert out[key].shape == (1, *size)
    start = _corner(out["label"], item["label"])
    np.testing.assert_array_equal(start, _corner(out["image"], item["image"]))
    grid = np.indices(size).reshape(3, -1).T + start
    covered = ((grid >= 0) & (grid < SHAPE)).all(axis=1)
    label = np.asarray(out["label"])[0].ravel()
    source = whole["label"][inside][tuple(grid[covered].T)]
    np.testing.assert_array_equal(np.where(label[covered] == 2, 1, label[covered]), source)
    assert (label[~covered] == 0).all()
    image = np.asarray(out["image"])[0].ravel()
    np.testing.assert_array_equal(
        image[covered][source != 1], whole["image"][tuple(grid[covered].T)][source != 1]
    )
    assert (image[~covered] < -900).all()


def test_only_the_patch_is_synthesised():
    spy = Spy()
    volume = dict(
        zip(KEYS, (MetaTensor(torch.tensor(a)[None]) for a in _volume((80, 70, 60))), strict=True)
    )
    transform = SynthesizeTumorPatchd(KEYS, spy, (24, 24, 24), neg=0).set_random_state(0)
    for _ in range(10):
        transform(volume)
    assert len(spy.seen) == 10
    organ = np.count_nonzero(np.asarray(volume["label"]) == 1)
    for shape, _, share in spy.seen:
        assert sorted(shape) == [24, 24, 24]
        assert 0 < share <= 24**3 / organ


@pytest.mark.parametrize(
    "synth", [Handcrafted("tiny"), Cellular(steps=6)], ids=lambda synth: synth.method
)
def test_a_patch_holds_its_share_of_the_lesions(synth):
    item = _item()

    def planned(size: int) -> list[int]:
        spy = Spy(synth)
        transform = SynthesizeTumorPatchd(KEYS, spy, (size,) * 3, neg=0).set_random_state(0)
        for _ in range(40):
            transform(item)
        return spy.planned

    whole, part = planned(40), planned(14)
    assert len(set(whole)) > 3
    assert min(part) >= 1
    assert np.mean(part) < 0.6 * np.mean(whole)


@pytest.mark.parametrize("other", [False, True], ids=["organ alone", "with other labels"])
def test_positive_patches_hold_the_organ(other):
    item = _item()
    label = item["label"]
    label[:] = 0
    label[0, 20:26, 20:26, 20:26] = 1
    if other:
        label[0, :12, :12, :12] = 3
    transform = SynthesizeTumorPatchd(KEYS, SYNTH, (6, 6, 6), pos=1, neg=0).set_random_state(0)
    for _ in range(30):
        assert np.isin(np.asarray(transform(item)["label"]), (1, 2)).any()


def test_positive_patches_hold_an_organ_of_small_distant_parts():
    """Such as the adrenal glands: little of their common box is organ."""
    image, _ = _volume((60, 60, 60))
    label = np.zeros_like(image)
    label[:3, :3, :3] = label[-3:, -3:, -3:] = 1
    image[label == 1] = np.random.default_rng(0).normal(60, 12, 54)
    item = {
        key: MetaTensor(torch.tensor(a)[None]) for key, a in (("image", image), ("label", label))
    }
    transform = SynthesizeTumorPatchd(KEYS, SYNTH, (10, 10, 10), pos=1, neg=0).set_random_state(0)
    sides = set()
    for _ in range(20):
        out = transform(item)
        assert np.isin(np.asarray(out["label"]), (1, 2)).any()
        sides.add(tuple(_corner(out["label"], item["label"])) < (30, 30, 30))
    assert sides == {True, False}


def test_negative_patches_may_lie_anywhere():
    item = _item()
    item["label"][:] = 0
    item["label"][0, 20:26, 20:26, 20:26] = 1
    transform = SynthesizeTumorPatchd(KEYS, SYNTH, (6, 6, 6), pos=0, neg=1).set_random_state(0)
    held = [bool((np.asarray(transform(item)["label"]) > 0).any()) for _ in range(40)]
    assert 0 < sum(held) < 25


def test_patches_of_a_scan_with_a_tumour_are_only_crops():
    item = _item()
    item["label"][0, 10:12, 10:12, 10:12] = 2
    spy = Spy()
    transform = SynthesizeTumorPatchd(KEYS, spy, (8, 8, 8)).set_random_state(0)
    for _ in range(10):
        transform(item)
    assert spy.seen == []
    SynthesizeTumorPatchd(KEYS, spy, (16, 16, 16), neg=0, existing=True)(item)
    assert len(spy.seen) == 1


@every_method
def test_patches_draw_by_seed_alone_for_any_number_of_workers(synth):
    items = [_item(name=f"scan-{n}.nii.gz") for n in range(4)]
    transform = SynthesizeTumorPatchd(KEYS, synth, (12, 12, 12), seed=2)
    alone = _draws(transform, items, 0)
    assert len(set(alone)) == 4
    assert _draws(transform, items, 2) == alone
