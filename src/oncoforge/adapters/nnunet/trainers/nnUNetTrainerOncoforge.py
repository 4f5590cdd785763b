"""The trainer that ``nnUNetv2_train ... -tr nnUNetTrainerOncoforge`` asks for."""

from __future__ import annotations

from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from oncoforge.adapters.nnunet.training import WithTumors


class nnUNetTrainerOncoforge(WithTumors, nnUNetTrainer):
    """nnU-Net's own trainer, with synthetic tumours in its training patches."""
