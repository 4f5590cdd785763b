"""The main job as a library: forge, forge again, and what is left when it fails."""

from __future__ import annotations

import errno
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

import oncoforge as of
from oncoforge.errors import InputError, OutputError
from oncoforge.job import FILES, MOVIE, forge_again, forge_case
from oncoforge.order import Order, Origin

LIVER = 1


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("scan")
    case = of.make_phantom(spacing_mm=(5, 5, 5)).case()
    of.write_image(folder / "ct.nii.gz", case.image, case)
    of.write_labels(folder / "labels.nii.gz", case.labels, case)
    return folder / "ct.nii.gz", folder / "labels.nii.gz"


@pytest.fixture(scope="module")
def earlier(files, tmp_path_factory) -> Path:
    """A run to replay."""
    out = tmp_path_factory.mktemp("earlier") / "out"
    of.forge(*files, out, convention="oncoforge", size="small", seed=2)
    return out


def _names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_forge_leaves_the_five_files_and_says_where(files, tmp_path):
    result = of.forge(*files, tmp_path / "a" / "b", convention="oncoforge", size="small")
    assert _names(tmp_path / "a" / "b") == sorted(FILES)
    summary = json.loads(json.dumps(result.summary()))
    assert summary["out"] == str(tmp_path / "a" / "b")
    for name in FILES:
        assert Path(summary["files"][name]) == result.path(name)
    assert json.loads(result.path("lesions.json").read_text()) == json.loads(
        json.dumps(result.record)
    )
    assert summary["lesions"] == result.record["lesions"]


def test_files_can_be_read_by_those_who_may_read_the_folder(files, tmp_path):
    out = tmp_path / "out"
    of.forge(*files, out, convention="oncoforge", size="tiny")
    (tmp_path / "plain").write_text("")
    plain = (tmp_path / "plain").stat().st_mode
    for name in FILES:
        assert (out / name).stat().st_mode == plain


def test_forge_is_synthesize_with_files(files, tmp_path):
    result = of.forge(*files, tmp_path, convention="oncoforge", size="small", seed=4, count=2)
    case = of.read_case(*files, convention="oncoforge")
    made = of.synthesize(case, size="small", seed=4, count=2)
    image = np.asarray(nib.load(result.path("image.nii.gz")).dataobj)
    labels = np.asarray(nib.load(result.path("label.nii.gz")).dataobj)
    np.testing.assert_array_equal(image, np.rint(made.image))
    np.testing.assert_array_equal(labels, made.labels)
    assert result.record["lesions"] == made.table()


def test_steps_are_told_in_order(files, tmp_path):
    told: list[str] = []
    of.forge(*files, tmp_path / "out", convention="oncoforge", size="tiny", step=told.append)
    assert len(told) >= 3
    assert told[0].startswith("Reading")
    assert len(set(told)) == len(told)


def test_other_names_of_an_organ_are_recorded_by_its_own(tmp_path):
    origin = Origin("phantom", {"seed": 1, "spacing_mm": [6, 6, 6]})
    result = forge_case(origin, tmp_path / "out", Order("Kidneys", size="tiny"))
    assert result.record["organ"] == "kidney"


def test_mistakes_are_found_before_the_scan_is_read(tmp_path):
    nowhere = tmp_path / "none.nii.gz"
    for options in (
        {"organ": "livr"},
        {"method": "magic"},
        {"size": "hug"},
        {"label_style": "fancy"},
        {"count": -1},
        {"sise": 3},
        {"preset": "publishd"},
        {"dtype": "int17"},
        {"device": "cuda"},
        {"movie": True},
        {"method": "cellular", "device": "quantum"},
        {"method": "cellular", "steps": 0},
        {"method": "cellular", "size": "small", "steps": 9},
    ):
        with pytest.raises(of.OncoforgeError) as mistake:
            of.forge(nowhere, nowhere, tmp_path / "out", **options)
        assert "does not exist" not in str(mistake.value)
        assert _names(tmp_path) == []


def test_earlier_results_are_kept_unless_told(files, earlier):
    before = {name: (earlier / name).read_bytes() for name in FILES}
    with pytest.raises(OutputError, match="overwrite"):
        of.forge(*files, earlier, convention="oncoforge", seed=9)
    assert {name: (earlier / name).read_bytes() for name in FILES} == before


