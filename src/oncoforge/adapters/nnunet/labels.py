"""nnU-Net's label values and ours: by the names in dataset.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from oncoforge.anatomy import NAMES, ORGANS, Organ, organ
from oncoforge.errors import InputError, UnknownNameError

_OTHER = 255
"""Our number for what the dataset labels and we have no need to tell."""

_TUMOR_WORDS = ("tumor", "tumour", "cancer", "carcinoma", "lesion")

_NUMBERS = {name: label for label, name in NAMES.items()}


@dataclass(frozen=True)
class Labels:
    """Which values of a dataset are which organs and tumours.

    Parameters
    ----------
    values
        Our label to the values that it has in the dataset; a tumour has one.
    """

    values: Mapping[int, tuple[int, ...]]

    @classmethod
    def of(cls, dataset: Mapping[str, Any], given: Mapping[str, Any]) -> Labels:
        """Find organs and tumours among the labels of a dataset.json.

        A region, such as ``"kidney": [1, 2, 3]``, is an organ less the smaller regions within it.

        Parameters
        ----------
        dataset
            Content of the dataset.json.
        given
            Names or values by our names, in place of what is found.

        Raises
        ------
        UnknownNameError
            If a name that was given is none.
        InputError
            If there is no organ with a tumour, or a tumour has several values.
        """
        regions = {str(name): _numbers(value) for name, value in dataset["labels"].items()}
        own = {name: _own(region, regions) for name, region in regions.items()}
        found = _by_name(own)
        for name, label in given.items():
            if name not in _NUMBERS:
                raise UnknownNameError("label", name, _NUMBERS)
            found[_NUMBERS[name]] = _given(label, own, regions)
        bearers = [o for o in ORGANS.values() if o.label in found and o.tumor_label in found]
        if not bearers:
            raise InputError(
                f"No organ with a tumour is found among the labels of the dataset: "
                f"{', '.join(regions)}. Say which they are, such as "
                '"labels": {"liver": "liver", "liver_tumor": "cancer"}.'
            )
        for one in bearers:
            _check(one, found)
        return cls(found)

    @property
    def classes(self) -> tuple[str, ...]:
        """Our names of what was found, the background first."""
        return (NAMES[0], *(NAMES[label] for label in sorted(self.values)))

    def translate(self, labels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Return the dataset's label map (any shape, values from -1) in our labels."""
        table = np.full(
            max(int(labels.max(initial=0)), *map(max, self.values.values())) + 2, _OTHER
        )
        table[:2] = 0  # what lies outside of the scan is -1
        for label, values in self.values.items():
            table[np.array(values) + 1] = label
        return table.astype(np.uint8)[labels.astype(np.int16) + 1]

    def count(self, labels: npt.NDArray[Any]) -> dict[int, int]:
        """Return our labels and how many voxels each has in a whole label map (Z, Y, X)."""
        # Plane by plane: indices of a whole scan take eight times its memory.
        counts = sum(np.bincount(self.translate(plane).ravel(), minlength=256) for plane in labels)
        return {label: int(np.asarray(counts)[label]) for label in self.values}


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(int(v) for v in value) if isinstance(value, list | tuple) else (int(value),)


def _own(region: tuple[int, ...], regions: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """Return the values of a region that belong to no smaller region in it."""
    inner = {v for other in regions.values() if set(other) < set(region) for v in other}
    return tuple(v for v in region if v not in inner)


def _by_name(own: Mapping[str, tuple[int, ...]]) -> dict[int, tuple[int, ...]]:
    """Find organs by their names, and the tumours that can be theirs alone."""
    found: dict[int, tuple[int, ...]] = {}
    tumors: dict[str, tuple[int, ...]] = {}
    for name, values in own.items():
        if any(word in name.lower() for word in _TUMOR_WORDS):
            tumors[name] = values
        elif (record := _organ_named(name)) is not None and values:
            found[record.label] = values
    bearers = [o for o in ORGANS.values() if o.label in found and o.tumor_label is not None]
    for name, values in tumors.items():
        named = [o for o in bearers if o.name in name.lower().replace(" ", "_")]
        sole = bearers if len(bearers) == len(tumors) == 1 else []
        for record in named or sole:
            assert record.tumor_label is not None  # it is a bearer
            found[record.tumor_label] = values
    return found


def _organ_named(name: str) -> Organ | None:
    try:
        return organ(name)
    except UnknownNameError:
        return None


def _given(
    label: Any, own: Mapping[str, tuple[int, ...]], regions: Mapping[str, tuple[int, ...]]
) -> tuple[int, ...]:
    """Return the values that a setting means."""
    if isinstance(label, str):
        if label not in own:
            raise UnknownNameError("label in dataset.json", label, own)
        return own[label]
    values = _numbers(label)
    declared = {value for region in regions.values() for value in region}
    for value in values:
        if value not in declared:
            raise InputError(
                f"Label value {value} is none of dataset.json: {', '.join(map(str, declared))}."
            )
    return values


def _check(record: Organ, found: Mapping[int, tuple[int, ...]]) -> None:
    """Raise if an organ and its tumour cannot be told apart."""
    assert record.tumor_label is not None  # it is a bearer
    inside, tumor = found[record.label], found[record.tumor_label]
    name = record.name
    if len(tumor) != 1:
        raise InputError(
            f"Tumours of the {name} have the values {', '.join(map(str, tumor))}; say which one "
            f'new ones get, such as "labels": {{"{name}_tumor": {max(tumor, default=2)}}}.'
        )
    if tumor[0] in inside or not inside or 0 in (*inside, *tumor):
        raise InputError(
            f"The {name} has the values {', '.join(map(str, inside))} and its tumour {tumor[0]}; "
            "give each its own, and neither 0, which is background."
        )
