"""One flat set of settings for a synthesizer, gathered from its parts, and presets of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, asdict, field, fields, make_dataclass, replace
from typing import Any, get_type_hints

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.fields import check_fields, plain

Range = tuple[float, float]


def settings_of(mask_model: type, appearance_model: type) -> Any:
    """Return a frozen dataclass with every field of two models, and ``mass_effect``.

    A field that both have, such as a threshold that both heed, is one setting. Each has the default
    that its model gives it.
    """
    found = {
        f.name: (f.name, get_type_hints(part)[f.name], field(default=f.default))
        for part in (appearance_model, mask_model)
        for f in _settable(part)
    }
    own = {f.name: found.pop(f.name) for f in _settable(mask_model)}
    last = ("mass_effect", Range | None, field(default=None))
    return make_dataclass("Settings", [*own.values(), *found.values(), last], frozen=True)


def choose(presets: Mapping[str, Any], preset: str, changes: Mapping[str, Any]) -> Any:
    """Return a preset's settings with changes.

    Parameters
    ----------
    presets
        Settings by name.
    preset
        One of them.
    changes
        Settings by name, in place of the preset's.

    Raises
    ------
    UnknownNameError
        If the preset or a setting does not exist; the nearest one is named.
    InputError
        If a value is of the wrong type, or the mass effect is no range.
    """
    if preset not in presets:
        raise UnknownNameError("preset", preset, presets)
    values = {name: _unsigned_zero(plain(value)) for name, value in changes.items()}
    check_fields(type(presets[preset]), values, "setting")
    settings = replace(presets[preset], **values)
    effect = settings.mass_effect
    if effect is not None and not 0 <= effect[0] <= effect[1] < 1:
        raise InputError(f"mass_effect is a range within 0 to 1 (1 excluded), not {effect}.")
    return settings


def compose(
    method: str, models: tuple[type, type], preset: str, settings: Any, **how: Any
) -> dict[str, Any]:
    """Return what makes a synthesizer: its two models, and its settings for the record.

    Parameters
    ----------
    method
        Name that recipes carry.
    models
        The mask model and the appearance model.
    preset
        Where the settings come from.
    settings
        What `choose` returned.
    **how
        What the mask model takes that is no setting of a recipe.
    """
    masks, appearance = models
    return {
        "method": method,
        "masks": _part(masks, settings, **how),
        "appearance": _part(appearance, settings),
        "mass_effect": settings.mass_effect,
        "parameters": {"preset": preset, **asdict(settings)},
    }


def _unsigned_zero(value: Any) -> Any:
    """Return a setting with 0.0 for -0.0: a uniform draw refuses the range from 0.0 to -0.0."""
    if isinstance(value, tuple):
        return tuple(map(_unsigned_zero, value))
    return value + 0.0 if isinstance(value, float) else value


def _part(kind: Any, settings: Any, **more: Any) -> Any:
    """Build one model from the settings, and from what is no setting of a recipe."""
    values = asdict(settings)
    return kind(**{f.name: values[f.name] for f in _settable(kind)}, **more)


def _settable(model: type) -> list[Field[Any]]:
    """Return the fields that are settings; others say how to work and not what to make."""
    return [f for f in fields(model) if f.metadata.get("setting", True)]
