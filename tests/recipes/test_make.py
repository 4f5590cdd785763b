"""The recipes on the disk are those that the tables make."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import yaml

RECIPES = Path(__file__).resolve().parents[2] / "recipes"


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("make_recipes", RECIPES / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_recipe_is_stale(make):
    assert make.stale() == []


def test_every_experiment_has_its_recipe(make):
    names = {path.stem for path in RECIPES.glob("*.yaml")}
    for organ in ("liver", "pancreas", "kidney"):
        for network in (
            "unet", "nnunet", "swin-tiny", "swin-small", "swin-base", "swin-base-pretrained",
            "segmamba-v0", "segmamba-v1",
        ):  # fmt: skip
            assert {f"{organ}-{network}-{data}" for data in make.DATA} <= names
    assert {"smoke", "liver-unet-gmm", "liver-unet-zhang", "liver-unet-spheres-15"} <= names


def test_rates_are_numbers_for_every_reader_of_yaml():
    for path in RECIPES.glob("*-unet-*.yaml"):
        rate = yaml.safe_load(path.read_text())["model"]["optimizer"]["lr"]
        assert rate in (4e-4, 2e-4)
