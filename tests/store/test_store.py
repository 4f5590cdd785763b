"""Building: what is there stays, what changed is made anew, what is half done does not count."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oncoforge.errors import InputError, OutputError
from oncoforge.lists import Entry
from oncoforge.store import CaseFiles, StoreSettings, absent, build_store, keep, store

ALONE = """
import os, signal, sys
from pathlib import Path
from oncoforge.lists import Entry
from oncoforge.store import CaseFiles, build, build_store

folder, place, killed = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
entries = [
    Entry(path.name.removesuffix(".nii.gz"), path, folder / "labels" / path.name)
    for path in sorted((folder / "images").iterdir())
]
if killed == "killed":
    build._write_voxels = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
print("ready", flush=True)
sys.stdin.readline()
build_store([CaseFiles(entry) for entry in entries], place, workers=int(sys.argv[4]))
"""


def _bytes(place: Path) -> dict[str, bytes]:
    files = sorted(path for path in (place / "cases").rglob("*") if path.is_file())
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def cases(write_case, make_anatomy):
    return [write_case(f"case_{n}", make_anatomy(n), spacing=(1, 1, 2)) for n in range(3)]


@pytest.fixture
def place(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def built(monkeypatch):
    """The cases that are built, as they are."""
    names = []

    def told(case, *rest):
        names.append(case.entry.case)
        return keep_add(case, *rest)

    keep_add = store.add
    monkeypatch.setattr(store, "add", told)
    return names


def test_cases_are_built_once_and_come_in_the_order_asked_for(cases, place, built):
    told = []
    first = build_store(cases, place, workers=1, progress=lambda *done: told.append(done))
    assert told == [(1, 3), (2, 3), (3, 3)]
    whole = _bytes(place)
    again = build_store(cases[::-1], place, progress=lambda *done: told.append(done))
    assert built == ["case_0", "case_1", "case_2"]
    assert len(told) == 3
    assert _bytes(place) == whole
    assert [case.case for case in again.cases] == ["case_2", "case_1", "case_0"]
    assert [case.folder for case in again.cases[::-1]] == [case.folder for case in first.cases]
    assert (first.folder, first.settings) == (place, StoreSettings())
    assert build_store(cases[:1], place).cases[0].folder == first.cases[0].folder


@pytest.mark.parametrize("which", ["image", "label"])
def test_a_case_is_built_anew_if_a_file_changed_and_no_other_is(
    cases, place, built, make_anatomy, save, which
):
    before = build_store(cases, place, workers=1)
    anatomy = make_anatomy(1)
    anatomy.image[10, 10, 10] += 5
    anatomy.labels[12, 12, 8] = 1
    path = getattr(cases[1].entry, which)
    old = path.stat()
    save(path, anatomy.image if which == "image" else anatomy.labels, (1, 1, 2))
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))  # as some ways of copying do
    after = build_store(cases, place, workers=1)
    assert built == ["case_0", "case_1", "case_2", "case_1"]
    kept = [one.folder == two.folder for one, two in zip(before.cases, after.cases, strict=True)]
    assert kept == [True, False, True]
    if which == "label":
        assert after.cases[1].voxels != before.cases[1].voxels


def test_files_that_hold_the_same_are_the_same_case(cases, place, built, tmp_path):
    first = build_store(cases[:1], place, workers=1).cases[0]
    entry = cases[0].entry
    os.utime(entry.image)
    moved = [Path(shutil.copy(path, tmp_path / f"moved_{i}.nii.gz"))
             for i, path in enumerate((entry.image, entry.label))]  # fmt: skip
    other = CaseFiles(Entry("other", *moved, patient="someone"))
    same, again = build_store([other, cases[0]], place, workers=1).cases
    assert built == ["case_0"]
    assert same.folder == again.folder == first.folder
    assert (same.case, same.patient) == ("other", "someone")


def test_files_need_not_be_read_again_to_tell(cases, place, monkeypatch):
    build_store(cases, place, workers=1)
    monkeypatch.setattr("oncoforge.store.sources.content_of", lambda path: pytest.fail(str(path)))
    build_store(cases, place, workers=1)


@pytest.mark.parametrize(
    "settings",
    [
        StoreSettings(spacing_mm=None),
        StoreSettings(spacing_mm=(2, 2, 2)),
        StoreSettings(above_hu=0),
        StoreSettings(crop=False),
    ],
)
def test_other_settings_are_other_cases_beside_them(cases, place, built, settings):
    one = build_store(cases[:1], place, workers=1).cases[0]
    two = build_store(cases[:1], place, settings, workers=1).cases[0]
    assert one.folder != two.folder
    build_store(cases[:1], place, workers=1)
    assert built == ["case_0", "case_0"]


def test_other_labels_are_another_case(cases, place):
    one = build_store(cases[:1], place, workers=1).cases[0]
    two = build_store([replace(cases[0], convention="msd-liver")], place, workers=1).cases[0]
    three = build_store([replace(cases[0], convention="msd-pancreas")], place, workers=1)
    assert one.voxels == two.voxels
    assert set(three.cases[0].voxels) == {0, 3, 4}
    assert three.cases[0].folder not in (one.folder, two.folder)


def test_cases_of_another_version_are_built_anew(cases, place, built, monkeypatch):
    build_store(cases[:1], place, workers=1)
    monkeypatch.setattr(keep, "VERSION", keep.VERSION + 1)
    build_store(cases[:1], place, workers=1)
    assert built == ["case_0", "case_0"]


@pytest.mark.parametrize("name", ["image.b2nd", "labels.b2nd", "locations.npy", "case.json"])
@pytest.mark.parametrize("how", ["cut short", "gone", "empty", "more"])
def test_a_damaged_case_is_built_anew(cases, place, built, name, how):
    case = build_store(cases[:1], place, workers=1).cases[0]
    whole = _bytes(place)
    path = case.folder / name
    data = path.read_bytes()
    path.unlink()
    if how != "gone":
        path.write_bytes({"cut short": data[:-9], "empty": b"", "more": data + b"}"}[how])
    build_store(cases[:1], place, workers=1)
    assert built == ["case_0", "case_0"]
    assert _bytes(place) == whole


def test_what_was_remembered_of_files_may_be_damaged(cases, place, built):
    build_store(cases, place, workers=1)
    one, two, *_ = sorted((place / "sources").iterdir())
    one.write_text("{")
    two.write_text("[]")
    build_store(cases, place, workers=1)
    assert len(built) == 3


def test_an_interrupted_build_leaves_what_is_whole(cases, place, monkeypatch):
    build_store(cases, place, workers=1)
    whole = _bytes(place)
    shutil.rmtree(place)

    def after_one(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_store(cases, place, workers=1, progress=after_one)
    assert len(list((place / "cases").iterdir())) == 1
    build_store(cases, place, workers=1)
    assert _bytes(place) == whole


def _start(tmp_path, place, killed="whole", workers=1):
    command = [sys.executable, "-c", ALONE, tmp_path, place, killed, str(workers)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.slow
def test_a_build_that_is_killed_leaves_nothing_that_counts(cases, place, tmp_path):
    build_store(cases, place, workers=1)
    whole = _bytes(place)
    shutil.rmtree(place)
    process = _start(tmp_path, place, "killed")
    process.communicate("\n")
    assert process.returncode == -signal.SIGKILL
    (left,) = (place / "cases").iterdir()
    assert left.name.startswith(".part-")
    assert (left / "image.b2nd").exists()
    build_store(cases, place, workers=1)
    assert {k: v for k, v in _bytes(place).items() if ".part-" not in k} == whole
    old = 2 * 86400
    os.utime(left, (left.stat().st_atime - old, left.stat().st_mtime - old))
    build_store(cases, place, workers=1)
    assert _bytes(place) == whole


@pytest.mark.slow
def test_processes_build_at_once_and_all_find_the_same(cases, place, tmp_path):
    build_store(cases, tmp_path / "alone", workers=1)
    # One of them with workers of its own: what is built does not depend on their number.
    processes = [_start(tmp_path, place, workers=n) for n in (1, 2)]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert _bytes(place) == _bytes(tmp_path / "alone")


def test_one_of_two_that_built_the_same_case_takes_the_others(cases, place):
    """The other is done just before this one."""
    expected = build_store(cases[:1], place, workers=1).cases[0]
    whole = _bytes(place)
    key = expected.folder.name
    keep.add(cases[0], StoreSettings(), place, key)
    assert _bytes(place) == whole


def test_vanished_files_are_counted_in_one_sentence(cases, place):
    cases[1].entry.label.unlink()
    cases[2].entry.image.unlink()
    assert absent(cases) == (cases[1], cases[2])
    with pytest.raises(InputError) as found:
        build_store(cases, place)
    assert str(found.value).startswith(
        f"2 of 3 cases have files that cannot be found, the first {cases[1].entry.label};"
    )
    assert not place.exists()


def test_cases_without_a_label_map_are_counted_in_one_sentence(cases, place):
    bare = replace(cases[1], entry=replace(cases[1].entry, label=None))
    with pytest.raises(InputError, match=r"1 of 3 cases has no label map .*'case_1'.*organs"):
        build_store([cases[0], bare, cases[2]], place)
    bare = replace(cases[1], entry=replace(cases[1].entry, image=None))
    with pytest.raises(InputError, match=r"1 of 1 case has no image in the list"):
        build_store([bare], place)


def test_what_can_be_built_stays_when_others_cannot(cases, place, built):
    for case in cases[:2]:
        case.entry.image.write_bytes(b"no image")
    with pytest.raises(InputError, match="2 of 3 cases cannot be used") as found:
        build_store(cases, place, workers=1)
    assert str(cases[0].entry.image) in str(found.value)
    assert build_store(cases[2:], place).cases[0].voxels[1] > 0
    assert built.count("case_2") == 1


def test_a_folder_that_cannot_be_made_is_named(cases, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file/store cannot be made"):
        build_store(cases, tmp_path / "file" / "store")


def test_a_full_disk_is_named_and_leaves_nothing(cases, place, monkeypatch):
    class Full:
        def __setitem__(self, rows, values):
            raise RuntimeError("Error while setting the slice")

    monkeypatch.setattr("oncoforge.store.arrays.create", lambda *_: Full())
    with pytest.raises(InputError, match=r"cannot be written .*disk has room"):
        build_store(cases[:1], place, workers=1)
    assert not list((place / "cases").iterdir())


@pytest.mark.parametrize(
    "wrong",
    [
        {"spacing_mm": (1, 1)},
        {"spacing_mm": (1, 0, 1)},
        {"spacing_mm": (1, 1, float("nan"))},
        {"above_hu": float("inf")},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    (name,) = wrong
    with pytest.raises(InputError, match=name):
        StoreSettings(**wrong)


def test_without_its_library_one_sentence_says_what_to_install(cases, place, monkeypatch):
    monkeypatch.setitem(sys.modules, "blosc2", None)
    with pytest.raises(InputError, match=r'pip install "oncoforge\[train\]"'):
        build_store(cases, place)
    assert not place.exists()


def test_no_cases_are_an_empty_store(place):
    assert build_store([], place).cases == ()


def test_locations_do_not_depend_on_where_files_are(cases, place, tmp_path):
    first = build_store(cases[:1], place, workers=1).cases[0]
    entry = cases[0].entry
    away = [Path(shutil.copy(p, tmp_path / f"{i}.nii.gz")) for i, p in enumerate(entry.files)]
    other = build_store([CaseFiles(Entry("x", *away))], tmp_path / "s2", workers=1).cases[0]
    for label in first.voxels:
        np.testing.assert_array_equal(first.locations(label), other.locations(label))
