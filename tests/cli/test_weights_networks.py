"""``oncoforge weights networks``: the costs of networks, for people and machines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oncoforge.cli import main
from oncoforge.networks.cost import cost

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "networks.md"


@pytest.fixture
def cli(capfd) -> Callable[..., tuple[Any, str, str]]:
    """Run the command in this process: its code, output and errors."""

    def run(*arguments: str) -> tuple[Any, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(["weights", "networks", *arguments])
        return (stop.value.code, *capfd.readouterr())

    return run


def test_machines_get_what_the_library_reckons(cli):
    code, out, err = cli("unet", "--patch", "32,48,32", "--out-channels", "2", "--json")
    assert (code, err) == (0, "")
    expected = cost("unet", 1, 2, (32, 48, 32)).to_dict()
    assert json.loads(out) == [json.loads(json.dumps(expected))]


def test_people_get_a_table_that_fits_their_terminal(cli):
    code, out, err = cli("unet", "dynunet", "segresnet", "--patch", "32")
    assert (code, err) == (0, "")
    assert "32 x 32 x 32" in out
    assert "…" not in out
    for name, parameters in (("unet", "4.81"), ("nnunet", "16.54"), ("segresnet", "4.70")):
        assert any(name in line and parameters in line for line in out.splitlines())


@pytest.mark.parametrize("name", ["unet", "nnunet", "segresnet"])
def test_the_table_of_the_page_is_what_the_command_prints(cli, name):
    _, out, _ = cli(name, "--markdown")
    page = PAGE.read_text("utf-8").splitlines()
    assert [line for line in out.splitlines() if line not in page] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["unt"], "did you mean 'unet'"),
        (["freetumor_unet"], "does not segment"),
        (["unet", "--patch", "100,96,96"], "multiples of 16"),
        (["unet", "--patch", "96,96"], "three numbers"),
        (["unet", "--patch", "wide"], "three numbers"),
        (["unet", "--in-channels", "0"], "in-channels"),
        (["unet", "--json", "--markdown"], "not both"),
    ],
)
def test_mistakes_are_one_sentence(cli, arguments, said):
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1
