"""Everything that can be set about the training of a segmentation network, as plain data.

The fields are the keys of a recipe. They are read by jsonargparse, which takes their types from the
annotations and their help from these docstrings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class NetworkSettings:
    """Which network is trained, and what it starts from.

    Parameters
    ----------
    name
        As in `oncoforge weights networks`, such as unet, nnunet, swin_unetr or segmamba.
    options
        Of that network, by name, in place of its defaults.
    weights
        Start from these: a file, a folder or a name of the catalogue. They must fit the network.
    encoder
        Start the encoder alone from these, such as self-supervised ones.
    """

    name: str = "unet"
    options: dict[str, Any] = field(default_factory=dict)
    weights: str | None = None
    encoder: str | None = None


@dataclass(frozen=True)
class LossSettings:
    """What is minimised.

    Parameters
    ----------
    name
        Dice with cross-entropy, or Dice with focal loss.
    include_background
        Whether the background has a Dice term.
    squared
        Whether the Dice denominator squares its terms.
    smooth_numerator, smooth_denominator
        Added to the Dice fraction.
    dice_weight, other_weight
        Of the Dice term and of the other one.
    gamma
        Of the focal loss.
    """

    name: Literal["dice_ce", "dice_focal"] = "dice_ce"
    include_background: bool = True
    squared: bool = True
    smooth_numerator: float = 0.0
    smooth_denominator: float = 1e-6
    dice_weight: float = 1.0
    other_weight: float = 1.0
    gamma: float = 2.0


@dataclass(frozen=True)
class OptimizerSettings:
    """How weights are changed.

    Parameters
    ----------
    name
        adamw, adam or sgd.
    lr
        Highest learning rate.
    weight_decay
        Of the weights.
    momentum
        Of sgd, which is Nesterov's.
    amsgrad
        Of adam and adamw.
    """

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: float = 4e-4
    weight_decay: float = 1e-5
    momentum: float = 0.99
    amsgrad: bool = False


@dataclass(frozen=True)
class ScheduleSettings:
    """How the learning rate changes; it is set anew at every step.

    Parameters
    ----------
    name
        After the warm-up: cosine to zero, polynomial to zero, or constant.
    warmup_epochs
        Linear rise from near zero; none of the steps has a rate of zero. At most half of the
        training is warm-up.
    power
        Of the polynomial.
    """

    name: Literal["cosine", "poly", "constant"] = "cosine"
    warmup_epochs: float = 100.0
    power: float = 0.9


@dataclass(frozen=True)
class ValidationSettings:
    """How validation is done.

    Parameters
    ----------
    overlap
        Of windows; none for the pipeline's own.
    tolerance_mm
        Of the normalised surface Dice.
    pictures
        Cases of which a picture is kept at every validation.
    """

    overlap: float | None = None
    tolerance_mm: float = 2.0
    pictures: int = 2


@dataclass(frozen=True)
class SourceSettings:
    """Cases of one kind.

    Parameters
    ----------
    lists
        Lists of cases: MSD or MONAI JSON, CSV, nnU-Net folders, as `oncoforge prepare` writes.
    part
        Which part of them: training, validation or test.
    root
        Where their relative paths begin; by default at each list.
    convention
        How the label maps number organs and tumours.
    """

    lists: list[str] = field(default_factory=list)
    part: str = "training"
    root: str | None = None
    convention: str = "oncoforge"


@dataclass(frozen=True)
class PhantomSettings:
    """Cases that are made instead of read, to try training without any data.

    Parameters
    ----------
    healthy
        Healthy phantoms to train on.
    validation
        Phantoms to validate on. Their tumours are grown (cellular), once and for all.
    spacing_mm
        Voxel size.
    """

    healthy: int = 6
    validation: int = 2
    spacing_mm: tuple[float, float, float] = (3.0, 3.0, 3.0)


@dataclass(frozen=True)
class SynthesisSettings:
    """Tumours that are put into patches while training.

    Parameters
    ----------
    method
        handcrafted or cellular.
    probability
        That a patch which could have tumours gets them. Patches could that hold the organ and
        come from a case without tumours in it.
    weight
        How often this entry is taken, against others of the list.
    organ
        Which one; none for any whose tumour is a class.
    size, preset, prior, library, appearance, exophytic
        As for `oncoforge synth`.
    settings
        Of the method, by name.
    """

    method: str = "handcrafted"
    probability: float = 0.9
    weight: float = 1.0
    organ: str | None = None
    size: str | None = None
    preset: str | None = None
    prior: str | None = None
    library: str | None = None
    appearance: str = "texture"
    exophytic: bool = False
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SamplingSettings:
    """Where patches are cut.

    Parameters
    ----------
    foreground, tumor, background
        Relative odds that a patch is centred on a voxel of organ or tumour, of tumour alone (where
        the case has one, else organ), or on anything else in the body.
    least_foreground_mm
        Patches of cases without tumours that hold less organ than a ball of this radius are drawn
        again, up to `tries` times, the ball getting 5 mm smaller (down to 5 mm) every fifth time;
        the best of them is taken then. None takes any patch.
    tries
        How often at most.
    jitter
        Move a patch off its centre, by up to this part of its size, so that the centre is not
        always one.
    """

    foreground: float = 1.0
    tumor: float = 0.0
    background: float = 1.0
    least_foreground_mm: float | None = None
    tries: int = 30
    jitter: float = 0.0


@dataclass(frozen=True)
class AugmentationSettings:
    """Random changes of a patch, in this order; the defaults are the published ones.

    Parameters
    ----------
    flip
        Probability, along each axis on its own.
    rotate90
        Probability of one to three quarter turns in the axial plane.
    scale, scale_probability
        Intensities times 1 ± this.
    shift, shift_probability
        Intensities plus or minus this, in the values of the network.
    """

    flip: float = 0.2
    rotate90: float = 0.2
    scale: float = 0.1
    scale_probability: float = 0.15
    shift: float = 0.1
    shift_probability: float = 0.15


@dataclass(frozen=True)
class LoggerSettings:
    """One place that curves go to, beside `metrics.csv`.

    Parameters
    ----------
    name
        tensorboard, csv (every step that is logged, as a table), mlflow or wandb. The last two are
        packages of their own.
    options
        Of Lightning's logger of that kind, by name, such as project of wandb.
    """

    name: Literal["tensorboard", "csv", "mlflow", "wandb"] = "tensorboard"
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunSettings:
    """How a run is judged, stopped and kept.

    Parameters
    ----------
    best_by
        The score of a validation by which the best weights are told: the mean Dice of the tumours,
        or of all classes.
    early_stop
        Stop after so many validations in a row that were not better; none never stops early.
    checkpoint_every_epochs
        How often the state of the run is written, which `--resume` goes on from.
    loggers
        Where curves go.
    """

    best_by: Literal["tumor_dice", "mean_dice"] = "tumor_dice"
    early_stop: int | None = None
    checkpoint_every_epochs: int = 1
    loggers: list[LoggerSettings] = field(default_factory=lambda: [LoggerSettings()])
