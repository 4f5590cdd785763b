"""``oncoforge synth`` and ``demo`` with priors, libraries, bulging and checks."""

from __future__ import annotations

import json
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

import oncoforge as of
from oncoforge.cli import main
from oncoforge.datasets.crops import Wanted, crop

SPACING = (5, 5, 5)


@pytest.fixture
def cli(capfd):
    def run(*arguments) -> SimpleNamespace:
        with pytest.raises(SystemExit) as stop:
            main([str(a) for a in arguments])
        said = capfd.readouterr()
        return SimpleNamespace(code=stop.value.code, out=said.out, err=said.err)

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A scan, label maps of three patients with tumours, and a library of them."""
    root = tmp_path_factory.mktemp("data")
    case = of.make_phantom(spacing_mm=SPACING).case()
    of.write_image(root / "ct.nii.gz", case.image, case)
    of.write_labels(root / "labels.nii.gz", case.labels, case)
    for name in ("imagesTr", "labelsTr"):
        (root / name).mkdir()
    for seed in range(3):
        made = of.synthesize(case, "kidney", seed=seed, count=2, diameter_mm=25.0 + 5 * seed)
        of.write_image(root / "imagesTr" / f"p{seed}.nii.gz", made.image, made)
        of.write_labels(root / "labelsTr" / f"p{seed}.nii.gz", made.labels, made)
    crop(
        root / "labelsTr",
        root / "shelf",
        Wanted("oncoforge", "kidney"),
        images=root / "imagesTr",
        workers=1,
    )
    return root


def _synth(cli, folder, out, *options):
    scan = (folder / "ct.nii.gz", folder / "labels.nii.gz", "--convention", "oncoforge")
    return cli("synth", *scan, "--organ", "kidney", "--out", out, *options)


def test_analyze_fits_a_prior_that_synth_draws_from_and_replays(cli, folder, tmp_path):
    prior = tmp_path / "prior.json"
    done = cli(
        "analyze", folder / "labelsTr", "--convention", "oncoforge", "--organ", "kidney",
        "--images", folder / "imagesTr", "--fit", prior, "--workers", "1",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert prior.exists()
    done = _synth(cli, folder, tmp_path / "a", "--prior", prior, "--exophytic", "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["lesions"]
    done = cli("synth", "--replay", tmp_path / "a" / "lesions.json", "--out", tmp_path / "b")
    assert done.code == 0, done.err
    for name in ("image.nii.gz", "label.nii.gz", "lesions.json", "report.html"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("appearance", ["texture", "copy"])
def test_tumours_of_a_library_are_pasted_and_checked(cli, folder, tmp_path, appearance):
    done = _synth(
        cli, folder, tmp_path / "a", "--library", folder / "shelf", "--appearance", appearance,
        "--count", 1, "--require", "diameter=5,inside=0.1", "--json",
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    assert len(json.loads(done.out)["lesions"]) == 1
    record = json.loads((tmp_path / "a" / "lesions.json").read_text())
    assert record["recipe"]["masks"] == "library"
    assert record["recipe"]["appearance"] == ("copy" if appearance == "copy" else "")


def test_the_demo_bulges_out_and_stays_in_without_being_told(cli, tmp_path):
    options = ("--organ", "kidney", "--size", "large", "--spacing", "5mm", "--seed", 1)
    beyond = []
    for number, more in enumerate([(), ("--exophytic",)]):
        done = cli("demo", *options, *more, "--out", tmp_path / str(number))
        assert done.code == 0, done.err
        labels = np.asarray(nib.load(tmp_path / str(number) / "label.nii.gz").dataobj)
        before = of.make_phantom(spacing_mm=SPACING).case().labels
        beyond.append(int(((labels == 6) & (before != 5)).sum()))
    assert beyond[0] == 0
    assert beyond[1] > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--prior", "none.json"), "does not exist"),
        (("--library", "none"), "none"),
        (("--appearance", "copy"), "library"),
        (("--require", "beauty=1"), "beauty"),
        (("--require", "cnr"), "cnr"),
        (("--set", "prior=x.json"), "--prior"),
        (("--set", "exophytic=true"), "--exophytic"),
        (("--set", "library=x"), "--library"),
    ],
)
def test_mistakes_give_one_sentence_and_code_2(cli, folder, tmp_path, options, said):
    done = _synth(cli, folder, tmp_path / "out", *options)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "option",
    [("--prior", "p.json"), ("--exophytic",), ("--require", "cnr=1"), ("--appearance", "copy")],
)
def test_a_replay_refuses_what_its_record_says(cli, tmp_path, option):
    done = cli("synth", "--replay", tmp_path / "x.json", "--out", tmp_path / "out", *option)
    assert done.code == 2
    assert "record" in done.err
