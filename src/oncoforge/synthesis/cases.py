"""Synthesis on cases: by organ name, with labels and world coordinates kept right."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from oncoforge import anatomy
from oncoforge.case import Case
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.synthesis.base import Lesion, Plain, Recipe, Synthesis
from oncoforge.synthesis.cellular import METHOD as CELLULAR
from oncoforge.synthesis.cellular import Cellular
from oncoforge.synthesis.handcrafted import METHOD as HANDCRAFTED
from oncoforge.synthesis.handcrafted import Handcrafted
from oncoforge.synthesis.masks.prior.prior import OrganPrior, Prior
from oncoforge.synthesis.quality import checks_from, keep
from oncoforge.synthesis.reshape import renderer, with_library, with_prior
from oncoforge.synthesis.room import names_neighbours, room_around
from oncoforge.synthesis.scene import Vector, make_scene
from oncoforge.synthesis.synthesizer import Synthesizer

METHODS: Mapping[str, type[Synthesizer]] = MappingProxyType(
    {HANDCRAFTED: Handcrafted, CELLULAR: Cellular}
)
"""Synthesizers by the name that recipes and the command line use."""

PriorLike: TypeAlias = Prior | OrganPrior | str | PathLike[str]
"""A prior, that of one organ, or the file of one."""

AIRY_HU = -300.0
"""Below this there is air."""

_AIRY_PART = 0.05
_FARTHEST_MM = 1e6


@dataclass(frozen=True, eq=False, repr=False)
class SynthesizedCase(Case):
    """A case with synthetic tumours, and the record of them.

    Parameters
    ----------
    organ_name
        Organ that holds them.
    synthesis
        The record; its image is this case's.
    """

    organ_name: str = ""
    synthesis: Synthesis = field(default=None, repr=False)  # type: ignore[assignment]

    def table(self) -> list[dict[str, Any]]:
        """Return one row of plain data per lesion, with its centre in RAS mm of the world.

        Lesions that were grown have two more keys: their `growth`, a row for each step, and their
        `necrotic_fraction`.
        """
        return [
            {
                "id": lesion.id,
                "kind": lesion.kind,
                "centre_ras_mm": [float(c) for c in self.to_world(voxel)],
                "centre_voxel": [float(c) for c in voxel],
                "diameter_mm": lesion.diameter_mm,
                "volume_mm3": lesion.volume_mm3,
                "voxels": lesion.voxels,
                "mean_hu": lesion.mean_hu,
                "contrast_hu": None if np.isnan(lesion.contrast_hu) else lesion.contrast_hu,
                "plan": lesion.plan,
                **_growth(lesion),
            }
            for lesion in self.synthesis.lesions
            for voxel in [np.asarray(lesion.centre_mm) / np.asarray(self.spacing)]
        ]


def synthesize(
    case: Case,
    organ: str = "liver",
    method: str = HANDCRAFTED,
    size: str | None = None,
    seed: int = 0,
    *,
    preset: str | None = None,
    at: Sequence[Vector] = (),
    in_place: bool = False,
    force: bool = False,
    device: str = "cpu",
    prior: PriorLike | None = None,
    library: str | PathLike[str] | None = None,
    appearance: str = "texture",
    exophytic: bool = False,
    require: Mapping[str, Any] | None = None,
    **settings: Any,
) -> SynthesizedCase:
    """Put synthetic tumours into an organ of a case.

    Tumours that are there already are left as they are.

    Parameters
    ----------
    case
        A CT and its labels.
    organ
        Name of the organ, as in `anatomy.ORGANS`.
    method
        One of `METHODS`.
    size
        Size class of the lesions, as the method names them; None for the method's own choice.
    seed
        The same seed gives the same bytes.
    preset
        One of the method's; None for the one that suits the organ, or ``"realistic"`` with a prior
        or a library.
    at
        Centres (x, y, z) that the first lesions must have, RAS mm of the world.
    in_place
        Change the case's own arrays: saves a copy of a large volume.
    force
        Skip the check that the organ's values are HU.
    device
        ``"cpu"``, or a device of PyTorch for methods that can use one.
    prior
        Draw number, size, form, place and contrast of the lesions from distributions that were
        fitted to real ones (see `fit_prior`).
    library
        Paste the shapes of real tumours: a folder that ``oncoforge prepare crops`` made.
    appearance
        Of tumours of a library: ``"texture"`` paints them by the method, ``"copy"`` as they were.
    exophytic
        Let lesions bulge out of the organ into the fat around it, never into anything else.
    require
        Checks that lesions must pass, such as ``{"cnr": 1, "inside": 0.5, "diameter": 5}``; those
        that fail are taken out (see `quality.CHECKS`).
    **settings
        Further settings of the method, such as ``count=3`` or ``diameter_mm=12``.

    Raises
    ------
    UnknownNameError
        If organ, method, size or a setting does not exist.
    InputError
        If the case lacks the organ, or a position lies outside it.
    """
    record = anatomy.organ(organ)
    mask = _parenchyma(case, record)
    given = {"fill_hu", "contrast_hu"} & set(settings)
    if record.tumor_hu is not None and not given and _holds_air(case, mask):
        # Lesions of lung and bowel are denser than what is there: filled, not darkened.
        settings["fill_hu"] = tuple(float(hu) for hu in record.tumor_hu)
    if len(at) == 3 and np.ndim(at[0]) == 0:
        at = (at,)  # type: ignore[assignment]
    if at:
        settings["at_mm"] = tuple(_at(case, mask, record.name, point) for point in at)
    checks = checks_from(require or {})
    synth = make_synthesizer(
        method, organ, size, preset, device, prior=prior, library=library, appearance=appearance,
        **settings,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    # To take lesions out again, the scan as it was is needed.
    out = case.image if in_place and not checks else None
    room = _room(case, mask) if exophytic else None
    result = synth(case.image, mask, case.spacing, rng, out=out, room=room, force=force)
    if checks:
        kept = keep(synth, case.image, mask, case.spacing, result, checks, room=room, force=force)
        result = kept.synthesis
        if in_place:
            np.copyto(case.image, result.image)
            result = replace(result, image=case.image)
    if exophytic and not names_neighbours(case.labels):
        few = "Few organs have a label here, so that fat was told from others by its HU alone."
        result = replace(result, remarks=(*result.remarks, few))
    return _labelled(case, record, result, in_place)


def make_synthesizer(
    method: str,
    organ: str,
    size: str | None = None,
    preset: str | None = None,
    device: str = "cpu",
    *,
    prior: PriorLike | None = None,
    library: str | PathLike[str] | None = None,
    appearance: str = "texture",
    **settings: Any,
) -> Synthesizer:
    """Return a synthesizer for an organ; parameters as for `synthesize`."""
    kind: Any = find_method(method)
    if size is not None:
        settings["size"] = size
    if device != "cpu":
        if not kind.uses_device:
            raise InputError(
                f"Method {method} works on the CPU alone; leave device {device!r} out."
            )
        settings["device"] = device
    name = anatomy.organ(organ).name
    if preset is None:
        # Shapes of real tumours ask for looks to match.
        real = prior is not None or library is not None
        preset = "realistic" if real else kind.preset_for(name)
    if library is not None and prior is not None:
        raise InputError("Lesions come from a prior or from a library: give one of the two.")
    if library is not None:
        folder = os.path.abspath(library)
        return with_library(kind, folder, name, preset, appearance, settings)
    if appearance != "texture":
        raise InputError(f"Appearance {appearance} is for tumours of a library; give one.")
    if prior is not None:
        return with_prior(kind, _prior_of(prior, name), preset, settings)
    made: Synthesizer = kind(preset=preset, **settings)
    return made


def _prior_of(prior: PriorLike, organ: str) -> OrganPrior:
    """Return the prior of an organ, from a file if need be."""
    if isinstance(prior, OrganPrior):
        return Prior({prior.organ: prior}).of(organ)
    return (prior if isinstance(prior, Prior) else Prior.load(prior)).of(organ)


def _room(case: Case, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return an organ with the fat around it."""
    return room_around(case.image, case.labels, mask, case.spacing)


