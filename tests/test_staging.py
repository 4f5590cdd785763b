"""A folder of results: all of it or none of it, and never the files of two runs."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from oncoforge.errors import InputError, OutputError
from oncoforge.staging import staging

NAMES = ("one", "two", "three")


def tree(folder: Path) -> dict[str, str | None]:
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def run(out: Path, names=NAMES, *, overwrite=False, fail=None):
    with staging(out, NAMES, overwrite) as folder:
        for name in names:
            (folder / name).write_text(f"new {name}")
        if fail is not None:
            raise fail


def test_files_appear_together_once_all_are_there(tmp_path):
    with staging(tmp_path / "out", NAMES, False) as folder:
        for name in NAMES:
            (folder / name).write_text(name)
            assert not any((tmp_path / "out" / other).exists() for other in NAMES)
    assert tree(tmp_path / "out") == {name: name for name in sorted(NAMES)}


def test_folders_on_the_way_are_made(tmp_path):
    run(tmp_path / "a" / "b" / "c")
    assert set(tree(tmp_path / "a" / "b" / "c")) == set(NAMES)


FAILURES = [
    OSError(errno.ENOSPC, "No space left on device"),
    InputError("The scan is not CT."),
    MemoryError(),
    KeyboardInterrupt(),
    SystemExit(143),
]


@pytest.mark.parametrize("fail", FAILURES, ids=lambda f: type(f).__name__)
def test_failure_leaves_nothing_not_even_folders(tmp_path, fail):
    (tmp_path / "mine").mkdir()
    expected = OutputError if isinstance(fail, OSError) else type(fail)
    with pytest.raises(expected):
        run(tmp_path / "mine" / "a" / "b", fail=fail)
    assert tree(tmp_path) == {"mine": None}


@pytest.mark.parametrize("fail", FAILURES, ids=lambda f: type(f).__name__)
def test_failure_keeps_the_earlier_files(tmp_path, fail):
    run(tmp_path)
    (tmp_path / "notes").write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(BaseException):  # noqa: B017  # which one is the claim of the test above
        run(tmp_path, ["one"], overwrite=True, fail=fail)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", NAMES)
def test_earlier_files_are_refused_unless_they_may_be_replaced(tmp_path, name):
    (tmp_path / name).write_text("earlier")
    with pytest.raises(OutputError, match=f"{name}.*--overwrite"):
        run(tmp_path)
    assert tree(tmp_path) == {name: "earlier"}
    run(tmp_path, overwrite=True)
    assert tree(tmp_path) == {n: f"new {n}" for n in sorted(NAMES)}


def test_a_folder_never_holds_the_files_of_two_runs(tmp_path):
    run(tmp_path)
    (tmp_path / "notes").write_text("mine")
    run(tmp_path, ["one"], overwrite=True)
    assert tree(tmp_path) == {"notes": "mine", "one": "new one"}


def test_a_folder_in_the_place_of_a_file_is_refused_before_any_is_replaced(tmp_path):
    (tmp_path / "one").write_text("earlier")
    (tmp_path / "three").mkdir()
    with pytest.raises(OutputError, match="three is a folder"):
        run(tmp_path, overwrite=True)
    assert tree(tmp_path) == {"one": "earlier", "three": None}


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    for out in (tmp_path / "out", tmp_path / "out" / "below"):
        with pytest.raises(OutputError, match="cannot be written"):
            run(out)
    assert tree(tmp_path) == {"out": "mine"}


@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
def test_a_link_to_a_file_is_replaced_and_its_target_is_not(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "one").symlink_to(tmp_path / "precious")
    run(tmp_path / "out", overwrite=True)
    assert (tmp_path / "precious").read_text() == "mine"
    assert (tmp_path / "out" / "one").read_text() == "new one"
