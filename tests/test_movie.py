"""The film of a growth: the run's own synthesis, only younger, and nothing left of the filming."""

from __future__ import annotations

import json

import numpy as np
import pytest

import oncoforge as of
from oncoforge import movie
from oncoforge.job import forge_case
from oncoforge.order import Order, Origin

PHANTOM = Origin("phantom", {"seed": 1, "spacing_mm": [4, 4, 4]})


@pytest.fixture
def filmed(monkeypatch, tmp_path):
    """Film a run; its frames, its finished case, its lesions, and the steps that were told."""

    def run(frames: int = 6, origin: Origin = PHANTOM, **order):
        seen = []

        def render(view):
            seen.append(view)
            return b"gif", b"png"

        def keep(made, *rest):
            seen.append(made)
            copies = made.image.copy(), made.labels.copy(), made.synthesis.instances()
            drawn = film(made, *rest)
            after = made.image, made.labels, made.synthesis.instances()
            for one, other in zip(copies, after, strict=True):
                np.testing.assert_array_equal(one, other)
            return drawn

        film = movie.film
        monkeypatch.setattr(movie, "render", render)
        monkeypatch.setattr(movie, "film", keep)
        monkeypatch.setattr(movie, "_FRAMES", frames)
        monkeypatch.setattr("oncoforge.job.render", lambda view: ("page", b"picture"))
        told: list[str] = []
        out = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
        order = Order(method="cellular", movie=True, **order)
        forge_case(origin, out, order, step=told.append)
        made, view = seen
        assert (out / "growth.gif").read_bytes() == b"gif"
        assert (out / "growth.png").read_bytes() == b"png"
        return view, made, json.loads((out / "lesions.json").read_text())["lesions"], told

    return run


ONE = {"steps": 60, "foci": 1, "contrast_hu": (-120.0, -110.0)}


def test_the_frames_ascend_from_a_seed_to_the_finished_synthesis(filmed):
    view, made, (row,), _ = filmed(settings=ONE)
    steps = [frame.step for frame in view.frames]
    assert steps == sorted(set(steps))
    assert (steps[0], steps[-1]) == (0, 60)
    first, last = view.frames[0], view.frames[-1]
    assert np.count_nonzero(first.instances) <= 1
    assert last.diameter_mm == row["diameter_mm"]
    assert last.volume_mm3 == row["volume_mm3"]
    # The last picture is cut out of the finished image.
    whole = np.argwhere(made.synthesis.tumor).min(axis=0)
    start = whole - np.argwhere(last.instances).min(axis=0)
    crop = tuple(slice(a, a + n) for a, n in zip(start, last.image.shape, strict=True))
    np.testing.assert_array_equal(last.image, made.image[crop])
    np.testing.assert_array_equal(last.instances, made.synthesis.instances()[crop])
    assert np.count_nonzero(last.instances) == made.synthesis.tumor.sum()


def test_every_lesion_holds_what_it_was_when_it_was_younger(filmed):
    view, _, _, _ = filmed(10, settings=ONE | {"smooth_mm": 3.0, "pitch_mm": 4.0, "steps": 16})
    assert len(view.frames) > 8
    for younger, older in zip(view.frames, view.frames[1:], strict=False):
        assert not ((younger.instances > 0) & (older.instances == 0)).any()
        assert younger.volume_mm3 <= older.volume_mm3
    assert view.frames[0].volume_mm3 < 0.05 * view.frames[-1].volume_mm3


def test_sizes_in_the_film_are_those_of_the_growth_curve(filmed):
    view, _, (row,), _ = filmed(settings=ONE)
    voxel = 4.0**3
    for frame in view.frames:
        assert frame.volume_mm3 == pytest.approx(
            row["growth"][frame.step]["volume_mm3"], abs=voxel, rel=0.01
        )


def test_lesions_of_different_ages_start_together_and_stop_at_their_own(filmed):
    settings = {"per_lesion": True, "count": 3, "steps": (10, 50), "min_distance_mm": 8.0}
    view, _, rows, _ = filmed(10, settings=settings, seed=5)
    ages = [len(row["growth"]) - 1 for row in rows]
    assert len(set(ages)) > 1
    assert view.frames[-1].step == max(ages)
    final = [np.count_nonzero(view.frames[-1].instances == row["id"]) for row in rows]
    for frame in view.frames:
        for row, age, whole in zip(rows, ages, final, strict=True):
            if frame.step >= age:
                assert np.count_nonzero(frame.instances == row["id"]) == whole


@pytest.mark.parametrize("seed", range(3))
def test_filming_leaves_image_and_labels_as_they_were_with_every_effect(filmed, seed):
    """(The fixture compares them.)"""
    settings = {"mass_effect": (0.3, 0.4), "rim": 1.0, "necrosis": 1.0, "count": 4}
    view, made, rows, _ = filmed(3, preset="realistic", seed=seed, settings=settings)
    assert view.frames[-1].diameter_mm == max(row["diameter_mm"] for row in rows)
    assert len(made.synthesis.lesions) == len(rows)


def test_every_picture_is_told_in_order(filmed):
    view, _, _, told = filmed(settings=ONE)
    filming = [words for words in told if words.startswith("Filming step")]
    assert filming == [f"Filming step {frame.step} of 60" for frame in view.frames[:-1]]
    assert told.index("Writing the CT") < told.index(filming[0])
    assert told.index(filming[-1]) < told.index("Drawing the report")


def test_the_film_shows_all_of_the_largest_lesion(filmed):
    view, made, rows, _ = filmed(3, settings={"diameter_mm": 70.0, "count": 1})
    assert np.count_nonzero(view.frames[-1].instances) == made.synthesis.tumor.sum()
    at = np.argwhere(view.frames[-1].instances)
    shape = view.frames[-1].image.shape
    edge = [(at[:, axis].min() == 0, at[:, axis].max() == shape[axis] - 1) for axis in range(3)]
    assert not np.any(edge)
    assert rows[0]["diameter_mm"] == pytest.approx(70, rel=0.1)


def test_tumours_that_are_there_already_stay_still(filmed, tmp_path):
    case = PHANTOM.case()
    labels = case.labels.copy()
    liver = np.argwhere(labels == 1)
    old = np.zeros(labels.shape, bool)
    old[tuple(liver[::9].T)] = True
    labels[old] = 2
    of.write_image(tmp_path / "ct.nii.gz", case.image, case)
    of.write_labels(tmp_path / "labels.nii.gz", labels, case)
    paths = {"image_path": tmp_path / "ct.nii.gz", "labels_path": tmp_path / "labels.nii.gz"}
    options = {name: str(path) for name, path in paths.items()} | {"convention": "oncoforge"}
    view, made, _, _ = filmed(3, Origin("files", options), settings=ONE)
    assert made.synthesis.tumor.any()
    first, last = view.frames[0], view.frames[-1]
    start = np.argwhere(made.synthesis.tumor).min(axis=0) - np.argwhere(last.instances).min(axis=0)
    there = old[tuple(slice(a, a + n) for a, n in zip(start, last.image.shape, strict=True))]
    assert there.any()
    for frame in view.frames:
        np.testing.assert_array_equal(frame.image[there], first.image[there])
        assert not frame.instances[there].any()
