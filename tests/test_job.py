"""The main job as a library: forge, forge again, and what is left when it fails."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import oncoforge as of
from oncoforge.errors import InputError, OutputError, UnknownNameError
from oncoforge.job import FILES, Origin, forge_again, forge_case

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
    result = forge_case(origin, tmp_path / "out", organ="Kidneys", size="tiny")
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


def test_unknown_origin_is_refused(tmp_path):
    with pytest.raises(UnknownNameError, match="tape"):
        forge_case(Origin("tape", {}), tmp_path / "out", organ="liver")
    assert _names(tmp_path) == []