def _disk_full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("what", ["write_image", "write_labels", "render"])
def test_full_disk_at_any_file_leaves_nothing(files, tmp_path, monkeypatch, what):
    monkeypatch.setattr(f"oncoforge.job.{what}", _disk_full)
    with pytest.raises(OutputError, match="No space left on device"):
        of.forge(*files, tmp_path / "out", convention="oncoforge", size="tiny")
    assert _names(tmp_path) == []


@pytest.mark.parametrize("what", ["write_image", "render"])
def test_full_disk_at_any_file_keeps_earlier_results(files, tmp_path, monkeypatch, what):
    for name in FILES:
        (tmp_path / name).write_text("of an earlier run")
    monkeypatch.setattr(f"oncoforge.job.{what}", _disk_full)
    with pytest.raises(OutputError):
        of.forge(*files, tmp_path, convention="oncoforge", size="tiny", overwrite=True)
    assert _names(tmp_path) == sorted(FILES)
    assert {path.read_text() for path in tmp_path.iterdir()} == {"of an earlier run"}


@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
def test_interrupted_run_leaves_nothing(files, tmp_path, step, stop):
    told: list[str] = []

    def interrupt(words: str) -> None:
        told.append(words)
        if len(told) == step + 1:
            raise stop

    with pytest.raises(stop):
        of.forge(
            *files, tmp_path / "a" / "out", convention="oncoforge", size="tiny", step=interrupt
        )
    assert _names(tmp_path) == []


def test_forge_again_gives_the_same_bytes(earlier, tmp_path):
    forge_again(earlier / "lesions.json", tmp_path / "again")
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (earlier / name).read_bytes(), name


def test_forge_again_may_replace_the_run_it_repeats(files, tmp_path):
    out = tmp_path / "out"
    of.forge(*files, out, convention="oncoforge", size="tiny")
    before = {name: (out / name).read_bytes() for name in FILES}
    forge_again(out / "lesions.json", out, overwrite=True)
    assert {name: (out / name).read_bytes() for name in FILES} == before


