"""Splits: by patient, balanced in number and size, the same whatever the order of the list."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoforge.errors import InputError
from oncoforge.lists import (
    CaseList,
    Entry,
    hold_out,
    k_folds,
    read_list,
    with_external,
    write_folds,
)


def people(*cases_of_each: int) -> list[Entry]:
    """Make patients with so many cases."""
    return [
        Entry(f"p{patient:03d}_{case}", patient=f"p{patient:03d}")
        for patient, count in enumerate(cases_of_each)
        for case in range(count)
    ]


def validated(fold: CaseList) -> list[str]:
    return [entry.case for entry in fold.validation]


@given(
    counts=st.lists(st.integers(1, 4), min_size=5, max_size=40),
    folds=st.integers(2, 5),
    seed=st.integers(0, 10),
    data=st.data(),
)
def test_folds_keep_patients_together_and_are_balanced(counts, folds, seed, data):
    entries = people(*counts)
    sizes = {e.case: data.draw(st.sampled_from([0.0, 5.0, 12.0, 30.0])) for e in entries}
    found = k_folds(entries, folds, seed, sizes)
    everything = sorted(entry.case for entry in entries)
    assert sorted(case for fold in found for case in validated(fold)) == everything
    patients = [{entry.patient for entry in fold.validation} for fold in found]
    for number, fold in enumerate(found):
        assert not patients[number] & {entry.patient for entry in fold.training}
        assert sorted(entry.case for entry in (*fold.training, *fold.validation)) == everything
        assert {entry.fold for entry in fold.validation} == {number}
    of_each = [len(found) for found in patients]
    assert max(of_each) - min(of_each) <= 1
    shuffled = data.draw(st.permutations(entries))
    assert k_folds(shuffled, folds, seed, sizes) == found


def test_every_fold_gets_tumours_of_all_sizes_and_healthy_patients():
    rng = np.random.default_rng(0)
    entries = people(*[1] * 200)
    sizes = {e.case: float(rng.lognormal(3, 0.7)) for e in entries[:150]}
    found = k_folds(entries, 5, 0, sizes)
    limits = np.quantile(list(sizes.values()), [0.2, 0.4, 0.6, 0.8])
    for fold in found:
        held = [sizes.get(case, 0.0) for case in validated(fold)]
        strata = Counter(int(np.searchsorted(limits, s)) if s else "healthy" for s in held)
        assert strata == {0: 6, 1: 6, 2: 6, 3: 6, 4: 6, "healthy": 10}
    plain = k_folds(entries, 5, 0)
    assert {len(fold.validation) for fold in plain} == {40}


def test_seeds_make_different_folds():
    entries = people(*[1] * 30)
    assert validated(k_folds(entries, 5, 0)[0]) == validated(k_folds(entries, 5, 0)[0])
    assert len({tuple(validated(k_folds(entries, 5, seed)[0])) for seed in range(10)}) > 8


def test_folds_that_cannot_be():
    with pytest.raises(InputError, match="3 patients cannot be split into 5 folds"):
        k_folds(people(4, 1, 1))
    with pytest.raises(InputError, match="3 patients cannot be split into 1 folds"):
        k_folds(people(4, 1, 1), 1)
    with pytest.raises(InputError, match="0 patients"):
        k_folds([])
    with pytest.raises(InputError, match=r"such as 'p000_0', the sizes are of cases such as 'x'"):
        k_folds(people(1, 1), 2, sizes={"x": 3.0})
    with pytest.raises(InputError, match="two cases of the id 'a'"):
        k_folds([Entry("a", patient="1"), Entry("a", patient="2"), Entry("b")], 2)


@given(
    counts=st.lists(st.integers(1, 3), min_size=2, max_size=40),
    fraction=st.floats(0.02, 0.98),
    seed=st.integers(0, 5),
)
def test_a_fraction_of_the_patients_is_held_out(counts, fraction, seed):
    found = hold_out(people(*counts), fraction, seed)
    kept, held = ({e.patient for e in part} for part in (found.training, found.test))
    assert not kept & held
    assert len(kept | held) == len(counts)
    assert kept
    assert held
    assert abs(len(held) - fraction * len(counts)) <= 1
    assert found == hold_out(people(*counts)[::-1], fraction, seed)


def test_what_is_held_out_has_tumours_of_all_sizes():
    entries = people(*[1] * 100)
    sizes = {entry.case: float(i + 1) for i, entry in enumerate(entries)}
    held = sorted(sizes[e.case] for e in hold_out(entries, 0.2, 3, sizes).test)
    assert np.histogram(held, [1, 21, 41, 61, 81, 101])[0].tolist() == [4] * 5


@pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan")])
def test_fractions_that_cannot_be(fraction):
    with pytest.raises(InputError, match="must be above 0 and below 1"):
        hold_out(people(1, 1), fraction)
    with pytest.raises(InputError, match="one patient only"):
        hold_out(people(3), 0.5)


def test_external_lists_are_for_the_test_only():
    own = CaseList((Entry("1"), Entry("2")), test=(Entry("3"), Entry("x")), name="own")
    numbers = CaseList((Entry("1"),), (Entry("3", fold=2),), name="CHAOS")
    words = CaseList(test=(Entry("a"), Entry("x", patient="y")), name="other")
    both = with_external(own, [CaseList((Entry("b", fold=1),)), numbers, words, words])
    assert (both.training, both.validation) == (own.training, ())
    assert both.test[:2] == own.test
    assert [(e.case, e.patient, e.fold) for e in both.test[2:]] == [
        ("b", "b", None),
        ("CHAOS_1", "CHAOS_1", None),
        ("CHAOS_3", "CHAOS_3", None),
        ("other_a", "a", None),
        ("other_x", "y", None),
        ("other_a_2", "a", None),
        ("other_x_2", "y", None),
    ]


def test_the_files_of_folds_say_the_same(tmp_path):
    entries = [
        Entry(f"c{i}", tmp_path / "ct" / f"c{i}.nii", tmp_path / "seg" / f"c{i}.nii")
        for i in range(7)
    ]
    external = CaseList((Entry("e", tmp_path / "e.nii"),), name="other")
    found = [with_external(fold, [external]) for fold in k_folds(entries, 3)]
    write_folds(found, tmp_path, tmp_path, {"c3": 12.34567})
    splits = json.loads((tmp_path / "splits_final.json").read_text())
    for number, fold in enumerate(found):
        again = read_list(tmp_path / f"fold_{number}.json")
        assert list(again) == list(fold)
        assert splits[number]["val"] == validated(fold)
        assert splits[number]["train"] == [entry.case for entry in fold.training]
        table = read_list(tmp_path / "folds.csv", fold=number)
        assert validated(table) == validated(fold)
        assert [e.image for e in table.training] == [e.image for e in fold.training]
        assert [e.case for e in table.test] == ["e"]
    assert "c3,ct/c3.nii,seg/c3.nii,c3," in (tmp_path / "folds.csv").read_text()
    assert ",12.3457" in (tmp_path / "folds.csv").read_text()


def test_numbered_cases_of_two_hospitals_are_not_one_patient():
    hospitals = [CaseList((Entry("case_00001"),), name=name) for name in ("A", "B")]
    named = CaseList((Entry("b1", patient="p7"),), name="C")
    found = with_external(CaseList((Entry("a1", patient="p7"),)), [*hospitals, named])
    assert [entry.patient for entry in found.test] == ["A_case_00001", "B_case_00001", "p7"]
