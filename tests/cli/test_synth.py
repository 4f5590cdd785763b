"""``oncoforge synth`` on scans of every orientation and format: what it writes, and again."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

import oncoforge as of
from oncoforge.cli import main

FILES = ("image.nii.gz", "label.nii.gz", "lesions.json", "report.html", "report.png")
LIVER, LIVER_TUMOR = 1, 2


@dataclass(frozen=True)
class Stored:
    """A CT and its labels as they lie in their files."""

    image: np.ndarray
    labels: np.ndarray
    affine: np.ndarray

    def turned(self, codes: str) -> Stored:
        """The same patient with the axes in another order."""
        start = nib.orientations.io_orientation(self.affine)
        way = nib.orientations.ornt_transform(start, nib.orientations.axcodes2ornt(codes))
        image, labels = (
            np.ascontiguousarray(nib.orientations.apply_orientation(a, way))
            for a in (self.image, self.labels)
        )
        back = nib.orientations.inv_ornt_aff(way, self.image.shape)
        return Stored(image, labels, self.affine @ back)

    def tilted(self) -> Stored:
        """The same voxels in a patient who lies askew."""
        tilt = np.eye(4)
        tilt[:3, :3] = [[0.96, -0.28, 0], [0.28, 0.96, 0], [0, 0, 1]]
        return Stored(self.image, self.labels, tilt @ self.affine)

    def deepest(self) -> tuple[float, float, float]:
        """Position (RAS mm) of the liver voxel that is farthest from its surface."""
        depth = ndimage.distance_transform_edt(self.labels == LIVER)
        x, y, z = nib.affines.apply_affine(
            self.affine, np.unravel_index(depth.argmax(), depth.shape)
        )
        return float(x), float(y), float(z)


@pytest.fixture(scope="module")
def phantom() -> Stored:
    case = of.make_phantom(spacing_mm=(4, 4, 5)).case()
    return Stored(np.rint(case.image).astype(np.int16), case.labels, case.affine)


@pytest.fixture(scope="module")
def ct(phantom, tmp_path_factory) -> tuple[Path, Path]:
    """The phantom's files."""
    folder = tmp_path_factory.mktemp("ct")
    return _save(phantom, folder)


@pytest.fixture
def cli(capfd) -> Callable[..., SimpleNamespace]:
    """Run a command in this process."""

    def run(*arguments: Any) -> SimpleNamespace:
        with pytest.raises(SystemExit) as stop:
            main([str(a) for a in arguments])
        said = capfd.readouterr()
        return SimpleNamespace(code=stop.value.code, out=said.out, err=said.err)

    return run


@pytest.fixture
def synth(cli, tmp_path) -> Callable[..., Path]:
    """Run ``oncoforge synth`` on two files, and return its folder."""

    def run(files: tuple[Path, Path], *options: Any, out: str = "out") -> Path:
        done = cli("synth", *files, "--convention", "oncoforge", "--out", tmp_path / out, *options)
        assert (done.code, done.err) == (0, "")
        return tmp_path / out

    return run


def _save(stored: Stored, folder: Path, ending: str = "nii.gz") -> tuple[Path, Path]:
    paths = folder / f"ct.{ending}", folder / f"labels.{ending}"
    for array, path in zip((stored.image, stored.labels), paths, strict=True):
        if ending.startswith("nii"):
            nib.save(nib.Nifti1Image(array, stored.affine), path)
            continue
        affine = np.diag([-1, -1, 1, 1]) @ stored.affine
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        volume = sitk.GetImageFromArray(array.T)
        volume.SetSpacing(spacing.tolist())
        volume.SetOrigin(affine[:3, 3].tolist())
        volume.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
        sitk.WriteImage(volume, path)
    return paths


def _load(path: Path) -> tuple[np.ndarray, np.ndarray, np.dtype]:
    file = nib.load(path)
    return np.asarray(file.dataobj), file.affine, file.get_data_dtype()


def _record(out: Path) -> dict[str, Any]:
    return json.loads((out / "lesions.json").read_text())


