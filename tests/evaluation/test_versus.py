"""Paired tests: as SciPy's, on the right pairs, with the right signs."""

from __future__ import annotations

import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st

from oncoforge.evaluation.bootstrap import Bootstrap
from oncoforge.evaluation.rows import ComparisonRow, LesionScore, PatientRow, ScoreRow
from oncoforge.evaluation.versus import compare, holm, mcnemar, signed_ranks, swaps

BOOTSTRAP = Bootstrap(300)


def _row(model: str, case: str, dice: float | None, hd: float | None = 3.0, **more) -> ScoreRow:
    values = {
        "model": model,
        "case": case,
        "patient": case,
        "organ": "liver",
        "structure": "liver_tumor",
        "outcome": "found",
        "dice": dice,
        "iou": dice,
        "nsd": dice,
        "hd95_mm": hd,
        "assd_mm": hd,
        "volume_error_mm3": 0.0,
        "volume_error_percent": 0.0,
        "truth_mm3": 100.0,
        "predicted_mm3": 100.0,
    }
    return ScoreRow(**{**values, **more})


def _lesion(model: str, case: str, lesion: int, found: bool, diameter: float = 30) -> LesionScore:
    size = "10-20 mm" if diameter < 20 else "20-50 mm"
    status = "found" if found else "missed"
    return LesionScore(
        model, case, case, "liver", status, "", lesion, None, diameter, size, 1.0, None, 0.5,
        None, None, 0.0, 0.0, 0.0,
    )  # fmt: skip


def _by(rows: list[ComparisonRow], metric: str) -> ComparisonRow:
    (row,) = [row for row in rows if row.metric == metric]
    return row


def test_differences_and_p_values_are_those_of_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 20))
    rows = [_row(m, f"c{n}", v[n]) for n in range(20) for m, v in (("a", a), ("b", b))]
    found = _by(compare(rows, [], [], BOOTSTRAP), "dice")
    assert (found.model, found.versus, found.n, found.unit) == ("a", "b", 20, "cases")
    assert found.mean_model == pytest.approx(a.mean())
    assert found.mean_versus == pytest.approx(b.mean())
    assert found.difference == pytest.approx((a - b).mean())
    assert found.ci_low < found.difference < found.ci_high
    assert found.p == pytest.approx(scipy.stats.wilcoxon(a, b).pvalue)
    assert found.better == (a > b).sum()
    assert found.worse == (a < b).sum()


def test_few_pairs_are_permuted_in_every_way():
    differences = np.array([0.3, 0.1, 0.25, 0.4, -0.05])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 5)).reshape(5, -1)
    means = (signs * differences[:, None]).mean(axis=0)
    expected = np.mean(np.abs(means) >= differences.mean() - 1e-12)
    assert swaps(differences, np.random.default_rng(0)) == pytest.approx(expected)
    assert swaps(differences, np.random.default_rng(1)) == pytest.approx(expected)


def test_many_pairs_are_permuted_at_random_but_the_same_each_time():
    differences = np.random.default_rng(3).normal(0.2, 0.5, 30)
    one, again = (swaps(differences, np.random.default_rng(4)) for _ in range(2))
    assert one == again
    assert one == pytest.approx(scipy.stats.ttest_1samp(differences, 0).pvalue, abs=0.02)


def test_no_difference_is_p_1_and_no_pair_is_no_p():
    none = np.zeros(6)
    assert signed_ranks(none) == swaps(none, np.random.default_rng(0)) == 1
    assert signed_ranks(none[:0]) is swaps(none[:0], np.random.default_rng(0)) is None
    assert swaps(np.array([0.3]), np.random.default_rng(0)) == 1
    assert mcnemar(0, 0) == 1


def test_distances_that_are_smaller_are_better():
    rows = [_row(m, f"c{n}", 0.5, hd) for n in range(6) for m, hd in (("a", 2.0), ("b", 5.0 + n))]
    found = _by(compare(rows, [], [], BOOTSTRAP), "hd95_mm")
    assert (found.better, found.worse) == (6, 0)
    assert found.difference == pytest.approx(-5.5)


