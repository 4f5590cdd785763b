"""What a user can get wrong: one sentence on standard error, code 2, and nothing written."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

import oncoforge as of
from oncoforge.cli import main

FILES = {"image.nii.gz", "label.nii.gz", "lesions.json", "report.html", "report.png"}
COLOUR = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])


@dataclass(frozen=True)
class Scan:
    """A small scan: its files, and what is in them."""

    folder: Path
    image: np.ndarray
    labels: np.ndarray
    affine: np.ndarray

    @property
    def paths(self) -> tuple[Path, Path]:
        return self.folder / "ct.nii.gz", self.folder / "labels.nii.gz"

    def save(self, array: np.ndarray, name: str, affine: np.ndarray | None = None) -> Path:
        path = self.folder / name
        nib.save(nib.Nifti1Image(array, self.affine if affine is None else affine), path)
        return path


@pytest.fixture(scope="module")
def scan(tmp_path_factory) -> Scan:
    folder = tmp_path_factory.mktemp("scan")
    case = of.make_phantom(spacing_mm=(5, 5, 5)).case()
    of.write_image(folder / "ct.nii.gz", case.image, case)
    of.write_labels(folder / "labels.nii.gz", case.labels, case)
    return Scan(folder, np.rint(case.image).astype(np.int16), case.labels, case.affine)


@pytest.fixture
def refused(capfd, tmp_path) -> Callable[..., str]:
    """Run a command that must be refused, and return its sentence."""

    def run(*arguments: Any) -> str:
        before = _tree(tmp_path)
        with pytest.raises(SystemExit) as stop:
            main([str(a) for a in arguments])
        said = capfd.readouterr()
        assert (stop.value.code, said.out) == (2, "")
        assert len(said.err.splitlines()) == 1
        assert said.err.startswith("Error: ")
        assert "Traceback" not in said.err
        assert _tree(tmp_path) == before
        return said.err.strip()

    return run


@pytest.fixture
def refused_scan(refused, scan, tmp_path) -> Callable[..., str]:
    """The same for ``oncoforge synth`` on the scan, with other files or more options."""

    def run(
        *options: Any, image: Path | None = None, labels: Path | None = None, out: Any = None
    ) -> str:
        ct, organs = scan.paths
        out = tmp_path / "out" if out is None else out
        start = ("synth", image or ct, labels or organs, "--convention", "oncoforge")
        return refused(*start, "--out", out, *options)

    return run


def _tree(folder: Path) -> dict[str, str]:
    """Every file and folder below, with a checksum of what it holds."""
    found = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*"))}
    return {
        name: sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else "folder"
        for name, path in found.items()
    }


def test_missing_files_are_named(refused_scan, scan):
    missing = scan.folder / "no such file.nii.gz"
    assert f"{missing} does not exist" in refused_scan(image=missing)
    assert f"{missing} does not exist" in refused_scan(labels=missing)


@pytest.mark.parametrize("role", ["image", "labels"])
@pytest.mark.parametrize("part", [0.5, 0.9999])
def test_truncated_gzip_is_refused(refused_scan, scan, role, part):
    source = scan.paths[role == "labels"]
    data = source.read_bytes()
    path = scan.folder / f"truncated-{part}-{source.name}"
    path.write_bytes(data[: int(part * len(data))])
    assert f"{path} is cut short" in refused_scan(**{role: path})


def test_damaged_gzip_is_refused(refused_scan, scan):
    data = bytearray(scan.paths[0].read_bytes())
    data[len(data) // 2 : len(data) // 2 + 1000] = bytes(1000)
    path = scan.folder / "damaged.nii.gz"
    path.write_bytes(data)
    assert str(path) in refused_scan(image=path)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.txt", "a", "a.dcm"])
@pytest.mark.parametrize("content", [b"hello, world\n" * 100, b""])
def test_what_is_not_a_volume_is_refused(refused_scan, tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    assert str(path) in refused_scan(image=path)


def test_compressed_text_is_not_a_nifti(refused_scan, tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(b"hello, world\n" * 100))
    assert "is not a NIfTI file" in refused_scan(image=path)


def test_folder_without_dicom_is_refused(refused_scan, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no DICOM" in refused_scan(image=tmp_path / "empty")
    assert "is a folder" in refused_scan(labels=tmp_path / "empty")


def test_flat_image_is_refused(refused_scan, scan):
    path = scan.save(scan.image[:, :, 0], "flat.nii.gz")
    assert "expected a volume with 3 axes" in refused_scan(image=path)


def test_colours_are_refused(refused_scan, scan):
    path = scan.save(np.zeros(scan.image.shape, COLOUR), "colours.nii.gz")
    assert "not colours" in refused_scan(image=path)
    assert "not colours" in refused_scan(labels=path)


def test_several_volumes_are_refused(refused_scan, scan):
    path = scan.save(np.stack([scan.image] * 2, -1), "frames.nii.gz")
    assert "several volumes" in refused_scan(image=path)


def test_absent_organ_is_named_with_those_that_are_present(refused_scan, scan):
    keep = np.isin(scan.labels, (3, 9))
    path = scan.save(np.where(keep, scan.labels, 0).astype(np.uint8), "no-liver.nii.gz")
    sentence = refused_scan(labels=path)
    assert "has no liver; it has pancreas, spleen." in sentence
    assert str(path) in sentence


def test_empty_label_map_is_refused(refused_scan, scan):
    path = scan.save(np.zeros_like(scan.labels), "empty.nii.gz")
    assert "has no liver" in refused_scan(labels=path)


def _moved(affine: np.ndarray) -> np.ndarray:
    other = affine.copy()
    other[:3, 3] += (0, 0, 7)
    return other


def _stretched(affine: np.ndarray) -> np.ndarray:
    return affine @ np.diag([1, 1, 1.25, 1])


def _turned(affine: np.ndarray) -> np.ndarray:
    turn = np.eye(4)
    turn[:2, :2] = [[0.96, -0.28], [0.28, 0.96]]
    return turn @ affine


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_moved, "its origin is 7 mm away"),
        (_stretched, "its spacing is 5 x 5 x 6.25, not 5 x 5 x 5 mm"),
        (_turned, "its axes are turned by 16.3 degrees"),
    ],
)
def test_grids_that_differ_are_refused_with_the_difference(refused_scan, scan, change, says):
    path = scan.save(scan.labels, "other-grid.nii.gz", change(scan.affine))
    sentence = refused_scan(labels=path)
    assert says in sentence
    assert "--resample-labels" in sentence


def test_other_shape_is_refused_with_both_shapes(refused_scan, scan):
    path = scan.save(scan.labels[:-1], "other-shape.nii.gz")
    x, y, z = scan.labels.shape
    assert f"its shape is {x - 1} x {y} x {z}, not {x} x {y} x {z}" in refused_scan(labels=path)


def test_values_that_are_not_hu_are_refused_unless_forced(refused_scan, scan):
    scaled = ((scan.image + 1024.0) / 4096).astype(np.float32)
    cases = {
        "zero": np.zeros_like(scan.image),
        "scaled": scaled,
        "bytes": np.clip(scan.image // 4 + 128, 0, 255).astype(np.uint8),
        "unsigned": scan.image + np.int16(1024),
        "windowed": np.clip(scan.image, -100, 240),
    }
    for name, values in cases.items():
        path = scan.save(values, f"{name}.nii.gz")
        sentence = refused_scan(image=path)
        assert "does not look like CT in HU" in sentence, name
        assert "--force" in sentence, name


def test_mr_is_refused_unless_forced(refused, data_dir, tmp_path):
    folder = data_dir / "mr_abdomen"
    labels = folder / "totalsegmentator_labels.nii.gz"
    sentence = refused("synth", folder / "image.nii.gz", labels, "--out", tmp_path / "out")
    assert "does not look like CT in HU" in sentence
    assert "--force" in sentence


def test_not_a_number_is_refused_even_if_forced(refused_scan, scan):
    values = scan.image.astype(np.float32)
    values[3, 4, 5] = np.nan
    path = scan.save(values, "nan.nii.gz")
    assert "NaN" in refused_scan(image=path)
    assert "NaN" in refused_scan("--force", image=path)


def test_labels_that_are_no_labels_are_refused(refused_scan, scan):
    for name, values in {
        "fractions": scan.labels + np.float32(0.5),
        "negative": scan.labels.astype(np.int16) - 1,
        "large": scan.labels.astype(np.int32) * 1000,
    }.items():
        path = scan.save(values, f"{name}.nii.gz")
        assert str(path) in refused_scan(labels=path)
    assert "not the image" in refused_scan(labels=scan.paths[0])
    odd = np.where(scan.labels == 1, 250, scan.labels).astype(np.uint8)
    assert "250" in refused_scan(labels=scan.save(odd, "odd.nii.gz"))


@pytest.mark.parametrize(
    ("options", "nearest"),
    [
        (("--organ", "livr"), "liver"),
        (("--method", "handcraftd"), "handcrafted"),
        (("--size", "smal"), "small"),
        (("--preset", "publishd"), "published"),
        (("--convention", "totalsegmentor"), "totalsegmentator"),
        (("--label-style", "instance"), "instances"),
        (("--set", "contrasthu=-100,-50"), "contrast_hu"),
        (("--set", "elastic=volme"), "volume"),
        (("--set", "place=insde"), "inside"),
        (("--method", "celular"), "cellular"),
        (("--method", "cellular", "--preset", "kidny"), "kidney"),
        (("--method", "cellular", "--size", "smal"), "small"),
        (("--method", "cellular", "--set", "stps=30"), "steps"),
        (("--dtype", "int61"), "int16"),
    ],
)
def test_nearest_name_is_suggested(refused_scan, options, nearest):
    assert f"did you mean '{nearest}'?" in refused_scan(*options)


@pytest.mark.parametrize(
    "options",
    [
        ("--count", "-1"),
        ("--count", "0"),
        ("--count", "two"),
        ("--count", "2.5"),
        ("--diameter", "0mm"),
        ("--diameter", "-3"),
        ("--diameter", "12 furlongs"),
        ("--diameter", "12,5mm"),
        ("--diameter", "900mm"),
        ("--seed", "-1"),
        ("--seed", "x"),
        ("--at", "1,2"),
        ("--at", "here"),
        ("--at", ""),
        ("--at", "nan,nan,nan"),
        ("--at", "inf,0,0"),
        ("--at", "1e300,0,0"),
        ("--set", "rim"),
        ("--set", "rim=2"),
        ("--set", "contrast_hu=-60,-120"),
        ("--set", "edge_mm=-1,1"),
        ("--sizes", "small"),
        ("extra",),
        ("--organ", "aorta"),
        ("--organ", ""),
        ("--organ",),
    ],
    ids=" ".join,
)
def test_bad_values_are_refused(refused_scan, options: Sequence[str]):
    refused_scan(*options)


@pytest.mark.parametrize(
    "setting",
    [
        "count=abc",
        "count=2.5",
        "count=true",
        "diameter_mm=big",
        "rim=abc",
        "rim=null",
        "hyperdense=x",
        "contrast_hu=5",
        "contrast_hu=NaN,NaN",
        "contrast_hu=-Infinity,Infinity",
        "fill_hu=50",
        "mass_effect=0.5",
        "mass_effect=a,b",
        "min_inside=abc",
        "min_distance_mm=abc",
        "margin=abc",
        "rotate=maybe",
        "at_mm=5",
        "at_mm=1,2,3",
        "edge_mm=100000,100000",
    ],
)
def test_settings_of_the_wrong_kind_are_refused_by_name(refused_scan, setting):
    name, _, _ = setting.partition("=")
    shown = {"diameter_mm": "diameter"}.get(name, name)
    assert shown in refused_scan("--set", setting)


@pytest.mark.parametrize(
    "name",
    [
        *("organ", "method", "preset", "seed", "at", "out", "image", "force", "overwrite", "step"),
        *("device", "movie", "order", "origin"),
    ],
)
def test_options_in_the_place_of_settings_are_refused(refused_scan, name):
    assert name in refused_scan("--set", f"{name}=1")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--movie",), "handcrafted do not grow"),
        (("--device", "cuda"), "handcrafted works on the CPU"),
        (("--method", "cellular", "--device", "quantum"), "'quantum'"),
        (("--method", "cellular", "--device", "cuda:99"), "cuda:99"),
        (("--method", "cellular", "--preset", "published"), "no preset 'published'"),
        (("--method", "cellular", "--size", "small", "--set", "steps=30"), "one of the two"),
        (("--method", "cellular", "--diameter", "9mm", "--set", "steps=30"), "one of the two"),
        (("--method", "cellular", "--count", "2", "--set", "foci=2"), "foci"),
        (("--method", "cellular", "--set", "steps=0"), "steps"),
        (("--method", "cellular", "--set", "steps=9,5"), "steps"),
        (("--method", "cellular", "--set", "steps=many"), "steps"),
        (("--method", "cellular", "--set", "levels_hu=160,140,120"), "levels_hu"),
        (("--method", "cellular", "--set", "levels_hu=160"), "levels_hu"),
        (("--method", "cellular", "--set", "pitch_mm=0"), "pitch_mm"),
        (("--method", "cellular", "--set", "neighbours=6"), "neighbours"),
        (("--set", "steps=30"), "steps"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, tuple) else "",
)
def test_methods_refuse_what_is_not_theirs_before_the_scan_is_read(
    refused, tmp_path, options, says
):
    nowhere = tmp_path / "none.nii.gz"
    sentence = refused("synth", nowhere, nowhere, "--out", tmp_path / "out", *options)
    assert says in sentence
    assert "does not exist" not in sentence


def test_a_movie_of_an_earlier_run_is_kept_without_overwrite(refused_scan, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "growth.gif").write_text("of an earlier run")
    assert "growth.gif" in refused_scan()


def test_replay_takes_the_movie_from_the_record(refused, tmp_path):
    for option in (("--movie",), ("--method", "cellular"), ("--preset", "liver")):
        replay = ("--replay", tmp_path / "lesions.json", "--out", tmp_path / "out")
        assert f"--replay takes {option[0]} from the record" in refused("synth", *replay, *option)


def test_size_as_a_setting_is_the_size_or_refused(scan, tmp_path):
    arguments = ["synth", *map(str, scan.paths), "--convention", "oncoforge"]
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--set", "size=tiny", "--out", str(tmp_path / "out")])
    assert stop.value.code in (0, 2)


def test_position_outside_the_organ_names_its_nearest_voxel(refused_scan, scan):
    voxels = np.argwhere(scan.labels == 1)
    world = voxels @ scan.affine[:3, :3].T + scan.affine[:3, 3]
    asked = np.add(world.mean(axis=0), (0, 0, 200))
    sentence = refused_scan("--at", ",".join(f"{c:.3f}" for c in asked))
    away, *nearest = re.search(
        r"is (\d+) mm away at (-?[\d.]+),(-?[\d.]+),(-?[\d.]+)\.", sentence
    ).groups()
    distance = np.linalg.norm(world - asked, axis=1)
    assert abs(float(away) - distance.min()) <= 0.5
    found = np.linalg.norm(world - np.array(nearest, float), axis=1)
    assert found.min() < 0.1
    assert distance[found.argmin()] == pytest.approx(distance.min(), abs=0.1)


def test_more_positions_than_lesions_are_refused(refused_scan, scan):
    x, y, z = np.argwhere(scan.labels == 1)[0] @ scan.affine[:3, :3].T + scan.affine[:3, 3]
    at = ("--at", f"{x},{y},{z}")
    assert "2 positions" in refused_scan(*at, *at, "--count", "1")


def test_missing_arguments_are_refused(refused, scan, tmp_path):
    ct, labels = scan.paths
    assert "--out" in refused("synth", ct, labels)
    assert "LABELS" in refused("synth", ct, "--out", tmp_path / "out")
    assert "IMAGE" in refused("synth", "--out", tmp_path / "out")


def test_unknown_commands_and_options_are_refused(refused):
    assert "'snyth'" in refused("snyth")
    assert "'--fast'" in refused("--fast")
    assert "'--fast'" in refused("demo", "--fast")


@pytest.mark.parametrize("below", ["", "a/b"])
def test_file_in_the_place_of_the_output_folder_is_refused(refused_scan, tmp_path, below):
    (tmp_path / "taken").write_text("mine")
    out = tmp_path / "taken" / below
    assert f"{out} cannot be written" in refused_scan(out=out)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_output_folder_is_refused(refused_scan, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    assert f"{closed} cannot be written" in refused_scan(out=closed)
    assert f"{closed / 'below'} cannot be written" in refused_scan(out=closed / "below")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that no one may write")
def test_folder_that_even_root_may_not_write_is_refused(refused_scan):
    assert "/proc/out cannot be written" in refused_scan(out="/proc/out")


@pytest.mark.parametrize("name", sorted(FILES))
def test_existing_output_is_refused_without_overwrite(refused_scan, tmp_path, name):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("of an earlier run")
    sentence = refused_scan()
    assert name in sentence
    assert "--overwrite" in sentence


def test_refused_run_leaves_no_parents_of_the_output_folder(refused_scan, tmp_path, scan):
    refused_scan(out=tmp_path / "a" / "b" / "c", image=scan.folder / "missing.nii.gz")


def test_refused_run_leaves_other_files_of_the_folder_alone(refused_scan, tmp_path, scan):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    refused_scan(image=scan.folder / "missing.nii.gz")


def test_refused_run_keeps_what_it_was_to_replace(refused_scan, tmp_path, scan):
    (tmp_path / "out").mkdir()
    for name in FILES:
        (tmp_path / "out" / name).write_text("of an earlier run")
    refused_scan("--overwrite", image=scan.folder / "missing.nii.gz")
    refused_scan("--overwrite", "--organ", "prostate")


def test_folder_in_the_place_of_a_result_keeps_the_earlier_results(refused_scan, tmp_path):
    (tmp_path / "out" / "report.png").mkdir(parents=True)
    (tmp_path / "out" / "image.nii.gz").write_text("of an earlier run")
    refused_scan("--overwrite")


@pytest.mark.parametrize("ending", ["nrrd", "mha"])
def test_truncated_itk_files_are_refused(refused_scan, scan, tmp_path, ending):
    path = tmp_path / f"ct.{ending}"
    image = sitk.GetImageFromArray(scan.image.T)
    image.SetSpacing((5, 5, 5))
    x, y, z = scan.affine[:3, 3]
    image.SetOrigin((-x, -y, z))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    sitk.WriteImage(image, path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert str(path) in refused_scan(image=path)


@pytest.mark.parametrize(
    "options",
    [
        ("--spacing", "0mm"),
        ("--spacing", "0.001mm"),
        ("--spacing", "thin"),
        ("--phase", "portl"),
        ("--patient", "-1"),
        ("--organ", "prostate", "--spacing", "6mm"),
        ("--organ", "livr"),
    ],
    ids=" ".join,
)
def test_bad_values_of_the_demo_are_refused(refused, tmp_path, options):
    refused("demo", "--out", tmp_path / "out", *options)


@pytest.mark.parametrize("content", ["", "{}", "[]", "3", '{"recipe": 1}', "\x00", "null"])
def test_replay_of_something_else_is_refused(refused, tmp_path, content):
    path = tmp_path / "lesions.json"
    path.write_text(content)
    assert str(path) in refused("synth", "--replay", path, "--out", tmp_path / "out")


def test_replay_of_nothing_or_of_a_folder_is_refused(refused, tmp_path, scan):
    for path in (tmp_path / "none.json", tmp_path, scan.paths[0]):
        assert str(path) in refused("synth", "--replay", path, "--out", tmp_path / "out")


def _oncoforge(*arguments: Any, **options: Any) -> SimpleNamespace:
    command = [sys.executable, "-m", "oncoforge.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr)


def test_shell_sees_code_2_and_one_line(scan, tmp_path):
    ct, labels = scan.paths
    out = tmp_path / "out"
    done = _oncoforge("synth", scan.folder / "missing.nii.gz", labels, "--out", out)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert done.err.startswith("Error: ")
    assert not out.exists()
    done = _oncoforge("synth", ct, labels, "--organ", "livr", "--out", out)
    assert (done.code, done.err.count("\n")) == (2, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize("earlier", [False, True], ids=["new folder", "earlier results"])
def test_full_disk_leaves_no_partial_file(scan, tmp_path, earlier):
    import resource

    def fill() -> None:
        # Python ignores SIGXFSZ, so a longer write fails like one to a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    out = tmp_path / "out"
    if earlier:
        out.mkdir()
        for name in FILES:
            (out / name).write_text("of an earlier run")
    before = _tree(tmp_path)
    ct, labels = scan.paths
    options = ("--convention", "oncoforge", "--overwrite", "--out", out)
    done = _oncoforge("synth", ct, labels, *options, preexec_fn=fill)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert done.err.startswith("Error: ")
    assert _tree(tmp_path) == before
