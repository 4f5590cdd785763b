"""Hand-crafted tumours: deformed ellipsoids painted with texture.

Method of Hu et al., "Label-Free Liver Tumor Segmentation", CVPR 2023, written anew from a
description of what its released program does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, field, fields, make_dataclass, replace
from types import MappingProxyType
from typing import Any, get_type_hints

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.synthesis.appearance.texture import Range, Textured
from oncoforge.synthesis.fields import check_fields, plain
from oncoforge.synthesis.masks.ellipsoid import Ellipsoids
from oncoforge.synthesis.masks.sizes import MIX
from oncoforge.synthesis.synthesizer import Synthesizer

METHOD = "handcrafted"


_PARTS = (Ellipsoids, Textured)

# One flat set of names, each with the default that its part gives it.
Settings: Any = make_dataclass(
    "Settings",
    [
        (f.name, get_type_hints(part)[f.name], field(default=f.default))
        for part in _PARTS
        for f in fields(part)
    ]
    + [("mass_effect", Range | None, field(default=None))],
    frozen=True,
)
"""Everything that can be set; see `Ellipsoids`, `Textured` and `Synthesizer` for each.

The defaults are the published generator's, in mm.
"""

PRESETS: Mapping[str, Any] = MappingProxyType(
    {
        "published": Settings(),
        "realistic": Settings(
            rotate=True,
            elastic="volume",
            place="inside",
            margin=0.7,
            avoid_vessels=True,
            min_distance_mm=3.0,
            min_inside=0.5,
            per_lesion=True,
            rim=0.3,
            core=0.3,
            floor_hu=0.0,
            mass_effect=(0.0, 0.3),
        ),
    }
)
"""``published``: the released generator's distributions. ``realistic``: its paper's effects too."""


class Handcrafted(Synthesizer):
    """Hand-crafted tumours.

    Parameters
    ----------
    size
        ``"tiny"``, ``"small"``, ``"medium"``, ``"large"``, ``"mix"`` (all four) or ``"random"``
        (one of the five, each scan anew).
    preset
        One of `PRESETS`.
    **changes
        Any other field of `Settings`, in place of the preset's.

    Raises
    ------
    UnknownNameError
        If a setting, preset or size does not exist; the nearest one is named.
    InputError
        If a value makes no sense.

    Examples
    --------
    >>> import numpy as np
    >>> import oncoforge as of
    >>> image = np.full((64, 64, 64), 100, np.float32)
    >>> organ = np.zeros(image.shape, bool)
    >>> organ[8:56, 8:56, 8:56] = True
    >>> synth = of.Handcrafted(size="small", count=2)
    >>> out = synth(image, organ, (1, 1, 1), np.random.default_rng(0))
    >>> len(out.lesions)
    2
    """

    def __init__(self, size: str = MIX, *, preset: str = "published", **changes: Any) -> None:
        if preset not in PRESETS:
            raise UnknownNameError("preset", preset, PRESETS)
        changes = {name: plain(value) for name, value in changes.items()}
        check_fields(Settings, {"size": size, **changes}, "setting")
        settings = replace(PRESETS[preset], size=size, **changes)
        if settings.mass_effect is not None and not (
            0 <= settings.mass_effect[0] <= settings.mass_effect[1] < 1
        ):
            raise InputError(
                f"mass_effect is a range within 0 to 1 (1 excluded), not {settings.mass_effect}."
            )
        values = asdict(settings)
        super().__init__(
            method=METHOD,
            masks=Ellipsoids(**{f.name: values[f.name] for f in fields(Ellipsoids)}),
            appearance=Textured(**{f.name: values[f.name] for f in fields(Textured)}),
            mass_effect=settings.mass_effect,
            parameters={"preset": preset, **values},
        )
