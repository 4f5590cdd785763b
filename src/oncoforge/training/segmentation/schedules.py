"""How the learning rate goes: a linear rise, then down to zero, anew at every step."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, isfinite, pi

from oncoforge.errors import InputError
from oncoforge.training.settings import ScheduleSettings


@dataclass(frozen=True)
class Schedule:
    """Learning rates of a training, as parts of the highest one.

    Parameters
    ----------
    settings
        Which.
    steps
        Of the optimizer, in the whole training.
    warmup
        Steps of the rise; they need not be a whole number.
    remarks
        What was not done as the settings say: one sentence each.
    """

    settings: ScheduleSettings
    steps: int
    warmup: float
    remarks: tuple[str, ...] = ()

    def __call__(self, step: int) -> float:
        """Return the part of the highest rate that a step has, above 0 and up to 1.

        Parameters
        ----------
        step
            From 0. After the last one, cosine and polynomial are at 0.
        """
        if step + 1 < self.warmup:
            return (step + 1) / self.warmup
        done = min(max(step - self.warmup, 0) / (self.steps - self.warmup), 1)
        if self.settings.name == "cosine":
            return (1 + cos(pi * done)) / 2
        return (1 - done) ** self.settings.power if self.settings.name == "poly" else 1.0


def plan(settings: ScheduleSettings, steps: float, steps_per_epoch: float) -> Schedule:
    """Plan the learning rates of a training.

    Parameters
    ----------
    settings
        Which. A warm-up of more than half of the training is shortened to half of it.
    steps
        Of the optimizer, in the whole training.
    steps_per_epoch
        Of the optimizer, in one epoch.

    Raises
    ------
    InputError
        If the training has no end or no steps, or a number makes no sense.
    """
    if not (isfinite(steps + steps_per_epoch) and steps >= 1):
        what = "no steps" if steps < 1 else "no end"
        raise InputError(
            "The learning rate goes down towards the end of training, and this training has "
            f"{what}; set trainer.max_epochs to 1 or more."
        )
    if not (settings.warmup_epochs >= 0 and isfinite(settings.warmup_epochs)):
        raise InputError(f"warmup_epochs is {settings.warmup_epochs}; give a number from 0.")
    if not settings.power > 0:
        raise InputError(f"power is {settings.power}; the polynomial takes a number above 0.")
    warmup = settings.warmup_epochs * steps_per_epoch
    if warmup <= steps / 2:
        return Schedule(settings, int(steps), warmup)
    epochs = steps / steps_per_epoch
    remark = (
        f"The warm-up of {settings.warmup_epochs:g} epochs is shortened to {epochs / 2:g}: half of "
        f"this training of {epochs:g}."
    )
    return Schedule(settings, int(steps), steps / 2, (remark,))