def find_method(name: str) -> type[Synthesizer]:
    """Return one of `METHODS`, or raise `UnknownNameError` with the nearest name."""
    if name not in METHODS:
        raise UnknownNameError("method", name, METHODS)
    return METHODS[name]


def replay(
    case: Case,
    organ: str,
    recipe: Recipe | Mapping[str, Any],
    *,
    in_place: bool = False,
    force: bool = False,
    device: str = "cpu",
    library: str | PathLike[str] | None = None,
) -> SynthesizedCase:
    """Make what a recipe describes, with the method that drew it.

    Parameters
    ----------
    case, organ, in_place, force, device
        As for `synthesize`; the same case gives the same bytes, on any device.
    recipe
        A recipe, or its plain data.
    library
        Where the library of its tumours is now, if it moved.

    Raises
    ------
    UnknownNameError
        If its method does not exist here.
    InputError
        If it is not a recipe, or the case lacks the organ.
    """
    if not isinstance(recipe, Recipe):
        recipe = Recipe.from_dict(recipe)
    record = anatomy.organ(organ)
    mask = _parenchyma(case, record)
    out = case.image if in_place else None
    synth = synthesizer_for(recipe, organ, device, library)
    room = _room(case, mask) if recipe.exophytic else None
    result = synth.apply(case.image, mask, case.spacing, recipe, out=out, room=room, force=force)
    return _labelled(case, record, result, in_place)


