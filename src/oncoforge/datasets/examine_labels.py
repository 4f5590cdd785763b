"""What can be wrong with a label map: its values, its organs, and where its tumours are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from oncoforge.anatomy import Convention
from oncoforge.errors import InputError
from oncoforge.formats.hounsfield import check_hu, subsample
from oncoforge.reports.wording import count

_ENOUGH_VOXELS: Final = 500
_FORCE: Final = " If it is right all the same"
_LEAST_APART: Final = 0.01
_LEAST_APART_MM3: Final = 50.0
"""Specks below both are in most manual labels."""

_WHOLE_IN_VIEW: Final = (
    "liver",
    "pancreas",
    "kidney",
    "spleen",
    "gallbladder",
    "stomach",
    "duodenum",
    "adrenal_gland",
    "urinary_bladder",
    "prostate",
    "uterus",
)
"""Organs that a scan of the abdomen or pelvis is meant to hold whole."""

_MAY_HOLD_GAS: Final = (
    "esophagus",
    "stomach",
    "duodenum",
    "small_bowel",
    "colon",
    "rectum",
    "trachea",
)
"""Hollow organs, whose median says nothing."""

Values = tuple[int, ...]


@dataclass(frozen=True)
class LabelFacts:
    """What a label map holds.

    Parameters
    ----------
    voxels
        Label value to its number of voxels, background left out.
    labelled_ml
        Volume of all that is labelled.
    """

    voxels: Mapping[int, int]
    labelled_ml: float

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "voxels": {str(value): number for value, number in self.voxels.items()},
            "labelled_ml": round(self.labelled_ml, 3),
        }


def label_findings(
    labels: NDArray[Any],
    spacing: tuple[float, float, float],
    convention: Convention | None,
    organ: str | None,
    named: frozenset[int],
) -> tuple[LabelFacts, list[tuple[str, str]]]:
    """Look at a label map by itself.

    Parameters
    ----------
    labels
        Whole numbers (X, Y, Z) in RAS+ order.
    spacing
        In mm.
    convention
        How it numbers what it labels; None if that is not known.
    organ
        Organ that it must have; None for any.
    named
        Label values that its list names; empty if it names none.

    Returns
    -------
    LabelFacts
        What it holds.
    list of tuple
        Kind, and what to say of the file.
    """
    counts = _counts(labels)
    voxels = {int(value): int(counts[value]) for value in np.flatnonzero(counts) if value}
    facts = LabelFacts(voxels, sum(voxels.values()) * prod(spacing) / 1000)
    structures = _structures(convention)
    absent = _absent(voxels, organ, structures)
    if not voxels:
        return facts, [("label-empty", "labels nothing: every voxel is 0."), *absent]
    found = _value_findings(voxels, convention, named) + absent
    whole: dict[str, Values] = {}
    for name, (healthy, tumours) in structures.items():
        here = tuple(value for value in healthy if value in voxels)
        there = tuple(value for value in tumours if value in voxels)
        if healthy and there:
            found += _apart(labels, here, there, name, prod(spacing))
        if name == organ or (organ is None and name in _WHOLE_IN_VIEW):
            whole[name] = here + there
    found += _cut_off(labels, whole)
    return facts, found


def organ_hu_findings(
    image: NDArray[np.float32],
    labels: NDArray[Any],
    convention: Convention,
    organ: str | None,
    name: str,
) -> list[tuple[str, str]]:
    """Say which organs are not as dense as they can be: kinds and sentences.

    Parameters
    ----------
    image, labels
        (X, Y, Z) on one grid.
    convention
        How `labels` numbers its organs.
    organ
        Look at this one only; None for all of which there are enough voxels.
    name
        What to call the image.
    """
    few_image, few_labels = subsample(image), subsample(labels)
    found = []
    for structure, (healthy, _) in _structures(convention).items():
        if structure in _MAY_HOLD_GAS or (organ is not None and structure != organ):
            continue
        mask = np.isin(few_labels, healthy)
        if np.count_nonzero(mask) >= _ENOUGH_VOXELS:
            try:
                check_hu(few_image, mask, structure, name=name)
            except InputError as error:
                sentence = str(error).partition(_FORCE)[0]
                found.append(("organ-hu", sentence.replace(" does not look like CT in HU", "")))
    return found


def tumour_values(convention: Convention | None) -> Values:
    """Return the label values of tumours; none if the convention is not known."""
    return tuple(v for _, tumours in _structures(convention).values() for v in tumours)


def _structures(convention: Convention | None) -> dict[str, tuple[Values, Values]]:
    """Return the label values of each structure and of its tumours, by its name here."""
    if convention is None:
        return {}
    found: dict[str, tuple[Values, Values]] = {}
    for value, target in convention.targets.items():
        if value and "{" not in target:
            name = target.removesuffix("_tumor")
            healthy, tumours = found.get(name, ((), ()))
            if target == name:
                healthy += (value,)
            else:
                tumours += (value,)
            found[name] = healthy, tumours
    return found


def _counts(labels: NDArray[Any]) -> NDArray[np.int64]:
    size = 256 if labels.dtype == np.uint8 else 65536
    counts = np.zeros(size, np.int64)
    for plane in labels:  # bincount widens what it counts to eight bytes a voxel
        counts += np.bincount(plane.ravel(), minlength=size)
    return counts


def _value_findings(
    voxels: Mapping[int, int], convention: Convention | None, named: frozenset[int]
) -> list[tuple[str, str]]:
    if convention is not None:
        known, kind, owner = set(convention.targets), "label-values", repr(convention.name)
    elif named:
        known, kind, owner = set(named), "header-values", "the list's header"
    else:
        return []
    unknown = [value for value in voxels if value not in known]
    if not unknown:
        return []
    shown = ", ".join(str(value) for value in unknown[:8]) + (", ..." if len(unknown) > 8 else "")
    number = sum(voxels[value] for value in unknown)
    return [(kind, f"holds label {shown} ({count(number, 'voxel')}), which {owner} does not know.")]


def _absent(
    voxels: Mapping[int, int], organ: str | None, structures: Mapping[str, tuple[Values, Values]]
) -> list[tuple[str, str]]:
    """Say that an organ is not there, unless the convention labels its tumours only."""
    healthy = structures.get(organ or "", ((), ()))[0]
    if organ is None or not healthy or any(value in voxels for value in healthy):
        return []
    return [("organ-absent", f"has no {_words(organ)}.")]


def _apart(
    labels: NDArray[Any], healthy: Values, tumours: Values, name: str, voxel_mm3: float
) -> list[tuple[str, str]]:
    """Say how much tumour lies in pieces that touch nothing of their organ."""
    import cc3d

    words = _words(name)
    if not healthy:
        return [("tumour-apart", f"has tumours of the {words} but no {words}.")]
    both = np.isin(labels, healthy + tumours)
    box = _box(both)
    pieces, number = cc3d.connected_components(both[box], connectivity=26, return_N=True)
    cut = labels[box]
    is_tumour = np.isin(cut, tumours)
    inside = np.bincount(pieces[is_tumour], minlength=number + 1)
    touching = np.bincount(pieces[np.isin(cut, healthy)], minlength=number + 1)
    apart = int(inside[touching == 0].sum())
    share = apart / int(inside.sum())
    if share < _LEAST_APART and apart * voxel_mm3 < _LEAST_APART_MM3:
        return []
    return [
        (
            "tumour-apart",
            f"has {apart * voxel_mm3:.0f} mm3 of {words} tumour ({share:.1%} of it) that touches "
            f"no {words}.",
        )
    ]


def _cut_off(labels: NDArray[Any], structures: Mapping[str, Values]) -> list[tuple[str, str]]:
    """Say which structures reach the lowest or the highest slice, so that some is missing."""
    if labels.shape[2] < 2:
        return []
    reached = []
    for end, plane in (("lowest", labels[:, :, 0]), ("highest", labels[:, :, -1])):
        here = set(np.unique(plane).tolist())
        names = [_words(name) for name, values in structures.items() if here & set(values)]
        if names:
            reached.append(f"the {', '.join(names)} in the {end} slice")
    return [("cut-off", f"cuts off {' and '.join(reached)}.")] if reached else []


def _words(name: str) -> str:
    return name.replace("_", " ")


def _box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """Return the bounding box of a mask that is not empty."""
    box = []
    for axis in range(3):
        others = tuple(k for k in range(3) if k != axis)
        places = np.flatnonzero(mask.any(axis=others))
        box.append(slice(int(places[0]), int(places[-1]) + 1))
    return tuple(box)
