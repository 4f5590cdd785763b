"""One training patch, from its key to the network's input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset, default_collate

from oncoforge.networks import Pipeline
from oncoforge.prediction.prepare import set_values
from oncoforge.store import StoredCase
from oncoforge.training.data.augment import Change, draw_change
from oncoforge.training.data.channels import channels_of
from oncoforge.training.data.draws import Draw, Mix
from oncoforge.training.data.places import Places, Region
from oncoforge.training.data.synthetic import CONTEXT_MM, PatchTumors
from oncoforge.training.seeds import generator
from oncoforge.training.settings import AugmentationSettings


@dataclass(frozen=True, eq=False)
class Patches(Dataset[dict[str, Any]]):
    """Training patches by key: the same key gives the same bytes, in any process.

    Parameters
    ----------
    pipeline
        What the network takes.
    cases
        Where patches are cut.
    real
        Numbers of those that come from lists of real tumours.
    mix
        Which case an item is cut from.
    places
        Where in it.
    tumors
        What is put into it.
    augmentation
        How it is changed.
    seed
        Of the run.
    """

    pipeline: Pipeline
    cases: tuple[StoredCase, ...]
    real: frozenset[int]
    mix: Mix
    places: Places
    tumors: PatchTumors
    augmentation: AugmentationSettings
    seed: int = 0

    def __len__(self) -> int:
        return self.mix.items

    def __getitem__(self, key: Draw | tuple[int, int]) -> dict[str, Any]:
        """Return one patch.

        Returns
        -------
        dict
            ``image``: float32 (1, X, Y, Z), the network's values; ``label``: uint8 (1, X, Y, Z),
            channels; ``case``: its id; ``kind``: ``"synthetic"`` if tumours were put into it, else
            ``"real"`` or ``"healthy"`` by the list of its case; ``item``: its number.
        """
        draw = Draw(*key)
        number = self.mix.case(draw)
        case = self.cases[number]
        region = self.places.draw(case, generator(self.seed, "place", *draw))
        image, labels, made = self._read(case, region, draw)
        change = draw_change(
            self.augmentation, self.pipeline.patch, generator(self.seed, "change", *draw)
        )
        values, channels = self._finish(image, labels, region, change)
        own = "real" if number in self.real else "healthy"
        return {
            "image": torch.from_numpy(values)[None],
            "label": torch.from_numpy(channels)[None],
            "case": case.case,
            "kind": "synthetic" if made else own,
            "item": draw.item,
        }

    def _read(
        self, case: StoredCase, region: Region, draw: Draw
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8], bool]:
        """Return HU and labels of a region, with tumours, and whether any were put in."""
        if not self.tumors.makers:
            at = region.start, region.size
            return case.image(*at), case.labels(*at), False
        x, y, z = (ceil(CONTEXT_MM / s) for s in case.spacing_mm)
        wide, core = region.wider((x, y, z), case.shape)
        hu, labels = case.image(wide.start, wide.size), case.labels(wide.start, wide.size)
        rng = generator(self.seed, "tumors", *draw)
        made = self.tumors.apply(hu, labels, case.spacing_mm, core, case.voxels, rng)
        return made[core], labels[core], made is not hu

    def _finish(
        self,
        hu: npt.NDArray[np.float32],
        labels: npt.NDArray[np.uint8],
        region: Region,
        change: Change,
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
        """Fill up to a patch, flip and turn, and translate to the network's values."""
        if np.any(region.missing):
            hu = np.pad(hu, region.missing, mode="minimum")
            labels = np.pad(labels, region.missing)
        hu, labels = change.turn(hu), change.turn(labels)
        values = np.empty(hu.shape, np.float32)
        set_values(values, hu, self.pipeline)
        change.tone(values)
        channels = np.empty(labels.shape, np.uint8)
        np.take(channels_of(self.pipeline), labels, out=channels, mode="clip")
        return values, channels


def collate(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Make a batch: volumes are stacked, all else is listed."""
    batch: dict[str, Any] = {name: [item[name] for item in items] for name in items[0]}
    # In a worker this stacks into shared memory at once.
    return batch | {name: default_collate(batch[name]) for name in ("image", "label")}


def alone(item: Any) -> Any:
    """Make no batch of a case, and no tensors of its numbers."""
    return item


@dataclass(frozen=True, eq=False)
class Wholes(Dataset[dict[str, Any] | None]):
    """Whole cases, for validation; the key None gives None.

    Parameters
    ----------
    pipeline
        What the network takes.
    cases
        In their order.
    """

    pipeline: Pipeline
    cases: tuple[StoredCase, ...]

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, key: int | None) -> dict[str, Any] | None:
        """Return one case.

        Returns
        -------
        dict
            ``image``: float32 (1, X, Y, Z), the network's values; ``label``: uint8 (X, Y, Z),
            channels; ``case``, ``index`` and ``spacing_mm``.
        """
        if key is None:
            return None
        case = self.cases[key]
        hu = case.image((0, 0, 0), case.shape)
        set_values(hu, hu, self.pipeline)
        channels = channels_of(self.pipeline)[case.labels((0, 0, 0), case.shape)]
        return {
            "image": torch.from_numpy(hu)[None],
            "label": torch.from_numpy(channels),
            "case": case.case,
            "index": key,
            "spacing_mm": case.spacing_mm,
        }
