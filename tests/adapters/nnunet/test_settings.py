"""Settings of the synthesis within nnU-Net: what a JSON file may say."""

from __future__ import annotations

import json

import pytest

from oncoforge.adapters.nnunet.settings import (
    VARIABLE,
    NnunetSettings,
    read_settings,
    settings_from,
    settings_here,
)
from oncoforge.errors import InputError
from oncoforge.training.settings import SynthesisSettings


def test_what_is_printed_can_be_read_back():
    settings = NnunetSettings(
        (SynthesisSettings(size="small", settings={"mass_effect": (0.1, 0.2)}),),
        {"liver": "liver", "liver_tumor": 2, "kidney": (3, 4)},
        7,
    )
    assert settings_from(json.loads(json.dumps(settings.to_dict()))) == settings


def test_without_a_file_the_defaults_hold(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert settings_here() == NnunetSettings()


def test_the_environment_names_the_file(monkeypatch, tmp_path):
    path = tmp_path / "tumors.json"
    path.write_text('{"synthesis": [{"method": "cellular"}], "seed": 3}')
    monkeypatch.setenv(VARIABLE, str(path))
    assert settings_here() == NnunetSettings((SynthesisSettings("cellular"),), seed=3)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not a readable JSON file"),
        ("[]", "is a mapping of names to values"),
        ('{"sede": 1}', "did you mean 'seed'"),
        ('{"seed": -1}', "a whole number from 0"),
        ('{"synthesis": []}', "synthesis has no entries"),
        ('{"synthesis": {"method": "cellular"}}', "synthesis is a list"),
        ('{"synthesis": ["cellular"]}', "a mapping of names to values"),
        ('{"synthesis": [{"metod": "cellular"}]}', "did you mean 'method'"),
        ('{"synthesis": [{"probability": "often"}]}', "probability is a number"),
        ('{"labels": {"liver": 1.5}}', "liver is a name of dataset.json or its values"),
        ('{"labels": {"liver": []}}', "liver is a name of dataset.json or its values"),
    ],
)
def test_a_mistake_is_named_with_the_file(content, said, tmp_path):
    path = tmp_path / "tumors.json"
    path.write_text(content)
    with pytest.raises(InputError, match=said) as error:
        read_settings(path)
    assert str(path) in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.json: this is not a readable JSON file"):
        read_settings(tmp_path / "none.json")
