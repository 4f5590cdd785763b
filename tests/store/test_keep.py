"""Seeing how large a store is, and making it smaller."""

from __future__ import annotations

import os

import pytest

from oncoforge.store import Size, build_store, default_folder, prune, size

DAY_S = 86400


@pytest.fixture
def place(write_case, make_anatomy, tmp_path):
    place = tmp_path / "store"
    build_store([write_case(str(n), make_anatomy(n)) for n in range(2)], place, workers=1)
    return place


def _age(folder, days):
    record = folder / "case.json"
    then = record.stat().st_mtime - days * DAY_S
    os.utime(record, (then, then))


def test_size_is_what_is_on_the_disk(place, tmp_path):
    files = [path for path in place.rglob("*") if path.is_file()]
    assert size(place) == Size(2, sum(path.stat().st_size for path in files))
    assert size(tmp_path / "nowhere") == prune(tmp_path / "nowhere") == Size(0, 0)


def test_prune_removes_everything(place):
    before = size(place)
    removed = prune(place)
    assert removed.cases == 2
    assert before.bytes - removed.bytes == size(place).bytes
    assert not list((place / "cases").iterdir())


def test_prune_leaves_what_was_asked_for_since(place, write_case, make_anatomy):
    for folder in (place / "cases").iterdir():
        _age(folder, days=40)
    store = build_store([write_case("1", make_anatomy(1))], place)
    assert prune(place, unused_days=30).cases == 1
    assert list((place / "cases").iterdir()) == [store.cases[0].folder]


def test_the_default_folder_can_be_named(monkeypatch, tmp_path):
    monkeypatch.delenv("ONCOFORGE_STORE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "oncoforge" / "store"
    monkeypatch.setenv("ONCOFORGE_STORE", str(tmp_path / "mine"))
    assert default_folder() == tmp_path / "mine"
