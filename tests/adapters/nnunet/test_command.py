"""``oncoforge train nnunet``: what it prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oncoforge.adapters.nnunet.settings import NnunetSettings, settings_from
from oncoforge.cli import main


def _printed(capfd, *arguments: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(["train", "nnunet", *arguments])
    assert stop.value.code == 0
    return capfd.readouterr().out


def test_it_prints_a_folder_and_nothing_else_that_would_go_into_the_variable(capfd):
    folder = Path(_printed(capfd).removesuffix("\n"))
    assert folder.is_absolute()
    source = (folder / "nnUNetTrainerOncoforge.py").read_text()
    assert "class nnUNetTrainerOncoforge(" in source


def test_it_prints_settings_that_can_be_read(capfd):
    assert settings_from(json.loads(_printed(capfd, "--settings"))) == NnunetSettings()
