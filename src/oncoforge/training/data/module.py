"""The data of a training: cases of lists, brought into a store, and cut into patches."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from oncoforge.errors import InputError
from oncoforge.networks import Pipeline
from oncoforge.parallel import Progress, cores, dismiss, silent
from oncoforge.store import StoredCase, StoreSettings, build_store, default_folder
from oncoforge.training.data.augment import check_augmentation
from oncoforge.training.data.census import check_sizes, check_training, check_validation, count
from oncoforge.training.data.channels import (
    bearers,
    foreground_of,
    sole_organ,
    tumor_labels,
)
from oncoforge.training.data.draws import CaseSampler, EpochSampler, Mix
from oncoforge.training.data.patches import Patches, Wholes, alone, collate
from oncoforge.training.data.phantoms import phantoms as make_phantoms
from oncoforge.training.data.places import Places
from oncoforge.training.data.roster import Roster, call_roll
from oncoforge.training.data.synthetic import PatchTumors
from oncoforge.training.settings import (
    AugmentationSettings,
    PhantomSettings,
    SamplingSettings,
    SourceSettings,
    SynthesisSettings,
)

_MOST_WORKERS = 8
_FORKS = sys.platform == "linux"
"""Workers fork where that is sound, so that they share textures and compiled code."""

_NONE, _VALIDATION = SourceSettings(), SourceSettings(part="validation")
_SAMPLING, _AUGMENTATION = SamplingSettings(), AugmentationSettings()


class SegmentationData(LightningDataModule):
    """Patches to train on and whole cases to validate on.

    Parameters
    ----------
    pipeline
        What the network takes.
    healthy
        Cases without tumours, which get synthetic ones.
    real
        Cases with real tumours.
    validation
        Cases to validate on; without lists, the validation parts of the other two.
    synthesis
        Tumours that are put into patches. Of several entries for an organ, one is taken each time.
    sampling
        Where patches are cut.
    augmentation
        How they are changed.
    phantoms
        Phantoms that are made, and join the healthy cases and the validation.
    fold
        Which fold of the lists is validated.
    mix
        Relative share of patches from real and from healthy cases; none cuts one patch from every
        case in an epoch.
    patches_per_epoch
        None for as many as there are cases.
    batch_size
        Patches of a step, in each process.
    workers
        Processes that make patches, for each training process; none for one less than its cores,
        but at least 1 and at most 8. 0 makes them in the training process.
    cache
        Folder of the store and of phantoms; none for one in the user's cache.
    allow_missing
        Train though no case has a class, or without validation.
    seed
        The same seed gives the same patches, with any number of workers.

    Attributes
    ----------
    train_cases, validation_cases
        Tuples of `StoredCase`, from `setup` on.
    patches
        The training patches by key, from `setup` on.
    progress
        Called after every case that is brought into the store, and after every phantom.

    Raises
    ------
    InputError
        If a setting makes no sense. `prepare_data` and `setup` raise it if there are no cases, if
        they cannot be used, or if a class is in none of them.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        healthy: SourceSettings = _NONE,
        real: SourceSettings = _NONE,
        validation: SourceSettings = _VALIDATION,
        synthesis: list[SynthesisSettings] | None = None,
        sampling: SamplingSettings = _SAMPLING,
        augmentation: AugmentationSettings = _AUGMENTATION,
        phantoms: PhantomSettings | None = None,
        fold: int | None = None,
        mix: tuple[float, float] | None = None,
        patches_per_epoch: int | None = None,
        batch_size: int = 2,
        workers: int | None = None,
        cache: str | None = None,
        allow_missing: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}; give a number from 1.")
        if workers is not None and workers < 0:
            raise InputError(f"workers is {workers}; give a number from 0.")
        if seed < 0:
            raise InputError(f"seed is {seed}; give a number from 0.")
        self.pipeline = pipeline
        self.healthy, self.real, self.validation = healthy, real, validation
        self.augmentation = augmentation
        self.phantoms = phantoms
        self.fold, self.mix, self.patches_per_epoch = fold, mix, patches_per_epoch
        self.batch_size, self.workers = batch_size, workers
        self.cache = default_folder() if cache is None else Path(cache).expanduser()
        self.allow_missing, self.seed = allow_missing, seed
        self.progress: Progress = silent
        self.tumors = PatchTumors.of(synthesis or [], pipeline)
        self.places = Places(
            sampling,
            pipeline.patch,
            foreground_of(pipeline),
            tumor_labels(pipeline),
        )
        check_augmentation(self.augmentation)
        self.train_cases: tuple[StoredCase, ...] = ()
        self.validation_cases: tuple[StoredCase, ...] = ()
        self.patches: Patches | None = None
        self._real = 0

    def prepare_data(self) -> None:
        """Make phantoms, and bring all cases into the store, where they are not there yet."""
        self._gather(None)
        dismiss()  # before workers of the loaders are forked

    def setup(self, stage: str | None = None) -> None:
        """Open the store, and check what its cases have."""
        if self.patches is not None:
            return
        roster, cases = self._gather(1)
        trained = len(roster.real) + len(roster.healthy)
        self._real = len(roster.real)
        self.train_cases, self.validation_cases = cases[:trained], cases[trained:]
        mix = self._mix()
        self._check_copies()
        check_sizes(self.pipeline, cases)
        check_training(self.pipeline, self.train_cases, self.tumors, self.allow_missing)
        check_validation(self.pipeline, self.validation_cases, self.allow_missing)
        self.patches = Patches(
            self.pipeline,
            self.train_cases,
            frozenset(range(self._real)),
            mix,
            self.places,
            self.tumors,
            self.augmentation,
            self.seed,
        )

    def _check_copies(self) -> None:
        """Refuse a case for validation that is a copy of one to train on."""
        known = {case.folder: case.case for case in self.train_cases}
        for case in self.validation_cases:
            if case.folder in known:
                raise InputError(
                    f"The validation case {case.case} has the same files, byte for byte, as the "
                    f"training case {known[case.folder]}; keep it in one part."
                )

    def _gather(self, workers: int | None) -> tuple[Roster, tuple[StoredCase, ...]]:
        """Return all cases, which are brought into the store where need be."""
        made = None
        if self.phantoms is not None:
            made = make_phantoms(
                self.phantoms,
                bearers(self.pipeline),
                self.cache / "phantoms",
                self.seed,
                workers=workers,
                progress=self.progress,
            )
        organ = sole_organ(self.pipeline)
        roster = call_roll(self.real, self.healthy, self.validation, self.fold, organ, made)
        settings = StoreSettings(
            spacing_mm=self.pipeline.spacing_mm, above_hu=self.pipeline.window_hu[0]
        )
        store = build_store(
            roster.files, self.cache, settings, workers=workers, progress=self.progress
        )
        return roster, store.cases

    def _mix(self) -> Mix:
        cases = range(len(self.train_cases))
        asked = self.patches_per_epoch
        items = len(cases) if asked is None else asked
        if self.mix is None:
            return Mix((tuple(cases), ()), (1.0, 0.0), items, self.seed)
        pools = tuple(cases[: self._real]), tuple(cases[self._real :])
        for share, pool, name in zip(self.mix, pools, ("real", "healthy"), strict=True):
            if share > 0 and not pool:
                raise InputError(
                    f"The mix gives {name} cases a share of {share:g}, and there are none; give "
                    f"{name}.lists, or a mix of null."
                )
        return Mix(pools, self.mix, items, self.seed)

    def describe(self) -> dict[str, Any]:
        """Return counts as plain data: of cases, of those that have each class, and of patches."""
        assert self.patches is not None, "call setup first"
        return {
            "training": {
                "real": self._real,
                "healthy": len(self.train_cases) - self._real,
                "with": count(self.pipeline, self.train_cases),
            },
            "validation": {
                "cases": len(self.validation_cases),
                "with": count(self.pipeline, self.validation_cases),
            },
            "patches_per_epoch": self.patches.mix.items,
        }

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the patches of this process; every epoch has others."""
        assert self.patches is not None, "call setup first"
        workers = self._workers()
        if workers:
            self.tumors.warm()  # before workers fork, so that they share what is made
        rank, ranks = self._rank()
        return DataLoader(
            self.patches,
            batch_size=self.batch_size,
            sampler=EpochSampler(self.patches.mix.items, rank, ranks),
            num_workers=workers,
            persistent_workers=workers > 0,
            multiprocessing_context="fork" if workers and _FORKS else None,
            collate_fn=collate,
            generator=torch.Generator(),  # so that the one of the training is left alone
            pin_memory=torch.cuda.is_available(),
        )

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        """Return the validation cases of this process, one at a time; None is no case."""
        if not self.validation_cases:
            return []
        rank, ranks = self._rank()
        # In this process: a whole case is read in less time than it takes to hand it over, and
        # shared memory is often too small for it.
        return DataLoader(
            Wholes(self.pipeline, self.validation_cases),
            batch_size=None,
            sampler=CaseSampler(len(self.validation_cases), rank, ranks),
            collate_fn=alone,
            generator=torch.Generator(),
        )

    def _rank(self) -> tuple[int, int]:
        """Return the rank of this process, and how many there are."""
        if self.trainer is not None:
            return self.trainer.global_rank, self.trainer.world_size
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return torch.distributed.get_rank(), torch.distributed.get_world_size()
        return 0, 1

    def _workers(self) -> int:
        """Return how many processes make patches for this one."""
        if self.workers is not None:
            return self.workers
        here = 1 if self.trainer is None else max(self.trainer.num_devices, 1)
        return min(max(cores() // here - 1, 1), _MOST_WORKERS)
