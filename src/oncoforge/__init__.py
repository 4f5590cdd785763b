"""Realistic synthetic tumours, with exact masks, in healthy CT.

>>> import oncoforge as of
>>> case = of.make_phantom(seed=0, spacing_mm=(4, 4, 4)).case()
>>> out = of.synthesize(case, organ="liver", size="small", seed=7)
>>> bool(out.tumor("liver").any())
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from oncoforge.version import __version__

if TYPE_CHECKING:
    from oncoforge import checkpoints, evaluation, networks, prediction, training
    from oncoforge.adapters.torchio import RandomTumor
    from oncoforge.analysis.fit import fit_prior
    from oncoforge.analysis.results import analyze
    from oncoforge.case import Case
    from oncoforge.errors import OncoforgeError
    from oncoforge.formats import read_case, write_image, write_labels
    from oncoforge.job import forge
    from oncoforge.lists import CaseList, Entry, read_list, write_list
    from oncoforge.phantom import make_phantom
    from oncoforge.synthesis.base import Lesion, Recipe, Synthesis
    from oncoforge.synthesis.cases import (
        SynthesizedCase,
        make_synthesizer,
        replay,
        synthesize,
    )
    from oncoforge.synthesis.cellular import Cellular
    from oncoforge.synthesis.handcrafted import Handcrafted
    from oncoforge.synthesis.masks.prior.prior import Prior
    from oncoforge.synthesis.room import room_around
    from oncoforge.synthesis.transforms import (
        SynthesizeTumor,
        SynthesizeTumord,
        SynthesizeTumorPatchd,
    )

# Where each public name lives. Modules are imported when a name is first used, so that
# `import oncoforge` stays quick.
_HOMES = {
    "Case": "case",
    "CaseList": "lists",
    "Cellular": "synthesis.cellular",
    "Entry": "lists",
    "Handcrafted": "synthesis.handcrafted",
    "Lesion": "synthesis.base",
    "OncoforgeError": "errors",
    "Prior": "synthesis.masks.prior.prior",
    "RandomTumor": "adapters.torchio",
    "Recipe": "synthesis.base",
    "Synthesis": "synthesis.base",
    "SynthesizeTumor": "synthesis.transforms",
    "SynthesizeTumorPatchd": "synthesis.transforms",
    "SynthesizeTumord": "synthesis.transforms",
    "SynthesizedCase": "synthesis.cases",
    "analyze": "analysis.results",
    "fit_prior": "analysis.fit",
    "forge": "job",
    "make_phantom": "phantom",
    "make_synthesizer": "synthesis.cases",
    "read_case": "formats",
    "read_list": "lists",
    "replay": "synthesis.cases",
    "room_around": "synthesis.room",
    "synthesize": "synthesis.cases",
    "write_image": "formats",
    "write_labels": "formats",
    "write_list": "lists",
}

# Rooms that are used by their own name, as in `of.networks.build`.
_ROOMS = ("checkpoints", "evaluation", "networks", "prediction", "training")

__all__ = [
    "Case",
    "CaseList",
    "Cellular",
    "Entry",
    "Handcrafted",
    "Lesion",
    "OncoforgeError",
    "Prior",
    "RandomTumor",
    "Recipe",
    "Synthesis",
    "SynthesizeTumor",
    "SynthesizeTumorPatchd",
    "SynthesizeTumord",
    "SynthesizedCase",
    "__version__",
    "analyze",
    "checkpoints",
    "evaluation",
    "fit_prior",
    "forge",
    "make_phantom",
    "make_synthesizer",
    "networks",
    "prediction",
    "read_case",
    "read_list",
    "replay",
    "room_around",
    "synthesize",
    "training",
    "write_image",
    "write_labels",
    "write_list",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
