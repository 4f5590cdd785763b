"""Hashes of files, taken again only where a file may have changed."""

from __future__ import annotations

from oncoforge.formats.content import content_of
from oncoforge.store import sources
from oncoforge.store.sources import content, remembered


def test_a_hash_is_remembered_until_the_file_changes(tmp_path):
    path, place = tmp_path / "ct.nii", tmp_path / "store"
    path.write_bytes(b"one")
    assert remembered(path, place) == ""
    assert content(path, place) == content_of(path) == remembered(path, place)
    path.write_bytes(b"two")
    assert remembered(path, place) == ""
    assert content(path, place) == content_of(path)
    path.unlink()
    assert content(path, place) == remembered(path, place) == ""


def test_every_file_of_a_folder_or_beside_a_header_counts(tmp_path):
    place = tmp_path / "store"
    series, header = tmp_path / "series", tmp_path / "ct.mhd"
    series.mkdir()
    for path in (series / "1.dcm", header, tmp_path / "ct.raw"):
        path.write_bytes(b"1")
    before = content(series, place), content(header, place)
    assert before == (remembered(series, place), remembered(header, place))
    (series / "2.dcm").write_bytes(b"2")
    (tmp_path / "ct.raw").write_bytes(b"2")
    assert remembered(series, place) == remembered(header, place) == ""
    assert before[0] != content(series, place)
    assert before[1] != content(header, place)


def test_a_file_that_was_written_just_now_is_hashed_again(tmp_path, monkeypatch):
    """It may be written once more within what its clock can tell."""
    path, place = tmp_path / "ct.nii", tmp_path / "store"
    path.write_bytes(b"one")
    monkeypatch.setattr(sources, "_SETTLED_S", 60.0)
    assert content(path, place) == content_of(path)
    assert remembered(path, place) == ""


def test_a_store_that_cannot_be_written_remembers_nothing_and_still_tells(tmp_path):
    path, place = tmp_path / "ct.nii", tmp_path / "file"
    path.write_bytes(b"one")
    place.write_bytes(b"")
    assert content(path, place) == content_of(path)
