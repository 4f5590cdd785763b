"""Lists are read whole or refused in a sentence; nobody is in training and in validation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.training.data.roster import call_roll
from oncoforge.training.data.sources import find_cases
from oncoforge.training.settings import SourceSettings

NONE = SourceSettings()


@pytest.fixture
def write(tmp_path):
    """Write a list of empty files."""
    (tmp_path / "labels").mkdir()

    def make(name, fold_of=None, patient_of=None, more=None, there=True, **parts):
        content = {}
        for part, ids in parts.items():
            content[part] = []
            for case in ids:
                row = {"image": f"{case}.nii.gz", "label": f"labels/{case}.nii.gz"}
                if there:
                    for file in row.values():
                        (tmp_path / file).touch()
                if fold_of:
                    row["fold"] = fold_of[case]
                if patient_of:
                    row["patient"] = patient_of[case]
                content[part].append(row | (more or {}))
        path = tmp_path / name
        path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)

    return make


def _ids(found):
    return [one.entry.case for one in found]


def _source(*lists, **settings):
    return SourceSettings(lists=list(lists), **settings)


def test_parts_of_lists_are_training_and_validation(write):
    real = _source(write("real.json", training=["a", "b"], validation=["c"]))
    healthy = _source(write("healthy.json", training=["d"], validation=["e"]))
    roster = call_roll(real, healthy, NONE)
    assert [_ids(x) for x in (roster.real, roster.healthy, roster.validation)] == [
        ["a", "b"], ["d"], ["c", "e"],
    ]  # fmt: skip
    assert [files.entry.case for files in roster.files] == ["a", "b", "d", "c", "e"]


def test_a_list_for_validation_takes_their_place(write):
    real = _source(write("real.json", training=["a"], validation=["c"]))
    other = _source(write("test.json", test=["t"]), part="test")
    assert _ids(call_roll(real, NONE, other).validation) == ["t"]


def test_a_fold_of_the_real_cases_is_validated_and_healthy_lists_need_none(write):
    folds = {"a": 0, "b": 1, "c": 1}
    real = _source(write("real.json", fold_of=folds, training=["a", "b", "c"]))
    healthy = _source(write("healthy.json", training=["d"]))
    roster = call_roll(real, healthy, NONE, fold=1)
    assert _ids(roster.real) == ["a"]
    assert sorted(_ids(roster.validation)) == ["b", "c"]
    assert _ids(roster.healthy) == ["d"]
    with pytest.raises(InputError, match="there is no fold 3"):
        call_roll(real, healthy, NONE, fold=3)
    with pytest.raises(InputError, match="has no folds"):
        call_roll(healthy, NONE, NONE, fold=0)


def test_files_that_vanished_are_counted_and_the_list_is_named(write, tmp_path):
    lost = write("lost.json", there=False, training=["x", "y"])
    with pytest.raises(InputError) as caught:
        call_roll(_source(lost), NONE, NONE)
    sentence = str(caught.value)
    assert "4 of the 4 files" in sentence
    assert lost in sentence
    assert str(tmp_path / "x.nii.gz") in sentence
    assert "\n" not in sentence


def test_a_case_without_a_label_map_is_named(tmp_path):
    path = tmp_path / "list.csv"
    (tmp_path / "a.nii.gz").touch()
    path.write_text("case,image,label\na,a.nii.gz,\n", encoding="utf-8")
    with pytest.raises(InputError, match="names no label map for the training case a"):
        call_roll(_source(str(path)), NONE, NONE)


def test_no_lists_and_empty_parts_are_told_apart(write):
    with pytest.raises(InputError, match="give lists of real cases"):
        call_roll(NONE, NONE, NONE)
    empty = write("empty.json", training=["a"])
    with pytest.raises(InputError, match="name none for test or training"):
        call_roll(_source(empty, part="test"), NONE, NONE)


def test_a_part_or_convention_that_does_not_exist_is_told(write):
    path = write("list.json", training=["a"])
    with pytest.raises(UnknownNameError, match="did you mean 'training'"):
        find_cases(_source(path), "trainin", None, None, needs_fold=True)
    with pytest.raises(UnknownNameError, match="convention"):
        call_roll(_source(path, convention="totalsegmentor"), NONE, NONE)


def test_an_open_convention_gets_the_only_organ_of_the_classes(write):
    path = write("list.json", training=["a"])
    source = _source(path, convention="organ-tumor")
    assert call_roll(source, NONE, NONE, organ="liver").real[0].files.organ == "liver"
    assert call_roll(_source(path), NONE, NONE, organ="liver").real[0].files.organ is None
    with pytest.raises(InputError, match="name the organ"):
        call_roll(source, NONE, NONE)


def test_the_same_file_in_training_and_validation_is_refused(write):
    real = _source(write("real.json", training=["a", "b"]))
    other = _source(write("other.json", validation=["b"]), part="validation")
    with pytest.raises(InputError, match=r"share the file .*b\.nii\.gz .*cases b of"):
        call_roll(real, NONE, other)


def test_one_patient_in_training_and_validation_is_refused(write):
    patients = {"a": "p1", "b": "p2", "c": "p1"}
    one = _source(write("one.json", patient_of=patients, training=["a", "b"], validation=["c"]))
    with pytest.raises(InputError, match="share the patient p1"):
        call_roll(one, NONE, NONE)
    first = _source(write("first.json", patient_of=patients, training=["a"]))
    second = _source(write("second.json", patient_of=patients, validation=["c"]), part="validation")
    with pytest.raises(InputError, match="share the patient p1"):
        call_roll(first, NONE, second)


def test_equal_ids_of_two_lists_need_not_be_one_patient(write, tmp_path):
    first = _source(write("first.json", training=["case_1"]))
    other = tmp_path / "elsewhere"
    (other / "labels").mkdir(parents=True)
    for file in ("case_1.nii.gz", "labels/case_1.nii.gz"):
        (other / file).touch()
    row = {"image": "case_1.nii.gz", "label": "labels/case_1.nii.gz"}
    (other / "list.json").write_text(json.dumps({"validation": [row]}), encoding="utf-8")
    roster = call_roll(first, NONE, _source(str(other / "list.json"), part="validation"))
    assert _ids(roster.validation) == ["case_1"]


def test_validation_cases_of_two_lists_that_share_an_id_are_told_apart(write, tmp_path):
    other = tmp_path / "other"
    (other / "labels").mkdir(parents=True)
    for name in ("labels/a.nii.gz", "a.nii.gz"):
        (other / name).touch()
    row = {"image": "a.nii.gz", "label": "labels/a.nii.gz"}
    (other / "o.json").write_text(json.dumps({"validation": [row]}), encoding="utf-8")
    both = _source(
        write("v.json", validation=["a", "a_2"]), str(other / "o.json"), part="validation"
    )
    roster = call_roll(_source(write("t.json", training=["b"])), NONE, both)
    assert _ids(roster.validation) == ["a", "a_2", "a_3"]
    assert [one.entry.image.parent.name for one in roster.validation][-1] == "other"
    assert roster.validation[-1].entry.patient == "a"


def test_synthetic_cases_do_not_validate(write, tmp_path):
    marked = _source(write("made.json", more={"synthetic": True}, training=["a"], validation=["b"]))
    with pytest.raises(InputError, match="1 of the 1 validation cases have synthetic tumours"):
        call_roll(marked, NONE, NONE)
    trained = write("trained.json", more={"synthetic": True}, training=["a"])
    assert _ids(call_roll(_source(trained), NONE, NONE).real) == ["a"]


def test_what_oncoforge_synth_made_does_not_validate(write, tmp_path):
    source = _source(write("list.json", training=["a"], validation=["b"]))
    record = Path(tmp_path / "lesions.json")
    record.write_text("[1, 2]", encoding="utf-8")  # somebody else's
    assert _ids(call_roll(source, NONE, NONE).validation) == ["b"]
    record.write_text(json.dumps({"recipe": {}}), encoding="utf-8")
    with pytest.raises(InputError, match="such as b of"):
        call_roll(source, NONE, NONE)
