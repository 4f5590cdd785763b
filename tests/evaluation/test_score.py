"""Scores equal those of surface-distance and MONAI, and follow from geometry that is known."""

from __future__ import annotations

import dataclasses
import itertools
import math
import warnings

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

import oncoforge as of
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.evaluation.score import DEFINITIONS, Score, score

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import surface_distance

SPACINGS = ((1, 1, 1), (0.8, 0.7, 2.5), (0.6, 1, 3), (5, 0.7, 0.7))


def _theirs(pred, truth, spacing, tolerance_mm) -> dict[str, float]:
    with warnings.catch_warnings():
        # It asks SciPy for its functions by their old names.
        warnings.filterwarnings("ignore", "Please import", DeprecationWarning)
        found = surface_distance.compute_surface_distances(truth, pred, spacing)
    to_pred, to_truth = surface_distance.compute_average_surface_distance(found)
    return {
        "dice": surface_distance.compute_dice_coefficient(truth, pred),
        "nsd": surface_distance.compute_surface_dice_at_tolerance(found, tolerance_mm),
        "hd95_mm": surface_distance.compute_robust_hausdorff(found, 95),
        "hd_mm": surface_distance.compute_robust_hausdorff(found, 100),
        "truth_to_pred_mm": to_pred,
        "pred_to_truth_mm": to_truth,
        "assd_mm": (to_pred + to_truth) / 2,
    }


def _assert_equals_theirs(pred, truth, spacing, tolerance_mm):
    ours = score(pred, truth, spacing, tolerance_mm)
    for name, value in _theirs(pred, truth, spacing, tolerance_mm).items():
        limit = 1e-6 if name.endswith("_mm") else 1e-9
        assert getattr(ours, name) == pytest.approx(value, rel=0, abs=limit), name


def _noise(rng, shape):
    return rng.random(shape) < rng.choice([0.02, 0.1, 0.5, 0.9, 0.99])


def _specks(rng, shape):
    mask = np.zeros(shape, bool)
    mask[tuple(rng.integers(0, n, 5) for n in shape)] = True
    return mask


def _box(rng, shape):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(*sorted(rng.choice(n + 1, 2, replace=False))) for n in shape)] = True
    return mask


def _sheet(rng, shape):
    mask = np.zeros(shape, bool)
    axis = rng.integers(3)
    mask[(slice(None),) * axis + (rng.integers(shape[axis]),)] = True
    return mask


def _diagonal(_rng, shape):
    return np.indices(shape).sum(axis=0) % 2 == 0


def _full(_rng, shape):
    return np.ones(shape, bool)


def _corner(rng, shape):
    mask = np.zeros(shape, bool)
    mask[tuple(rng.choice([0, -1], 3))] = True
    return mask


KINDS = (_noise, _specks, _box, _sheet, _diagonal, _full, _corner)


