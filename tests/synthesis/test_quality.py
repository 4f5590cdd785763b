"""The quality filter: what each check measures, and what happens to lesions that fail."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.synthesis.appearance.texture import Textured
from oncoforge.synthesis.base import Lesion
from oncoforge.synthesis.masks.ellipsoid import Ellipsoids
from oncoforge.synthesis.quality import (
    Exhibit,
    Inside,
    Segmented,
    Sized,
    Visible,
    checks_from,
    judge,
    keep,
    read_checks,
)
from oncoforge.synthesis.synthesizer import Synthesizer

SPACING = (2.0, 1.0, 1.0)
SHAPE = (30, 60, 60)
PLACES = (
    (slice(5, 8), slice(10, 16), slice(10, 16)),
    (slice(18, 22), slice(30, 38), slice(40, 48)),
)


def exhibit(hus=(40.0, 95.0), noise=10.0, organ=None) -> Exhibit:
    """Two blocks of given HU in an organ of 100 HU with noise."""
    rng = np.random.default_rng(0)
    before = (100 + noise * rng.normal(size=SHAPE)).astype(np.float32)
    image, instances, lesions = before.copy(), np.zeros(SHAPE, np.uint16), []
    for ident, (place, hu) in enumerate(zip(PLACES, hus, strict=True), 1):
        image[place] += np.float32(hu - 100)
        instances[place] = ident
        voxels = np.count_nonzero(instances == ident)
        volume = voxels * float(np.prod(SPACING))
        diameter = (6 * volume / np.pi) ** (1 / 3)
        lesions.append(
            Lesion(ident, "small", (0, 0, 0), diameter, volume, voxels, hu, hu - 100, ident - 1)
        )
    organ = np.ones(SHAPE, bool) if organ is None else organ
    box = tuple(slice(0, n) for n in SHAPE)
    return Exhibit(image, before, organ, SPACING, tuple(lesions), box, instances)


def test_contrast_to_noise_is_that_of_its_parts():
    first, second = Visible(1.0)(exhibit())
    assert first.score == pytest.approx(6.0, rel=0.1)
    assert second.score == pytest.approx(0.5, abs=0.15)
    assert (first.kept, second.kept) == (True, False)
    assert "contrast-to-noise" in second.sentence
    assert not first.sentence


def test_brighter_lesions_are_as_visible_as_darker_ones():
    first, _ = Visible(1.0)(exhibit((160.0, 40.0)))
    assert first.score == pytest.approx(6.0, rel=0.1)


@given(st.floats(0.5, 4.0))
def test_contrast_to_noise_does_not_depend_on_the_scale_of_hu(factor):
    plain = exhibit()
    scaled = Exhibit(
        plain.image * factor, plain.before * factor, plain.organ, SPACING, plain.lesions,
        plain.box, plain.instances,
    )  # fmt: skip
    for a, b in zip(Visible()(plain), Visible()(scaled), strict=True):
        assert b.score == pytest.approx(a.score, rel=1e-3)


def test_a_few_bright_vessels_are_no_noise():
    plain = exhibit()
    vessels = plain.before.copy()
    vessels[::7, ::5] += 200
    with_vessels = Exhibit(
        plain.image, vessels, plain.organ, SPACING, plain.lesions, plain.box, plain.instances
    )
    assert Visible()(with_vessels)[0].score > 0.9 * Visible()(plain)[0].score


def test_a_lesion_that_fills_its_organ_cannot_be_told_from_it():
    organ = np.zeros(SHAPE, bool)
    for place in PLACES:
        organ[place] = True
    verdicts = Visible(0.1)(exhibit(organ=organ))
    assert [v.kept for v in verdicts] == [False, False]
    assert [v.score for v in verdicts] == [0.0, 0.0]


def test_the_part_in_the_organ_is_counted():
    organ = np.zeros(SHAPE, bool)
    organ[:, :13] = True  # half of the first block, none of the second
    verdicts = Inside(0.5)(exhibit(organ=organ))
    assert [v.score for v in verdicts] == [0.5, 0.0]
    assert [v.kept for v in verdicts] == [True, False]


def test_diameters_have_limits_at_both_ends():
    first, second = (lesion.diameter_mm for lesion in exhibit().lesions)
    assert [v.kept for v in Sized(first + 0.1)(exhibit())] == [False, True]
    assert [v.kept for v in Sized(0, second - 0.1)(exhibit())] == [True, False]
    assert [v.kept for v in Sized(first, second)(exhibit())] == [True, True]


def test_the_network_is_asked_once_for_soft_probabilities():
    calls = []

    def predict(image, spacing):
        calls.append(spacing)
        assert image.dtype == np.float32
        assert not image.flags.writeable
        seen = np.zeros(image.shape)
        seen[PLACES[0]] = 0.70
        seen[PLACES[1]] = np.linspace(0.6, 0.9, 8)
        return seen

    first, second = Segmented(predict)(exhibit())
    assert calls == [SPACING]
    assert (first.score, second.score) == pytest.approx((0.70, 0.75))
    assert (first.kept, second.kept) == (False, True)  # as published, 0.7 itself is not enough


def test_hard_predictions_give_the_published_recall():
    def predict(image, _):
        return np.indices(image.shape)[1] < 13

    assert [v.score for v in Segmented(predict)(exhibit())] == [0.5, 0.0]


@pytest.mark.parametrize(
    ("given_back", "sentence"),
    [
        (lambda image: image, "softmax or sigmoid"),
        (lambda image: np.full(image.shape, np.nan), "no probabilities"),
        (lambda image: np.zeros((2, *image.shape)), "shape"),
        (lambda image: np.full(image.shape, "x"), "as numbers"),
    ],
)
def test_what_is_no_probability_is_refused(given_back, sentence):
    with pytest.raises(InputError, match=sentence):
        Segmented(lambda image, _: given_back(image))(exhibit())


def synthesized(scan, **settings):
    synth = Synthesizer("handcrafted", Ellipsoids(**settings), Textured())
    return synth, synth(*scan, np.random.default_rng(2))


def test_rejected_lesions_are_gone_without_a_trace(scan):
    synth, out = synthesized(scan, size="mix", min_distance_mm=2.0)
    left = keep(synth, *scan, out, [Sized(10.0)]).synthesis
    small = [lesion for lesion in out.lesions if lesion.diameter_mm < 10]
    assert small
    assert len(left.lesions) == len(out.lesions) - len(small)
    gone = np.isin(out.instances(), [lesion.id for lesion in small])
    from_others = left.tumor
    assert not (from_others & gone).any()
    # What is left is what the recipe without them makes, and far from any lesion nothing changed.
    again = synth.apply(*scan, left.recipe.to_dict())
    assert again.image.tobytes() == left.image.tobytes()
    assert len(left.skipped) == len(out.skipped) + len(small)
    assert all("was taken out" in sentence for sentence in left.skipped[-len(small) :])


def test_all_that_is_left_passes(scan):
    synth, out = synthesized(scan, size="mix")  # lesions overlap, and grow when others go
    checks = checks_from({"diameter": (6, 15), "cnr": 1.0})
    kept = keep(synth, *scan, out, checks)
    assert all(v.kept for v in judge(kept.synthesis, *scan, checks))
    assert all(not v.kept for v in kept.rejected)
    assert kept.rejected


def test_nothing_is_done_where_all_pass(scan):
    synth, out = synthesized(scan, count=2, diameter_mm=15.0)
    kept = keep(synth, *scan, out, [Sized(1.0)])
    assert kept.synthesis is out
    assert not kept.rejected


def test_if_none_passes_the_scan_is_as_before(scan):
    synth, out = synthesized(scan, count=2, diameter_mm=15.0)
    kept = keep(synth, *scan, out, [Sized(100.0)])
    assert np.array_equal(kept.synthesis.image, scan.image)
    assert not kept.synthesis.tumor.any()
    assert len(kept.synthesis.skipped) == 2


def test_work_in_place_cannot_be_undone(scan):
    synth = Synthesizer("handcrafted", Ellipsoids(size="tiny"), Textured())
    image = scan.image.copy()
    out = synth(image, scan.organ, scan.spacing, np.random.default_rng(0), out=image)
    with pytest.raises(InputError, match="in place"):
        keep(synth, image, scan.organ, scan.spacing, out, [Sized(10.0)])


def test_checks_have_names():
    found = checks_from(read_checks("cnr=1, inside=0.5,diameter=5"))
    assert found == (Visible(1.0), Inside(0.5), Sized(5.0))
    assert checks_from(read_checks("diameter=5-30mm")) == (Sized(5.0, 30.0),)
    assert checks_from({}) == ()


@pytest.mark.parametrize(
    ("wanted", "error", "sentence"),
    [
        ({"crn": 1}, UnknownNameError, "'cnr'"),
        ({"cnr": "high"}, InputError, "cnr is a number"),
        ({"cnr": (1, 2)}, InputError, "cnr is a number"),
        ({"cnr": float("nan")}, InputError, "cnr is a number"),
        ({"cnr": True}, InputError, "cnr is a number"),
        ({"cnr": -1}, InputError, "not negative"),
        ({"inside": 50}, InputError, "from 0 to 1"),
        ({"diameter": (30, 5)}, InputError, "No diameter"),
    ],
)
def test_senseless_checks_are_refused(wanted, error, sentence):
    with pytest.raises(error, match=sentence):
        checks_from(wanted)


@pytest.mark.parametrize("text", ["cnr", "cnr=", "cnr=x", "cnr=1,cnr=2", "=3,=4"])
def test_words_that_are_no_checks_are_refused(text):
    with pytest.raises(InputError):
        checks_from(read_checks(text))
