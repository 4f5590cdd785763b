"""A patch is what the published chain makes of the same voxels, and the same for the same key."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from oncoforge.training.data.channels import foreground_of, tumor_labels
from oncoforge.training.data.draws import Draw, Mix
from oncoforge.training.data.patches import Patches, Wholes, collate
from oncoforge.training.data.places import Places
from oncoforge.training.data.synthetic import PatchTumors
from oncoforge.training.settings import AugmentationSettings, SamplingSettings, SynthesisSettings

NEVER = AugmentationSettings(0.0, 0.0, 0.1, 0.0, 0.1, 0.0)


@pytest.fixture
def patches(liver):
    def make(cases, real=(), synthesis=(), augmentation=NEVER, seed=0, sampling=None, **pipeline):
        plan = liver(**pipeline)
        places = Places(
            sampling or SamplingSettings(),
            plan.patch,
            foreground_of(plan),
            tumor_labels(plan),
        )
        mix = Mix((tuple(range(len(cases))), ()), (1.0, 0.0), 20, seed)
        tumors = PatchTumors.of(list(synthesis), plan)
        return Patches(plan, tuple(cases), frozenset(real), mix, places, tumors, augmentation, seed)

    return make


def _same(first, second):
    assert torch.equal(first["image"], second["image"])
    assert torch.equal(first["label"], second["label"])
    assert [first[k] for k in ("case", "kind", "item")] == [
        second[k] for k in ("case", "kind", "item")
    ]


def test_the_same_key_gives_the_same_bytes_and_another_gives_others(patches, stored):
    cases = [stored("well"), stored("ill", tumor=True, seed=1)]
    how = {"synthesis": [SynthesisSettings(size="tiny")], "augmentation": AugmentationSettings()}
    first, again = (patches(cases, real=[1], **how) for _ in range(2))
    keys = [Draw(epoch, item) for epoch in range(2) for item in range(8)]
    made = {key: first[key] for key in keys}
    for key in reversed(keys):
        _same(again[key], made[key])
    assert not torch.equal(made[Draw(0, 0)]["image"], made[Draw(1, 0)]["image"])
    other = patches(cases, real=[1], seed=1, **how)
    assert any(not torch.equal(other[k]["image"], made[k]["image"]) for k in keys[:4])


@pytest.mark.parametrize("patch", [(24, 24, 24), (48, 20, 40), (45, 45, 45)])
def test_a_patch_is_what_monai_cuts_from_the_windowed_and_padded_scan(patches, stored, patch):
    from monai import transforms as mt

    case = stored("ill", tumor=True)
    made = patches([case], patch=patch, window_hu=(-21.0, 189.0))
    whole = {
        "image": torch.from_numpy(case.image((0, 0, 0), case.shape))[None],
        "label": torch.from_numpy(case.labels((0, 0, 0), case.shape))[None],
    }
    chain = mt.Compose(
        [
            mt.ScaleIntensityRanged("image", -21, 189, 0.0, 1.0, clip=True),
            mt.SpatialPadd(("image", "label"), patch, mode=("minimum", "constant")),
        ]
    )
    theirs = chain(whole)
    for item in range(4):
        ours = made[Draw(0, item)]
        region = made.places.draw(case, _rng(made, item))
        start = [a - before for a, (before, _) in zip(region.start, region.missing, strict=True)]
        before = [max(n - w, 0) // 2 for n, w in zip(patch, case.shape, strict=True)]
        cut = (
            slice(None),
            *(slice(a + b, a + b + n) for a, b, n in zip(start, before, patch, strict=True)),
        )
        np.testing.assert_allclose(ours["image"], np.asarray(theirs["image"])[cut], atol=1e-6)
        np.testing.assert_array_equal(ours["label"], np.asarray(theirs["label"])[cut])


def _rng(made, item):
    from oncoforge.training.seeds import generator

    return generator(made.seed, "place", 0, item)


def test_a_batch_has_the_types_that_training_expects(patches, stored):
    made = patches([stored("well")], synthesis=[SynthesisSettings(size="tiny", probability=1.0)])
    batch = collate([made[Draw(0, item)] for item in range(3)])
    assert batch["image"].shape == batch["label"].shape == (3, 1, 24, 24, 24)
    assert (batch["image"].dtype, batch["label"].dtype) == (torch.float32, torch.uint8)
    assert batch["item"] == [0, 1, 2]
    assert batch["case"] == ["well"] * 3
    assert type(batch["image"]) is torch.Tensor  # no MetaTensor
    assert set(batch["kind"]) <= {"synthetic", "healthy"}


def test_kinds_say_where_tumours_come_from(patches, stored):
    well, ill = stored("well"), stored("ill", tumor=True, seed=1)
    sampling = SamplingSettings(background=0)
    made = patches(
        [well, ill],
        real=[1],
        synthesis=[SynthesisSettings(size="tiny", probability=1.0)],
        sampling=sampling,
    )
    items = [made[Draw(0, item)] for item in range(20)]
    assert {(item["case"], item["kind"]) for item in items} == {
        ("well", "synthetic"),
        ("ill", "real"),
    }
    assert all((item["label"] == 2).any() for item in items if item["kind"] == "synthetic")
    plain = patches([well], sampling=sampling)
    assert {plain[Draw(0, item)]["kind"] for item in range(5)} == {"healthy"}


def test_synthesis_leaves_all_but_the_tumours_as_it_was(patches, stored):
    case = stored("well")
    without = patches([case])
    tumors = patches([case], synthesis=[SynthesisSettings(size="tiny", probability=1.0)])
    for item in range(8):
        before, after = without[Draw(0, item)], tumors[Draw(0, item)]
        changed = before["image"] != after["image"]
        assert not changed[before["label"] == 0].any()
        assert (before["label"] == 0).equal(after["label"] == 0)


def test_values_run_over_the_pipelines_range(patches, stored):
    made = patches([stored("well")], values=(-1.0, 1.0))
    image = torch.stack([made[Draw(0, item)]["image"] for item in range(6)])
    assert image.min() == -1
    assert -1 < image.median() < 1
    assert image.max() <= 1


def test_augmented_patches_are_those_without_it_turned(patches, stored):
    case = stored("well")
    turned = patches([case], augmentation=AugmentationSettings(1.0, 0.0, 0.1, 0.0, 0.1, 0.0))
    plain = patches([case])
    for item in range(3):
        np.testing.assert_array_equal(
            np.flip(turned[Draw(0, item)]["image"].numpy(), (1, 2, 3)),
            plain[Draw(0, item)]["image"],
        )
        np.testing.assert_array_equal(
            np.flip(turned[Draw(0, item)]["label"].numpy(), (1, 2, 3)),
            plain[Draw(0, item)]["label"],
        )


def test_whole_cases_are_in_the_networks_values_and_channels(liver, stored):
    case = stored("ill", tumor=True)
    one = Wholes(liver(window_hu=(-100.0, 100.0)), (case,))[0]
    hu = case.image((0, 0, 0), case.shape)
    np.testing.assert_allclose(one["image"][0], (np.clip(hu, -100, 100) + 100) / 200, atol=1e-6)
    np.testing.assert_array_equal(one["label"], case.labels((0, 0, 0), case.shape))
    assert (one["case"], one["index"], one["spacing_mm"]) == ("ill", 0, (1.0, 1.0, 1.0))
    assert Wholes(liver(), (case,))[None] is None
