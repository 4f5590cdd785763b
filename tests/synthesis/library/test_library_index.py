"""The index of a library, and files that nobody should trust."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from oncoforge.errors import InputError
from oncoforge.synthesis.library.items import INDEX, Index, Item
from oncoforge.synthesis.library.shelf import open_shelf

ITEM = Item("a_liver_1", "liver", "a", "", 100.0, 5.76, (1.0, 1.0, 2.0), (0.0, 1.0, 2.0), "0" * 64)


def test_an_index_is_read_as_it_was_written(tmp_path):
    imaged = replace(
        ITEM, name="ä_2", image_sha256="f" * 64, lesion_hu=1.5, organ_hu=None, side="left"
    )
    index = Index((ITEM, imaged), "CC0", ("b_1 is cut off.",))
    (tmp_path / INDEX).write_text(index.to_json(), encoding="utf-8")
    assert Index.from_json(tmp_path / INDEX) == index


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../etc/passwd"},
        {"name": ".hidden"},
        {"name": ""},
        {"spacing": [1, 0, 1]},
        {"spacing": [1, 1]},
        {"volume_mm3": float("nan")},
        {"mask_sha256": "abc"},
        {"organ": 5},
        {"surprise": 1},
    ],
)
def test_an_entry_that_makes_no_sense_is_refused(tmp_path, change):
    data = json.loads(Index((ITEM,)).to_json())
    data["items"][0] |= change
    (tmp_path / INDEX).write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"library.json is not an index"):
        open_shelf(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"version": 7}', '{"version": 1}'])
def test_a_file_that_is_no_index_is_refused(tmp_path, text):
    (tmp_path / INDEX).write_text(text)
    with pytest.raises(InputError, match=r"library\.json"):
        open_shelf(tmp_path)


def test_two_tumors_of_one_name_are_refused():
    with pytest.raises(InputError, match="Two tumours have one name"):
        Index((ITEM, ITEM))


def test_a_folder_without_an_index_is_no_library(tmp_path):
    with pytest.raises(InputError, match="oncoforge prepare crops"):
        open_shelf(tmp_path)


def test_an_index_that_changes_is_read_anew(tmp_path):
    (tmp_path / INDEX).write_text(Index((ITEM,)).to_json())
    assert len(open_shelf(tmp_path).index.items) == 1
    (tmp_path / INDEX).write_text(Index((ITEM, replace(ITEM, name="b"))).to_json())
    assert len(open_shelf(tmp_path).index.items) == 2