@st.composite
def _pairs(draw, kinds=KINDS):
    """Draw two masks that are not empty."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.tuples(*[st.integers(1, 9)] * 3))
    masks = [draw(st.sampled_from(kinds))(rng, shape) for _ in range(2)]
    if draw(st.booleans()):
        masks[1] = np.roll(masks[0], rng.integers(0, 4, 3), (0, 1, 2))
    for mask in masks:
        if not mask.any():
            mask[tuple(rng.integers(0, shape))] = True
    return masks


_spacings = st.one_of(
    st.sampled_from(SPACINGS),
    st.tuples(*[st.sampled_from([0.5, 0.6, 0.7, 1, 1.2, 2.5, 3])] * 3),
    st.tuples(*[st.floats(0.1, 8)] * 3),
)


@settings(max_examples=300, deadline=None)
@given(_pairs(), _spacings, st.one_of(st.sampled_from([0, 1, 2, 100]), st.floats(0, 12)))
def test_scores_equal_those_of_surface_distance(masks, spacing, tolerance_mm):
    _assert_equals_theirs(*masks, spacing, tolerance_mm)


@settings(max_examples=150, deadline=None)
@given(_pairs(), _spacings, st.integers(0))
def test_a_tolerance_that_is_exactly_a_distance_counts_as_theirs(masks, spacing, which):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Please import", DeprecationWarning)
        found = surface_distance.compute_surface_distances(masks[1], masks[0], spacing)
    distances = np.unique(found["distances_gt_to_pred"])
    _assert_equals_theirs(*masks, spacing, float(distances[which % len(distances)]))


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("sigma", [0, 1.5, 4])
def test_larger_masks_score_as_by_surface_distance(spacing, sigma):
    rng = np.random.default_rng(int(sigma))
    fields = scipy.ndimage.gaussian_filter(rng.standard_normal((2, 30, 33, 41)), (0, *[sigma] * 3))
    pred, truth = fields > np.quantile(fields, 0.8)
    _assert_equals_theirs(pred, truth, spacing, 2.0)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_masks_far_apart_score_as_by_surface_distance(spacing):
    rng = np.random.default_rng(3)
    pred, truth = np.zeros((2, 70, 30, 40), bool)
    pred[:9, :11, :10] = rng.random((9, 11, 10)) < 0.3
    truth[-12:, -8:, -9:] = rng.random((12, 8, 9)) < 0.6
    _assert_equals_theirs(pred, truth, spacing, 2.0)
    truth[...] = True
    _assert_equals_theirs(pred, truth, spacing, 2.0)


def _fractions(pred, truth, spacing, tolerance_mm) -> list[tuple[int, int]]:
    """Count the voxels at each mask's edge that are near the other's, and all of them."""
    edges = [mask & ~scipy.ndimage.binary_erosion(mask) for mask in (pred, truth)]
    far = [scipy.ndimage.distance_transform_edt(~edge, sampling=spacing) for edge in edges]
    return [
        (int((far[other][edge] <= tolerance_mm).sum()), int(edge.sum()))
        for edge, other in zip(edges, (1, 0), strict=True)
    ]


@settings(max_examples=200, deadline=None)
@given(_pairs(), _spacings, st.floats(0, 6))
def test_definitions_by_voxels_are_as_they_are_described(masks, spacing, tolerance_mm):
    (a, of_a), (b, of_b) = _fractions(*masks, spacing, tolerance_mm)
    by_edge = score(*masks, spacing, tolerance_mm, nsd="voxel-edge")
    by_fraction = score(*masks, spacing, tolerance_mm, nsd="mean-of-fractions")
    assert by_edge.nsd == pytest.approx((a + b) / (of_a + of_b), abs=1e-12)
    assert by_fraction.nsd == pytest.approx((a / of_a + b / of_b) / 2, abs=1e-12)
    rest = dataclasses.replace(by_edge, nsd=0.0, definition="")
    assert dataclasses.replace(by_fraction, nsd=0.0, definition="") == rest


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(("subvoxels", "definition"), [(False, "voxel-edge"), (True, "surfel")])
def test_definitions_are_those_of_monai(subvoxels, definition):
    pytest.importorskip("monai")
    import torch
    from monai.metrics import compute_surface_dice

    rng = np.random.default_rng(0)
    for spacing in SPACINGS:
        fields = scipy.ndimage.gaussian_filter(rng.standard_normal((2, 16, 18, 20)), (0, 2, 2, 2))
        pred, truth = fields > 0
        one_hot = [torch.from_numpy(np.stack([~m, m])[None]) for m in (pred, truth)]
        # No distance is exactly this, so single precision is enough to tell.
        theirs = compute_surface_dice(
            *one_hot, [1.731], spacing=[float(side) for side in spacing], use_subvoxels=subvoxels
        )
        ours = score(pred, truth, spacing, 1.731, nsd=definition)
        assert ours.nsd == pytest.approx(float(theirs), abs=1e-5)


def test_definitions_differ_as_the_field_notes_say():
    """By surfels a shifted, dilated ball agrees far better than by voxels at its edge."""
    index = np.indices((40, 40, 24)) - np.reshape((19.5, 19.5, 11.5), (3, 1, 1, 1))
    truth = ((index / np.reshape((11, 10, 5), (3, 1, 1, 1))) ** 2).sum(axis=0) <= 1
    pred = scipy.ndimage.binary_dilation(np.roll(truth, 1, 0))
    by = {name: score(pred, truth, (0.8, 0.8, 2.5), 1, nsd=name).nsd for name in DEFINITIONS}
    assert by["surfel"] > by["voxel-edge"] + 0.1
    assert by["voxel-edge"] == pytest.approx(by["mean-of-fractions"], abs=0.02)


VALUES = ("dice", "iou", "nsd")
DISTANCES = ("hd95_mm", "hd_mm", "assd_mm", "pred_to_truth_mm", "truth_to_pred_mm")


@pytest.mark.parametrize("definition", DEFINITIONS)
@pytest.mark.parametrize(
    ("pred", "truth", "outcome"),
    [(0, 1, "missed"), (1, 0, "false_alarm"), (0, 0, "both_empty"), (1, 1, "found")],
)
def test_outcomes_have_names(pred, truth, outcome, definition):
    masks = [np.full((3, 4, 5), bool(value)) for value in (pred, truth)]
    found = score(*masks, (1, 2, 0.5), nsd=definition)
    overlap, distance = {
        "found": (1, 0),
        "missed": (0, math.inf),
        "false_alarm": (0, math.inf),
        "both_empty": (math.nan, math.nan),
    }[outcome]
    assert found.outcome == outcome
    for name in VALUES:
        np.testing.assert_equal(getattr(found, name), overlap)
    for name in DISTANCES:
        np.testing.assert_equal(getattr(found, name), distance)
    assert found.pred_volume_mm3 == 60 * pred
    assert found.truth_volume_mm3 == 60 * truth
    assert found.volume_error_mm3 == 60 * (pred - truth)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("spacing", SPACINGS)
def test_cubes_moved_along_an_axis(axis, spacing):
    truth = np.zeros((24, 24, 24), bool)
    truth[6:16, 6:16, 6:16] = True
    found = score(np.roll(truth, 3, axis), truth, spacing, 3 * spacing[axis])
    step = 3 * spacing[axis]
    assert found.dice == 0.7
    assert found.iou == pytest.approx(7 / 13)
    assert found.hd_mm == pytest.approx(step)
    assert 0 < found.assd_mm < found.hd95_mm <= found.hd_mm
    assert found.nsd == 1
    assert found.volume_error_mm3 == 0
    assert score(np.roll(truth, 3, axis), truth, spacing, 0.99 * step).nsd < 1


def test_parallel_sheets():
    """Each sheet has a surface on both of its sides: 2 and 3 voxels from the other sheet."""
    pred, truth = np.zeros((2, 9, 6, 7), bool)
    pred[2], truth[5] = True, True
    found = score(pred, truth, (1.5, 0.7, 1), 2 * 1.5)
    assert found.assd_mm == pytest.approx(2.5 * 1.5)
    assert found.hd95_mm == found.hd_mm == 3 * 1.5
    assert found.nsd == pytest.approx(0.5)
    assert found.dice == 0


def test_a_ball_in_a_larger_ball():
    radius = np.sqrt(((np.indices((64, 64, 64)) - 31.5) ** 2).sum(axis=0))
    found = score(radius < 28, radius < 20, (1, 1, 1), 2)
    assert found.assd_mm == pytest.approx(8, abs=0.7)  # a surface is a layer of corners
    assert found.hd95_mm == pytest.approx(8, abs=0.9)
    assert found.nsd == 0
    assert found.volume_error_mm3 == pytest.approx(4 / 3 * math.pi * (28**3 - 20**3), rel=0.01)


_SWAPPED = {"pred_to_truth_mm": "truth_to_pred_mm", "pred_volume_mm3": "truth_volume_mm3"}


def _numbers(found: Score) -> dict[str, float]:
    return {k: v for k, v in dataclasses.asdict(found).items() if not isinstance(v, str)}


def _assert_close(one: Score, other: Score):
    assert one.outcome == other.outcome
    assert _numbers(one) == pytest.approx(_numbers(other), rel=1e-12, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(_pairs(), _spacings, st.sampled_from(DEFINITIONS))
def test_which_mask_is_the_truth_matters_to_nothing_but_directions(masks, spacing, definition):
    one = _numbers(score(*masks, spacing, nsd=definition))
    other = _numbers(score(*reversed(masks), spacing, nsd=definition))
    for name, swapped in _SWAPPED.items():
        other[name], other[swapped] = other[swapped], other[name]
    other["volume_error_mm3"] *= -1
    assert one == pytest.approx(other, rel=1e-12)


# Where a percentile falls exactly between two distances, the last bit of sums decides; noise and
# boxes do not get there.
@settings(max_examples=100, deadline=None)
@given(
    _pairs(kinds=(_noise, _box)),
    st.sampled_from(SPACINGS),
    st.permutations(range(3)),
    st.tuples(*[st.booleans()] * 3),
    st.sampled_from(DEFINITIONS),
)
def test_axes_may_be_in_any_order_and_direction(masks, spacing, order, turned, definition):
    steps = tuple(slice(None, None, -1 if turn else 1) for turn in turned)
    views = [mask.transpose(order)[steps] for mask in masks]
    _assert_close(
        score(*views, [spacing[axis] for axis in order], 1.7, nsd=definition),
        score(*masks, spacing, 1.7, nsd=definition),
    )


@settings(max_examples=100, deadline=None)
@given(_pairs(), st.tuples(*[st.integers(0, 9)] * 6), st.sampled_from(DEFINITIONS))
def test_background_around_the_masks_changes_nothing(masks, widths, definition):
    around = [widths[:2], widths[2:4], widths[4:]]
    padded = [np.pad(mask, around) for mask in masks]
    _assert_close(
        score(*padded, (1, 0.7, 2), nsd=definition), score(*masks, (1, 0.7, 2), nsd=definition)
    )


@given(_pairs(), st.sampled_from(DEFINITIONS))
@settings(max_examples=60, deadline=None)
def test_surfaces_agree_the_more_the_larger_the_tolerance(masks, definition):
    nsd = [score(*masks, (1, 0.7, 2), t, nsd=definition).nsd for t in (0, 0.5, 1, 3, 60)]
    assert nsd == sorted(nsd)
    assert nsd[-1] == 1
    assert score(masks[0], masks[0], (1, 0.7, 2), 0, nsd=definition).nsd == 1


def test_any_kind_of_array_that_is_a_mask_will_do():
    rng = np.random.default_rng(0)
    pred, truth = rng.random((2, 14, 11, 9)) < 0.4
    expected = score(pred, truth, (1, 2, 3))
    locked = pred.copy()
    locked.flags.writeable = False
    inside = np.zeros((20, 20, 20), bool)
    inside[3:17, 5:16, 2:11] = pred
    thinned = np.repeat(pred, 2, axis=2)
    variants = [
        *(pred.astype(kind) for kind in (np.uint8, np.int8, np.int16, np.float32, np.float64)),
        np.asfortranarray(pred),
        locked,
        inside[3:17, 5:16, 2:11],
        thinned[..., ::2],
        pred[::-1].copy()[::-1],
        pred.tolist(),
    ]
    for variant in variants:
        assert score(variant, truth, np.array([1, 2, 3])) == expected
    big = np.repeat(truth.astype(">i2"), 1, axis=0)
    assert score(pred, big, (1, 2, 3)) == expected
    np.testing.assert_array_equal(locked, pred)


MASK = np.ones((3, 3, 3), bool)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((MASK[0], MASK[0], (1, 1, 1)), "pred has 2 axes; give a mask with three."),
        ((MASK, MASK[:2], (1, 1, 1)), "truth (2, 3, 3); give two masks on one grid."),
        ((2 * MASK.astype(int), MASK, (1, 1, 1)), "pred is no mask: it has values besides 0 and 1"),
        ((MASK, 2 * MASK.astype("u1"), (1, 1, 1)), "truth is no mask: it has values besides"),
        ((-MASK.astype("i1"), MASK, (1, 1, 1)), "pred is no mask: it has values besides 0 and 1"),
        ((MASK, np.full(MASK.shape, np.nan), (1, 1, 1)), "truth is no mask: it has values"),
        ((MASK, np.full(MASK.shape, "x"), (1, 1, 1)), "truth is no mask: it has values"),
        ((MASK, MASK, (1, 1)), "spacing is (1, 1); give three positive numbers, in mm."),
        ((MASK, MASK, 1), "spacing is 1; give three positive numbers, in mm."),
        ((MASK, MASK, (1, 0, 1)), "spacing is (1, 0, 1); give three positive"),
        ((MASK, MASK, (1, math.inf, 1)), "give three positive numbers, in mm."),
        ((MASK, MASK, (1, "wide", 1)), "give three positive numbers, in mm."),
        ((MASK, MASK, (1, 1, 1), -1), "tolerance_mm is -1; give a number of mm from 0."),
        ((MASK, MASK, (1, 1, 1), math.nan), "tolerance_mm is nan; give a number of mm from 0."),
        ((MASK, MASK, (1, 1, 1), "2"), "tolerance_mm is '2'; give a number of mm from 0."),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(arguments, sentence):
    with pytest.raises(InputError) as error:
        score(*arguments)
    assert sentence in str(error.value)


def test_an_unknown_definition_gets_the_nearest_one():
    with pytest.raises(UnknownNameError, match="did you mean 'surfel'"):
        score(MASK, MASK, (1, 1, 1), nsd="surfels")


def test_the_function_has_its_public_name_whatever_was_imported_first():
    import oncoforge.evaluation.score  # noqa: F401  (a module of the same name)

    assert of.evaluation.score is score
    assert of.evaluation.Score is Score
    assert {"score", "Score", "evaluate", "Evaluation"} <= set(dir(of.evaluation))
    with pytest.raises(AttributeError, match="no attribute 'scores'"):
        _ = of.evaluation.scores


def test_scores_of_all_small_masks_of_a_row_equal_theirs():
    """Every pair of masks in a row of four voxels, and in a plane of 2 x 2."""
    for shape in ((4, 1, 1), (1, 2, 2)):
        masks = [np.array(v, bool).reshape(shape) for v in itertools.product((0, 1), repeat=4)]
        for pred, truth in itertools.product(masks[1:], repeat=2):
            _assert_equals_theirs(pred, truth, (0.7, 1, 2.5), 1)
