"""``oncoforge check``: what it prints and writes, and with what code it ends."""

from __future__ import annotations

import json
import shutil

import nibabel as nib
import numpy as np
import pytest

import oncoforge as of
from oncoforge.cli import main


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Four phantoms in the layout of MSD, with a list."""
    folder = tmp_path_factory.mktemp("Task03 Lebér")
    items = []
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir()
    for seed in range(4):
        phantom = of.make_phantom(seed=seed, spacing_mm=(7, 7, 7))
        files = {"imagesTr": np.rint(phantom.image).astype(np.int16)}
        files["labelsTr"] = (phantom.labels == 1).astype(np.uint8)
        for kind, array in files.items():
            path = folder / kind / f"scan_{seed}.nii.gz"
            nib.save(nib.Nifti1Image(array, phantom.affine), path)
        items.append({k: f"./{k}sTr/scan_{seed}.nii.gz" for k in ("image", "label")})
    content = {"name": "livers", "labels": {"0": "background", "1": "liver"}, "numTraining": 3}
    content |= {"training": items[:3], "test": [], "validation": items[3:]}
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def run(capfd):
    """Run the command; return its code, what it printed, and its error."""

    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(["check", *map(str, arguments)])
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        return stop.value.code, said.out, said.err

    return call


def test_a_clean_list_ends_with_0(run, dataset, tmp_path):
    out = tmp_path / "out"
    code, printed, _ = run(
        dataset / "dataset.json", "--convention", "msd-liver", "--organ", "liver", "--out", out
    )
    assert code == 0
    assert "4 cases (3 training, 1 validation): none failed." in printed
    assert f"Report: {out / 'check.html'}" in printed
    assert sorted(p.name for p in out.iterdir()) == ["check.csv", "check.html", "check.json"]
    page = (out / "check.html").read_text("utf-8")
    assert page.count("<img") == 4
    assert (out / "check.csv").read_text("utf-8").startswith("severity,kind,part,case,sentence\n")


def test_failed_cases_are_counted_and_end_with_1(run, dataset, tmp_path):
    broken = tmp_path / "copy"
    shutil.copytree(dataset, broken)
    (broken / "imagesTr" / "scan_0.nii.gz").unlink()
    path = broken / "labelsTr" / "scan_1.nii.gz"
    path.write_bytes(path.read_bytes()[:300])
    code, printed, _ = run(broken / "dataset.json")
    assert code == 1
    assert "2 failed" in printed
    assert "missing file" in printed
    assert "scan_1" in printed


def test_leaks_end_with_1_and_are_all_in_the_json(run, dataset, tmp_path):
    content = json.loads((dataset / "dataset.json").read_text())
    content["validation"] = content["training"]
    path = tmp_path / "leaky.json"
    path.write_text(json.dumps(content))
    code, printed, _ = run(path, "--root", dataset, "--json", "--no-content")
    assert code == 1
    document = json.loads(printed)
    assert len(document["leaks"]) == 3
    assert document["counts"]["error"] == 3
    assert document["failed_cases"] == 6


def test_another_list_may_not_share_patients(run, dataset, tmp_path):
    copy = tmp_path / "unknown.nii.gz"
    copy.write_bytes((dataset / "imagesTr" / "scan_2.nii.gz").read_bytes())
    other = tmp_path / "pool.txt"
    other.write_text("unknown.nii.gz\n")
    arguments = (dataset / "dataset.json", "--against", other, "--json")
    code, printed, _ = run(*arguments)
    assert code == 1
    [leak] = json.loads(printed)["leaks"]
    assert leak["first"]["case"] == "scan_2"
    assert leak["reasons"] == ["image files with the same bytes"]
    # A copy is found without opening anything; the same scan written anew is not.
    assert run(*arguments, "--no-content")[0] == 1
    nib.save(nib.load(copy), tmp_path / "anew.nii")
    other.write_text("anew.nii\n")
    assert run(*arguments)[0] == 1
    assert run(*arguments, "--no-content")[0] == 0


def test_a_list_of_another_machine_is_rerooted(run, dataset, tmp_path):
    content = json.loads((dataset / "dataset.json").read_text())
    for item in (*content["training"], *content["validation"]):
        item |= {key: f"/elsewhere/livers/{path[2:]}" for key, path in item.items()}
    path = tmp_path / "list.json"
    path.write_text(json.dumps(content))
    code, printed, error = run(path)
    assert (code, printed) == (2, "")
    assert "none of the 8 files exists below /elsewhere/livers" in error
    assert "--root" in error
    assert len(error.splitlines()) == 1
    assert run(path, "--root", dataset)[0] == 0


@pytest.mark.parametrize(
    "options",
    [
        ("--convention", "msd-livr"),
        ("--convention", "msd-liver", "--organ", "livr"),
        ("--organ", "liver"),
        ("--modality", "pet"),
        ("--workers", "0"),
        ("--against", "nothing.json"),
        ("--root",),
    ],
    ids=" ".join,
)
def test_bad_options_end_with_2_and_one_sentence(run, dataset, options):
    code, printed, error = run(dataset / "dataset.json", *options)
    assert (code, printed) == (2, "")
    assert len(error.splitlines()) == 1
    assert error.startswith("Error: ")


def test_a_list_that_is_not_there_or_no_list_ends_with_2(run, tmp_path):
    (tmp_path / "list.json").write_text("{")
    for path in (tmp_path / "list.json", tmp_path / "nothing.json", tmp_path):
        code, _, error = run(path)
        assert code == 2, path
        assert str(path) in error


def test_an_earlier_result_is_refused_before_anything_is_opened(run, dataset, tmp_path):
    (tmp_path / "check.json").write_text("mine")
    code, _, error = run(dataset / "dataset.json", "--out", tmp_path)
    assert code == 2
    assert "--overwrite" in error
    assert (tmp_path / "check.json").read_text() == "mine"
    assert run(dataset / "dataset.json", "--out", tmp_path, "--overwrite")[0] == 0


def test_case_names_that_look_like_markup_are_printed_as_they_are(run, dataset, tmp_path):
    rows = [f"[bold]{k}[/],{dataset}/imagesTr/gone_{k}.nii.gz" for k in range(2)]
    rows.append(f"ok,{dataset}/imagesTr/scan_0.nii.gz")
    path = tmp_path / "list.csv"
    path.write_text("case,image\n" + "\n".join(rows) + "\n")
    code, printed, _ = run(path)
    assert code == 1
    assert "[bold]0[/]" in printed
