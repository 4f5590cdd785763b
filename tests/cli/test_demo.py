"""``oncoforge demo``, and what the command line says of itself."""

from __future__ import annotations

import json
import re

import nibabel as nib
import numpy as np
import pytest

from oncoforge import __version__, make_phantom
from oncoforge.cli import main
from oncoforge.synthesis import cellular, handcrafted
from oncoforge.synthesis.cases import METHODS


@pytest.fixture
def cli(capfd):
    """Run a command in this process: its code, output and errors."""

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([str(a) for a in arguments])
        return (stop.value.code, *capfd.readouterr())

    return run


def test_demo_needs_no_data(cli, tmp_path):
    code, out, err = cli("demo", "--spacing", "4mm", "--out", tmp_path / "demo", "--json")
    assert (code, err) == (0, "")
    summary = json.loads(out)
    assert summary["lesions"]
    labels = np.asarray(nib.load(summary["files"]["label.nii.gz"]).dataobj)
    truth = make_phantom(spacing_mm=(4, 4, 4))
    changed = labels != truth.labels
    assert set(np.unique(labels[changed])) == {2}
    assert set(np.unique(truth.labels[changed])) == {1}
    image = np.asarray(nib.load(summary["files"]["image.nii.gz"]).dataobj)
    outside = truth.labels != 1
    np.testing.assert_array_equal(image[outside], np.rint(truth.image[outside]))


def test_demo_writes_into_its_own_folder(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli("demo", "--spacing", "6mm", "--organ", "kidney")[0] == 0
    assert (tmp_path / "oncoforge-demo" / "report.html").is_file()
    code, _, err = cli("demo", "--spacing", "6mm")
    assert code == 2
    assert "--overwrite" in err


def test_demo_grows_tumours_and_films_them(cli, tmp_path, monkeypatch):
    monkeypatch.setattr("oncoforge.movie._FRAMES", 6)
    options = ("--method", "cellular", "--count", "1", "--diameter", "30mm", "--movie")
    code, out, err = cli("demo", "--spacing", "4mm", "--out", tmp_path / "demo", *options)
    assert (code, err) == (0, "")
    assert f"Movie:   {tmp_path / 'demo' / 'growth.gif'}" in out
    record = json.loads((tmp_path / "demo" / "lesions.json").read_text())
    assert record["recipe"]["parameters"]["preset"] == "realistic"
    (row,) = record["lesions"]
    assert row["diameter_mm"] == pytest.approx(30, rel=0.1)
    assert (tmp_path / "demo" / "growth.gif").read_bytes().startswith(b"GIF89a")


@pytest.mark.parametrize("command", [(), ("demo",), ("synth",)], ids=["oncoforge", "demo", "synth"])
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_shows_an_example(cli, command, option):
    code, out, err = cli(*command, option)
    assert (code, err) == (0, "")
    assert "Examples:" in out
    name = " ".join(("oncoforge", *command))
    assert re.search(rf"^ *{name}\b", out.partition("Examples:")[2], re.MULTILINE)


def test_examples_of_the_help_can_be_read_by_the_command(cli):
    for command in ("demo", "synth"):
        out = cli(command, "--help")[1]
        examples = out.partition("Examples:")[2].replace("\\\n", " ")
        options = set(re.findall(r"--[a-z-]+", examples))
        assert options <= set(re.findall(r"--[a-z-]+", out.partition("Examples:")[0]))


def test_help_names_every_method_and_preset(cli):
    for command in ("demo", "synth"):
        words = set(re.findall(r"[a-z-]+", cli(command, "--help")[1]))
        assert set(METHODS) <= words
        for presets in (handcrafted.PRESETS, cellular.PRESETS):
            assert set(presets) <= words


def test_version(cli):
    assert cli("--version") == (0, f"oncoforge, version {__version__}\n", "")


def test_nothing_asked_is_answered_with_help(cli):
    code, out, err = cli()
    assert code == 2
    assert "Examples:" in out + err
    assert "Traceback" not in out + err


def test_interrupt_stops_without_a_traceback(cli, monkeypatch, tmp_path):
    def interrupt(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr("oncoforge.order.make_phantom", interrupt)
    code, out, err = cli("demo", "--out", tmp_path / "demo")
    assert (code, out) == (130, "")
    assert err.strip() == "Stopped; nothing half-written is left."
    assert list(tmp_path.iterdir()) == []
