"""Tumours in a patch of nnU-Net's: to HU and our labels, synthesised, and back again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from oncoforge.adapters.nnunet.labels import Labels
from oncoforge.adapters.nnunet.plan import Plan
from oncoforge.adapters.nnunet.settings import NnunetSettings
from oncoforge.errors import InputError
from oncoforge.grid import Grid
from oncoforge.networks import Pipeline
from oncoforge.synthesis.room import FAT_HU
from oncoforge.synthesis.scene import bounding_box
from oncoforge.training.data.synthetic import PatchTumors

Image = npt.NDArray[np.float32]
Segmentation = npt.NDArray[np.int16]


@dataclass(frozen=True)
class CaseFacts:
    """What a patch has to know of the case that it was cut from.

    Parameters
    ----------
    voxels
        Our labels and how many voxels each has in the whole case.
    directions
        (3, 3): unit vectors in RAS of the axes of its arrays, as columns.
    """

    voxels: Mapping[int, int]
    directions: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NnunetPatches:
    """Puts tumours into patches as nnU-Net has them before it augments them.

    Parameters
    ----------
    plan
        How they came to be.
    labels
        What their labels are.
    tumors
        Makes the tumours.
    """

    plan: Plan
    labels: Labels
    tumors: PatchTumors

    @classmethod
    def of(
        cls,
        settings: NnunetSettings,
        plans: Mapping[str, Any],
        configuration: Mapping[str, Any],
        dataset: Mapping[str, Any],
    ) -> NnunetPatches:
        """Make what settings ask for; see `Plan.of` and `Labels.of` for the other parameters.

        Raises
        ------
        InputError
            If tumours cannot be made in such patches, or a setting makes no sense.
        """
        plan = Plan.of(plans, configuration)
        labels = Labels.of(dataset, settings.labels)
        bulging = any(one.exophytic for one in settings.synthesis)
        if bulging and plan.intensities.low_hu > FAT_HU[0]:
            raise InputError(
                f"exophytic needs to see fat, and nnU-Net clips this dataset at "
                f"{plan.intensities.low_hu:g} HU; leave it out, or make the tumours beforehand "
                "with 'oncoforge synth --exophytic'."
            )
        return cls(plan, labels, PatchTumors.of(settings.synthesis, Pipeline(labels.classes)))

    def facts(self, segmentation: npt.NDArray[Any], properties: Mapping[str, Any]) -> CaseFacts:
        """Look at a whole case: its label map (Z, Y, X), and what nnU-Net keeps of it."""
        return CaseFacts(self.labels.count(segmentation), self.plan.directions(properties))

    def apply(
        self,
        image: Image,
        segmentation: Segmentation,
        facts: CaseFacts,
        rng: np.random.Generator,
    ) -> tuple[Image, Segmentation]:
        """Return a patch with tumours.

        Parameters
        ----------
        image
            float32 (Z, Y, X), normalised as the plan says; its axes are the plan's.
        segmentation
            The same shape, values of the dataset; -1 outside of the scan.
        facts
            Of its case.
        rng
            Source of randomness.

        Returns
        -------
        tuple
            New arrays, or the same ones where there are no tumours to put in. Voxels that no tumour
            reaches keep their bits.
        """
        affine = np.eye(4)
        affine[:3, :3] = facts.directions * np.asarray(self.plan.spacing)
        grid = Grid((image.shape[0], image.shape[1], image.shape[2]), affine)
        hu, before = self.plan.intensities.to_hu(image), self.labels.translate(segmentation)
        seen, after = grid.to_ras(hu), before.copy()
        core, spacing = self._core(grid), grid.ras().spacing
        made = self.tumors.apply(seen, grid.to_ras(after), spacing, core, facts.voxels, rng)
        if made is seen:
            return image, segmentation
        new_image, new_segmentation = image.copy(), segmentation.copy()
        new_hu = grid.from_ras(made)
        changed = new_hu != hu
        new_image[changed] = self.plan.intensities.from_hu(new_hu[changed])
        grown = after != before
        for label in self.tumors.labels:
            new_segmentation[grown & (after == label)] = self.labels.values[label][0]
        return new_image, new_segmentation

    def _core(self, grid: Grid) -> tuple[slice, ...]:
        """Return the middle of a patch, in RAS: what the network gets if it is not turned."""
        held = np.zeros(grid.shape, np.bool_)
        sizes = [min(n, p) for n, p in zip(grid.shape, self.plan.patch, strict=True)]
        starts = [(n - size) // 2 for n, size in zip(grid.shape, sizes, strict=True)]
        held[tuple(slice(a, a + n) for a, n in zip(starts, sizes, strict=True))] = True
        box = bounding_box(grid.to_ras(held))
        assert box is not None  # no size is 0
        return box