def test_what_one_model_has_no_value_of_is_left_out():
    rows = [_row(m, f"c{n}", 0.5 + 0.1 * (m == "a")) for n in range(5) for m in "ab"]
    rows += [
        _row("a", "empty", None, None, outcome="both_empty"),
        _row("b", "empty", 0.0, np.inf, outcome="false_alarm"),
        _row("a", "missed", 0.0, np.inf, outcome="missed"),
        _row("b", "missed", 0.7),
        _row("a", "lone", 0.9),
    ]
    found = compare(rows, [], [], BOOTSTRAP)
    assert _by(found, "dice").n == 6  # the missed one counts 0
    assert _by(found, "dice").difference == pytest.approx((5 * 0.1 - 0.7) / 6)
    assert _by(found, "hd95_mm").n == 5


def test_scans_of_one_patient_are_one_pair():
    rows = [
        _row(m, f"c{n}", 0.5 + 0.01 * n * (m == "a"), patient=f"p{n // 5}")
        for n in range(1, 21)
        for m in "ab"
    ]
    means = [np.mean([0.01 * n for n in range(1, 21) if n // 5 == p]) for p in range(5)]
    found = _by(compare(rows, [], [], BOOTSTRAP), "dice")
    assert found.n == 20
    assert found.p == pytest.approx(scipy.stats.wilcoxon(means).pvalue)


def test_lesions_are_compared_by_those_that_only_one_model_found():
    rows = [_row(m, f"c{n}", 0.5) for n in range(12) for m in "ab"]
    ours = [True] * 9 + [False] * 3
    theirs = [True] * 2 + [False] * 8 + [True] * 2
    lesions = [
        _lesion(m, f"c{n}", 1, hit[n], 15 if n < 5 else 30)
        for m, hit in (("a", ours), ("b", theirs))
        for n in range(12)
    ]
    found = compare(rows, lesions, [], BOOTSTRAP)
    every = _by(found, "lesion_sensitivity")
    assert (every.n, every.better, every.worse, every.test) == (12, 7, 2, "mcnemar")
    assert every.p == pytest.approx(scipy.stats.binomtest(7, 9).pvalue)
    assert every.difference == pytest.approx(5 / 12)
    assert every.p_permutation is None
    small = _by(found, "lesion_sensitivity <20 mm")
    assert (small.n, small.better, small.worse) == (5, 3, 0)


def test_patients_are_compared_apart_the_ill_and_the_healthy():
    rows = [_row(m, f"c{n}", 0.5) for n in range(6) for m in "ab"]
    patients = [
        PatientRow(m, f"c{n}", "liver", 1, n < 4, said, 1.0, 1.0 * (n < 4), 1.0 * said)
        for m, told in (("a", "110100"), ("b", "100011"))
        for n, said in enumerate(letter == "1" for letter in told)
    ]
    found = compare(rows, [], patients, BOOTSTRAP)
    ill, healthy = (_by(found, f"patient_{kind}") for kind in ("sensitivity", "specificity"))
    assert (ill.n, ill.better, ill.worse) == (4, 2, 0)
    assert (healthy.n, healthy.better, healthy.worse) == (2, 2, 0)


def test_every_further_model_is_compared_with_the_first():
    rows = [_row(m, f"c{n}", 0.1 * n + 0.05 * k) for n in range(8) for k, m in enumerate("abc")]
    found = compare(rows, [], [], BOOTSTRAP)
    assert [(row.model, row.versus) for row in found if row.metric == "dice"] == [
        ("a", "b"),
        ("a", "c"),
    ]
    np.testing.assert_allclose([row.p_holm for row in found], holm([row.p for row in found]))
    assert compare([row for row in rows if row.model == "a"], [], [], BOOTSTRAP) == []


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, None, 0.005]) == pytest.approx([0.03, 0.06, 0.06, None, 0.02])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_only_raises_keeps_the_order_and_is_at_most_bonferroni(p_values):
    corrected = holm(p_values)
    for p, q in zip(p_values, corrected, strict=True):
        assert p <= q <= min(1, p * len(p_values)) + 1e-12
    ranked = [q for _, q in sorted(zip(p_values, corrected, strict=True))]
    assert ranked == sorted(ranked)
