"""What a trainer of nnU-Net needs to train on synthetic tumours."""

from __future__ import annotations

import json
from functools import cached_property
from multiprocessing import current_process
from pathlib import Path
from typing import Any

import numpy as np
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms

from oncoforge.adapters.nnunet.patches import CaseFacts, NnunetPatches
from oncoforge.adapters.nnunet.settings import settings_here
from oncoforge.formats.atomic import atomic_write
from oncoforge.training.seeds import generator
from oncoforge.version import __version__

_RECORD = "oncoforge.json"


class SynthesizeTumors(BasicTransform):
    """Puts tumours into patches; it has to come before anything that changes them.

    Parameters
    ----------
    patches
        Makes them.
    seed
        Of all draws. Each process draws on its own, patch after patch.
    """

    def __init__(self, patches: NnunetPatches, seed: int) -> None:
        super().__init__()
        self.patches = patches
        self.seed = seed
        self._cases: dict[str, CaseFacts] = {}
        self._case = ""
        self._drawn = 0

    def enter(self, case: str, segmentation: Any, properties: Any) -> None:
        """Say which case the next patch is of.

        Parameters
        ----------
        case
            Its name.
        segmentation
            (1, Z, Y, X), as nnU-Net's dataset gives it: perhaps still on disk.
        properties
            What nnU-Net keeps of it.
        """
        if case not in self._cases:
            self._cases[case] = self.patches.facts(np.asarray(segmentation[:])[0], properties)
        self._case = case

    def get_parameters(self, **data: Any) -> dict[str, Any]:
        """Return the generator of the next patch."""
        self._drawn += 1
        return {"rng": generator(self.seed, current_process().name, self._drawn)}

    def apply(self, data: dict[str, Any], **parameters: Any) -> dict[str, Any]:
        """Put tumours into ``image`` (1, Z, Y, X) and ``segmentation`` of the same shape."""
        image, segmentation = data["image"][0].numpy(), data["segmentation"][0].numpy()
        facts = self._cases[self._case]
        made, labels = self.patches.apply(image, segmentation, facts, parameters["rng"])
        if made is not image:
            data["image"] = torch.from_numpy(made)[None]
            data["segmentation"] = torch.from_numpy(labels)[None]
        return data


class WatchedDataset:
    """A dataset of nnU-Net's that tells the synthesis which case it loads.

    nnU-Net cuts and changes the patch of one case before it loads the next.

    Parameters
    ----------
    data
        The dataset.
    synthesis
        Is told.
    """

    def __init__(self, data: Any, synthesis: SynthesizeTumors) -> None:
        self.data = data
        self.synthesis = synthesis

    @property
    def identifiers(self) -> list[str]:
        """Names of the cases."""
        return list(self.data.identifiers)

    def load_case(self, identifier: str) -> Any:
        """Load a case."""
        loaded = self.data.load_case(identifier)
        self.synthesis.enter(identifier, loaded[1], loaded[3])
        return loaded

    def __getitem__(self, identifier: str) -> Any:
        return self.load_case(identifier)


class WithTumors:
    """Adds synthetic tumours to a trainer of nnU-Net's: ``class Mine(WithTumors, nnUNetTrainer)``.

    Training patches get them, and nothing that is validated on does.
    """

    # Of nnUNetTrainer.
    plans_manager: Any
    configuration_manager: Any
    dataset_json: Any
    local_rank: int
    current_epoch: int
    output_folder: str
    print_to_log_file: Any

    @cached_property
    def synthesis(self) -> SynthesizeTumors:
        """What puts tumours into patches.

        Raises
        ------
        InputError
            If tumours cannot be made in patches of this dataset, or a setting makes no sense.
        """
        settings = settings_here()
        patches = NnunetPatches.of(
            settings,
            self.plans_manager.plans,
            self.configuration_manager.configuration,
            self.dataset_json,
        )
        seed = settings.seed
        if seed is None:
            seed = int(np.random.default_rng().integers(2**31))
        self._record(settings.to_dict() | {"seed": seed}, patches)
        # A run that goes on draws anew, and so does each process of several.
        words = generator(seed, "nnunet", self.current_epoch, self.local_rank)
        return SynthesizeTumors(patches, int(words.integers(2**31)))

    def on_train_start(self) -> None:
        """Prepare the synthesis before processes fork, so that they share its textures."""
        self.synthesis.patches.tumors.warm()
        super().on_train_start()  # type: ignore[misc]

    def get_training_transforms(self, *args: Any, **kwargs: Any) -> BasicTransform:
        """Return nnU-Net's transforms of training patches, after ours."""
        own = super().get_training_transforms(*args, **kwargs)  # type: ignore[misc]
        return ComposeTransforms([self.synthesis, own])

    def get_tr_and_val_datasets(self) -> tuple[Any, Any]:
        """Return the datasets; that of training tells our transform what it loads."""
        train, validation = super().get_tr_and_val_datasets()  # type: ignore[misc]
        return WatchedDataset(train, self.synthesis), validation

    def _record(self, settings: dict[str, Any], patches: NnunetPatches) -> None:
        """Write down what is made, beside nnU-Net's own files."""
        seen = patches.plan.intensities
        values = {str(label): list(v) for label, v in patches.labels.values.items()}
        self.print_to_log_file(
            f"oncoforge {__version__}: synthetic tumours of "
            f"{', '.join(organ.name for organ in patches.tumors.makers)}; nnU-Net sees "
            f"{seen.low_hu:g} to {seen.high_hu:g} HU."
        )
        if self.local_rank != 0:
            return
        content = {"oncoforge": __version__, "settings": settings, "values": values}
        folder = Path(self.output_folder)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / _RECORD) as file:
            file.write((json.dumps(content, indent=2) + "\n").encode())
