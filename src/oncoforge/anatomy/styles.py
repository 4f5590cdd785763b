"""Styles in which an oncoforge label map can be written out for others."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from oncoforge.anatomy.labels import NAMES
from oncoforge.anatomy.organs import Organ, tumor_bearing
from oncoforge.anatomy.organs import organ as find_organ
from oncoforge.anatomy.relabel import relabel, table_of
from oncoforge.errors import GridMismatchError, InputError, UnknownNameError

LabelMap: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]

STYLES: Final = ("oncoforge", "organ-tumor", "tumor-only", "instances")
"""``oncoforge`` keeps every label; ``organ-tumor`` is 1 and 2; ``tumor-only`` is 1; ``instances``
numbers the lesions from 1."""


def restyle(
    labels: NDArray[Any],
    style: str,
    organ: str | Organ,
    instances: NDArray[Any] | None = None,
) -> LabelMap:
    """Rewrite an oncoforge label map in another style.

    Parameters
    ----------
    labels
        oncoforge labels, any shape.
    style
        One of `STYLES`.
    organ
        The organ whose tumours are meant.
    instances
        For ``"instances"`` only: the number of each voxel's lesion, 0 outside, on the same grid.

    Returns
    -------
    numpy.ndarray
        Same shape; uint8, or uint16 for more than 255 instances. ``"oncoforge"`` gives `labels`
        itself where it is uint8 already.

    Raises
    ------
    UnknownNameError
        If there is no such style or organ.
    InputError
        If the organ holds no tumours, or labels or instances are not what they should be.
    """
    key = "-".join(str(style).lower().replace("_", " ").replace("-", " ").split())
    key = key.replace("tumour", "tumor")
    if key not in STYLES:
        raise UnknownNameError("label style", style, STYLES)
    named = find_organ(organ)
    if key == "instances":
        return _numbered(labels, instances)
    if key == "oncoforge":
        if np.asarray(labels).dtype == np.uint8:
            return labels
        return _looked_up(labels, {label: label for label in NAMES})
    bearer = tumor_bearing(named)
    wanted = dict.fromkeys(NAMES, 0)
    wanted[bearer.label + 1] = 1 if key == "tumor-only" else 2
    if key == "organ-tumor":
        wanted[bearer.label] = 1
    return _looked_up(labels, wanted)


def _looked_up(labels: NDArray[Any], wanted: dict[int, int]) -> NDArray[np.uint8]:
    restyled, unknown = relabel(labels, table_of(wanted))
    if unknown:
        raise InputError(
            f"Only oncoforge labels can be restyled; found {', '.join(map(str, unknown))}. "
            "Translate them first with anatomy.convention(name).to_oncoforge(labels)."
        )
    return restyled


def _numbered(labels: NDArray[Any], instances: NDArray[Any] | None) -> LabelMap:
    if instances is None:
        raise InputError(
            "The label style 'instances' needs the lesion numbers of every voxel as `instances`."
        )
    instances = np.asarray(instances)
    if instances.shape != np.shape(labels):
        raise GridMismatchError(
            f"Labels and instances must share one grid; their shapes are {np.shape(labels)} and "
            f"{instances.shape}."
        )
    if instances.dtype.kind not in "biu":
        raise InputError(f"Instances are whole numbers; these have the type {instances.dtype}.")
    low, high = (int(instances.min()), int(instances.max())) if instances.size else (0, 0)
    if low < 0 or high > np.iinfo(np.uint16).max:
        raise InputError(f"Instances are numbered from 1 to 65535; found {low} to {high}.")
    if high <= np.iinfo(np.uint8).max:
        return instances.astype(np.uint8)
    return instances.astype(np.uint16)
