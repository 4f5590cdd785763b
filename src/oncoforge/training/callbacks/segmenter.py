"""What the callbacks ask of a Lightning module, besides what it logs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from torch import nn

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule

    from oncoforge.networks.config import Config


class Segmenter(Protocol):
    """A module that trains a network and validates it case by case.

    Attributes
    ----------
    network
        With its `config`.
    validation_rows
        Of the last validation, on every rank all of them: dataclasses with the fields `case`,
        `class_name`, `outcome` (see `oncoforge.evaluation.Score`), `dice` and more.
    shown
        Of the last validation, on rank 0: case, image (X, Y, Z) in the values of the network,
        truth and prediction (X, Y, Z) as indices of its classes.
    """

    network: nn.Module
    validation_rows: Sequence[Any]
    shown: Sequence[tuple[str, Any, Any, Any]]


def segmenter(module: LightningModule) -> Segmenter:
    """Tell the type checker that a module is one."""
    return cast("Segmenter", module)


def config_of(module: LightningModule) -> Config:
    """Return the config of a module's network."""
    return cast("Config", segmenter(module).network.config)
