"""Reading of a stored case: boxes of it, without the rest, in any process."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoforge.errors import InputError
from oncoforge.store import StoreSettings, arrays, build_store

NATIVE = StoreSettings(spacing_mm=None, crop=False)


@pytest.fixture
def stored(write_case, tmp_path):
    return build_store([write_case()], tmp_path / "store", NATIVE, workers=1).cases[0]


def test_boxes_are_parts_of_the_whole(stored, make_anatomy):
    anatomy = make_anatomy()

    @settings(max_examples=60, deadline=None)
    @given(st.tuples(*[st.tuples(st.integers(0, n - 1), st.integers(1, n)) for n in stored.shape]))
    def check(spans):
        start = [first for first, _ in spans]
        size = [min(n, whole - a) for (a, n), whole in zip(spans, stored.shape, strict=True)]
        box = tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))
        np.testing.assert_array_equal(stored.image(start, size), anatomy.image[box])
        np.testing.assert_array_equal(stored.labels(np.array(start), size), anatomy.labels[box])

    check()


def test_what_is_known_of_a_case(stored, make_anatomy):
    anatomy = make_anatomy()
    assert (stored.case, stored.patient) == ("case", "patient of case")
    assert stored.voxels == {n: np.count_nonzero(anatomy.labels == n) for n in (0, 1, 2)}
    bright = anatomy.image > -175
    assert stored.bright == {n: np.count_nonzero(bright & (anatomy.labels == n)) for n in (0, 1, 2)}
    assert stored.bright[0] < stored.voxels[0]
    for label in (0, 1, 2):
        for only in (False, True):
            points = stored.locations(label, only)
            assert points.dtype == np.int64
            mask = (anatomy.labels == label) & (bright | (not only))
            assert mask[tuple(points.T)].all()
            assert len(points) == min(10_000, np.count_nonzero(mask))
    assert stored.locations(8).shape == stored.locations(8, bright=True).shape == (0, 3)


def test_a_case_that_was_read_is_sent_to_other_processes_without_what_it_opened(stored):
    whole = stored.image((0, 0, 0), stored.shape)
    sent = pickle.dumps(stored)
    assert len(sent) < 2000
    arrays._opened.cache_clear()
    again = pickle.loads(sent)
    np.testing.assert_array_equal(again.image((0, 0, 0), again.shape), whole)
    assert (again.voxels, again.spacing_mm) == (stored.voxels, stored.spacing_mm)


def test_a_patch_takes_the_memory_of_a_patch(write_case, tmp_path, make_anatomy):
    case = write_case(anatomy=make_anatomy(shape=(160, 150, 140)))
    (stored,) = build_store([case], tmp_path / "store", NATIVE, workers=1).cases
    stored.image((0, 0, 0), (1, 1, 1))
    tracemalloc.start()
    stored.image((50, 40, 30), (32, 32, 32))
    stored.labels((50, 40, 30), (32, 32, 32))
    stored.locations(1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 * 32**3 + 24 * 10_000 + 100_000


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux' list of maps")
def test_few_files_are_open_however_many_cases_are_read(write_case, tmp_path, make_anatomy):
    cases = [write_case(f"case_{n}", make_anatomy(n, (12, 11, 10))) for n in range(6)]
    store = build_store(cases, tmp_path / "store", NATIVE, workers=1)
    for stored in store.cases * 2:
        stored.image((1, 1, 1), (4, 4, 4))
        stored.labels((1, 1, 1), (4, 4, 4))
        stored.locations(0)
    maps = Path("/proc/self/maps").read_text().splitlines()
    mapped = {line.split()[-1] for line in maps if str(tmp_path) in line}
    assert 0 < len(mapped) <= 4


def test_a_file_that_is_gone_or_damaged_is_named(stored):
    path = stored.folder / "image.b2nd"
    data = path.read_bytes()
    arrays._opened.cache_clear()
    path.write_bytes(data[:40])
    with pytest.raises(InputError, match=r"image\.b2nd cannot be read .*anew"):
        stored.image((0, 0, 0), (2, 2, 2))
    path.unlink()
    with pytest.raises(InputError, match=r"image\.b2nd cannot be read"):
        stored.image((0, 0, 0), (2, 2, 2))


def test_locations_that_are_gone_or_damaged_are_named(stored):
    path = stored.folder / "locations.npy"
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(InputError, match=r"locations\.npy cannot be read .*anew"):
        stored.locations(0)
    path.unlink()
    with pytest.raises(InputError, match=r"locations\.npy cannot be read"):
        stored.locations(0)