def synthesizer_for(
    recipe: Recipe,
    organ: str,
    device: str = "cpu",
    library: str | PathLike[str] | None = None,
) -> Synthesizer:
    """Return the synthesizer that makes the lesions of a recipe; parameters as for `replay`."""
    if recipe.masks or recipe.appearance:
        kind = find_method(recipe.method)
        preset = kind.preset_for(anatomy.organ(organ).name)
        where = "" if library is None else os.path.abspath(library)
        return renderer(kind, preset, recipe.masks, recipe.appearance, where)
    return make_synthesizer(recipe.method, organ, device=device)


def _growth(lesion: Lesion) -> Plain:
    if lesion.growth is None:
        return {}
    return {
        "necrotic_fraction": lesion.growth.necrotic_fraction,
        "growth": lesion.growth.rows(),
    }


def _parenchyma(case: Case, record: anatomy.Organ) -> NDArray[np.bool_]:
    """Return the organ without its tumours, if tumours of it have a label."""
    if record.tumor_label is None:
        able = [name for name, o in anatomy.ORGANS.items() if o.tumor_label is not None]
        raise InputError(
            f"Tumours of the {record.name.replace('_', ' ')} have no label; choose one of: "
            f"{', '.join(able)}."
        )
    return case.parenchyma(record.name)


def _holds_air(case: Case, mask: NDArray[np.bool_]) -> bool:
    """Tell whether a noticeable part of an organ is air."""
    values = make_scene(case.image, mask, case.spacing).organ_sample()
    return bool((values < AIRY_HU).mean() > _AIRY_PART)


def _at(case: Case, mask: NDArray[np.bool_], organ: str, point: Vector) -> Vector:
    """Turn a world position into mm along the array axes; it must lie in the organ."""
    if not np.isfinite(point).all() or np.abs(point).max() > _FARTHEST_MM:
        words = organ.replace("_", " ")
        raise InputError(f"Position {tuple(point)} is not in the {words}; give RAS mm.")
    voxel = case.to_voxel(point)
    index = np.rint(voxel).astype(int)
    inside = bool(((index >= 0) & (index < mask.shape)).all())
    if not (inside and mask[tuple(index)]):
        voxels = np.argwhere(mask)
        distance = np.linalg.norm((voxels - voxel) * case.spacing, axis=1)
        x, y, z = case.to_world(voxels[distance.argmin()])
        raise InputError(
            f"Position {','.join(f'{p:g}' for p in point)} (RAS mm) is not in the "
            f"{organ.replace('_', ' ')}; its nearest voxel is {distance.min():.0f} mm away at "
            f"{x:.1f},{y:.1f},{z:.1f}."
        )
    x, y, z = (float(v * s) for v, s in zip(voxel, case.spacing, strict=True))
    return x, y, z


def _labelled(
    case: Case, record: anatomy.Organ, result: Synthesis, in_place: bool
) -> SynthesizedCase:
    """Return the case with the result's image and its tumours in the label map."""
    labels = case.labels if in_place else case.labels.copy()
    box = result.box
    labels[box][result.tumor[box]] = int(record.tumor_label or 0)
    return SynthesizedCase(
        image=result.image,
        labels=labels,
        affine=case.affine,
        source=case.source,
        organ_name=record.name,
        synthesis=result,
    )
