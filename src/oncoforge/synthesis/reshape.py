"""A method with shapes from elsewhere: from a prior that was fitted, or a library of real ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Final

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.fields import check_fields, plain
from oncoforge.synthesis.appearance.copied import Copied
from oncoforge.synthesis.appearance.fitted import FittedContrast
from oncoforge.synthesis.library.shelf import open_shelf
from oncoforge.synthesis.masks.library.model import LibraryModel
from oncoforge.synthesis.masks.prior.model import PriorModel, SitedGrowth
from oncoforge.synthesis.masks.prior.prior import OrganPrior
from oncoforge.synthesis.synthesizer import Synthesizer

PRIOR: Final = "prior"
LIBRARY: Final = "library"
COPY: Final = "copy"
APPEARANCES: Final = ("texture", COPY)
"""What lesions of a library look like: painted by the method, or as they were in their patient."""

_PRIORS_OWN = ("count", "diameter_mm", "at_mm")


def with_prior(
    kind: type[Synthesizer], prior: OrganPrior, preset: str, settings: Mapping[str, Any]
) -> Synthesizer:
    """Return a synthesizer whose lesions are drawn from a prior.

    Their number, size, form, place and contrast are the prior's. Methods that grow lesions grow
    them to those sizes at those places; others paint the prior's own shapes.

    Parameters
    ----------
    kind
        The method.
    prior
        Distributions for the organ.
    preset
        One of the method's.
    settings
        ``count``, ``diameter_mm`` and ``at_mm`` are heeded in place of what the prior draws; the
        others are the method's.

    Raises
    ------
    InputError
        If a setting is of shapes that the prior replaces.
    """
    where = {name: settings[name] for name in _PRIORS_OWN if settings.get(name) is not None}
    rest = {name: value for name, value in settings.items() if name not in _PRIORS_OWN}
    if not kind.grows:
        _refuse_shapes(kind, rest, "the prior")
    elif "size" in rest or "steps" in rest:
        raise InputError("The prior draws sizes: leave size and steps out, or give a diameter.")
    if kind.grows:
        rest.setdefault("clustered", 0.0)
    own: Any = kind(preset=preset, **rest)  # type: ignore[call-arg]
    sites = PriorModel(prior, **where)
    look = own.appearance
    if prior.contrast_hu is not None and "contrast_hu" not in settings:
        look = FittedContrast(look, prior.contrast_hu)
    return Synthesizer(
        method=own.method,
        masks=SitedGrowth(sites, own.masks) if kind.grows else sites,
        appearance=look,
        mass_effect=own.mass_effect,
        parameters={**own.parameters, **where, "prior": prior.to_dict()},
        shapes="" if kind.grows else PRIOR,
    )


def with_library(
    kind: type[Synthesizer],
    library: str,
    organ: str,
    preset: str,
    appearance: str,
    settings: Mapping[str, Any],
) -> Synthesizer:
    """Return a synthesizer that pastes the shapes of real tumours.

    Parameters
    ----------
    kind
        The method, which paints them unless they are copied.
    library
        Folder that ``oncoforge prepare crops`` made.
    organ
        Its tumours are taken, if the library has any; else those of all organs.
    preset
        One of the method's.
    appearance
        One of `APPEARANCES`.
    settings
        Fields of `LibraryModel`, of `Copied` if tumours are copied, and the method's about
        appearance.

    Raises
    ------
    UnknownNameError
        If there is no such appearance or setting.
    InputError
        If the library cannot be used, or a setting is of shapes that it replaces.
    """
    if appearance not in APPEARANCES:
        raise UnknownNameError("appearance", appearance, APPEARANCES)
    shelf = open_shelf(library)
    has = any(item.organ == organ for item in shelf.index.items)
    values = {"tumors_of": organ if has else "", **{k: plain(v) for k, v in settings.items()}}
    shape, rest = _part_of(LibraryModel, values)
    look, rest = _part_of(Copied, rest) if appearance == COPY else ({}, rest)
    _refuse_shapes(kind, rest, "the library")
    own: Any = kind(preset=preset, **rest)  # type: ignore[call-arg]
    masks = LibraryModel(library=library, **shape)
    copied = Copied(library=library, **look) if appearance == COPY else None
    parameters = {**own.parameters, **asdict(masks), **(asdict(copied) if copied else {})}
    return Synthesizer(
        method=own.method,
        masks=masks,
        appearance=copied or own.appearance,
        mass_effect=own.mass_effect,
        parameters=parameters,
        shapes=LIBRARY,
        look=COPY if copied else "",
    )


def _part_of(model: type, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Divide settings into those of a model, checked, and the others."""
    names = {f.name for f in fields(model)} - {"library"}
    own = {name: value for name, value in settings.items() if name in names}
    check_fields(model, own, "setting")
    return own, {name: value for name, value in settings.items() if name not in names}


def renderer(
    kind: type[Synthesizer], preset: str, masks: str, look: str, library: str = ""
) -> Synthesizer:
    """Return a synthesizer that makes the lesions of recipes with shapes from elsewhere.

    Parameters
    ----------
    kind
        The method.
    preset
        One of the method's.
    masks, look
        As in `Recipe`.
    library
        Where the library of real tumours is now, if it moved.
    """
    own: Any = kind(preset=preset)  # type: ignore[call-arg]
    models: dict[str, Any] = {
        "": own.masks,
        PRIOR: PriorModel(),
        LIBRARY: LibraryModel(library=library),
    }
    looks: dict[str, Any] = {"": own.appearance, COPY: Copied(library=library)}
    if masks not in models:
        raise UnknownNameError("source of shapes", masks, models)
    if look not in looks:
        raise UnknownNameError("appearance", look, looks)
    return Synthesizer(
        own.method, models[masks], looks[look], own.mass_effect, own.parameters, masks, look
    )


def _refuse_shapes(kind: type[Synthesizer], settings: Mapping[str, Any], whose: str) -> None:
    """Raise `InputError` for settings of the method's own shapes, which would do nothing."""
    masks, appearance = kind.models
    idle = {f.name for f in fields(masks)} - {f.name for f in fields(appearance)}
    for name in settings:
        if name in idle:
            raise InputError(
                f"{name} is about the method's own shapes, and {whose} takes their place; leave "
                "it out."
            )
