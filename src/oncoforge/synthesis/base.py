"""What a synthesis is made of: plans, recipes, lesions, results, and the two kinds of model."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from oncoforge.errors import InputError
from oncoforge.fields import check_fields, plain
from oncoforge.synthesis.scene import Box, Scene
from oncoforge.version import __version__

Plain = dict[str, Any]
"""Parameters as plain data: numbers, strings, lists and mappings that JSON can hold."""


@dataclass(frozen=True)
class LesionPlan:
    """One lesion as drawn: everything that is needed to make it again.

    Parameters
    ----------
    kind
        Size class or other name of the sort of lesion, for tables.
    mask
        Parameters of the mask model (where and what shape).
    appearance
        Parameters of the appearance model (what it looks like); empty until drawn.
    push
        Strength of the mass effect, 0 (none) to below 1.

    Raises
    ------
    InputError
        If push is out of its range.
    """

    kind: str
    mask: Plain
    appearance: Plain = field(default_factory=dict)
    push: float = 0.0

    def __post_init__(self) -> None:
        check_fields(LesionPlan, {"push": self.push}, "lesion parameter")
        if not 0 <= self.push < 1:
            raise InputError(f"push is from 0 to below 1, not {self.push:g}.")


@dataclass(frozen=True)
class Recipe:
    """How a synthesis was made, as plain data that rebuilds it byte for byte.

    Parameters
    ----------
    method
        Name of the synthesizer, such as ``"handcrafted"``.
    parameters
        Its settings when the recipe was drawn (for the record; replay does not need them).
    lesions
        The lesions to make, in order.
    skipped
        Why lesions that were asked for have no plan: one sentence each.
    version
        Version of oncoforge that drew it.
    masks
        Where shapes come from if they are not the method's own: ``"prior"`` or ``"library"``.
    appearance
        What paints them if it is not the method's own: ``"copy"``.
    exophytic
        Whether lesions may bulge out of the organ.
    """

    method: str
    parameters: Plain
    lesions: tuple[LesionPlan, ...]
    skipped: tuple[str, ...] = ()
    version: str = __version__
    masks: str = ""
    appearance: str = ""
    exophytic: bool = False

    def to_dict(self) -> Plain:
        """Return the recipe as plain data for JSON."""
        plain = asdict(self)
        plain["lesions"] = [asdict(lesion) for lesion in self.lesions]
        plain["skipped"] = list(self.skipped)
        return plain

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Recipe:
        """Build a recipe from what `to_dict` gave, perhaps by way of a JSON file.

        Raises
        ------
        InputError
            If keys are missing or unknown.
        """
        try:
            lesions = tuple(LesionPlan(**plain(lesion)) for lesion in data["lesions"])
            known = {f.name for f in fields(cls)}
            rest = {key: plain(value) for key, value in data.items() if key != "lesions"}
            if unknown := sorted(set(rest) - known):
                raise TypeError(f"unknown key {unknown[0]!r}")
            rest["skipped"] = tuple(rest.get("skipped", ()))
            if not isinstance(rest["parameters"], Mapping) or not isinstance(rest["method"], str):
                raise TypeError("method is a word and parameters a mapping")
            if not all(isinstance(rest.get(key, ""), str) for key in ("masks", "appearance")):
                raise TypeError("masks and appearance are words")
            if not isinstance(rest.get("exophytic", False), bool):
                raise TypeError("exophytic is true or false")
            return cls(lesions=lesions, **rest)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"This is not a recipe that oncoforge wrote ({error}); "
                "give the 'recipe' part of a lesions.json."
            ) from error

    @classmethod
    def from_json(cls, path: str | Path) -> Recipe:
        """Read a recipe from a JSON file: a bare recipe, or the ``lesions.json`` of a run."""
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: this is not a readable JSON file ({error}).") from error
        return cls.from_dict(data.get("recipe", data) if isinstance(data, dict) else {})


def sphere_diameter(volume_mm3: float) -> float:
    """Return the diameter, mm, of the sphere of a volume."""
    return float((6 * volume_mm3 / math.pi) ** (1 / 3))


@dataclass(frozen=True)
class Growth:
    """How a lesion came to its size.

    Parameters
    ----------
    volumes_mm3
        Its volume in the organ after each step, from step 0, which is the first that it grows.
    necrotic_fraction
        Part of it that has died.
    """

    volumes_mm3: tuple[float, ...]
    necrotic_fraction: float = 0.0

    def rows(self) -> list[Plain]:
        """Return one row of plain data per step: ``step``, ``volume_mm3`` and ``diameter_mm``."""
        return [
            {"step": step, "volume_mm3": volume, "diameter_mm": sphere_diameter(volume)}
            for step, volume in enumerate(self.volumes_mm3)
        ]


@dataclass(frozen=True)
class Lesion:
    """One lesion as it stands in the result, measured there.

    Parameters
    ----------
    id
        Its number, from 1, as in an instance map.
    kind
        Size class or other name of the sort of lesion.
    centre_mm
        Centroid, mm from the centre of the first voxel along the array axes.
    diameter_mm
        Diameter of the sphere of the same volume.
    volume_mm3
        Volume of its voxels.
    voxels
        Their number.
    mean_hu
        Mean HU inside.
    contrast_hu
        Mean HU inside less the mean HU of the organ around it (same box, no tumour); NaN when
        nothing of the organ is left there.
    plan
        Index of its plan among the recipe's lesions.
    growth
        How it came to its size; None if its method does not grow lesions.
    """

    id: int
    kind: str
    centre_mm: tuple[float, float, float]
    diameter_mm: float
    volume_mm3: float
    voxels: int
    mean_hu: float
    contrast_hu: float
    plan: int = 0
    growth: Growth | None = None


@dataclass(frozen=True)
class Synthesis:
    """A scan with its synthetic tumours.

    Parameters
    ----------
    image
        float32 (X, Y, Z), HU; equal to the input wherever no lesion reaches.
    tumor
        bool (X, Y, Z): the voxels of all synthetic lesions.
    lesions
        The lesions that were placed, in the order of their ids.
    recipe
        What made it; `Synthesizer.apply` rebuilds the same bytes from it.
    skipped
        Why lesions that were asked for are not there: one sentence each.
    remarks
        What else is not as it was asked for: one sentence each.
    box
        Slices of the region of the scan that was worked on (the organ's box).
    """

    image: NDArray[np.float32]
    tumor: NDArray[np.bool_]
    lesions: tuple[Lesion, ...]
    recipe: Recipe
    skipped: tuple[str, ...]
    remarks: tuple[str, ...]
    box: Box
    _instances: NDArray[np.uint16] = field(repr=False)

    def instances(self, box: Box | None = None) -> NDArray[np.uint16]:
        """Return the lesions' ids as a uint16 map; 0 where there is none.

        Parameters
        ----------
        box
            Slices of a part of the scan that holds `Synthesis.box`; None for all of it (X, Y, Z).
        """
        wide = box or tuple(slice(0, n) for n in self.tumor.shape)
        part = np.zeros([s.stop - s.start for s in wide], np.uint16)
        place = tuple(
            slice(own.start - s.start, own.stop - s.start)
            for own, s in zip(self.box, wide, strict=True)
        )
        part[place] = self._instances
        return part


@dataclass(frozen=True)
class Density:
    """How far a lesion fills the voxels around its edge, for models that know.

    Parameters
    ----------
    box
        Slices into the scene's arrays; as a rule a little wider than the lesion's own.
    filled
        float32, shape of the box: 0 outside the lesion to 1 where it is full-grown.
    necrosis
        float32, shape of the box, 0 to 1: part that has died; None if nothing has.
    """

    box: Box
    filled: NDArray[np.float32]
    necrosis: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class LesionMask:
    """A rendered lesion in a box of its scene.

    Parameters
    ----------
    box
        Slices into the scene's arrays.
    inside
        bool, shape of the box: the lesion's voxels, within the scene's room and clear of other
        lesions.
    density, growth
        Of models that know them, else None.
    remark
        What whoever asked for the lesion should know of it: a sentence, or nothing.
    """

    box: Box
    inside: NDArray[np.bool_]
    density: Density | None = None
    growth: Growth | None = None
    remark: str = ""


class MaskModel(Protocol):
    """Where lesions are and what shape they have."""

    def draw(self, scene: Scene, rng: np.random.Generator) -> tuple[list[LesionPlan], list[str]]:
        """Draw lesion plans (without appearance) and the reasons for those that found no place."""
        ...

    def render(self, scene: Scene, plans: Sequence[LesionPlan]) -> Iterator[LesionMask | str]:
        """Yield one mask per plan, in order, or a sentence that says why there is none."""
        ...


class AppearanceModel(Protocol):
    """What lesions look like."""

    def draw(
        self, scene: Scene, plans: Sequence[LesionPlan], rng: np.random.Generator
    ) -> list[Plain]:
        """Draw the parameters of each plan's appearance."""
        ...

    def paint(self, scene: Scene, mask: LesionMask, parameters: Plain) -> None:
        """Paint one lesion into ``scene.image``, in place, inside the organ only."""
        ...
