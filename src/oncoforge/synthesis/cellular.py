"""Cellular tumours: grown by a cellular automaton, shaded by the density of their growth.

Method of Lai et al., "From Pixel to Cancer: Cellular Automata in Computed Tomography", MICCAI 2024,
written anew from a description of what its released program does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from oncoforge.errors import InputError
from oncoforge.synthesis.appearance.density import Shaded
from oncoforge.synthesis.masks.growth.model import GrowthModel
from oncoforge.synthesis.settings import choose, compose, settings_of
from oncoforge.synthesis.synthesizer import Synthesizer

METHOD = "cellular"

_MODELS = (GrowthModel, Shaded)

Settings: Any = settings_of(*_MODELS)
"""Everything that can be set; see `GrowthModel`, `Shaded` and `Synthesizer` for each.

The defaults are the published generator's for the liver, in mm.
"""

_LIVER = Settings()
_ADAPTIVE = replace(
    _LIVER, levels_hu=None, smooth_mm=1.5, steps=None, necrosis_steps=None, floor_hu=0.0
)

PRESETS: Mapping[str, Any] = MappingProxyType(
    {
        "liver": _LIVER,
        "pancreas": replace(_LIVER, steps=(5, 79), necrosis_steps=30, fat_hu=65.0),
        "kidney": replace(
            _LIVER,
            steps=(5, 79),
            necrosis_steps=30,
            levels_hu=(160.0, 180.0, 200.0),
            vessel_keep=0.75,
            bright_keep=0.9,
            blur_mm=0.0,
        ),
        "adaptive": _ADAPTIVE,
        "realistic": replace(
            _ADAPTIVE,
            per_lesion=True,
            place="inside",
            min_distance_mm=3.0,
            rim=0.3,
            mass_effect=(0.0, 0.3),
        ),
        "released": replace(_LIVER, acceptance=(1.0, 1.0, 1.0), neighbours=28),
    }
)
"""``liver``, ``pancreas``, ``kidney``: as published for them, with the tissue resistance that the
paper describes. ``adaptive``: any organ in any contrast phase, with levels and sizes from the organ
itself. ``realistic``: that, with lesions of different ages, clear of each other, capsules and mass
effect. ``released``: the liver's, with the released program's actual growth, which accepts all
tissue alike and drifts."""


class Cellular(Synthesizer):
    """Tumours grown by a cellular automaton.

    Parameters
    ----------
    size
        ``"tiny"``, ``"small"``, ``"medium"``, ``"large"``, ``"mix"`` or ``"random"``: tumours stop
        at a diameter of that class. None lets them grow for `steps`, as published. Lesions with a
        size (or ``diameter_mm``) start deep enough in the organ, where it has such places.
    preset
        One of `PRESETS`.
    foci
        Grow exactly so many single foci: a `count` of them without clusters, each at least as deep
        below the organ's surface as its expected radius, where there is room. None leaves all three
        to the preset; ``clustered``, ``place`` and ``margin`` may still be given.
    device
        ``"cpu"``, or a device of PyTorch such as ``"cuda"`` (``pip install 'oncoforge[monai]'``);
        the tumours are the same.
    **changes
        Any other field of `Settings`, in place of the preset's.

    Raises
    ------
    UnknownNameError
        If a setting, preset or size does not exist; the nearest one is named.
    InputError
        If a value makes no sense, or the device is not there.

    Examples
    --------
    >>> import numpy as np
    >>> import oncoforge as of
    >>> image = np.full((64, 64, 64), 100, np.float32)
    >>> organ = np.zeros(image.shape, bool)
    >>> organ[8:56, 8:56, 8:56] = True
    >>> synth = of.Cellular(preset="liver", steps=40, foci=1)
    >>> out = synth(image, organ, (1, 1, 1), np.random.default_rng(0))
    >>> 14 < out.lesions[0].diameter_mm < 18
    True
    """

    settings = Settings
    models = _MODELS
    grows = True
    uses_device = True

    def __init__(
        self,
        size: str | None = None,
        *,
        preset: str = "liver",
        foci: int | None = None,
        device: str = "cpu",
        **changes: Any,
    ) -> None:
        sized = size is not None or changes.get("diameter_mm") is not None
        if sized and changes.get("steps") is not None:
            raise InputError("Lesions stop at a size or after steps: give one of the two.")
        if sized:
            # Whoever asks for a size wants it whole, and not cut off by the organ's surface.
            changes = {"place": "inside"} | changes
        if foci is not None and changes.get("count") is not None:
            raise InputError("foci is a count of its own: give one of the two.")
        if foci is not None:
            changes = {"clustered": 0.0, "place": "inside", "margin": 1.0, "count": foci} | changes
        settings = choose(PRESETS, preset, {"size": size, **changes})
        super().__init__(**compose(METHOD, _MODELS, preset, settings, device=device))

    @classmethod
    def preset_for(cls, organ: str) -> str:
        """Return the preset that suits an organ when none was chosen."""
        return organ if organ in ("liver", "pancreas", "kidney") else "adaptive"
