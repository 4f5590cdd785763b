"""CSV lists: any order of columns, what is unknown kept, mistakes named by line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoforge.errors import InputError
from oncoforge.lists import CaseList, Entry, read_list, write_list

WORDS = st.text("abü,;\"' \n_-1", min_size=1, max_size=6).map(str.strip).filter(bool)


def test_columns_in_any_order_with_others_kept(save, tmp_path):
    path = save(
        "\ufeffLabel,age,case,image,split,fold,patient\n"
        "l/1.nii,63,one,i/1.nii,,2,p\n"
        "l/2.nii,,two,i/2.nii,val,,\n"
        ",,,i/3.nii,test,,\n",
        "list.csv",
    )
    cases = read_list(path)
    one, two, three = cases
    assert one == Entry("one", tmp_path / "i/1.nii", tmp_path / "l/1.nii", "p", 2, {"age": "63"})
    assert (two.patient, cases.validation) == ("two", (two,))
    assert (three.case, three.label, cases.test) == ("3", None, (three,))


@pytest.mark.parametrize("sign", [";", "\t"])
def test_tables_of_spreadsheets(sign, save):
    path = save(f"case{sign}image\r\na{sign}x.nii\r\n", "list.csv")
    assert [entry.case for entry in read_list(path)] == ["a"]


@given(
    rows=st.lists(
        st.tuples(WORDS, WORDS, st.integers(0, 9) | st.none(), st.integers(0, 2), st.booleans()),
        min_size=1,
        max_size=6,
        unique_by=lambda row: row[0],
    )
)
def test_what_is_written_is_read_back(rows, tmp_path_factory):
    base = tmp_path_factory.mktemp("table")
    parts: tuple[list[Entry], ...] = ([], [], [])
    for number, (case, patient, fold, part, labelled) in enumerate(rows):
        label = base / f"l{number}.nii" if labelled else None
        parts[part].append(Entry(case, base / f"i{number}.nii", label, patient, fold, {"x": "y"}))
    cases = CaseList(*map(tuple, parts))
    write_list(cases, base / "list.csv", "csv")
    assert list(read_list(base / "list.csv")) == list(cases)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("case,image\na,\n", "line 2, should name an image or a label"),
        ("case,image\na,b,c\n", "line 2, has more cells"),
        ("case,image,fold\na,b,first\n", "line 2, should give a fold as a whole number"),
        ("case,image,split\na,b,holdout\n", "line 2, should be for training, validation, test"),
        ("case,image\n", "names no cases"),
        ("case,image\na,x\na,y\n", "2 training cases of the id 'a'"),
        ("case,image\na," + "x" * 200_000 + "\n", "is not CSV"),
    ],
)
def test_mistakes_are_named_by_line(text, sentence, save):
    with pytest.raises(InputError, match=sentence):
        read_list(save(text, "list.csv"))
