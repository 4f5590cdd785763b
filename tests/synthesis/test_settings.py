"""Settings: one flat set from two models, chosen by preset and changed by name."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields

import numpy as np
import pytest

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.synthesis import cellular, handcrafted
from oncoforge.synthesis.settings import choose, compose, settings_of


@dataclass(frozen=True)
class Shape:
    width_mm: float = 4.0
    count: int | None = None
    wall_hu: float = 160.0
    device: str = field(default="cpu", metadata={"setting": False})


@dataclass(frozen=True)
class Shade:
    contrast_hu: tuple[float, float] = (20.0, 60.0)
    wall_hu: float = 150.0
    threads: int = field(default=1, metadata={"setting": False})


MODELS = (Shape, Shade)
Settings = settings_of(*MODELS)
PRESETS = {"plain": Settings(), "wide": Settings(width_mm=9.0)}


def test_every_setting_of_both_models_is_there_once():
    names = [f.name for f in fields(Settings)]
    assert names == ["width_mm", "count", "wall_hu", "contrast_hu", "mass_effect"]


def test_a_field_that_both_have_is_one_setting_for_both():
    chosen = choose(PRESETS, "plain", {"wall_hu": 123.0})
    made = compose("any", MODELS, "plain", chosen)
    assert made["masks"].wall_hu == made["appearance"].wall_hu == 123.0


def test_defaults_are_the_models_own_and_the_masks_where_both_have_one():
    assert asdict(Settings()) == {
        "width_mm": 4.0,
        "count": None,
        "wall_hu": 160.0,
        "contrast_hu": (20.0, 60.0),
        "mass_effect": None,
    }


def test_settings_cannot_be_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        Settings().width_mm = 3.0


def test_how_to_work_is_no_setting():
    assert not hasattr(Settings(), "device")
    with pytest.raises(UnknownNameError, match="setting 'device'"):
        choose(PRESETS, "plain", {"device": "cuda"})
    made = compose("any", MODELS, "plain", Settings(), device="cuda")
    assert made["masks"] == Shape(device="cuda")
    assert made["appearance"] == Shade(wall_hu=160.0, threads=1)
    assert "device" not in made["parameters"]


def test_what_is_made_carries_its_settings_as_plain_data():
    chosen = choose(PRESETS, "wide", {"mass_effect": (0.1, 0.2), "count": 2})
    made = compose("any", MODELS, "wide", chosen)
    assert made["method"] == "any"
    assert made["mass_effect"] == (0.1, 0.2)
    assert made["parameters"] == {"preset": "wide", **asdict(chosen)}


def test_changes_stand_in_place_of_the_presets_values():
    chosen = choose(PRESETS, "wide", {"count": 3})
    assert (chosen.width_mm, chosen.count) == (9.0, 3)
    assert choose(PRESETS, "wide", {"width_mm": 2.0}).width_mm == 2.0
    assert PRESETS["wide"].width_mm == 9.0  # the preset stays as it is


def test_numbers_of_numpy_and_lists_become_plain():
    chosen = choose(PRESETS, "plain", {"count": np.int64(3), "contrast_hu": [np.float32(1.5), 2]})
    assert chosen.contrast_hu == (1.5, 2)
    assert type(chosen.count) is int
    json.dumps(asdict(chosen))


@pytest.mark.parametrize(
    ("preset", "changes", "meant"),
    [
        ("plane", {}, "'plain'"),
        ("Wide", {}, "'wide'"),
        ("plain", {"widht_mm": 3.0}, "'width_mm'"),
        ("plain", {"contrast": (1.0, 2.0)}, "'contrast_hu'"),
        ("plain", {"mass_efect": None}, "'mass_effect'"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(preset, changes, meant):
    with pytest.raises(UnknownNameError, match=f"did you mean {meant}"):
        choose(PRESETS, preset, changes)


@pytest.mark.parametrize(
    "wrong",
    [
        {"width_mm": "wide"},
        {"width_mm": None},
        {"width_mm": float("inf")},
        {"count": 1.5},
        {"contrast_hu": 20.0},
        {"contrast_hu": (1.0, 2.0, 3.0)},
        {"mass_effect": 0.3},
    ],
)
def test_values_of_another_type_are_refused_by_name(wrong):
    with pytest.raises(InputError, match=f"Setting {next(iter(wrong))} is"):
        choose(PRESETS, "plain", wrong)


@pytest.mark.parametrize("effect", [(-0.1, 0.5), (0.5, 0.2), (0.0, 1.0)])
def test_a_mass_effect_out_of_its_range_is_refused(effect):
    with pytest.raises(InputError, match="mass_effect is a range within 0 to 1"):
        choose(PRESETS, "plain", {"mass_effect": effect})


@pytest.mark.parametrize("method", [cellular, handcrafted])
def test_every_preset_of_every_method_survives_json(method):
    for name, preset in method.PRESETS.items():
        back = json.loads(json.dumps(asdict(preset)))
        assert choose(method.PRESETS, name, back) == preset


@pytest.mark.parametrize("preset", cellular.PRESETS)
def test_recorded_parameters_make_the_same_synthesizer_again(preset):
    one = cellular.Cellular(preset=preset, diameter_mm=11.0, count=2)
    back = json.loads(json.dumps(dict(one.parameters)))
    assert "device" not in back
    # A diameter and the preset's steps are both on record, and only one can be asked for.
    again = cellular.Cellular(**{name: v for name, v in back.items() if name != "steps"})
    assert again.parameters == one.parameters
    assert again.masks == one.masks


def test_a_negative_zero_is_zero_so_that_an_empty_range_can_be_drawn_from():
    settings = choose(PRESETS, "plain", {"contrast_hu": (0.0, -0.0), "width_mm": -0.0})
    assert str(settings.contrast_hu) == "(0.0, 0.0)"
    assert str(settings.width_mm) == "0.0"
    assert np.random.default_rng(0).uniform(*settings.contrast_hu) == 0
