"""Recipes: plain data that survives JSON and refuses what it is not."""

from __future__ import annotations

import json

import numpy as np
import pytest

from oncoforge.errors import InputError
from oncoforge.synthesis.base import Growth, LesionPlan, Recipe, sphere_diameter
from oncoforge.synthesis.handcrafted import Handcrafted


@pytest.fixture(scope="module")
def recipe(small_scan) -> Recipe:
    return Handcrafted("small", preset="realistic").draw(*small_scan, np.random.default_rng(0))


def through_json(recipe: Recipe) -> dict:
    return json.loads(json.dumps(recipe.to_dict()))


def test_a_recipe_survives_json(recipe):
    back = Recipe.from_dict(through_json(recipe))
    assert through_json(back) == through_json(recipe)
    assert len(back.lesions) == len(recipe.lesions) > 0


def test_a_recipe_names_method_settings_and_version(recipe):
    plain = recipe.to_dict()
    assert plain["method"] == "handcrafted"
    assert plain["parameters"]["size"] == "small"
    assert plain["parameters"]["preset"] == "realistic"
    assert plain["version"]


def test_a_recipe_is_read_from_its_own_file_or_from_the_record_of_a_run(recipe, tmp_path):
    plain = through_json(recipe)
    bare, record = tmp_path / "recipe.json", tmp_path / "lesions.json"
    bare.write_text(json.dumps(plain), encoding="utf-8")
    record.write_text(json.dumps({"lesions": [], "recipe": plain}), encoding="utf-8")
    assert through_json(Recipe.from_json(bare)) == plain
    assert through_json(Recipe.from_json(str(record))) == plain


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", "3", "null", "{}", '{"recipe": null}'])
def test_a_file_that_holds_no_recipe_is_refused(content, tmp_path):
    path = tmp_path / "lesions.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError):
        Recipe.from_json(path)


def test_a_file_that_is_not_text_or_not_there_is_refused_by_name(tmp_path):
    binary = tmp_path / "scan.nii.gz"
    binary.write_bytes(b"\x1f\x8b\xff\xfe\x00")
    for path in (binary, tmp_path / "absent.json"):
        with pytest.raises(InputError, match=path.name):
            Recipe.from_json(path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda r: r.pop("lesions"),
        lambda r: r.pop("method"),
        lambda r: r.pop("parameters"),
        lambda r: r.update(lesions=None),
        lambda r: r.update(lesions=[1]),
        lambda r: r.update(skipped=None),
        lambda r: r.update(surprise=1),
        lambda r: r["lesions"][0].pop("kind"),
        lambda r: r["lesions"][0].pop("mask"),
        lambda r: r["lesions"][0].update(surprise=1),
    ],
)
def test_missing_and_unknown_keys_are_refused(recipe, spoil):
    plain = through_json(recipe)
    spoil(plain)
    with pytest.raises(InputError, match="not a recipe"):
        Recipe.from_dict(plain)


def test_the_diameter_of_a_volume_is_that_of_its_sphere():
    for diameter in (0.0, 1.0, 7.3, 60.0):
        volume = np.pi / 6 * diameter**3
        assert sphere_diameter(volume) == pytest.approx(diameter)


def test_growth_is_one_row_per_step_from_step_0():
    growth = Growth((1.0, 8.0, 27.0), 0.25)
    assert growth.rows() == [
        {"step": n, "volume_mm3": volume, "diameter_mm": sphere_diameter(volume)}
        for n, volume in enumerate((1.0, 8.0, 27.0))
    ]
    assert json.loads(json.dumps(growth.rows())) == growth.rows()
    assert Growth((1.0,)).necrotic_fraction == 0


@pytest.mark.parametrize("push", [-0.1, 1.0, float("nan"), "strong"])
def test_a_push_out_of_its_range_is_refused(push):
    with pytest.raises(InputError, match="push"):
        LesionPlan("small", {}, push=push)
