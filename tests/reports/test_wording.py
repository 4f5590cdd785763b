from __future__ import annotations

import pytest

from oncoforge.reports.wording import count, number, volume


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1234.56, 1, "1,234.6"),
        (-33.6, 0, "−34"),
        (-0.2, 0, "0"),
        (None, 1, "–"),
        (float("nan"), 1, "–"),
        (float("inf"), 0, "–"),
    ],
)
def test_numbers_read_as_people_write_them(value, digits, text):
    assert number(value, digits) == text


@pytest.mark.parametrize(
    ("mm3", "text"),
    [(0.24, "0.24 mm³"), (271.0, "271 mm³"), (4131.0, "4.13 mL"), (191_130.0, "191 mL")],
)
def test_volumes_have_the_unit_that_suits_them(mm3, text):
    assert volume(mm3) == text


def test_counts_agree_with_their_nouns():
    assert [count(n, "lesion") for n in (0, 1, 2)] == ["no lesions", "1 lesion", "2 lesions"]
    assert count(2, "biopsy", "biopsies") == "2 biopsies"
