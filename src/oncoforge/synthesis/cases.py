"""Synthesis on cases: by organ name, with labels and world coordinates kept right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

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
from oncoforge.synthesis.scene import Vector, make_scene
from oncoforge.synthesis.synthesizer import Synthesizer

METHODS: Mapping[str, type[Synthesizer]] = MappingProxyType(
    {HANDCRAFTED: Handcrafted, CELLULAR: Cellular}
)
"""Synthesizers by the name that recipes and the command line use."""

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
        One of the method's; None for the one that suits the organ.
    at
        Centres (x, y, z) that the first lesions must have, RAS mm of the world.
    in_place
        Change the case's own arrays: saves a copy of a large volume.
    force
        Skip the check that the organ's values are HU.
    device
        ``"cpu"``, or a device of PyTorch for methods that can use one.
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
    synth = make_synthesizer(method, organ, size, preset, device, **settings)
    rng = np.random.default_rng(seed)
    out = case.image if in_place else None
    result = synth(case.image, mask, case.spacing, rng, out=out, force=force)
    return _labelled(case, record, result, in_place)


def make_synthesizer(
    method: str,
    organ: str,
    size: str | None = None,
    preset: str | None = None,
    device: str = "cpu",
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
    made: Synthesizer = kind(preset=preset or kind.preset_for(name), **settings)
    return made


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
) -> SynthesizedCase:
    """Make what a recipe describes, with the method that drew it.

    Parameters
    ----------
    case, organ, in_place, force, device
        As for `synthesize`; the same case gives the same bytes, on any device.
    recipe
        A recipe, or its plain data.

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
    synth = make_synthesizer(recipe.method, organ, device=device)
    result = synth.apply(case.image, mask, case.spacing, recipe, out=out, force=force)
    return _labelled(case, record, result, in_place)


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