def _bytes(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def _differing(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> list[str]:
    return [name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]


def _check_against(stored: Stored, out: Path) -> None:
    """Claim all that holds of any run with oncoforge labels on the liver."""
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    image, affine, dtype = _load(out / "image.nii.gz")
    labels, labels_affine, labels_dtype = _load(out / "label.nii.gz")
    assert (image.shape, dtype, labels_dtype) == (stored.image.shape, np.int16, np.uint8)
    np.testing.assert_allclose(affine, stored.affine, atol=1e-4)
    np.testing.assert_array_equal(labels_affine, affine)
    tumor = (labels == LIVER_TUMOR) & (stored.labels != LIVER_TUMOR)
    assert tumor.any()
    assert (stored.labels[tumor] == LIVER).all()
    np.testing.assert_array_equal(labels[~tumor], stored.labels[~tumor])
    outside = stored.labels != LIVER
    np.testing.assert_array_equal(image[outside], np.rint(stored.image[outside]))
    assert (image != np.rint(stored.image)).any()


@pytest.mark.parametrize(
    ("codes", "ending"),
    [
        ("RAS", "nii.gz"),
        ("LPS", "nii.gz"),
        ("IPL", "nii.gz"),
        ("PSR", "nii"),
        ("LPS", "nrrd"),
        ("IPL", "mha"),
    ],
)
def test_result_lies_on_the_grid_of_its_input(phantom, synth, tmp_path, codes, ending):
    stored = phantom.turned(codes)
    _check_against(stored, synth(_save(stored, tmp_path, ending), "--size", "small"))


def test_result_of_a_tilted_scan_lies_on_its_grid(phantom, synth, tmp_path):
    stored = phantom.tilted().turned("LPS")
    _check_against(stored, synth(_save(stored, tmp_path), "--size", "small"))


@pytest.mark.parametrize("codes", ["LPS", "IPL"])
def test_orientation_of_the_file_makes_no_difference(phantom, ct, synth, tmp_path, codes):
    upright = synth(ct, "--size", "small", out="upright")
    turned = synth(_save(phantom.turned(codes), tmp_path), "--size", "small")
    for name in ("image.nii.gz", "label.nii.gz"):
        both = (nib.as_closest_canonical(nib.load(out / name)) for out in (upright, turned))
        np.testing.assert_array_equal(*(np.asarray(file.dataobj) for file in both))
    lesions, others = (_record(out)["lesions"] for out in (upright, turned))
    assert lesions == others


def test_float_scans_are_rounded_outside_the_organ(phantom, synth, tmp_path):
    image = phantom.image + np.float32(0.25)
    stored = Stored(image, phantom.labels, phantom.affine)
    _check_against(stored, synth(_save(stored, tmp_path), "--size", "small"))


def test_slope_and_intercept_are_obeyed(phantom, ct, synth, tmp_path):
    file = nib.Nifti1Image((phantom.image + 1024).astype(np.int16), phantom.affine)
    file.header.set_slope_inter(1, -1024)
    path = tmp_path / "shifted.nii.gz"
    nib.save(file, path)
    header = nib.load(path)
    assert header.dataobj.inter == -1024
    shifted = synth((path, ct[1]), "--size", "small")
    _check_against(phantom, shifted)
    plain = synth(ct, "--size", "small", out="plain")
    np.testing.assert_array_equal(
        *(_load(out / "image.nii.gz")[0] for out in (shifted, plain)), strict=True
    )


def test_four_dimensional_file_with_one_frame_is_a_volume(phantom, ct, synth, tmp_path):
    path = tmp_path / "frame.nii.gz"
    nib.save(nib.Nifti1Image(phantom.image[..., None], phantom.affine), path)
    _check_against(phantom, synth((path, ct[1]), "--size", "small"))


@pytest.fixture(scope="module")
def instances(ct, tmp_path_factory) -> Path:
    """A run whose labels number the lesions."""
    out = tmp_path_factory.mktemp("instances") / "out"
    options = ["--size", "small", "--seed", "3", "--label-style", "instances"]
    with pytest.raises(SystemExit) as stop:
        main(["synth", *map(str, ct), "--convention", "oncoforge", "--out", str(out), *options])
    assert stop.value.code == 0
    return out


@pytest.mark.parametrize("style", ["oncoforge", "organ-tumor", "tumor-only"])
def test_labels_are_those_of_the_style(phantom, ct, synth, instances, style):
    out = synth(ct, "--size", "small", "--seed", "3", "--label-style", style)
    tumor = _load(instances / "label.nii.gz")[0] > 0
    liver = phantom.labels == LIVER
    expected = {
        "oncoforge": np.where(tumor, LIVER_TUMOR, phantom.labels),
        "organ-tumor": np.where(tumor, 2, liver),
        "tumor-only": tumor,
    }[style]
    np.testing.assert_array_equal(_load(out / "label.nii.gz")[0], expected)
    assert (out / "image.nii.gz").read_bytes() == (instances / "image.nii.gz").read_bytes()
    assert _record(out)["label_style"] == style


def test_lesions_are_those_of_the_files(phantom, instances):
    numbers, affine, _ = _load(instances / "label.nii.gz")
    image, _, _ = _load(instances / "image.nii.gz")
    rows = _record(instances)["lesions"]
    assert [row["id"] for row in rows] == list(range(1, len(rows) + 1))
    assert sorted(np.unique(numbers)) == list(range(len(rows) + 1))
    voxel_mm3 = abs(np.linalg.det(affine[:3, :3]))
    reach = np.ceil(5 / nib.affines.voxel_sizes(affine)).astype(int)
    for row in rows:
        inside = numbers == row["id"]
        voxels = np.argwhere(inside)
        assert row["voxels"] == len(voxels)
        assert row["volume_mm3"] == pytest.approx(len(voxels) * voxel_mm3)
        sphere = (6 * row["volume_mm3"] / np.pi) ** (1 / 3)
        assert row["diameter_mm"] == pytest.approx(sphere)
        np.testing.assert_allclose(row["centre_voxel"], voxels.mean(axis=0), atol=1e-6)
        centre = nib.affines.apply_affine(affine, voxels.mean(axis=0))
        np.testing.assert_allclose(row["centre_ras_mm"], centre, atol=1e-3)
        # The table is of the values before they were rounded to whole HU.
        assert row["mean_hu"] == pytest.approx(image[inside].mean(), abs=0.5)
        near = np.zeros_like(inside)
        near[_box(voxels.min(axis=0) - reach, voxels.max(axis=0) + 1 + reach)] = True
        around = image[near & (phantom.labels == LIVER) & (numbers == 0)].mean()
        assert row["contrast_hu"] == pytest.approx(image[inside].mean() - around, abs=0.5)


def _box(low: np.ndarray, high: np.ndarray) -> tuple[slice, ...]:
    return tuple(slice(max(0, a), b) for a, b in zip(low, high, strict=True))


def test_record_says_what_was_done(ct, instances):
    record = _record(instances)
    assert record["organ"] == "liver"
    assert record["method"] == "handcrafted"
    assert record["seed"] == 3
    assert record["recipe"]["parameters"]["size"] == "small"
    assert record["input"]["kind"] == "files"
    assert record["spacing_mm"] == pytest.approx([4, 4, 5])
    assert len(record["recipe"]["lesions"]) == len(record["lesions"]) + len(record["skipped"])


def test_report_needs_no_other_file(instances):
    page = (instances / "report.html").read_text()
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    assert (instances / "report.png").read_bytes().startswith(b"\x89PNG")
    for row in _record(instances)["lesions"]:
        assert row["kind"] in page


def test_json_is_for_machines(ct, cli, tmp_path):
    out = tmp_path / "out"
    done = cli("synth", *ct, "--convention", "oncoforge", "--out", out, "--json")
    summary = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert set(summary["files"]) == set(FILES)
    assert all(Path(path).is_file() for path in summary["files"].values())
    assert summary["lesions"] == _record(out)["lesions"]
    assert summary["organ"] == "liver"


def test_people_see_a_table_and_where_the_report_is(ct, cli, tmp_path):
    out = tmp_path / "out"
    done = cli("synth", *ct, "--convention", "oncoforge", "--out", out, "--count", "4")
    assert "4 lesions in the liver" in done.out
    assert str(out / "report.html") in done.out.replace("\n", "")
    assert done.err == ""


def test_count_diameter_and_position_are_obeyed(phantom, ct, synth):
    at = phantom.deepest()
    where = ",".join(f"{c:.2f}" for c in at)
    out = synth(ct, "--count", "3", "--diameter", "24mm", "--at", where)
    rows = _record(out)["lesions"]
    assert len(rows) == 3
    first = rows[0]
    assert np.linalg.norm(np.subtract(first["centre_ras_mm"], at)) < 5
    assert first["diameter_mm"] == pytest.approx(24, rel=0.15)


def test_position_is_in_world_mm_whatever_the_orientation(phantom, synth, tmp_path):
    stored = phantom.tilted().turned("IPL")
    at = stored.deepest()
    where = ",".join(f"{c:.2f}" for c in at)
    out = synth(_save(stored, tmp_path), "--count", "1", "--diameter", "2.4cm", "--at", where)
    (row,) = _record(out)["lesions"]
    assert np.linalg.norm(np.subtract(row["centre_ras_mm"], at)) < 5
    labels, affine, _ = _load(out / "label.nii.gz")
    centre = nib.affines.apply_affine(affine, np.argwhere(labels == LIVER_TUMOR).mean(axis=0))
    np.testing.assert_allclose(row["centre_ras_mm"], centre, atol=1e-2)


def test_every_position_gets_its_lesion(phantom, ct, synth):
    at = np.array(phantom.deepest())
    asked = [at, np.add(at, (0, 0, 15))]
    options = [o for p in asked for o in ("--at", ",".join(f"{c:.1f}" for c in p))]
    rows = _record(synth(ct, "--diameter", "10mm", *options))["lesions"]
    assert len(rows) == 2
    for row, position in zip(rows, asked, strict=True):
        assert np.linalg.norm(np.subtract(row["centre_ras_mm"], position)) < 5


def test_settings_reach_the_method(ct, synth):
    out = synth(ct, "--size", "small", "--set", "contrast-hu=80,120", "--set", "rotate=true")
    parameters = _record(out)["recipe"]["parameters"]
    assert parameters["contrast_hu"] == [80, 120]
    assert parameters["rotate"] is True
    rows = _record(out)["lesions"]
    assert np.mean([row["contrast_hu"] for row in rows]) > 10


@pytest.mark.parametrize("preset", ["published", "realistic"])
def test_same_seed_is_the_same_and_another_is_not(ct, synth, preset):
    outs = [
        synth(ct, "--preset", preset, "--seed", seed, out=name)
        for seed, name in (("5", "one"), ("5", "two"), ("6", "three"))
    ]
    one, two, three = (_bytes(out) for out in outs)
    assert _differing(one, two) == []
    assert set(_differing(one, three)) == set(FILES)


def test_same_command_in_another_process_gives_the_same_bytes(ct, synth, tmp_path):
    here = _bytes(synth(ct, "--seed", "5", "--preset", "realistic", out="here"))
    arguments = ["synth", *ct, "--convention", "oncoforge", "--out", tmp_path / "there"]
    arguments += ["--seed", "5", "--preset", "realistic"]
    subprocess.run(
        [sys.executable, "-m", "oncoforge.cli", *map(str, arguments)],
        check=True,
        capture_output=True,
    )
    assert _differing(here, _bytes(tmp_path / "there")) == []


@pytest.mark.parametrize(
    ("preset", "style"), [("published", "oncoforge"), ("realistic", "instances")]
)
def test_replay_rebuilds_every_byte(ct, synth, cli, tmp_path, preset, style):
    first = synth(ct, "--preset", preset, "--label-style", style, "--set", "core=1", out="first")
    again = tmp_path / "again"
    done = cli("synth", "--replay", first / "lesions.json", "--out", again)
    assert (done.code, done.err) == (0, "")
    assert _differing(_bytes(first), _bytes(again)) == []


def test_replay_works_from_another_folder(ct, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(ct[0].parent)
    names = [path.name for path in ct]
    first, again = tmp_path / "first", tmp_path / "again"
    assert cli("synth", *names, "--convention", "oncoforge", "--out", first).code == 0
    monkeypatch.chdir(tmp_path)
    done = cli("synth", "--replay", "first/lesions.json", "--out", again)
    assert (done.code, done.err) == (0, "")
    assert _differing(_bytes(first), _bytes(again)) == []


def test_replay_finds_inputs_that_have_moved_when_told(phantom, ct, synth, cli, tmp_path):
    first = synth(ct, "--size", "small", out="first")
    (tmp_path / "moved").mkdir()
    moved = _save(phantom, tmp_path / "moved")
    again = tmp_path / "again"
    done = cli("synth", *moved, "--replay", first / "lesions.json", "--out", again)
    assert (done.code, done.err) == (0, "")
    assert _differing(_bytes(first), _bytes(again)) == []


def test_replay_does_not_care_how_the_same_scan_is_stored(phantom, ct, synth, cli, tmp_path):
    first = synth(ct, "--size", "small", out="first")
    turned = _save(phantom.turned("LPS"), tmp_path, "nrrd")
    again = tmp_path / "again"
    done = cli("synth", *turned, "--replay", first / "lesions.json", "--out", again)
    assert (done.code, done.err) == (0, "")
    assert _record(first)["lesions"] == _record(again)["lesions"]


@pytest.mark.parametrize("changed", ["image", "labels"])
def test_replay_on_another_scan_needs_force(phantom, ct, synth, cli, tmp_path, changed):
    first = synth(ct, "--size", "small", out="first")
    arrays = {"image": phantom.image.copy(), "labels": phantom.labels.copy()}
    arrays[changed][0, 0, 0] = 75  # far from the liver
    files = _save(Stored(**arrays, affine=phantom.affine), tmp_path)
    replay = ("synth", *files, "--replay", first / "lesions.json", "--out", tmp_path / "again")
    done = cli(*replay)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--force" in done.err
    assert not (tmp_path / "again").exists()
    assert cli(*replay, "--force").code == 0
    assert _record(tmp_path / "again")["lesions"] == _record(first)["lesions"]


def test_replay_of_the_demo_makes_the_phantom_again(cli, tmp_path):
    first, again = tmp_path / "first", tmp_path / "again"
    assert cli("demo", "--spacing", "6mm", "--patient", "2", "--out", first).code == 0
    assert cli("synth", "--replay", first / "lesions.json", "--out", again).code == 0
    assert _differing(_bytes(first), _bytes(again)) == []


def test_overwrite_replaces_the_earlier_run(ct, synth):
    synth(ct, "--size", "tiny")
    out = synth(ct, "--size", "small", "--overwrite")
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert _record(out)["recipe"]["parameters"]["size"] == "small"


def test_tumours_that_are_there_already_stay_as_they_are(phantom, synth, tmp_path):
    labels = phantom.labels.copy()
    inside = ndimage.binary_erosion(labels == LIVER, iterations=2)
    old = np.zeros_like(inside)
    old[tuple(np.argwhere(inside)[::7].T)] = True
    labels[old] = LIVER_TUMOR
    stored = Stored(phantom.image, labels, phantom.affine)
    files = _save(stored, tmp_path)
    out = synth(files, "--size", "medium")
    _check_against(stored, out)
    assert (_load(out / "label.nii.gz")[0][old] == LIVER_TUMOR).all()
    np.testing.assert_array_equal(_load(out / "image.nii.gz")[0][old], phantom.image[old])
    styled = synth(files, "--size", "medium", "--label-style", "tumor-only", out="styled")
    both = _load(out / "label.nii.gz")[0] == LIVER_TUMOR
    np.testing.assert_array_equal(_load(styled / "label.nii.gz")[0], both)
    numbered = synth(files, "--size", "medium", "--label-style", "instances", out="numbered")
    np.testing.assert_array_equal(_load(numbered / "label.nii.gz")[0] > 0, both & ~old)


def test_no_room_is_an_answer_with_reasons(phantom, cli, tmp_path):
    labels = np.zeros_like(phantom.labels)
    x, y, z = np.argwhere(phantom.labels == LIVER)[500]
    labels[x : x + 2, y, z] = LIVER
    stored = Stored(phantom.image, labels, phantom.affine)
    out = tmp_path / "out"
    options = ("--size", "large", "--preset", "realistic", "--convention", "oncoforge")
    done = cli("synth", *_save(stored, tmp_path), "--out", out, *options)
    assert (done.code, done.err) == (0, "")
    record = _record(out)
    assert record["lesions"] == []
    assert record["skipped"]
    assert record["skipped"][0] in " ".join(done.out.split())
    np.testing.assert_array_equal(_load(out / "image.nii.gz")[0], phantom.image)
    np.testing.assert_array_equal(_load(out / "label.nii.gz")[0], labels)
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)


def test_label_map_on_another_grid_is_resampled_when_asked(phantom, ct, synth, tmp_path):
    coarse = tmp_path / "coarse.nii.gz"
    affine = phantom.affine @ np.diag([2, 2, 2, 1])
    nib.save(nib.Nifti1Image(phantom.labels[::2, ::2, ::2], affine), coarse)
    out = synth((ct[0], coarse), "--resample-labels", "--size", "small")
    labels, found, _ = _load(out / "label.nii.gz")
    assert labels.shape == phantom.labels.shape
    np.testing.assert_allclose(found, phantom.affine, atol=1e-4)
    assert (labels[::2, ::2, ::2][phantom.labels[::2, ::2, ::2] != LIVER] != LIVER).all()


def test_organ_tumor_labels_need_only_the_organs_name(phantom, ct, synth, tmp_path):
    kidney = phantom.labels == 5
    path = tmp_path / "kidney.nii.gz"
    nib.save(nib.Nifti1Image(kidney.astype(np.uint8), phantom.affine), path)
    out = synth((ct[0], path), "--convention", "organ-tumor", "--organ", "kidney")
    labels, _, _ = _load(out / "label.nii.gz")
    assert set(np.unique(labels)) == {0, 5, 6}
    np.testing.assert_array_equal(labels > 0, kidney)


@pytest.mark.parametrize(
    "organ", ["liver", "kidney", "pancreas", "spleen", "lung", "adrenal_gland"]
)
def test_real_ct(data_dir, cli, tmp_path, organ):
    folder, out = data_dir / "ct_abdomen", tmp_path / "out"
    files = folder / "image.nii.gz", folder / "totalsegmentator_labels.nii.gz"
    done = cli("synth", *files, "--organ", organ, "--size", "small", "--out", out)
    assert (done.code, done.err) == (0, "")
    image, affine, dtype = _load(out / "image.nii.gz")
    before, affine_before, _ = _load(files[0])
    np.testing.assert_allclose(affine, affine_before, atol=1e-4)
    assert dtype == np.int16
    case = of.read_case(*files)
    mask = nib.Nifti1Image(case.parenchyma(organ).astype(np.uint8), case.affine)
    inside = np.asarray(mask.dataobj) > 0
    assert nib.aff2axcodes(affine) == ("R", "A", "S")
    np.testing.assert_array_equal(image[~inside], before[~inside])
    record = _record(out)
    assert record["lesions"]
    assert sum(row["voxels"] for row in record["lesions"]) > 0


def test_real_dicom_series(data_dir, cli, tmp_path):
    folder, out = data_dir / "ct_dicom", tmp_path / "out"
    labels = folder / "totalsegmentator_labels.nii.gz"
    options = ("--organ", "spleen", "--size", "tiny", "--label-style", "organ-tumor")
    done = cli("synth", folder / "series", labels, "--out", out, *options)
    assert (done.code, done.err) == (0, "")
    styled = nib.as_closest_canonical(nib.load(out / "label.nii.gz"))
    truth = nib.as_closest_canonical(nib.load(labels))
    np.testing.assert_array_equal(np.asarray(styled.dataobj) > 0, np.asarray(truth.dataobj) == 1)
    np.testing.assert_allclose(styled.affine, truth.affine, atol=1e-2)
    assert (np.asarray(styled.dataobj) == 2).sum() > 0
    again = tmp_path / "again"
    assert cli("synth", "--replay", out / "lesions.json", "--out", again).code == 0
    assert _differing(_bytes(out), _bytes(again)) == []


def test_forced_replay_on_another_scan_records_that_scan(phantom, ct, synth, cli, tmp_path):
    first = synth(ct, "--organ", "liver", "--size", "small")
    folder = tmp_path / "brighter"
    folder.mkdir()
    other = _save(Stored(phantom.image + 3, phantom.labels, phantom.affine), folder)
    second = tmp_path / "second"
    done = cli("synth", *other, "--replay", first / "lesions.json", "--force", "--out", second)
    assert done.code == 0, done.err
    assert _record(second)["input"]["options"]["image_path"] == str(other[0])
    third = tmp_path / "third"
    done = cli("synth", "--replay", second / "lesions.json", "--out", third)
    assert done.code == 0, done.err
    assert _differing(_bytes(second), _bytes(third)) == []


def test_float_output_keeps_every_bit_outside_the_organ(phantom, synth, tmp_path):
    folder = tmp_path / "float"
    folder.mkdir()
    image = (phantom.image + 0.4).astype(np.float32)
    stored = Stored(image, phantom.labels, phantom.affine)
    files = _save(stored, folder)
    out = synth(files, "--organ", "liver", "--dtype", "same")
    image, _, dtype = _load(out / "image.nii.gz")
    before, _, _ = _load(files[0])
    labels, _, _ = _load(files[1])
    assert dtype == np.float32
    np.testing.assert_array_equal(image[labels != 1], before[labels != 1])
    assert (image[labels == 1] != before[labels == 1]).any()


def test_replay_of_another_version_needs_force(ct, synth, cli, tmp_path):
    record = synth(ct, "--organ", "liver", "--size", "small") / "lesions.json"
    data = json.loads(record.read_text())
    data["recipe"]["version"] = "99.0"
    record.write_text(json.dumps(data))
    done = cli("synth", "--replay", record, "--out", tmp_path / "again")
    assert done.code == 2
    assert "99.0" in done.err
    assert cli("synth", "--replay", record, "--force", "--out", tmp_path / "again").code == 0


# Grown tumours.


MOVIE = ("growth.gif", "growth.png")
GROWN = ("--method", "cellular", "--count", "2", "--diameter", "20mm")


@pytest.fixture
def short_movies(monkeypatch) -> None:
    monkeypatch.setattr("oncoforge.movie._FRAMES", 6)


@pytest.mark.parametrize("codes", ["RAS", "IPL"])
def test_grown_tumours_lie_in_the_liver_on_the_grid_of_the_scan(phantom, synth, tmp_path, codes):
    stored = phantom.turned(codes)
    out = synth(_save(stored, tmp_path), *GROWN)
    _check_against(stored, out)
    record = _record(out)
    assert record["method"] == "cellular"
    assert record["recipe"]["parameters"]["preset"] == "liver"
    assert len(record["lesions"]) == 2
    for row in record["lesions"]:
        assert row["diameter_mm"] == pytest.approx(20, rel=0.1)
        assert row["growth"][0]["step"] == 0


def test_orientation_of_the_file_makes_no_difference_to_growth(phantom, ct, synth, tmp_path):
    upright = synth(ct, *GROWN, out="upright")
    turned = synth(_save(phantom.turned("PSL"), tmp_path), *GROWN)
    for name in ("image.nii.gz", "label.nii.gz"):
        both = (nib.as_closest_canonical(nib.load(out / name)) for out in (upright, turned))
        np.testing.assert_array_equal(*(np.asarray(file.dataobj) for file in both))


@pytest.mark.parametrize(("organ", "preset"), [("kidney", "kidney"), ("spleen", "adaptive")])
def test_the_preset_suits_the_organ_unless_told(ct, synth, organ, preset):
    out = synth(ct, "--organ", organ, "--method", "cellular", "--set", "steps=20")
    assert _record(out)["recipe"]["parameters"]["preset"] == preset
    told = synth(ct, "--organ", organ, "--method", "cellular", "--preset", "realistic", out="told")
    assert _record(told)["recipe"]["parameters"]["preset"] == "realistic"


@pytest.mark.usefixtures("short_movies")
def test_a_movie_is_written_listed_and_replayed_byte_for_byte(ct, cli, tmp_path):
    first, again = tmp_path / "first", tmp_path / "again"
    arguments = ("synth", *ct, "--convention", "oncoforge", *GROWN, "--movie", "--json")
    done = cli(*arguments, "--preset", "realistic", "--out", first)
    assert (done.code, done.err) == (0, "")
    summary = json.loads(done.out)
    assert set(summary["files"]) == {*FILES, *MOVIE}
    assert all(Path(path).is_file() for path in summary["files"].values())
    assert all(row["growth"] for row in summary["lesions"])
    done = cli("synth", "--replay", first / "lesions.json", "--out", again)
    assert (done.code, done.err) == (0, "")
    assert f"Movie:   {again / 'growth.gif'}" in done.out
    assert sorted(_bytes(again)) == sorted((*FILES, *MOVIE))
    assert _differing(_bytes(first), _bytes(again)) == []


def test_no_tissue_to_grow_in_is_an_answer_with_reasons(phantom, ct, cli, tmp_path):
    out = tmp_path / "out"
    options = ("--method", "cellular", "--movie", "--set", "levels_hu=-990,-985,-980")
    done = cli("synth", *ct, "--convention", "oncoforge", "--out", out, *options)
    assert (done.code, done.err) == (0, "")
    record = _record(out)
    assert record["lesions"] == []
    (reason,) = record["skipped"]
    assert "-980 HU" in reason
    assert "adaptive" in reason
    assert reason in " ".join(done.out.split())
    np.testing.assert_array_equal(_load(out / "image.nii.gz")[0], phantom.image)
    np.testing.assert_array_equal(_load(out / "label.nii.gz")[0], phantom.labels)
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)


@pytest.mark.parametrize("style", ["organ-tumor", "tumor-only", "instances"])
def test_dead_tumour_is_labelled_as_tumour_in_every_style(phantom, ct, synth, style):
    options = ("--method", "cellular", "--count", "1", "--diameter", "40mm")
    options += ("--set", "necrosis=1", "--set", "necrosis-steps=10", "--seed", "4")
    plain = synth(ct, *options, out="plain")
    tumor = _load(plain / "label.nii.gz")[0] == LIVER_TUMOR
    assert _record(plain)["lesions"][0]["necrotic_fraction"] > 0.1
    np.testing.assert_array_equal(ndimage.binary_fill_holes(tumor), tumor)
    styled = _load(synth(ct, *options, "--label-style", style) / "label.nii.gz")[0]
    np.testing.assert_array_equal(styled == (2 if style == "organ-tumor" else 1), tumor)


def test_positions_and_settings_of_growth_are_obeyed(phantom, ct, synth):
    at = phantom.deepest()
    where = ",".join(f"{c:.2f}" for c in at)
    options = ("--method", "cellular", "--at", where, "--set", "steps=40", "--set", "clustered=0")
    (row,) = _record(synth(ct, *options))["lesions"]
    assert np.linalg.norm(np.subtract(row["centre_ras_mm"], at)) < 5
    assert len(row["growth"]) == 41


def test_the_device_changes_no_byte(ct, synth):
    pytest.importorskip("torch")
    here = synth(ct, *GROWN, out="here")
    there = synth(ct, *GROWN, "--device", "cpu:0", out="there")
    assert _differing(_bytes(here), _bytes(there)) == []


@pytest.mark.gpu
@pytest.mark.usefixtures("short_movies")
def test_a_gpu_changes_no_byte(ct, synth):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    here = synth(ct, *GROWN, "--movie", out="here")
    there = synth(ct, *GROWN, "--movie", "--device", "cuda", out="there")
    assert _differing(_bytes(here), _bytes(there)) == []


@pytest.mark.parametrize("organ", ["liver", "kidney", "pancreas"])
def test_tumours_grow_in_a_real_ct(data_dir, cli, tmp_path, organ):
    folder, out = data_dir / "ct_abdomen", tmp_path / "out"
    files = folder / "image.nii.gz", folder / "totalsegmentator_labels.nii.gz"
    done = cli("synth", *files, "--organ", organ, *GROWN, "--out", out)
    assert (done.code, done.err) == (0, "")
    rows = _record(out)["lesions"]
    assert len(rows) == 2
    case = of.read_case(*files)
    mask = nib.Nifti1Image(case.parenchyma(organ).astype(np.uint8), case.affine)
    inside = np.asarray(mask.dataobj) > 0
    image, before = _load(out / "image.nii.gz")[0], _load(files[0])[0]
    np.testing.assert_array_equal(image[~inside], before[~inside])
