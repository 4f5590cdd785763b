"""What is done with a predicted label map: by name, as published, or our own way.

Functions of label maps in oncoforge labels on the grid of the scan: they return a new one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import scipy

from oncoforge.analysis.body import Mask, Spacing, box_of
from oncoforge.anatomy import LABELS, NAMES
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.prediction.gate import around

Labels = npt.NDArray[np.uint8]

PAIRED: Final = ("kidney", "lung")
"""Organs of which a body has two."""

_SECOND: Final = 0.1
"""The second of a pair has at least this part of the first's voxels, or it is a fleck."""


_OPTIONS: Final = {"min_volume_mm3": "--min-volume", "keep_within_mm": "--keep-within"}
"""How ``oncoforge predict`` calls settings."""


def none(labels: Labels, spacing: Spacing, classes: Sequence[str]) -> Labels:
    """Leave everything as it is."""
    return labels.copy()


def synthetictumors(
    labels: Labels, spacing: Spacing, classes: Sequence[str], *, iterations: int = 30
) -> Labels:
    """Keep the largest piece of each organ, and its tumours near it.

    SyntheticTumors' evaluation, done with every organ as it does it with the liver: of the organ's
    own label (without the tumour's) the largest component by faces is kept; of the tumour what lies
    within `iterations` steps from face to face of it. Without an organ there is no tumour.

    Parameters
    ----------
    labels
        uint8 (X, Y, Z).
    spacing
        Not looked at: the published steps are voxels.
    classes
        Names of what the network tells apart.
    iterations
        Steps of the dilation.
    """
    made = labels.copy()
    for organ, tumor in _pairs(classes):
        main = _largest(labels == organ, 1, connectivity=6)
        made[((labels == organ) & ~main) | (labels == tumor)] = 0
        box = box_of(main)
        if box is None:
            continue
        wide = tuple(slice(max(0, p.start - iterations), p.stop + iterations) for p in box)
        # As many dilations by faces reach this far, and take many times as long.
        steps = scipy.ndimage.distance_transform_cdt(~main[wide], metric="taxicab")
        made[wide][(labels[wide] == tumor) & (steps <= iterations)] = tumor
    return made


def difftumor(
    labels: Labels,
    spacing: Spacing,
    classes: Sequence[str],
    *,
    mask: Mask | None = None,
    min_radius_mm: float = 0.0,
) -> Labels:
    """Take a given mask for the organ, and keep the tumour in it only: DiffTumor's evaluation.

    Parameters
    ----------
    labels
        uint8 (X, Y, Z).
    spacing
        mm.
    classes
        Names of what the network tells apart: one organ and its tumour.
    mask
        bool (X, Y, Z): the organ with its tumours, from elsewhere.
    min_radius_mm
        Components of the tumour (by faces, edges and corners) of a smaller equivalent radius become
        organ; 0 keeps all.

    Raises
    ------
    InputError
        If there is no mask, or there are several organs.
    """
    if mask is None:
        raise InputError(
            "The post-processing 'difftumor' takes the organ from a mask; give one for every case "
            "with --organs (in Python: organ=), or choose another --postprocess."
        )
    pairs = _pairs(classes)
    if len(pairs) != 1:
        raise InputError(
            f"The post-processing 'difftumor' is for one organ and its tumour, and the classes are "
            f"{', '.join(classes)}; choose another --postprocess."
        )
    organ, tumor = pairs[0]
    lesions = (labels == tumor) & mask
    lesions &= ~_specks(lesions, spacing, 4 / 3 * np.pi * min_radius_mm**3)
    made = np.where(mask, np.uint8(organ), np.uint8(0))
    made[lesions] = tumor
    return made


def freetumor(labels: Labels, spacing: Spacing, classes: Sequence[str]) -> Labels:
    """Keep tumours only: FreeTumor's evaluation, which writes 1 for each of them.

    Here they keep their own label, so that it is still known whose they are.
    """
    tumors = [tumor for _, tumor in _pairs(classes)]
    return np.where(np.isin(labels, tumors), labels, np.uint8(0))


def oncoforge(
    labels: Labels,
    spacing: Spacing,
    classes: Sequence[str],
    *,
    keep_within_mm: float = 10.0,
    min_volume_mm3: float = 30.0,
) -> Labels:
    """Keep the organ, the tumours in it or near it, and no specks.

    An organ and its tumour together fall into pieces by faces. The piece with the most voxels of
    the organ's own label is the organ, and for kidneys and lungs the second one too, if it has a
    tenth of them. A tumour is kept as far as it lies within `keep_within_mm` of the organ (what is
    attached to it belongs to it, however large). Specks within the organ become organ, others
    background. Where the network has a tumour but not its organ, only specks go.

    Parameters
    ----------
    labels
        uint8 (X, Y, Z).
    spacing
        mm.
    classes
        Names of what the network tells apart.
    keep_within_mm
        How far from its organ a tumour can be.
    min_volume_mm3
        Smaller components of a tumour (by faces, edges and corners) are specks. 30 mm3 is a ball of
        3.9 mm across.
    """
    made = labels.copy()
    for organ, tumor in _pairs(classes):
        name = NAMES[organ]
        lesions = labels == tumor
        whole = np.zeros_like(lesions)
        if name in classes:
            own = labels == organ
            whole = _largest(own | lesions, 1 + (name in PAIRED), connectivity=6, count=own)
            made[own & ~whole] = 0
            lesions &= around(whole, spacing, keep_within_mm)
            made[(labels == tumor) & ~lesions] = 0
        specks = _specks(lesions, spacing, min_volume_mm3)
        made[specks] = 0
        made[specks & whole] = organ
    return made


