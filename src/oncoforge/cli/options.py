"""Option types and option groups that commands share."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import click

from oncoforge.errors import UnknownNameError
from oncoforge.job import forge, forge_case
from oncoforge.synthesis.cases import find_method, synthesize
from oncoforge.synthesis.quality import read_checks

F = TypeVar("F", bound=Callable[..., Any])

_MM = {"mm": 1.0, "cm": 10.0, "": 1.0}


class Length(click.ParamType):  # type: ignore[type-arg]
    """A length in mm: ``12``, ``12mm`` or ``1.2cm``."""

    name = "length"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Return mm."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*(mm|cm|)\s*", str(value))
        if match is None:
            self.fail(f"{value!r} is not a length; write 12mm or 1.2cm.", param, ctx)
        return float(match[1]) * _MM[match[2]]


class Position(click.ParamType):  # type: ignore[type-arg]
    """A position in RAS mm: ``31,-20,85``."""

    name = "x,y,z"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, float, float]:
        """Return (x, y, z)."""
        if isinstance(value, tuple):
            return value
        try:
            x, y, z = (float(part) for part in str(value).split(","))
            if not all(map(isfinite, (x, y, z))):
                raise ValueError
        except ValueError:
            self.fail(f"{value!r} is not a position; write x,y,z in RAS mm.", param, ctx)
        return x, y, z


class Setting(click.ParamType):  # type: ignore[type-arg]
    """A setting of a method: ``rim=0.5`` or ``contrast_hu=-120,-60``."""

    name = "name=value"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Any]:
        """Return the name and the parsed value."""
        if isinstance(value, tuple):
            return value
        name, sign, text = str(value).partition("=")
        if not sign:
            self.fail(f"{value!r} is not a setting; write name=value.", param, ctx)
        if "," in text:
            text = f"[{text}]"
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = {"true": True, "false": False, "none": None}.get(text.lower(), text)
        parsed = tuple(parsed) if isinstance(parsed, list) else parsed
        return name.strip().replace("-", "_"), parsed


class Requirement(click.ParamType):  # type: ignore[type-arg]
    """Checks that lesions must pass: ``cnr=1,inside=0.5``."""

    name = "check=value"

    def convert(self, value: Any, param: Any, ctx: Any) -> dict[str, Any]:
        """Return the checks' parameters by name."""
        return value if isinstance(value, dict) else read_checks(str(value))


def lesion_options(command: F, preset: str | None = None) -> F:
    """Add the options that say which lesions are wanted."""
    options = [
        click.option("--organ", default="liver", show_default=True, help="Organ to work on."),
        click.option(
            "--method",
            default="handcrafted",
            show_default=True,
            help="How tumours are made: handcrafted (textured ellipsoids) or cellular (grown).",
        ),
        click.option(
            "--preset",
            default=preset,
            show_default=preset or "by method and organ; realistic with --prior or --library",
            help="handcrafted: published or realistic (rotation, vessels, rims, ...); cellular: "
            "liver, pancreas, kidney, adaptive (other organs), realistic or released.",
        ),
        click.option(
            "--size",
            show_default="mix, or by steps of growth",
            help="tiny, small, medium, large, mix or random.",
        ),
        click.option("--count", type=int, help="Number of lesions."),
        click.option(
            "--diameter", type=Length(), help="Their diameter, such as 12mm, whatever the size."
        ),
        click.option(
            "--at",
            type=Position(),
            multiple=True,
            help="Centre of a lesion, or where it starts to grow: RAS mm, such as 31,-20,85; "
            "repeat for more.",
        ),
        click.option(
            "--prior",
            type=click.Path(path_type=Path),
            help="Draw number, size, form, place and contrast from a prior.json of 'oncoforge "
            "analyze --fit'.",
        ),
        click.option(
            "--library",
            type=click.Path(path_type=Path),
            help="Paste the shapes of real tumours: a folder of 'oncoforge prepare crops'.",
        ),
        click.option(
            "--appearance",
            default="texture",
            show_default=True,
            help="Of a library's tumours: texture (painted by the method) or copy (as they were).",
        ),
        click.option(
            "--exophytic",
            is_flag=True,
            help="Let lesions bulge out of the organ into fat, never into anything else.",
        ),
        click.option(
            "--require",
            type=Requirement(),
            help="Keep lesions only that pass: cnr=1 (visible), inside=0.5 (in the organ), "
            "diameter=5 or diameter=5-30 (mm); several with commas.",
        ),
        click.option(
            "--set",
            "settings",
            type=Setting(),
            multiple=True,
            help="Any other setting of the method, such as rim=0.5 or steps=40,80.",
        ),
        click.option(
            "--seed",
            type=click.IntRange(0),
            default=0,
            show_default=True,
            help="Same seed, same bytes.",
        ),
        click.option(
            "--label-style",
            default="oncoforge",
            show_default=True,
            help="oncoforge, organ-tumor (1, 2), tumor-only (1) or instances (1..n).",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def output_options(command: F) -> F:
    """Add the options of every command that writes a result."""
    options = [
        click.option(
            "--dtype",
            default="int16",
            show_default=True,
            help="Numbers of the written CT: int16 (whole HU), float32, or same as the input.",
        ),
        click.option(
            "--device",
            default="cpu",
            show_default=True,
            help="cpu, or cuda for methods that can use a GPU; the result is the same.",
        ),
        click.option(
            "--movie",
            is_flag=True,
            help="Film the growth (method cellular): growth.gif and growth.png.",
        ),
        click.option("--overwrite", is_flag=True, help="Replace the files of an earlier run."),
        click.option("--json", "as_json", is_flag=True, help="Print a summary for machines."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def gather(
    method: str, count: int | None, diameter: float | None, settings: tuple[tuple[str, Any], ...]
) -> dict[str, Any]:
    """Return the method's further settings as its constructor takes them."""
    parameters = click.get_current_context().command.params
    own = {name: p.opts[-1] for p in parameters if p.name != "settings" for name in [p.name or ""]}
    own |= {"diameter_mm": "--diameter", "at_mm": "--at"}
    arguments = {"self", *inspect.signature(forge).parameters}
    arguments |= set(inspect.signature(forge_case).parameters)
    arguments |= set(inspect.signature(synthesize).parameters)
    for name, _ in settings:
        if name not in own and name in arguments:
            raise UnknownNameError("setting", name, find_method(method).settings.__annotations__)
        if name in own:
            raise click.UsageError(f"{name} is an option of its own: use {own[name]}.")
    given: dict[str, Any] = dict(settings)
    if count is not None:
        given["count"] = count
    if diameter is not None:
        given["diameter_mm"] = diameter
    return given
