"""What is not a list is refused in a sentence that says what it is and what was expected."""

from __future__ import annotations

import gzip

import pytest

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.lists import read_list


def test_a_missing_file_and_an_empty_folder(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.json cannot be read: No such file"):
        read_list(tmp_path / "nothing.json")
    with pytest.raises(InputError, match=r"folder without a dataset\.json"):
        read_list(tmp_path)


def test_images_and_binary_files(tmp_path):
    (tmp_path / "ct.nii.gz").write_bytes(gzip.compress(b"x"))
    with pytest.raises(InputError, match="is an image or a label map"):
        read_list(tmp_path / "ct.nii.gz")
    (tmp_path / "zip").write_bytes(gzip.compress(b"x" * 99))
    with pytest.raises(InputError, match="is not text"):
        read_list(tmp_path / "zip")
    (tmp_path / "zeros").write_bytes(bytes(99))
    with pytest.raises(InputError, match="is not text"):
        read_list(tmp_path / "zeros")


@pytest.mark.parametrize("text", ["", "\n\n", "This is a letter to you\n"])
def test_prose_is_no_list(text, save):
    with pytest.raises(InputError, match="is not a list of cases"):
        read_list(save(text, "letter.txt"))


def test_an_unknown_split_is_named(save):
    with pytest.raises(UnknownNameError, match="did you mean 'validation'"):
        read_list(save("a b", "x.txt"), split="validaton")
