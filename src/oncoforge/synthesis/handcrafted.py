"""Hand-crafted tumours: deformed ellipsoids painted with texture.

Method of Hu et al., "Label-Free Liver Tumor Segmentation", CVPR 2023, written anew from a
description of what its released program does.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from oncoforge.synthesis.appearance.texture import Textured
from oncoforge.synthesis.masks.ellipsoid import Ellipsoids
from oncoforge.synthesis.masks.sizes import MIX
from oncoforge.synthesis.settings import choose, compose, settings_of
from oncoforge.synthesis.synthesizer import Synthesizer

METHOD = "handcrafted"


_MODELS = (Ellipsoids, Textured)

Settings: Any = settings_of(*_MODELS)
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

    settings = Settings
    models = _MODELS

    def __init__(self, size: str = MIX, *, preset: str = "published", **changes: Any) -> None:
        settings = choose(PRESETS, preset, {"size": size, **changes})
        super().__init__(**compose(METHOD, _MODELS, preset, settings))
