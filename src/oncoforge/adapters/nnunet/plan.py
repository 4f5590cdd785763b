"""What nnU-Net's plans say of the patches that it trains on: intensities, spacing, axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from oncoforge.errors import InputError
from oncoforge.synthesis.scene import Vector

_NARROW_HU = 10.0
"""A CT whose foreground spans less than this is no CT in HU."""

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Intensities:
    """nnU-Net's CT normalisation: clipped, shifted and scaled by numbers of the whole dataset.

    Parameters
    ----------
    low_hu, high_hu
        Where it clips. What it clipped away does not come back.
    mean_hu, std_hu
        What it subtracts and divides by.
    """

    low_hu: float = -np.inf
    high_hu: float = np.inf
    mean_hu: float = 0.0
    std_hu: float = 1.0

    def to_hu(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the HU of normalised values, as a new array."""
        return values * np.float32(self.std_hu) + np.float32(self.mean_hu)

    def from_hu(self, hu: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return normalised values of HU, as a new array."""
        clipped = np.clip(hu, np.float32(self.low_hu), np.float32(self.high_hu))
        return (clipped - np.float32(self.mean_hu)) / np.float32(self.std_hu)


@dataclass(frozen=True)
class Plan:
    """A configuration of nnU-Net's, as far as synthesis needs it.

    Parameters
    ----------
    spacing
        mm, along the axes of its arrays.
    patch
        Voxels of what the network gets, along the same axes.
    intensities
        How HU became the values of patches.
    transpose
        Which axis of the scan, as nnU-Net reads it (z, y, x), each axis of its arrays is.
    """

    spacing: Vector
    patch: tuple[int, int, int]
    intensities: Intensities
    transpose: tuple[int, int, int] = (0, 1, 2)

    @classmethod
    def of(cls, plans: Mapping[str, Any], configuration: Mapping[str, Any]) -> Plan:
        """Read a plan.

        Parameters
        ----------
        plans
            Content of nnUNetPlans.json.
        configuration
            One of its configurations, with what it inherits.

        Raises
        ------
        InputError
            If it is of a kind that tumours cannot be made in.
        """
        if len(configuration["patch_size"]) != 3:
            raise InputError(
                "Tumours are made in volumes, and this configuration trains on planes; train "
                "3d_fullres or 3d_lowres, or make the tumours beforehand with 'oncoforge synth'."
            )
        if configuration.get("previous_stage") is not None:
            raise InputError(
                "The second stage of a cascade also gets what the first one saw in the scan, which "
                "had no synthetic tumours; train 3d_fullres or 3d_lowres."
            )
        x, y, z = (int(axis) for axis in plans["transpose_forward"])
        return cls(
            spacing=_three(configuration["spacing"], float),
            patch=_three(configuration["patch_size"], int),
            intensities=_intensities(plans, configuration["normalization_schemes"]),
            transpose=(x, y, z),
        )

    def directions(self, properties: Mapping[str, Any]) -> npt.NDArray[np.float64]:
        """Return the unit vectors, in RAS, of the axes of a case's arrays, as columns.

        Parameters
        ----------
        properties
            What nnU-Net keeps of the case. Of scans from readers that keep no directions the axes
            are taken to be those of most CT: left, posterior and superior.
        """
        return _directions(properties)[:, ::-1][:, list(self.transpose)]


def _three(values: Sequence[Any], kind: type) -> Any:
    a, b, c = (kind(value) for value in values)
    return a, b, c


def _intensities(plans: Mapping[str, Any], schemes: Sequence[str]) -> Intensities:
    if len(schemes) != 1:
        raise InputError(
            f"The dataset has {len(schemes)} channels, and tumours are made in CT alone; train on "
            "a dataset whose one channel is CT."
        )
    if schemes[0] == "NoNormalization":
        return Intensities()
    if schemes[0] != "CTNormalization":
        raise InputError(
            f"The images were normalised by {schemes[0]}, which cannot be turned back into HU; "
            'name the channel in dataset.json ("channel_names": {"0": "CT"}), then plan and '
            "preprocess again."
        )
    found = plans["foreground_intensity_properties_per_channel"]["0"]
    made = Intensities(
        float(found["percentile_00_5"]),
        float(found["percentile_99_5"]),
        float(found["mean"]),
        max(float(found["std"]), 1e-8),  # as nnU-Net has it
    )
    if made.high_hu - made.low_hu < _NARROW_HU:
        raise InputError(
            f"The dataset's foreground lies from {made.low_hu:g} to {made.high_hu:g}, which is no "
            "CT in HU; give the images unscaled, then plan and preprocess again."
        )
    return made


def _directions(properties: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """Return the unit vectors of the axes x, y and z of a scan's file, in RAS, as columns."""
    if "sitk_stuff" in properties and len(properties["sitk_stuff"]["direction"]) == 9:
        return _LPS_TO_RAS @ np.reshape(properties["sitk_stuff"]["direction"], (3, 3))
    if "nibabel_stuff" in properties:
        stuff = properties["nibabel_stuff"]
        # Which of the two is there depends on the reader; the later one holds.
        axes = np.asarray(stuff.get("reoriented_affine", stuff["original_affine"]))[:3, :3]
        return np.asarray(axes / np.linalg.norm(axes, axis=0))
    return _LPS_TO_RAS