@dataclass(frozen=True)
class Postprocess:
    """A way to treat a predicted label map.

    Parameters
    ----------
    name
        As in `POSTPROCESSES`.
    function
        What it does.
    settings
        Numbers that it takes, by name; those left out keep their defaults.
    """

    name: str
    function: Callable[..., Labels] = field(repr=False)
    settings: Mapping[str, float] = field(default_factory=dict, hash=False)

    @cached_property
    def defaults(self) -> dict[str, float]:
        """Every setting that it has."""
        own = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in own if p.kind is p.KEYWORD_ONLY and p.name != "mask"}

    @property
    def needs_mask(self) -> bool:
        """Whether it takes the organ from a mask."""
        return "mask" in inspect.signature(self.function).parameters

    def having(self, **settings: float) -> Postprocess:
        """Return the same with some settings changed.

        Raises
        ------
        UnknownNameError
            If none has such a setting.
        InputError
            If it belongs to another one, or a number is negative.
        """
        for name, value in settings.items():
            owners = [way.name for way in POSTPROCESSES.values() if name in way.defaults]
            if name not in self.defaults and owners:
                option = _OPTIONS.get(name, name)
                raise InputError(
                    f"{option} belongs to --postprocess {' or '.join(owners)}, and the "
                    f"post-processing is {self.name!r}; choose that one, or leave {option} out."
                )
            if name not in self.defaults:
                kind = f"setting of the post-processing {self.name}"
                raise UnknownNameError(kind, name, self.defaults or ["none"])
            if not value >= 0:
                raise InputError(f"{name} is {value}; give a number from 0.")
        return Postprocess(self.name, self.function, {**self.settings, **settings})

    def record(self) -> dict[str, Any]:
        """Return its name and all settings: plain data."""
        return {"name": self.name, **self.defaults, **self.settings}

    def __call__(
        self, labels: Labels, spacing: Spacing, classes: Sequence[str], mask: Mask | None = None
    ) -> Labels:
        """Treat a label map.

        Parameters
        ----------
        labels
            uint8 (X, Y, Z), oncoforge labels.
        spacing
            mm.
        classes
            Names of what the network tells apart.
        mask
            bool (X, Y, Z): the organ from elsewhere, where there is one.
        """
        given = {"mask": mask} if self.needs_mask else {}
        return self.function(labels, spacing, classes, **given, **self.settings)


POSTPROCESSES: Final[Mapping[str, Postprocess]] = {
    name: Postprocess(name, function)
    for name, function in (
        ("none", none),
        ("synthetictumors", synthetictumors),
        ("pixel2cancer", none),  # what its authors wrote is commented out in their release
        ("difftumor", difftumor),
        ("difftumor_3mm", partial(difftumor, min_radius_mm=3.0)),
        ("freetumor", freetumor),
        ("oncoforge", oncoforge),
    )
}
"""Every way by name."""


def find(name: str | Postprocess) -> Postprocess:
    """Find a way by name.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    """
    if isinstance(name, Postprocess):
        return name
    if name not in POSTPROCESSES:
        raise UnknownNameError("post-processing", name, POSTPROCESSES)
    return POSTPROCESSES[name]


def _pairs(classes: Sequence[str]) -> list[tuple[int, int]]:
    """Return the label of every tumour among the classes, after that of its organ."""
    organs = [LABELS[name.removesuffix("_tumor")] for name in classes if name.endswith("_tumor")]
    return [(organ, organ + 1) for organ in organs]


def _largest(mask: Mask, number: int, connectivity: int, count: Mask | None = None) -> Mask:
    """Return the largest components of a mask.

    Parameters
    ----------
    mask
        bool (X, Y, Z).
    number
        How many at most.
    connectivity
        6, 18 or 26.
    count
        Voxels that count for the size; all of the mask by default.
    """
    kept = np.zeros_like(mask)
    box = box_of(mask)
    if box is None:
        return kept
    pieces, found = _components(mask[box], connectivity)
    if count is None:
        sizes = _sizes(pieces)
    else:
        sizes = np.bincount(pieces[count[box]], minlength=found + 1)
    sizes[0] = 0
    best = np.argsort(-sizes, kind="stable")[:number]
    best = best[sizes[best] > _SECOND * sizes.max()]
    kept[box] = np.isin(pieces, best)
    return kept


def _specks(mask: Mask, spacing: Spacing, least_mm3: float) -> Mask:
    """Return the components, by faces, edges and corners, that are smaller than a volume."""
    small = np.zeros_like(mask)
    box = box_of(mask)
    if box is None or least_mm3 <= 0:
        return small
    pieces, _ = _components(mask[box], 26)
    sizes = _sizes(pieces) * float(np.prod(spacing))
    sizes[0] = np.inf
    small[box] = (sizes < least_mm3)[pieces]
    return small


def _components(mask: Mask, connectivity: int) -> tuple[npt.NDArray[Any], int]:
    import cc3d

    pieces, found = cc3d.connected_components(
        np.ascontiguousarray(mask), connectivity=connectivity, return_N=True
    )
    return pieces, int(found)


def _sizes(pieces: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the voxels of every component and of the rest, which is the first."""
    import cc3d

    # NumPy's bincount would widen every voxel to eight bytes.
    return np.array(cc3d.statistics(pieces)["voxel_counts"], dtype=np.int64)
