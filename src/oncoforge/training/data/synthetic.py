"""Tumours that are put into a patch, and into nothing but the patch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from oncoforge import anatomy
from oncoforge.errors import InputError
from oncoforge.networks import Pipeline
from oncoforge.synthesis.appearance.bank import TEXTURES, tile
from oncoforge.synthesis.base import Synthesis
from oncoforge.synthesis.cases import AIRY_HU, find_method, make_synthesizer
from oncoforge.synthesis.room import room_around
from oncoforge.synthesis.synthesizer import Synthesizer
from oncoforge.training.data.channels import bearers
from oncoforge.training.settings import SynthesisSettings

Image = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]
Spacing = tuple[float, float, float]
Core = tuple[slice, ...]

CONTEXT_MM = 6.0
"""Patches are synthesised with so much around them. A lesion that reaches beyond the border is cut
by it, and not faded out: the widest published edge is a Gaussian of 2 mm, so this is 3 sigma."""

_LEAST_MM3 = 500.0
"""A patch that holds less of the organ than this is left alone."""

_TRIES = 3
"""A lesion may lie around a patch and not in it; then it is drawn again, at last in it alone."""

_AIRY_PART = 0.05
"""More air than this, and lesions are filled, as `oncoforge.synthesize` does with whole organs."""


@dataclass(frozen=True, eq=False)
class Maker:
    """One way to make tumours of one organ.

    Parameters
    ----------
    organ
        Whose.
    settings
        How.

    Raises
    ------
    InputError
        If the settings make no sense.
    """

    organ: anatomy.Organ
    settings: SynthesisSettings

    def __post_init__(self) -> None:
        _ = self.solid  # so that whoever asks for what cannot be is told at once

    @cached_property
    def solid(self) -> Synthesizer:
        """Makes tumours of tissue."""
        return self._build({})

    @cached_property
    def filled(self) -> Synthesizer:
        """Makes tumours of an organ with air in it, which are denser than what is there."""
        given = {"fill_hu", "contrast_hu"} & set(self.settings.settings)
        if self.organ.tumor_hu is None or given:
            return self.solid
        return self._build({"fill_hu": tuple(float(hu) for hu in self.organ.tumor_hu)})

    def _build(self, more: Mapping[str, Any]) -> Synthesizer:
        given = self.settings
        return make_synthesizer(
            given.method,
            self.organ.name,
            given.size,
            given.preset,
            prior=given.prior,
            library=given.library,
            appearance=given.appearance,
            **{**given.settings, **more},
        )

    def make(
        self,
        hu: Image,
        labels: Labels,
        spacing: Spacing,
        core: Core,
        voxels: int,
        rng: np.random.Generator,
    ) -> Synthesis | None:
        """Return a patch with tumours, of which one at least is in its core.

        Parameters
        ----------
        hu, labels
            (X, Y, Z): the patch with its surroundings; they stay as they are.
        spacing
            mm.
        core
            Slices of the patch in them.
        voxels
            Of the organ, in the whole case.
        rng
            Source of randomness.

        Returns
        -------
        Synthesis or None
            None if there is too little of the organ, or no place in it.
        """
        organ = labels == self.organ.label
        inside = np.count_nonzero(organ[core])
        if inside * float(np.prod(spacing)) < _LEAST_MM3:
            return None
        airy = bool((hu[core][organ[core]] < AIRY_HU).mean() > _AIRY_PART)
        synthesizer = self.filled if airy else self.solid
        room = room_around(hu, labels, organ, spacing) if self.settings.exophytic else None
        for left in reversed(range(_TRIES)):
            if not left:
                organ = _only(organ, core)
            share = min(np.count_nonzero(organ) / voxels, 1.0)
            # Values were found to be HU when the case was stored.
            made = synthesizer(hu, organ, spacing, rng, share=share, room=room, force=True)
            if made.tumor[core].any():
                return made
        return None


@dataclass(frozen=True, eq=False)
class PatchTumors:
    """Puts tumours into patches.

    Parameters
    ----------
    makers
        For each organ, the ways to make its tumours.
    """

    makers: Mapping[anatomy.Organ, tuple[Maker, ...]]

    @classmethod
    def of(cls, settings: Sequence[SynthesisSettings], pipeline: Pipeline) -> PatchTumors:
        """Make what recipes describe: each entry for its organ, or for all whose tumour is a class.

        Raises
        ------
        UnknownNameError
            If an organ, a method or a setting does not exist.
        InputError
            If a number makes no sense, or the tumour of an organ is no class.
        """
        found: dict[anatomy.Organ, list[Maker]] = {}
        for number, one in enumerate(settings):
            _check(one, number)
            for organ in _organs(one, number, pipeline):
                if one.weight and one.probability:
                    found.setdefault(organ, []).append(Maker(organ, one))
        return cls({organ: tuple(makers) for organ, makers in found.items()})

    @property
    def labels(self) -> tuple[int, ...]:
        """Labels of the tumours that can be made."""
        return tuple(organ.label + 1 for organ in self.makers)

    def apply(
        self,
        hu: Image,
        labels: Labels,
        spacing: Spacing,
        core: Core,
        voxels: Mapping[int, int],
        rng: np.random.Generator,
    ) -> Image:
        """Put tumours into a patch: of every organ that has none of its own in the whole case.

        Parameters
        ----------
        hu
            float32 (X, Y, Z), the patch with `CONTEXT_MM` around it, where there is as much.
        labels
            uint8 (X, Y, Z), which receive the tumours.
        spacing
            mm.
        core
            Slices of the patch itself.
        voxels
            Label to its number of voxels in the whole case.
        rng
            Source of randomness.

        Returns
        -------
        numpy.ndarray
            The image with tumours; the one that was given where there are none.
        """
        for organ, makers in self.makers.items():
            maker = _choose(makers, rng)
            acts = rng.random() < maker.settings.probability
            # A stream of its own: what one organ draws is nothing to the others.
            own = np.random.default_rng(rng.integers(2**63, size=2))
            if not acts or voxels.get(organ.label + 1) or not voxels.get(organ.label):
                continue
            made = maker.make(hu, labels, spacing, core, voxels[organ.label], own)
            if made is not None:
                labels[made.tumor] = organ.label + 1
                hu = made.image
        return hu

    def warm(self) -> None:
        """Make textures and load compiled code, once for all processes that fork from this one."""
        if not self.makers:
            return
        for sigmas in TEXTURES:
            tile(*map(float, sigmas))
        hu = np.random.default_rng(0).normal(100, 10, (40, 40, 40)).astype(np.float32)
        organ = np.zeros(hu.shape, np.bool_)
        organ[4:-4, 4:-4, 4:-4] = True
        for makers in self.makers.values():
            for maker in makers:
                maker.solid(hu, organ, (1, 1, 1), np.random.default_rng(0), force=True)


def _choose(makers: Sequence[Maker], rng: np.random.Generator) -> Maker:
    weights = np.array([maker.settings.weight for maker in makers], float)
    return makers[int(rng.choice(len(makers), p=weights / weights.sum()))]


def _only(mask: npt.NDArray[np.bool_], core: Core) -> npt.NDArray[np.bool_]:
    """Return a mask without what lies around its core."""
    inner = np.zeros_like(mask)
    inner[core] = mask[core]
    return inner


def _check(settings: SynthesisSettings, number: int) -> None:
    find_method(settings.method)
    if not 0 <= settings.probability <= 1:
        raise InputError(
            f"synthesis[{number}].probability is from 0 to 1, not {settings.probability:g}."
        )
    if not 0 <= settings.weight < np.inf:
        raise InputError(f"synthesis[{number}].weight is not negative: {settings.weight:g}.")


def _organs(
    settings: SynthesisSettings, number: int, pipeline: Pipeline
) -> tuple[anatomy.Organ, ...]:
    """Return the organs that an entry is for."""
    able = bearers(pipeline)
    if not able:
        raise InputError(
            f"synthesis[{number}] makes tumours, and none of the classes "
            f"({', '.join(pipeline.classes)}) is one; name it, such as liver_tumor."
        )
    if settings.organ is None:
        return able
    organ = anatomy.organ(settings.organ)
    if organ not in able:
        raise InputError(
            f"synthesis[{number}] makes tumours of the {organ.name.replace('_', ' ')}, which are "
            f"no class: the classes are {', '.join(pipeline.classes)}."
        )
    return (organ,)