def test_forge_again_without_its_input_says_so(files, tmp_path, earlier):
    record = json.loads((earlier / "lesions.json").read_text())
    record["input"]["options"]["image_path"] = str(tmp_path / "gone.nii.gz")
    (tmp_path / "lesions.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"gone\.nii\.gz does not exist"):
        forge_again(tmp_path / "lesions.json", tmp_path / "out")
    result = forge_again(tmp_path / "lesions.json", tmp_path / "out", image=files[0])
    assert result.record["lesions"] == json.loads((earlier / "lesions.json").read_text())["lesions"]


def _set(*keys: str | int, to: object) -> Callable[[dict], None]:
    def change(record: dict) -> None:
        part = record
        for key in keys[:-1]:
            part = part[key]
        part[keys[-1]] = to

    return change


@pytest.mark.parametrize(
    "damage",
    [
        _set("input", to="files"),
        _set("input", "kind", to="tape"),
        _set("input", "options", to=["ct.nii.gz"]),
        _set("input", "options", to={"image": "ct.nii.gz"}),
        _set("organ", to=5),
        _set("organ", to="livr"),
        _set("label_style", to="fancy"),
        _set("recipe", to=[]),
        _set("recipe", to={}),
        _set("recipe", "method", to="magic"),
        _set("recipe", "lesions", to=3),
        _set("recipe", "lesions", 0, "mask", to={}),
        _set("recipe", "lesions", 0, "mask", "radii_mm", to="wide"),
        _set("recipe", "lesions", 0, "mask", "radii_mm", to=[1, 2]),
        _set("recipe", "lesions", 0, "mask", "centre_mm", to=["a", "b", "c"]),
        _set("recipe", "lesions", 0, "mask", "elastic", to="rubber"),
        _set("recipe", "lesions", 0, "appearance", to={"colour": "red"}),
        _set("recipe", "lesions", 0, "appearance", "contrast_hu", to="dark"),
    ],
    ids=lambda change: "-".join(str(cell.cell_contents) for cell in change.__closure__),
)
def test_damaged_records_are_refused_in_a_sentence(earlier, tmp_path, damage):
    record = json.loads((earlier / "lesions.json").read_text())
    damage(record)
    (tmp_path / "lesions.json").write_text(json.dumps(record))
    with pytest.raises(of.OncoforgeError):
        forge_again(tmp_path / "lesions.json", tmp_path / "out")
    assert _names(tmp_path) == ["lesions.json"]


# Growth and its film.

GROWN = {"convention": "oncoforge", "method": "cellular"}
LARGE = {"diameter_mm": 22.0, "count": 2, "necrosis": 1.0, "necrosis_steps": 30, "seed": 3}


@contextmanager
def short_movies() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("oncoforge.movie._FRAMES", 8)
        yield


@pytest.fixture(scope="module")
def filmed(files, tmp_path_factory) -> Path:
    """A run with a movie to look at and to replay."""
    out = tmp_path_factory.mktemp("filmed") / "out"
    with short_movies():
        of.forge(*files, out, **GROWN, **LARGE, movie=True)
    return out


def test_a_run_without_a_movie_leaves_the_five_files_and_a_growth_curve(files, tmp_path):
    result = of.forge(*files, tmp_path, **GROWN, **LARGE)
    assert _names(tmp_path) == sorted(FILES)
    assert result.files() == FILES
    record = json.loads(result.path("lesions.json").read_text())
    assert (record["method"], record["movie"]) == ("cellular", False)
    assert len(record["lesions"]) == 2
    for row in record["lesions"]:
        assert [point["step"] for point in row["growth"]] == list(range(len(row["growth"])))
        assert 0.05 < row["necrotic_fraction"] < 0.36
        assert row["growth"][-1]["diameter_mm"] == pytest.approx(22, rel=0.05)
        assert row["diameter_mm"] == pytest.approx(22, rel=0.05)


def test_a_movie_changes_nothing_else(files, filmed, tmp_path):
    of.forge(*files, tmp_path, **GROWN, **LARGE)
    for name in ("image.nii.gz", "label.nii.gz"):
        assert (tmp_path / name).read_bytes() == (filmed / name).read_bytes(), name
    plain, record = (json.loads((out / "lesions.json").read_text()) for out in (tmp_path, filmed))
    assert record == plain | {"movie": True}


def test_a_movie_can_be_opened_and_moves(filmed):
    assert _names(filmed) == sorted((*FILES, *MOVIE))
    with Image.open(filmed / "growth.gif") as film:
        assert film.format == "GIF"
        assert film.is_animated
        pictures = []
        for n in range(film.n_frames):
            film.seek(n)
            pictures.append(film.convert("RGB").tobytes())
    assert len(pictures) > 5
    assert len(set(pictures)) > 5
    with Image.open(io.BytesIO((filmed / "growth.png").read_bytes())) as strip:
        assert strip.format == "PNG"
        assert strip.width > strip.height


def test_forge_again_gives_the_same_bytes_of_a_movie_too(filmed, tmp_path):
    with short_movies():
        result = forge_again(filmed / "lesions.json", tmp_path / "again")
    assert _names(tmp_path / "again") == sorted((*FILES, *MOVIE))
    assert set(result.summary()["files"]) == {*FILES, *MOVIE}
    for name in (*FILES, *MOVIE):
        assert (tmp_path / "again" / name).read_bytes() == (filmed / name).read_bytes(), name


def test_a_movie_of_an_earlier_run_does_not_outlive_it(files, tmp_path):
    for name in (*FILES, *MOVIE):
        (tmp_path / name).write_text("of an earlier run")
    (tmp_path / "notes.txt").write_text("mine")
    of.forge(*files, tmp_path, **GROWN, steps=10, overwrite=True)
    assert _names(tmp_path) == sorted((*FILES, "notes.txt"))
    assert not any((tmp_path / name).read_bytes() == b"of an earlier run" for name in FILES)


def test_a_movie_of_an_earlier_run_is_kept_unless_told(files, tmp_path):
    (tmp_path / "growth.gif").write_text("of an earlier run")
    with pytest.raises(OutputError, match=r"growth\.gif.*--overwrite"):
        of.forge(*files, tmp_path, convention="oncoforge", size="tiny")
    assert _names(tmp_path) == ["growth.gif"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("at", ["Filming", "Drawing the film"])
def test_a_run_that_stops_in_its_film_keeps_the_earlier_results(files, tmp_path, at, stop):
    for name in (*FILES, *MOVIE):
        (tmp_path / name).write_text("of an earlier run")
    told: list[str] = []

    def interrupt(words: str) -> None:
        told.append(words)
        if words.startswith(at) and len(told) > 6:
            raise stop

    with pytest.raises(stop):
        of.forge(*files, tmp_path, **GROWN, steps=9, movie=True, overwrite=True, step=interrupt)
    assert told[-1].startswith(at)
    assert _names(tmp_path) == sorted((*FILES, *MOVIE))
    assert {path.read_text() for path in tmp_path.iterdir()} == {"of an earlier run"}


def test_full_disk_in_the_film_leaves_nothing(files, tmp_path, monkeypatch):
    monkeypatch.setattr("oncoforge.movie.film", _disk_full)
    with pytest.raises(OutputError, match="No space left on device"):
        of.forge(*files, tmp_path / "out", **GROWN, steps=9, movie=True)
    assert _names(tmp_path) == []


def test_without_a_lesion_there_is_no_movie_and_no_failure(files, tmp_path):
    bright = {"levels_hu": (-900.0, -900.0, -900.0)}
    result = of.forge(*files, tmp_path, **GROWN, **bright, movie=True)
    assert result.files() == FILES
    assert _names(tmp_path) == sorted(FILES)
    assert result.record["lesions"] == []
    (reason,) = result.record["skipped"]
    assert "-900 HU" in reason
    assert reason in (tmp_path / "report.html").read_text()


def test_the_device_is_a_way_to_work_and_leaves_no_trace(files, tmp_path):
    pytest.importorskip("torch")
    options = {"count": 2, "diameter_mm": 14.0, "seed": 1}
    for device in ("cpu", "cpu:0"):
        of.forge(*files, tmp_path / device, **GROWN, **options, device=device)
    again = forge_again(tmp_path / "cpu" / "lesions.json", tmp_path / "again", device="cpu:0")
    assert again.record["lesions"]
    for name in FILES:
        expected = (tmp_path / "cpu" / name).read_bytes()
        assert (tmp_path / "cpu:0" / name).read_bytes() == expected, name
        assert (tmp_path / "again" / name).read_bytes() == expected, name


@pytest.mark.parametrize(
    "damage",
    [
        _set("recipe", "lesions", 0, "mask", "steps", to=-1),
        _set("recipe", "lesions", 0, "mask", "steps", to="many"),
        _set("recipe", "lesions", 0, "mask", "cores_mm", to=[]),
        _set("recipe", "lesions", 0, "mask", "cores_mm", to=[[1, 2]]),
        _set("recipe", "lesions", 0, "mask", "levels_hu", to=[3, 2, 1]),
        _set("recipe", "lesions", 0, "mask", "neighbours", to=6),
        _set("recipe", "lesions", 0, "mask", "seed", to=-1),
        _set("recipe", "lesions", 0, "mask", "device", to="cuda"),
        _set("recipe", "lesions", 0, "appearance", "levels_hu", to=[3, 2, 1]),
        _set("recipe", "lesions", 0, "appearance", "edge_mm", to=1),
        _set("recipe", "method", to="handcrafted"),
    ],
    ids=lambda change: "-".join(str(cell.cell_contents) for cell in change.__closure__),
)
def test_damaged_records_of_growth_are_refused_in_a_sentence(filmed, tmp_path, damage):
    record = json.loads((filmed / "lesions.json").read_text())
    damage(record)
    (tmp_path / "lesions.json").write_text(json.dumps(record))
    with pytest.raises(of.OncoforgeError):
        forge_again(tmp_path / "lesions.json", tmp_path / "out")
    assert _names(tmp_path) == ["lesions.json"]


def test_a_record_that_films_what_does_not_grow_is_refused_in_a_sentence(earlier, tmp_path):
    record = json.loads((earlier / "lesions.json").read_text())
    (tmp_path / "lesions.json").write_text(json.dumps(record | {"movie": True}))
    with pytest.raises(of.OncoforgeError):
        forge_again(tmp_path / "lesions.json", tmp_path / "out")
    assert _names(tmp_path) == ["lesions.json"]


def test_a_record_of_an_earlier_version_has_no_movie(earlier, tmp_path):
    record = json.loads((earlier / "lesions.json").read_text())
    del record["movie"]
    (tmp_path / "lesions.json").write_text(json.dumps(record))
    assert forge_again(tmp_path / "lesions.json", tmp_path / "out").files() == FILES


@pytest.mark.parametrize("device", ["cuda", "cpu:0"])
def test_a_replay_on_a_device_that_its_method_cannot_use_is_refused(earlier, tmp_path, device):
    with pytest.raises(InputError, match="handcrafted works on the CPU"):
        forge_again(earlier / "lesions.json", tmp_path / "out", device=device)
    assert _names(tmp_path) == []
