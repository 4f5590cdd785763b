"""nnU-Net itself, where it is installed: it finds the trainer, and trains on what we make."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("nnunetv2")
# Of nnU-Net, its dependencies and PyTorch; none is about us.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

import torch  # noqa: E402
from nnunetv2.preprocessing.normalization.default_normalization_schemes import (  # noqa: E402
    CTNormalization,
)
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2  # noqa: E402
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name  # noqa: E402

from oncoforge.adapters.nnunet import TRAINERS  # noqa: E402
from oncoforge.adapters.nnunet.plan import Intensities  # noqa: E402
from oncoforge.adapters.nnunet.settings import VARIABLE  # noqa: E402
from oncoforge.errors import InputError  # noqa: E402

from .conftest import DIRECTION, HIGH, LOW, MEAN, STD, plans_of, scan_of  # noqa: E402

NAME = "Dataset001_Phantoms"
HEALTHY, ILL, HELD_OUT = ("healthy0", "healthy1"), "ill", "heldout"
PATCH = [16, 16, 16]
NETWORK = {
    "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
    "arch_kwargs": {
        "n_stages": 2,
        "features_per_stage": [4, 8],
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [[3, 3, 3]] * 2,
        "strides": [[1, 1, 1], [2, 2, 2]],
        "n_conv_per_stage": [1, 1],
        "n_conv_per_stage_decoder": [1],
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    },
    "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
}


def _plans() -> dict[str, Any]:
    return plans_of() | {
        "dataset_name": NAME,
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "label_manager": "LabelManager",
        "transpose_backward": [0, 1, 2],
        "continue_training": False,
        "configurations": {
            "3d_fullres": {
                "data_identifier": "nnUNetPlans_3d_fullres",
                "batch_size": 2,
                "patch_size": PATCH,
                "spacing": [2.0, 2.0, 2.0],
                "normalization_schemes": ["CTNormalization"],
                "use_mask_for_norm": [False],
                "batch_dice": False,
                "architecture": NETWORK,
            }
        },
    }


@pytest.fixture
def trainer(tmp_path, monkeypatch):
    """A trainer as nnU-Net makes it, of a dataset as nnU-Net preprocesses it."""
    for name in ("raw", "preprocessed", "results"):
        monkeypatch.setenv(f"nnUNet_{name}", str(tmp_path / name))
    monkeypatch.setenv("nnUNet_extTrainer", str(TRAINERS))
    monkeypatch.setenv("nnUNet_n_proc_DA", "0")
    monkeypatch.setenv("nnUNet_compile", "f")
    settings = tmp_path / "tumors.json"
    entry = {"probability": 1.0, "size": "small"}
    settings.write_text(json.dumps({"synthesis": [entry], "seed": 5}))
    monkeypatch.setenv(VARIABLE, str(settings))
    _preprocessed(tmp_path / "preprocessed" / NAME)
    dataset = {
        "labels": {"background": 0, "liver": 1, "cancer": 2},
        "channel_names": {"0": "CT"},
        "file_ending": ".nii.gz",
    }
    made = recursive_find_trainer_class_by_name("nnUNetTrainerOncoforge")(
        plans=_plans(),
        configuration="3d_fullres",
        fold=0,
        dataset_json=dataset,
        device=torch.device("cpu"),
    )
    made.num_epochs, made.num_iterations_per_epoch, made.num_val_iterations_per_epoch = 1, 2, 1
    return made


def _preprocessed(folder: Path) -> None:
    cases = folder / "nnUNetPlans_3d_fullres"
    cases.mkdir(parents=True)
    for seed, case in enumerate((*HEALTHY, ILL, HELD_OUT)):
        image, labels = scan_of(seed=seed)
        if case == ILL:
            labels[8:11, 10:13, 10:13] = 2
        where = np.argwhere(labels == 1)
        locations = {1: np.c_[np.zeros(len(where), int), where], 2: np.zeros((0, 4), int)}
        properties = DIRECTION | {"class_locations": locations}
        nnUNetDatasetBlosc2.save_case(image[None], labels[None], properties, str(cases / case))
    split = {"train": [*HEALTHY, ILL], "val": [HELD_OUT]}
    (folder / "splits_final.json").write_text(json.dumps([split]))
    (folder / "dataset_fingerprint.json").write_text("{}")


def _target(batch: dict[str, Any]) -> torch.Tensor:
    return batch["target"][0] if isinstance(batch["target"], list) else batch["target"]


def test_training_batches_hold_tumours_and_validation_batches_none(trainer):
    trainer.initialize()
    train, validation = trainer.get_dataloaders()
    healthy = ill = 0
    for _ in range(12):
        batch = next(train)
        for case, target in zip(batch["keys"], _target(batch), strict=True):
            if case == ILL:
                # Its own tumour, turned and scaled by nnU-Net: 27 voxels at first.
                ill = max(ill, int((target == 2).sum()))
            else:
                healthy += int((target == 2).any())
        assert not (_target(next(validation)) == 2).any()
    assert healthy >= 6
    assert ill < 27 * 1.5**3


def test_nnunets_own_augmentation_comes_after_ours(trainer):
    trainer.initialize()
    train, _ = trainer.get_dataloaders()
    steps = train.data_loader.transforms.transforms
    assert steps[0] is trainer.synthesis
    assert len(steps[1].transforms) > 5


def test_workers_can_be_sent_to_other_processes(trainer):
    trainer.initialize()
    train, _ = trainer.get_dataloaders()
    sent = pickle.loads(pickle.dumps(train.data_loader))
    # The dataset must tell the transform that acts, and no copy of it.
    assert sent._data.synthesis is sent.transforms.transforms[0]
    next(sent)


def test_it_trains_and_writes_down_what_it_made(trainer):
    trainer.plot_network_architecture = lambda: None
    trainer.run_training()
    folder = Path(trainer.output_folder)
    assert (folder / "checkpoint_final.pth").is_file()
    record = json.loads((folder / "oncoforge.json").read_text())
    assert record["settings"]["seed"] == 5
    assert record["values"] == {"1": [1], "2": [2]}


def test_a_setting_that_makes_no_sense_stops_it_before_it_trains(trainer, tmp_path):
    (tmp_path / "tumors.json").write_text('{"synthesis": [{"organ": "kidney"}]}')
    with pytest.raises(InputError, match="kidney"):
        trainer.run_training()
    assert trainer.dataloader_train is None


def test_our_normalisation_is_nnunets():
    hu = np.random.default_rng(0).normal(90, 60, (8, 8, 8)).astype(np.float32)
    foreground = plans_of()["foreground_intensity_properties_per_channel"]["0"]
    theirs = CTNormalization(False, foreground).run(hu.copy())
    ours = Intensities(LOW, HIGH, MEAN, STD).from_hu(hu)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
