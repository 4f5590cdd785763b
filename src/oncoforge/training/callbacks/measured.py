"""What a trainer has, and what it has measured so far as plain numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from torch import Tensor, float64

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

Numbers = dict[str, float]
Kind = TypeVar("Kind")


def callbacks(trainer: Trainer, kind: type[Kind]) -> list[Kind]:
    """Return a trainer's callbacks of a kind, in their order."""
    every = cast("Any", trainer).callbacks  # which Lightning declares nowhere
    return [each for each in every if isinstance(each, kind)]


def validated(trainer: Trainer) -> bool:
    """Whether the validation that just ended is one of a training, and no trial before it."""
    return trainer.state.fn == "fit" and not trainer.sanity_checking


def epochs_done(trainer: Trainer) -> int:
    """Return the number of this epoch, from 1, while it ends."""
    return trainer.current_epoch + 1


def numbers(trainer: Trainer, prefix: str) -> Numbers:
    """Return what was logged under names that begin so.

    All ranks must ask, as Lightning means over ranks when it is asked.

    Parameters
    ----------
    trainer
        While a validation or an epoch ends.
    prefix
        Such as ``"val/"``.

    Returns
    -------
    dict
        By name. Single precision becomes the shortest decimal number that stands for it.
    """
    return {
        name: plain(value)
        for name, value in trainer.callback_metrics.items()
        if name.startswith(prefix) and not name.endswith(("_step", "_epoch"))
    }


def plain(value: Tensor) -> float:
    """Return the shortest decimal number that is this one in its own precision."""
    own = value.detach().cpu()
    # Half precision has no decimals of its own in NumPy.
    exact = own if own.dtype == float64 else own.float()
    return float(str(exact.numpy()[()]))
