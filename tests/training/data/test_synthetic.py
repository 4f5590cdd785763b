"""Tumours of a patch: in the organ, in the patch, cut by its border and not faded out there."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.training.data.synthetic import CONTEXT_MM, PatchTumors
from oncoforge.training.settings import SynthesisSettings

SHAPE = (36, 36, 36)
SPACING = (1.0, 1.0, 1.0)
CORE = (slice(6, 30),) * 3
LIVER, LIVER_TUMOR, KIDNEY, LUNG = 1, 2, 5, 7


@pytest.fixture
def patch():
    """Return HU and labels of a patch that the liver fills but for one side."""
    hu = np.random.default_rng(0).normal(110, 8, SHAPE).astype(np.float32)
    labels = np.full(SHAPE, LIVER, np.uint8)
    labels[:, :, :9] = 0
    return hu, labels


def _apply(tumors, patch, seed=0, voxels=None):
    hu, labels = patch[0].copy(), patch[1].copy()
    counts = {LIVER: 1_200_000} if voxels is None else voxels
    made = tumors.apply(hu, labels, SPACING, CORE, counts, np.random.default_rng(seed))
    return made, labels


def _always(liver, **settings):
    plan = {"probability": 1.0, "size": "small", "preset": "published", **settings}
    return PatchTumors.of([SynthesisSettings(**plan)], liver())


def test_tumours_lie_in_the_organ_and_one_of_them_in_the_patch(liver, patch):
    tumors = _always(liver)
    for seed in range(12):
        hu, labels = _apply(tumors, patch, seed)
        ill = labels == LIVER_TUMOR
        assert ill[CORE].any()
        assert (patch[1][ill] == LIVER).all()
        np.testing.assert_array_equal(hu[patch[1] != LIVER], patch[0][patch[1] != LIVER])
        assert (labels[~ill] == patch[1][~ill]).all()
        assert hu[ill].mean() < patch[0][ill].mean() - 10


def test_the_same_seed_gives_the_same_bytes(liver, patch):
    first, second = (_apply(_always(liver), patch, 3) for _ in range(2))
    other = _apply(_always(liver), patch, 4)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert not np.array_equal(first[1], other[1])


def test_a_lesion_goes_on_beyond_the_border_and_is_as_dark_there_as_inside(liver, patch):
    tumors = _always(liver, size="medium")
    drops = []
    for seed in range(30):
        hu, labels = _apply(tumors, patch, seed)
        ill = labels == LIVER_TUMOR
        edge, within, beyond = ill[29], ill[26], ill[33]
        if (edge & within & beyond).sum() > 100:  # it runs through the border of the patch
            change = patch[0] - hu
            drops.append(
                change[29][edge & within & beyond].mean()
                / change[26][edge & within & beyond].mean()
            )
    assert len(drops) >= 5
    assert np.mean(drops) == pytest.approx(1.0, abs=0.05)


def test_a_case_with_tumours_of_the_organ_is_left_alone(liver, patch):
    tumors = _always(liver)
    hu, labels = _apply(tumors, patch, voxels={LIVER: 1_200_000, LIVER_TUMOR: 10})
    np.testing.assert_array_equal(hu, patch[0])
    np.testing.assert_array_equal(labels, patch[1])


def test_a_patch_with_next_to_nothing_of_the_organ_is_left_alone(liver, patch):
    hu, labels = patch[0], np.zeros_like(patch[1])
    labels[8:14, 8:14, 8:14] = LIVER  # 216 mm3
    made, after = _apply(_always(liver), (hu, labels))
    assert made is not None
    np.testing.assert_array_equal(made, hu)
    np.testing.assert_array_equal(after, labels)


def test_a_whole_organ_gets_more_lesions_than_a_part_of_it(liver, patch):
    tumors = _always(liver, size="tiny")
    ill = {
        voxels: np.mean(
            [
                (_apply(tumors, patch, seed, {LIVER: voxels})[1] == LIVER_TUMOR).sum()
                for seed in range(15)
            ]
        )
        for voxels in (36**2 * 27, 36**2 * 27 * 50)
    }
    assert ill[36**2 * 27] > 2 * ill[36**2 * 27 * 50]


def test_every_organ_whose_tumour_is_a_class_gets_its_own(liver, patch):
    pipeline = liver(classes=("background", "liver", "liver_tumor", "kidney_tumor"))
    hu, labels = patch
    labels[18:] = KIDNEY
    labels[:, :, :9] = 0
    both = PatchTumors.of(
        [SynthesisSettings(probability=1, size="tiny", preset="published")], pipeline
    )
    _, after = _apply(both, (hu, labels), voxels={LIVER: 10**6, KIDNEY: 10**6})
    assert set(np.unique(after)) == {0, LIVER, LIVER_TUMOR, KIDNEY, KIDNEY + 1}
    one = PatchTumors.of([SynthesisSettings(probability=1, size="tiny", organ="kidney")], pipeline)
    _, after = _apply(one, (hu, labels), voxels={LIVER: 10**6, KIDNEY: 10**6})
    assert set(np.unique(after)) == {0, LIVER, KIDNEY, KIDNEY + 1}


def test_what_one_organ_draws_is_nothing_to_another(liver, patch):
    pipeline = liver(classes=("background", "liver", "liver_tumor", "kidney_tumor"))
    hu, labels = patch
    labels[18:] = KIDNEY
    both = PatchTumors.of(
        [SynthesisSettings(probability=1, size="tiny", preset="published")], pipeline
    )
    _, with_liver = _apply(both, (hu, labels), voxels={LIVER: 10**6, KIDNEY: 10**6})
    _, without = _apply(both, (hu, labels), voxels={LIVER: 10**6, LIVER_TUMOR: 1, KIDNEY: 10**6})
    np.testing.assert_array_equal(with_liver == KIDNEY + 1, without == KIDNEY + 1)
    assert (with_liver == LIVER_TUMOR).any()


def test_tumours_of_an_airy_organ_are_denser_than_it(liver, patch):
    pipeline = liver(classes=("background", "lung", "lung_tumor"))
    hu, labels = patch[0] - 910, np.where(patch[1], LUNG, 0).astype(np.uint8)
    tumors = PatchTumors.of([SynthesisSettings(probability=1, size="small")], pipeline)
    made, after = _apply(tumors, (hu, labels), voxels={LUNG: 10**6})
    assert made[after == LUNG + 1].mean() > -400


def test_entries_are_taken_by_their_weights_and_act_by_their_probability(liver, patch):
    dark, bright = (
        SynthesisSettings(
            probability=p, weight=w, size="tiny", preset="published", settings={"contrast_hu": hu}
        )
        for p, w, hu in ((1.0, 3.0, (-80.0, -80.0)), (0.5, 1.0, (80.0, 80.0)))
    )
    tumors = PatchTumors.of([dark, bright], liver())
    change = []
    for seed in range(160):
        hu, labels = _apply(tumors, patch, seed)
        ill = labels == LIVER_TUMOR
        change.append(float((hu - patch[0])[ill].mean()) if ill.any() else 0.0)
    change = np.array(change)
    assert (change < 0).mean() == pytest.approx(3 / 4, abs=0.1)
    assert (change > 0).mean() == pytest.approx(1 / 8, abs=0.07)
    assert (change == 0).mean() == pytest.approx(1 / 8, abs=0.07)


@pytest.mark.parametrize("method", ["handcrafted", "cellular"])
def test_every_method_works_in_a_patch_and_can_be_sent_to_a_worker(liver, patch, method):
    tumors = _always(liver, method=method, preset=None)
    again = pickle.loads(pickle.dumps(tumors))
    first, second = _apply(tumors, patch, 1), _apply(again, patch, 1)
    assert (first[1] == LIVER_TUMOR)[CORE].any()
    np.testing.assert_array_equal(first[0], second[0])


def test_lesions_may_bulge_out_of_a_patch_of_the_organ(liver, patch):
    hu, labels = patch
    hu[:, :, :9] = -100
    tumors = _always(liver, exophytic=True, size="medium")
    out = [
        int(((_apply(tumors, (hu, labels), seed)[1] == LIVER_TUMOR) & (labels == 0)).sum())
        for seed in range(8)
    ]
    assert max(out) > 0


def test_nothing_is_made_without_synthesis(liver, patch):
    for settings in ([], [SynthesisSettings(probability=0.0)], [SynthesisSettings(weight=0.0)]):
        tumors = PatchTumors.of(settings, liver())
        assert tumors.labels == ()
        hu, labels = _apply(tumors, patch)
        np.testing.assert_array_equal(hu, patch[0])
        np.testing.assert_array_equal(labels, patch[1])


def test_warming_up_changes_nothing(liver, patch):
    cold = _apply(_always(liver), patch, 5)
    warm = _always(liver)
    warm.warm()
    np.testing.assert_array_equal(_apply(warm, patch, 5)[0], cold[0])


@pytest.mark.parametrize(
    ("settings", "error", "sentence"),
    [
        ({"method": "handcraft"}, UnknownNameError, "handcrafted"),
        ({"size": "huge"}, UnknownNameError, "huge"),
        ({"settings": {"counts": 3}}, UnknownNameError, "count"),
        ({"organ": "livr"}, UnknownNameError, "liver"),
        ({"organ": "kidney"}, InputError, "which are no class"),
        ({"probability": 1.2}, InputError, r"synthesis\[0\].probability"),
        ({"weight": -1.0}, InputError, r"synthesis\[0\].weight"),
    ],
)
def test_settings_that_make_no_sense_are_named(liver, settings, error, sentence):
    with pytest.raises(error, match=sentence):
        PatchTumors.of([SynthesisSettings(**settings)], liver())


def test_a_pipeline_without_tumours_takes_no_synthesis(liver):
    with pytest.raises(InputError, match="none of the classes"):
        PatchTumors.of([SynthesisSettings()], liver(classes=("background", "liver")))


def test_the_surroundings_hold_the_widest_published_edge():
    assert CONTEXT_MM >= 3 * 2.0
