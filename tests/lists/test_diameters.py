"""Diameters: the largest lesion of every case counts."""

from __future__ import annotations

import pytest

from oncoforge.errors import InputError
from oncoforge.lists import largest_diameters


def test_the_largest_lesion_counts(save):
    path = save(
        "organ,case,equivalent_diameter_mm\nliver,a,3.5\nliver,a,12\nliver,b,\n", "lesions.csv"
    )
    assert largest_diameters(path) == {"a": 12.0, "b": 0.0}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("case,volume\na,1\n", "should have the columns case and equivalent_diameter_mm"),
        ("", "but has none"),
        ("case,equivalent_diameter_mm\na,big\n", "line 2, equivalent_diameter_mm, should be mm"),
        ("case,equivalent_diameter_mm\na,-1\n", "should be mm from 0 on, but is '-1'"),
        ("case,equivalent_diameter_mm\na,nan\n", "should be mm"),
    ],
)
def test_tables_without_diameters_are_refused(text, sentence, save):
    with pytest.raises(InputError, match=sentence):
        largest_diameters(save(text, "lesions.csv"))


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no\.csv cannot be read"):
        largest_diameters(tmp_path / "no.csv")
